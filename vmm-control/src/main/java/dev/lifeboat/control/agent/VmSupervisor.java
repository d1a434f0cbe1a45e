// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.host.KvmDevice;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The {@code vmm} processes of this host: starts them, finds them again after a restart of the agent, ends them. They are
 * separate processes and live on when the agent dies. Thread-safe; starting and removing the same VM exclude each other.
 */
final class VmSupervisor implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VmSupervisor.class);
    /**
     * A vmm that is asked to stop answers questions for 1.5 s more, then gives its streamer 5 s to end an upload; a host
     * that is busy needs about as long again.
     */
    private static final long POLITE_END_MS = 15_000;

    private static final Set<String> BUSY = Set.of(VmRun.STARTING, VmRun.RECEIVING, VmRun.EVACUATING);
    /** Receivers that failed, each with one log of some kilobytes. */
    private static final int FAILED_LOGS_KEPT = 16;

    private final AgentConfig config;
    private final SpareVmm processes;
    private final GuestNetwork network;
    private final Path kvmDevice;
    private final BiConsumer<VmRun, String> onState;
    private final Path directory;
    private final Path images;
    private final Map<String, VmRun> runs = new ConcurrentHashMap<>();

    /**
     * @param spareAllowed whether a spare process may be started now, for all the agent knows
     * @param onState called after each change of a VM's state
     */
    VmSupervisor(
            AgentConfig config,
            VmmLauncher launcher,
            GuestNetwork network,
            Path kvmDevice,
            BooleanSupplier spareAllowed,
            BiConsumer<VmRun, String> onState) {
        this.config = config;
        this.processes = new SpareVmm(
                config, Path.of(config.runDirectory()), launcher, () -> spareAllowed.getAsBoolean() && isCalm());
        this.network = network;
        this.kvmDevice = kvmDevice;
        this.onState = onState;
        this.directory = Path.of(config.runDirectory(), "vms").toAbsolutePath();
        this.images = Path.of(config.runDirectory(), "images").toAbsolutePath();
        try {
            Files.createDirectories(
                    directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (IOException e) {
            throw new ControlException(
                    ExitCode.MISSING, "cannot make the run directory " + directory + ": " + e.getMessage(), e);
        }
    }

    /** Takes over the VMs that an earlier agent started. */
    int adopt() {
        int adopted = 0;
        try (DirectoryStream<Path> found = Files.newDirectoryStream(directory)) {
            for (Path vm : found) {
                Path file = VmRun.description(vm);
                if (!Files.exists(file)) {
                    continue;
                }
                VmRun.Saved saved;
                try {
                    saved = Json.readFile(file, VmRun.Saved.class);
                } catch (IllegalArgumentException e) {
                    LOG.warn("left alone: {}", e.getMessage());
                    continue;
                }
                Optional<ProcessHandle> process = VmRun.stillRunning(saved);
                if (process.isPresent()) {
                    VmRun run = new VmRun(vm, saved, process.get(), Optional.empty(), onState);
                    runs.put(saved.spec().vmId(), run);
                    run.watch();
                    adopted++;
                } else {
                    LOG.warn(
                            "{} is not running any more; its log stays at {}",
                            saved.spec().vmId(),
                            VmRun.log(vm));
                    saved.tap().ifPresent(network::removeTap);
                }
            }
        } catch (IOException e) {
            throw new ControlException(
                    ExitCode.FAILED, "cannot read the run directory " + directory + ": " + e.getMessage(), e);
        }
        return adopted;
    }

    /** Keeps a spare process from now on, if it is wanted. */
    void keepSpare() {
        processes.open();
    }

    boolean hasSpare() {
        return processes.isThere();
    }

    /** Nothing starts, arrives or leaves, which would need the processor. */
    private boolean isCalm() {
        return runs.values().stream().noneMatch(run -> !run.ended() && BUSY.contains(run.state()));
    }

    /** Leaves the VMs alone. */
    @Override
    public void close() {
        processes.close();
    }

    /** No process of any VM is left here, not even one that serves a VM which has moved. */
    boolean isEmpty() {
        return runs.values().stream().allMatch(VmRun::ended);
    }

    Collection<VmRun> all() {
        return List.copyOf(runs.values());
    }

    Optional<VmRun> find(String vmId) {
        return Optional.ofNullable(runs.get(vmId));
    }

    VmRun require(String vmId) {
        return find(vmId)
                .orElseThrow(() -> new ControlException(
                        ExitCode.NOT_FOUND, "no VM " + vmId + " on host " + config.host() + "; see: lifeboat ps"));
    }

    /** Starts a VM. Everything that can be checked before a process exists is checked first. */
    synchronized VmRun start(VmSpec spec, VmmConfig.Mode mode) throws InterruptedException {
        VmRun earlier = runs.get(spec.vmId());
        if (earlier != null && !earlier.isOver()) {
            throw new ControlException(
                    ExitCode.FAILED,
                    "VM " + spec.vmId() + " is on host " + config.host() + " already (" + earlier.state() + ")");
        }
        KvmDevice.require(kvmDevice);
        requireFiles(spec, mode);
        Optional<VmmConfig.Store> store = spec.store(config.store());
        if (spec.storeKey().isPresent() && store.isEmpty()) {
            throw new ControlException(
                    ExitCode.USAGE,
                    "agent.json has no \"store\" that the store key could be for: add one, or leave it out");
        }
        if (!spec.owners().equals(VmmConfig.Owners.IN_THE_STORE) && store.isEmpty()) {
            throw new ControlException(
                    ExitCode.USAGE,
                    "agent.json has no \"store\", and a VM without one has no owner records: add one, or leave the"
                            + " registry and the lease out");
        }
        if (mode == VmmConfig.Mode.RESTORE && store.isEmpty()) {
            throw new ControlException(ExitCode.USAGE, "agent.json has no \"store\" to restore from");
        }
        if (earlier != null) {
            remove(earlier);
        }
        Path vm = directory.resolve(spec.vmId());
        Optional<String> tap = spec.mac().map(mac -> tapName(spec.vmId()));
        try {
            deleteTree(vm);
            Files.createDirectory(
                    vm, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            Path vmmConfig = vm.resolve("vmm.json");
            Files.write(vmmConfig, Json.MAPPER.writeValueAsBytes(vmmConfig(spec, mode, tap, vm)));
            if (tap.isPresent()) {
                network.createTap(tap.get(), spec.mac().orElseThrow());
                // Until the guest runs here its host of now gets the broadcasts; else it would get each one twice.
                network.receiveBroadcasts(tap.get(), mode != VmmConfig.Mode.RECEIVE);
            }
            Process process = processes.start(vmmConfig, VmRun.log(vm));
            VmRun.Saved saved =
                    new VmRun.Saved(spec, mode, process.pid(), VmRun.startedAtMillis(process.toHandle()), tap);
            VmRun run = new VmRun(vm, saved, process.toHandle(), Optional.of(process), onState);
            runs.put(spec.vmId(), run);
            run.watch();
            VmRun.save(vm, saved);
            return run;
        } catch (IOException e) {
            tap.ifPresent(network::removeTap);
            throw new ControlException(ExitCode.FAILED, "cannot prepare " + vm + ": " + e.getMessage(), e);
        } catch (RuntimeException e) {
            tap.ifPresent(network::removeTap);
            throw e;
        }
    }

    /** Ends a VM if it still runs, and forgets it with its files. */
    synchronized void remove(VmRun run) throws InterruptedException {
        endAndForget(run);
        try {
            deleteTree(run.directory());
        } catch (IOException e) {
            LOG.warn("cannot remove {}: {}", run.directory(), e.getMessage());
        }
    }

    /**
     * Ends a receiver that got no VM, and forgets it. Its log stays where it is, for it says what went wrong on this
     * side: until the VM comes here again, or until enough others have failed.
     */
    synchronized void removeFailedReceiver(VmRun run) throws InterruptedException {
        endAndForget(run);
        try {
            deleteAllBut(VmRun.log(run.directory()), run.directory());
            forgetOldFailures();
        } catch (IOException e) {
            LOG.warn("cannot clear {}: {}", run.directory(), e.getMessage());
        }
    }

    private void endAndForget(VmRun run) throws InterruptedException {
        run.end(POLITE_END_MS);
        run.saved().tap().ifPresent(network::removeTap);
        runs.remove(run.spec().vmId(), run);
    }

    private void forgetOldFailures() throws IOException {
        Map<FileTime, Path> failed = new TreeMap<>();
        try (DirectoryStream<Path> directories = Files.newDirectoryStream(directory)) {
            for (Path vm : directories) {
                if (!runs.containsKey(vm.getFileName().toString()) && !Files.exists(VmRun.description(vm))) {
                    failed.put(Files.getLastModifiedTime(vm), vm);
                }
            }
        }
        for (Path oldest : List.copyOf(failed.values()).subList(0, Math.max(0, failed.size() - FAILED_LOGS_KEPT))) {
            deleteTree(oldest);
        }
    }

    /**
     * After the end of a process: its tap goes, its files stay for {@code logs} until the VM is removed. Nothing happens
     * when a new run of the VM has taken the place, for the tap of that name is the new one's.
     */
    synchronized void cleanUpAfterEnd(VmRun run) {
        if (runs.get(run.spec().vmId()) == run) {
            run.saved().tap().ifPresent(network::removeTap);
        }
    }

    private VmmConfig vmmConfig(VmSpec spec, VmmConfig.Mode mode, Optional<String> tap, Path vm) {
        return new VmmConfig(
                mode,
                spec.vmId(),
                config.host(),
                (long) spec.memoryMiB() << 20,
                spec.vcpus(),
                spec.cpuProfile(),
                mode == VmmConfig.Mode.BOOT ? Optional.of(spec.kernel()) : Optional.empty(),
                mode == VmmConfig.Mode.BOOT ? spec.initrd() : Optional.empty(),
                spec.commandLine(),
                tap.map(name -> List.of(new VmmConfig.Network(name, spec.mac().orElseThrow())))
                        .orElse(List.of()),
                spec.disks(),
                spec.store(config.store()),
                spec.epochIntervalMs(),
                mode == VmmConfig.Mode.RECEIVE
                        ? Optional.of(new VmmConfig.Receive(config.receiveAddress(), 0))
                        : Optional.empty(),
                Optional.of(config.absoluteTls()),
                VmRun.socket(vm).toString(),
                VmRun.console(vm).toString(),
                new VmmConfig.Files(vm.toString(), images.toString()),
                spec.owners());
    }

    private static void requireFiles(VmSpec spec, VmmConfig.Mode mode) {
        if (mode == VmmConfig.Mode.BOOT) {
            requireFile("kernel", spec.kernel());
            spec.initrd().ifPresent(initrd -> requireFile("initrd", initrd));
        }
        for (VmmConfig.Disk disk : spec.disks()) {
            if (mode == VmmConfig.Mode.BOOT) {
                disk.base().ifPresent(base -> requireFile("base image", base));
            }
            if (mode == VmmConfig.Mode.BOOT || disk.readOnly()) {
                disk.path().ifPresent(path -> requireFile("disk", path));
            }
        }
    }

    private static void requireFile(String what, String path) {
        Path file = Path.of(path);
        if (!file.isAbsolute()) {
            throw new ControlException(ExitCode.USAGE, what + " " + path + " must be an absolute path on the host");
        }
        if (!Files.isReadable(file)) {
            throw new ControlException(
                    ExitCode.USAGE,
                    "no " + what + " at " + path + " on this host, or it cannot be read; copy it there");
        }
    }

    /** Stable per VM, and within the 15 bytes of an interface name whatever the VM's name is. */
    static String tapName(String vmId) {
        return "lbt" + String.format("%08x", vmId.hashCode());
    }

    private static void deleteTree(Path tree) throws IOException {
        if (Files.exists(tree)) {
            deleteAllBut(tree, tree);
            Files.delete(tree);
        }
    }

    /** Empties a directory but for one entry. */
    private static void deleteAllBut(Path kept, Path tree) throws IOException {
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(tree)) {
            for (Path entry : entries) {
                if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
                    deleteTree(entry);
                } else if (!entry.equals(kept)) {
                    Files.delete(entry);
                }
            }
        }
    }
}
