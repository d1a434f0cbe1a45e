// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import dev.lifeboat.store.EpochManifest;

/** Hears what becomes of a VM's epochs, on the streamer's thread. */
public interface StreamerListener {
    /** Another host owns the VM: streaming has stopped, and the VM must be stopped at once (invariant I1). */
    void fenced(String message);

    default void epochCommitted(EpochManifest manifest, long pauseNs) {}

    /** An epoch was not committed; its pages are sent again. The VM is not touched. */
    default void epochFailed(RuntimeException cause) {}
}
