// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.CheckpointRef;
import dev.lifeboat.store.EpochManifest.SegmentRef;
import dev.lifeboat.store.VmShape.DiskShape;
import java.util.List;
import java.util.Optional;

/**
 * A manifest as it stands in its object (docs/store-format.md).
 *
 * @param checkpoint null without one, as always in version 2
 * @param order see {@link SegmentOrder}; without a checkpoint empty, or null in version 2
 * @param segments those that the checkpoint does not have
 */
record ManifestBody(
        int version,
        String vmId,
        long epoch,
        long term,
        String nonce,
        long parentEpoch,
        int parentCrc32c,
        long pages,
        List<Disk> disks,
        CheckpointRef checkpoint,
        int[] order,
        List<SegmentRef> segments,
        String vmDescription,
        byte[] state,
        long cutAtMillis) {

    /** A disk; {@code baseImage} is empty when there is none. */
    record Disk(long blocks, String baseImage) {}

    /** @param checkpoint the one that the manifest refers to */
    static ManifestBody of(EpochManifest manifest, Optional<Checkpoint> checkpoint) {
        SegmentOrder segments = checkpoint
                .map(base -> SegmentOrder.of(base.segments(), manifest.segments()))
                .orElseGet(() -> new SegmentOrder(new int[0], manifest.segments()));
        return new ManifestBody(
                manifest.version(),
                manifest.vmId(),
                manifest.epoch(),
                manifest.term(),
                manifest.nonce(),
                manifest.parentEpoch(),
                manifest.parentCrc32c(),
                manifest.pages(),
                manifest.disks().stream()
                        .map(disk -> new Disk(disk.blocks(), disk.baseImage().orElse("")))
                        .toList(),
                checkpoint.map(Checkpoint::ref).orElse(null),
                segments.order(),
                segments.own(),
                manifest.vmDescription(),
                manifest.state(),
                manifest.cutAtMillis());
    }

    SealedManifest.Hidden hidden() {
        return new SealedManifest.Hidden(vmDescription, state);
    }

    /** With these instead of description and state. */
    ManifestBody with(SealedManifest.Hidden hidden) {
        return new ManifestBody(
                version,
                vmId,
                epoch,
                term,
                nonce,
                parentEpoch,
                parentCrc32c,
                pages,
                disks,
                checkpoint,
                order,
                segments,
                hidden.vmDescription(),
                hidden.state(),
                cutAtMillis);
    }

    /** What passed the checksum was written by us; this keeps a wrong writer from becoming a wrong page. */
    boolean isWhole() {
        return vmId != null
                && nonce != null
                && segments != null
                && vmDescription != null
                && state != null
                && (checkpoint == null || order != null && checkpoint.key() != null && checkpoint.sha256() != null)
                && isSize(pages)
                && (disks == null
                        || disks.stream().allMatch(disk -> isSize(disk.blocks()) && disk.baseImage() != null));
    }

    private static boolean isSize(long pages) {
        return pages >= 0 && pages <= VmShape.MAX_PAGES;
    }

    /**
     * @param key of this manifest
     * @throws DamagedObjectException also when it is the checkpoint that is damaged, which is then named
     */
    EpochManifest manifest(String key, Checkpoints checkpoints) {
        List<DiskShape> shapes = disks == null
                ? List.of()
                : disks.stream()
                        .map(disk -> new DiskShape(
                                disk.blocks(), Optional.of(disk.baseImage()).filter(image -> !image.isEmpty())))
                        .toList();
        return new EpochManifest(
                version,
                vmId,
                epoch,
                term,
                nonce,
                parentEpoch,
                parentCrc32c,
                pages,
                shapes,
                allSegments(key, checkpoints),
                Optional.ofNullable(checkpoint),
                vmDescription,
                state,
                cutAtMillis);
    }

    private List<SegmentRef> allSegments(String key, Checkpoints checkpoints) {
        if (checkpoint == null) {
            return segments;
        }
        List<SegmentRef> base = checkpoints.get(checkpoint).segments();
        try {
            return new SegmentOrder(order, segments).apply(base);
        } catch (IllegalArgumentException e) {
            throw new DamagedObjectException(
                    "damaged object " + key + ": it does not fit its checkpoint: " + e.getMessage(), e);
        }
    }
}
