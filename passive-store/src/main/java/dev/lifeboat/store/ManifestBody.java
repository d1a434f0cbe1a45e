// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import dev.lifeboat.store.VmShape.DiskShape;
import java.util.List;
import java.util.Optional;

/**
 * A manifest as it stands in its object (docs/store-format.md). A body of version 1 has the same fields, without those
 * of disks and of the parent's checksum.
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
        List<SegmentRef> segments,
        String vmDescription,
        byte[] state,
        long cutAtMillis) {

    /** A disk; {@code baseImage} is empty when there is none. */
    record Disk(long blocks, String baseImage) {}

    static ManifestBody of(EpochManifest manifest) {
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
                manifest.segments(),
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
                && isSize(pages)
                && (disks == null
                        || disks.stream().allMatch(disk -> isSize(disk.blocks()) && disk.baseImage() != null));
    }

    private static boolean isSize(long pages) {
        return pages >= 0 && pages <= VmShape.MAX_PAGES;
    }

    EpochManifest manifest() {
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
                segments,
                vmDescription,
                state,
                cutAtMillis);
    }
}
