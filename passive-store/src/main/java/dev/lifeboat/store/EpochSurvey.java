// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import dev.lifeboat.store.ObjectStore.Entry;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The manifests of one VM as a tool sees them, newest first: read, or damaged with the reason. Needs no key. Immutable.
 *
 * @param objects the listing, made before the manifests were read: a segment in it that no manifest lists was not
 *     committed, whatever a writer does meanwhile
 */
record EpochSurvey(VmObjects objects, List<Seen> epochs) {
    /**
     * One manifest.
     *
     * @param manifest when it could be read; of an encrypted one without description and state
     * @param keyNumber of the data key, 0 when it is not encrypted
     * @param damage in words
     */
    record Seen(long epoch, String key, Optional<EpochManifest> manifest, int keyNumber, Optional<String> damage) {
        boolean isEncrypted() {
            return keyNumber != 0;
        }
    }

    /** @throws StoreException when a manifest is of a format that this Lifeboat does not read */
    static EpochSurvey of(ObjectStore store, VmObjects objects) {
        Keys keys = new Keys(objects.vmId());
        List<Seen> epochs = new ArrayList<>();
        for (Entry entry : objects.manifests()) {
            long number = keys.epochOf(entry.key()).orElseThrow();
            Optional<ByteBuffer> content = store.get(entry.key());
            if (content.isEmpty()) {
                continue; // cleaned up meanwhile
            }
            try {
                Records.Visible visible = Records.visible(entry.key(), content.get());
                EpochManifest manifest = visible.manifest();
                if (!manifest.vmId().equals(objects.vmId()) || manifest.epoch() != number) {
                    throw new DamagedObjectException("damaged object " + entry.key() + ": it is the manifest of epoch "
                            + manifest.epoch() + " of VM " + manifest.vmId());
                }
                epochs.add(new Seen(
                        number,
                        entry.key(),
                        Optional.of(manifest),
                        visible.keyNumber(),
                        whyNotThere(visible, objects)));
            } catch (DamagedObjectException e) {
                epochs.add(new Seen(number, entry.key(), Optional.empty(), 0, Optional.of(e.getMessage())));
            }
        }
        return new EpochSurvey(objects, epochs);
    }

    private static Optional<String> whyNotThere(Records.Visible visible, VmObjects objects) {
        int missing = 0;
        Optional<String> first = Optional.empty();
        for (SegmentRef ref : visible.manifest().segments()) {
            Entry entry = objects.segments().get(ref.key());
            long expected = visible.keyNumber() == 0 ? ref.lengthBytes() : SealedLayout.sealedBytes(ref.lengthBytes());
            if (entry == null || entry.lengthBytes() != expected) {
                missing++;
                if (first.isEmpty()) {
                    first = Optional.of("segment " + ref.key() + " is "
                            + (entry == null ? "missing" : "of " + entry.lengthBytes() + " bytes, not " + expected));
                }
            }
        }
        int others = missing - 1;
        return first.map(text -> others == 0 ? text : text + "; and " + others + " more");
    }

    /** The newest epoch whose manifest is whole and whose segments are all there in full length. */
    Optional<Seen> newestWhole() {
        return epochs.stream().filter(seen -> seen.damage().isEmpty()).findFirst();
    }

    /** The key for this VM: none when it is not encrypted, so that a tool can be given one key for all VMs. */
    Optional<KeyWrapper> fitting(Optional<KeyWrapper> key) {
        boolean isEncrypted = epochs.isEmpty()
                ? !objects.dataKeys().isEmpty()
                : epochs.stream().anyMatch(Seen::isEncrypted);
        return isEncrypted ? key : Optional.empty();
    }
}
