// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.stream.HeldFrames;
import dev.lifeboat.stream.LiveVm;
import dev.lifeboat.stream.Streamer;
import dev.lifeboat.stream.lease.LeaseKeeper;
import dev.lifeboat.stream.wire.WireSecurity;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * Moves a running, streamed VM to another host (docs/protocol.md; DESIGN 7). One evacuation at a time; after one that
 * failed the next may follow at once. Runs on the caller's thread.
 */
public final class EvacuationSource {
    private final EvacuationConfig config;
    private final WireSecurity security;
    private final LiveVm vm;
    private final Streamer streamer;
    private final String hostName;
    private final String cpuCompatibilityKey;
    private final Optional<HeldFrames> heldFrames;
    private final Consumer<SourceState> stateListener;
    private final Optional<LeaseKeeper> lease;
    private final AtomicBoolean busy = new AtomicBoolean();
    private volatile SourceState state = SourceState.RUNNING;

    /** In strict mode. */
    public EvacuationSource(
            EvacuationConfig config,
            WireSecurity security,
            LiveVm vm,
            Streamer streamer,
            String hostName,
            String cpuCompatibilityKey,
            Optional<HeldFrames> heldFrames,
            Consumer<SourceState> stateListener) {
        this(
                config,
                security,
                vm,
                streamer,
                hostName,
                cpuCompatibilityKey,
                heldFrames,
                stateListener,
                Optional.empty());
    }

    /**
     * @param streamer of this VM; it also knows the store, the owner record and the VM's description
     * @param hostName of this host, for owner records and messages
     * @param cpuCompatibilityKey see {@code HelloInfo}
     * @param stateListener hears each state when it is entered, on the evacuation's thread
     * @param lease in lease mode; {@code vm} is then the one behind it
     */
    public EvacuationSource(
            EvacuationConfig config,
            WireSecurity security,
            LiveVm vm,
            Streamer streamer,
            String hostName,
            String cpuCompatibilityKey,
            Optional<HeldFrames> heldFrames,
            Consumer<SourceState> stateListener,
            Optional<LeaseKeeper> lease) {
        this.config = config;
        this.security = security;
        this.vm = vm;
        this.streamer = streamer;
        this.hostName = hostName;
        this.cpuCompatibilityKey = cpuCompatibilityKey;
        this.heldFrames = heldFrames;
        this.stateListener = stateListener;
        this.lease = lease;
    }

    /**
     * Moves the VM; returns when this host is not needed any more.
     *
     * @throws EvacuationException when the VM did not move; {@link EvacuationException#fate} says whether it runs here
     */
    public EvacuationReport evacuate(EvacuationRequest request) {
        long noticeNs = System.nanoTime();
        if (state != SourceState.RUNNING || !busy.compareAndSet(false, true)) {
            throw new IllegalStateException("an evacuation is under way or done: " + state);
        }
        try {
            return new EvacuationAttempt(this, request, noticeNs).run();
        } finally {
            busy.set(false);
        }
    }

    public SourceState state() {
        return state;
    }

    void enter(SourceState newState) {
        state = newState;
        stateListener.accept(newState);
    }

    EvacuationConfig config() {
        return config;
    }

    WireSecurity security() {
        return security;
    }

    LiveVm vm() {
        return vm;
    }

    Streamer streamer() {
        return streamer;
    }

    String hostName() {
        return hostName;
    }

    String cpuCompatibilityKey() {
        return cpuCompatibilityKey;
    }

    Optional<LeaseKeeper> lease() {
        return lease;
    }

    Optional<HeldFrames> heldFrames() {
        return heldFrames;
    }
}
