// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.CheckpointRef;
import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.util.List;

/**
 * A list of segments in an object of its own, so that manifests need not repeat it (docs/store-format.md,
 * "Checkpoints"). Immutable.
 *
 * @param segments in fold order
 */
record Checkpoint(CheckpointRef ref, List<SegmentRef> segments) {
    Checkpoint {
        segments = List.copyOf(segments);
    }

    /** As it stands in its object. */
    record Body(int version, String vmId, List<SegmentRef> segments) {
        /** That of manifests in which checkpoints came. */
        static final int VERSION = 3;
    }
}
