// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.VmStore;
import dev.lifeboat.stream.Baseline;
import dev.lifeboat.stream.LiveVm;
import dev.lifeboat.stream.Streamer;
import dev.lifeboat.stream.StreamerConfig;
import dev.lifeboat.stream.StreamerListener;
import dev.lifeboat.stream.evacuation.EvacuationConfig;
import dev.lifeboat.stream.evacuation.EvacuationSource;
import dev.lifeboat.stream.evacuation.MemoryCheck;
import dev.lifeboat.stream.evacuation.SourceState;
import dev.lifeboat.stream.lease.LeaseKeeper;
import dev.lifeboat.stream.wire.WireSecurity;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * A VM that this process runs as its owner: the monitor, and when there is a store, its streaming and the way to move
 * it away. Made with the guest still standing, so that no write is missed.
 */
final class RunningVm implements AutoCloseable {
    /** Both ends of a move compare all of memory; outside the blackout, see {@link MemoryCheck#AFTER_SWITCH}. */
    static final EvacuationConfig EVACUATION = EvacuationConfig.defaults().withMemoryCheck(MemoryCheck.AFTER_SWITCH);

    private final MicroVm vm;
    private final LiveVm live;
    private final Optional<Protection> protection;

    /** What a store adds to a VM. */
    record Protection(Streamer streamer, EvacuationSource source, OwnerRecord owner, Optional<LeaseKeeper> lease) {}

    private RunningVm(MicroVm vm, LiveVm live, Optional<Protection> protection) {
        this.vm = vm;
        this.live = live;
        this.protection = protection;
    }

    /** A VM without a store: it runs, but cannot move and does not survive its host. */
    static RunningVm unprotected(MicroVm vm) {
        return new RunningVm(vm, vm, Optional.empty());
    }

    /** Starts streaming unless the interval is 0. */
    static RunningVm streamed(
            VmmConfig config,
            MicroVm vm,
            String description,
            VmDevices devices,
            VmStore store,
            OwnerRecord owner,
            Optional<LeaseKeeper> lease,
            Baseline baseline,
            WireSecurity security,
            StreamerListener listener,
            Consumer<SourceState> sourceListener) {
        StreamerConfig streaming = StreamerConfig.defaults().withEpochIntervalMs(Math.max(1, config.epochIntervalMs()));
        LiveVm live = lease.map(LeaseKeeper::vm).orElse(vm);
        Streamer streamer = new Streamer(streaming, live, store, owner, baseline, description, listener);
        EvacuationSource source = new EvacuationSource(
                EVACUATION,
                security,
                live,
                streamer,
                config.host(),
                vm.cpuCompatibilityKey(),
                devices.heldFrames(),
                sourceListener,
                lease);
        if (config.epochIntervalMs() > 0) {
            streamer.start();
        }
        return new RunningVm(vm, live, Optional.of(new Protection(streamer, source, owner, lease)));
    }

    MicroVm vm() {
        return vm;
    }

    /** What pauses and resumes: the VM, behind its lease if it has one. */
    LiveVm live() {
        return live;
    }

    Optional<Protection> protection() {
        return protection;
    }

    Protection requireProtection() {
        return protection.orElseThrow(() -> new VmmException(
                "this VM has no store, and without one it cannot move: start it with a store (dir:/path or"
                        + " s3://bucket)"));
    }

    @Override
    public void close() {
        protection.ifPresent(p -> p.streamer().close());
        protection.flatMap(Protection::lease).ifPresent(LeaseKeeper::close);
        vm.close();
    }
}
