// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.LiveVm;
import dev.lifeboat.stream.StreamedDisk;
import dev.lifeboat.stream.wire.HelloInfo;
import java.util.List;

/**
 * A VM that is about to arrive; the monitor implements it. Called by the target's session thread, in this order:
 * {@link #checkCompatible}, {@link #memory}, {@link #disks}, {@link #build}, {@link #resume}; or {@link #discard} at any point before
 * {@code resume}.
 */
public interface IncomingVm {
    /**
     * Refuses a VM that cannot run here, before any page is sent.
     *
     * @throws RuntimeException whose message names what does not fit; the source shows it to its user
     */
    void checkCompatible(HelloInfo hello);

    /** Zeroed RAM of the size that the HELLO told. */
    GuestMemory memory();

    /**
     * The VM's writable disks, in order: as their base images are, or zeroed. Asked for after {@link #checkCompatible},
     * once.
     */
    default List<StreamedDisk> disks() {
        return List.of();
    }

    /** Builds the paused VM around {@link #memory()} and {@link #disks()} from what {@link LiveVm#saveState} returned on the source. */
    LiveVm build(byte[] state);

    /** Lets the guest run; inside the blackout, so as short as possible. */
    void resume();

    /** Gives everything back; the VM will not run here. Idempotent. */
    void discard();
}
