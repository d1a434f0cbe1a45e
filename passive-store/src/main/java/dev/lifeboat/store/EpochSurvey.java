// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.CheckpointRef;
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
     * @param culprit what makes an unreadable manifest so: itself or its checkpoint
     */
    record Seen(
            long epoch,
            String key,
            Optional<EpochManifest> manifest,
            int keyNumber,
            Optional<String> damage,
            String culprit) {
        boolean isEncrypted() {
            return keyNumber != 0;
        }
    }

    /** @throws StoreException when a manifest is of a format that this Lifeboat does not read */
    static EpochSurvey of(ObjectStore store, VmObjects objects) {
        Keys keys = new Keys(objects.vmId());
        Checkpoints checkpoints = new Checkpoints(store, objects.vmId());
        List<Seen> epochs = new ArrayList<>();
        for (Entry entry : objects.manifests()) {
            long number = keys.epochOf(entry.key()).orElseThrow();
            Optional<ByteBuffer> content = store.get(entry.key());
            if (content.isEmpty()) {
                continue; // cleaned up meanwhile
            }
            Records.Visible visible;
            try {
                visible = Records.visible(entry.key(), content.get());
                ManifestBody body = visible.body();
                if (!body.vmId().equals(objects.vmId()) || body.epoch() != number) {
                    throw new DamagedObjectException("damaged object " + entry.key() + ": it is the manifest of epoch "
                            + body.epoch() + " of VM " + body.vmId());
                }
            } catch (DamagedObjectException e) {
                epochs.add(unreadable(number, entry, 0, e, entry.key()));
                continue;
            }
            Optional<CheckpointRef> checkpoint =
                    Optional.ofNullable(visible.body().checkpoint());
            try {
                checkpoint.ifPresent(checkpoints::get);
            } catch (DamagedObjectException e) {
                if (store.get(entry.key()).isPresent()) {
                    epochs.add(unreadable(
                            number,
                            entry,
                            visible.keyNumber(),
                            e,
                            checkpoint.orElseThrow().key()));
                }
                continue; // else both were cleaned up meanwhile
            }
            try {
                EpochManifest manifest = visible.body().manifest(entry.key(), checkpoints);
                epochs.add(new Seen(
                        number,
                        entry.key(),
                        Optional.of(manifest),
                        visible.keyNumber(),
                        whyNotThere(manifest, visible.keyNumber(), objects),
                        entry.key()));
            } catch (DamagedObjectException e) {
                epochs.add(unreadable(number, entry, visible.keyNumber(), e, entry.key()));
            }
        }
        return new EpochSurvey(objects, epochs);
    }

    private static Seen unreadable(
            long number, Entry manifest, int keyNumber, DamagedObjectException why, String culprit) {
        return new Seen(number, manifest.key(), Optional.empty(), keyNumber, Optional.of(why.getMessage()), culprit);
    }

    private static Optional<String> whyNotThere(EpochManifest manifest, int keyNumber, VmObjects objects) {
        int missing = 0;
        Optional<String> first = Optional.empty();
        for (SegmentRef ref : manifest.segments()) {
            Entry entry = objects.segments().get(ref.key());
            long expected = keyNumber == 0 ? ref.lengthBytes() : SealedLayout.sealedBytes(ref.lengthBytes());
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
