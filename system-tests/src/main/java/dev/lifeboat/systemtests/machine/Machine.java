// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.machine;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * One QEMU process. The machine has: its console in a log file, a shell on its second serial line, one interface per
 * switch port, and last a management interface on which it reaches the harness at {@value #HARNESS_ADDRESS} and the
 * harness its forwarded ports. Methods may be called by any thread.
 *
 * <p>Its life is bounded three times: {@link #close}, a shutdown hook of this JVM, and {@code timeout} around QEMU for
 * the case that this JVM is killed.
 */
public final class Machine implements AutoCloseable {
    /** Jumbo frames, as inside of a cloud's network; each frame costs an emulated processor about as much as any other. */
    private static final int MTU_BYTES = 9_000;

    /** The harness, seen from a machine's management interface (QEMU's user network). */
    public static final String HARNESS_ADDRESS = "10.0.2.2";

    private static final Duration STOP_LIMIT = Duration.ofSeconds(5);
    /** An empty slot: on q35 only what sits behind such a port can come and go while the machine runs. */
    private static final String SLOT = "slot0";

    private static final String PLUGGED = "plugged";
    /** The kernel in the machine lets go of a disk within tenths of a second; a busy software processor takes longer. */
    private static final Duration UNPLUG_LIMIT = Duration.ofSeconds(20);

    private final MachineSpec spec;
    private final Process process;
    private final Path directory;
    private final Path sockets;
    private final Map<Integer, Integer> harnessPorts;
    private final RootShell shell;
    private final Thread shutdownHook;
    /** Serial number of the disk in the slot; guarded by this. */
    private Optional<String> plugged = Optional.empty();

    private Machine(
            MachineSpec spec, Process process, Path directory, Path sockets, Map<Integer, Integer> harnessPorts) {
        this.spec = spec;
        this.process = process;
        this.directory = directory;
        this.sockets = sockets;
        this.harnessPorts = harnessPorts;
        shell = new RootShell(spec.name(), shellSocket(spec, sockets));
        shutdownHook = new Thread(this::kill, "machine-" + spec.name() + "-shutdown");
        Runtime.getRuntime().addShutdownHook(shutdownHook);
    }

    /**
     * Starts the process; {@link #awaitLog} tells when the machine is up.
     *
     * @param directory for logs
     * @param sockets for control sockets; a short path
     */
    public static Machine start(MachineSpec spec, Acceleration acceleration, Path directory, Path sockets)
            throws IOException {
        for (Path needed : List.of(spec.kernel(), spec.initrd(), spec.overlay())) {
            if (!Files.isReadable(needed)) {
                throw new MachineException("machine " + spec.name() + " needs " + needed
                        + ", which is missing; make the images with: guest-images/make");
            }
        }
        Map<Integer, Integer> harnessPorts = new HashMap<>();
        for (int port : spec.forwardedPorts()) {
            harnessPorts.put(port, freePort());
        }
        List<String> command = command(spec, acceleration, directory, sockets, harnessPorts);
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve(spec.name() + ".qemu.log").toFile())
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .start();
        return new Machine(spec, process, directory, sockets, harnessPorts);
    }

    private static List<String> command(
            MachineSpec spec,
            Acceleration acceleration,
            Path directory,
            Path sockets,
            Map<Integer, Integer> harnessPorts) {
        List<String> command = new ArrayList<>(
                List.of("timeout", "-k", "5", String.valueOf(spec.maxLife().toSeconds()), "qemu-system-x86_64"));
        command.addAll(List.of("-name", spec.name(), "-machine", "q35", "-nodefaults", "-no-user-config"));
        command.addAll(List.of("-display", "none", "-no-reboot"));
        command.addAll(acceleration.qemuArguments());
        command.addAll(List.of("-smp", String.valueOf(spec.cpus()), "-m", String.valueOf(spec.memoryMib())));
        command.addAll(List.of(
                "-kernel", spec.kernel().toString(), "-initrd", spec.initrd().toString()));
        // No secrets to guard in there, and the detours around indirect jumps are a fifth of a software processor's
        // time.
        command.addAll(List.of("-append", "console=ttyS0 quiet panic=-1 mitigations=off"));
        command.addAll(List.of("-serial", "file:" + consoleLog(spec, directory)));
        command.addAll(List.of("-serial", "unix:" + shellSocket(spec, sockets) + ",server=on,wait=off"));
        command.addAll(List.of("-qmp", "unix:" + qmpSocket(spec, sockets) + ",server=on,wait=off"));
        command.addAll(List.of("-drive", "if=none,id=overlay,format=raw,readonly=on,file=" + spec.overlay()));
        command.addAll(List.of("-device", "virtio-blk-pci,drive=overlay"));
        command.addAll(List.of("-object", "rng-random,id=rng,filename=/dev/urandom"));
        command.addAll(List.of("-device", "virtio-rng-pci,rng=rng"));
        command.addAll(List.of("-device", "pcie-root-port,id=" + SLOT + ",chassis=1,slot=1"));
        int number = 0;
        for (Map.Entry<String, Path> nic : spec.fabricNics().entrySet()) {
            String id = "fabric" + number++;
            command.addAll(
                    List.of("-netdev", "stream,id=" + id + ",server=off,addr.type=unix,addr.path=" + nic.getValue()));
            command.addAll(List.of(
                    "-device", "virtio-net-pci,netdev=" + id + ",mac=" + nic.getKey() + ",host_mtu=" + MTU_BYTES));
        }
        StringBuilder management = new StringBuilder("user,id=management");
        harnessPorts.forEach((machinePort, harnessPort) -> management
                .append(",hostfwd=tcp:127.0.0.1:")
                .append(harnessPort)
                .append("-:")
                .append(machinePort));
        command.addAll(List.of(
                "-netdev",
                management.toString(),
                "-device",
                "virtio-net-pci,netdev=management,mac=" + spec.managementMac()));
        return command;
    }

    /** A port of 127.0.0.1 that nobody listens on just now. */
    public static int freePort() throws IOException {
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return probe.getLocalPort();
        }
    }

    private static Path consoleLog(MachineSpec spec, Path directory) {
        return directory.resolve(spec.name() + ".console.log");
    }

    private static Path shellSocket(MachineSpec spec, Path sockets) {
        return sockets.resolve(spec.name() + ".sh");
    }

    private static Path qmpSocket(MachineSpec spec, Path sockets) {
        return sockets.resolve(spec.name() + ".qmp");
    }

    public String name() {
        return spec.name();
    }

    public Path consoleLog() {
        return consoleLog(spec, directory);
    }

    /** Where the harness reaches a port of the machine on 127.0.0.1. */
    public int harnessPort(int machinePort) {
        Integer port = harnessPorts.get(machinePort);
        if (port == null) {
            throw new IllegalArgumentException(
                    "port " + machinePort + " of machine " + name() + " is not among its forwarded ports");
        }
        return port;
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** Waits for a line of the console that contains {@code text}. */
    public void awaitLog(String text, Duration limit) throws IOException, InterruptedException {
        long deadlineNs = System.nanoTime() + limit.toNanos();
        while (!console().contains(text)) {
            if (!process.isAlive()) {
                throw new MachineException("machine " + name() + " ended before its console said \"" + text + "\": "
                        + lastLines(directory.resolve(name() + ".qemu.log")) + lastLines(consoleLog()));
            }
            if (System.nanoTime() - deadlineNs > 0) {
                throw new MachineException("machine " + name() + " did not say \"" + text + "\" within "
                        + limit.toSeconds() + " s; its console ends with: " + lastLines(consoleLog()));
            }
            Thread.sleep(50);
        }
    }

    private String console() throws IOException {
        Path log = consoleLog();
        return Files.exists(log) ? Files.readString(log, StandardCharsets.ISO_8859_1) : "";
    }

    private static String lastLines(Path file) throws IOException {
        if (!Files.exists(file)) {
            return "";
        }
        List<String> lines = Files.readAllLines(file, StandardCharsets.ISO_8859_1);
        return String.join(" | ", lines.subList(Math.max(0, lines.size() - 8), lines.size()));
    }

    /** Runs a shell command in the machine as root. */
    public ExecResult exec(String command, Duration limit) throws IOException {
        return shell.exec(command, limit);
    }

    /** Like pulling the power cord: nothing in the machine gets to run. Returns when the process is gone. */
    public void powerOff() throws IOException {
        try (Qmp qmp = Qmp.connect(qmpSocket(spec, sockets))) {
            qmp.execute("quit");
        } catch (IOException e) {
            if (process.isAlive()) {
                kill();
            }
        }
        awaitEnd();
    }

    /** The machine stops running, as if its host had frozen, and keeps all its state. */
    public void freeze() throws IOException {
        try (Qmp qmp = Qmp.connect(qmpSocket(spec, sockets))) {
            qmp.execute("stop");
        }
    }

    public void unfreeze() throws IOException {
        try (Qmp qmp = Qmp.connect(qmpSocket(spec, sockets))) {
            qmp.execute("cont");
        }
    }

    /**
     * Puts a disk into the running machine; it appears there in its own time. QEMU locks the file: a disk that another
     * machine has is refused.
     */
    public synchronized void plug(Path disk, String serial) throws IOException {
        if (plugged.isPresent()) {
            throw new MachineException("machine " + name() + " has one slot, and " + plugged.get() + " is in it");
        }
        try (Qmp qmp = Qmp.connect(qmpSocket(spec, sockets))) {
            ObjectNode node = Qmp.arguments().put("driver", "raw").put("node-name", PLUGGED);
            node.putObject("file").put("driver", "file").put("filename", disk.toString());
            qmp.execute("blockdev-add", node);
            try {
                qmp.execute(
                        "device_add",
                        Qmp.arguments()
                                .put("driver", "virtio-blk-pci")
                                .put("bus", SLOT)
                                .put("id", PLUGGED)
                                .put("drive", PLUGGED)
                                .put("serial", serial));
            } catch (IOException e) {
                qmp.execute("blockdev-del", Qmp.arguments().put("node-name", PLUGGED));
                throw e;
            }
        }
        plugged = Optional.of(serial);
    }

    /** Takes the disk out again, and returns when the machine has let go of it. */
    public synchronized void unplug(String serial) throws IOException {
        if (!has(serial)) {
            throw new MachineException("machine " + name() + " has no disk " + serial);
        }
        try (Qmp qmp = Qmp.connect(qmpSocket(spec, sockets))) {
            qmp.execute("device_del", Qmp.arguments().put("id", PLUGGED));
            qmp.awaitDeviceDeleted(PLUGGED, UNPLUG_LIMIT);
            qmp.execute("blockdev-del", Qmp.arguments().put("node-name", PLUGGED));
        }
        plugged = Optional.empty();
    }

    /** Whether the disk is in the machine, and the machine runs. */
    public synchronized boolean has(String serial) {
        return isAlive() && plugged.filter(serial::equals).isPresent();
    }

    private void awaitEnd() throws IOException {
        try {
            if (!process.waitFor(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
                kill();
                if (!process.waitFor(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
                    throw new MachineException("machine " + name() + " (process " + process.pid() + ") does not end");
                }
            }
        } catch (InterruptedException e) {
            kill();
            Thread.currentThread().interrupt();
        }
    }

    /** QEMU before the {@code timeout} around it: that one, killed first, could no longer end its child. */
    private void kill() {
        List<ProcessHandle> all = new ArrayList<>(process.descendants().toList());
        all.add(process.toHandle());
        all.forEach(ProcessHandle::destroyForcibly);
    }

    @Override
    public void close() throws IOException {
        if (process.isAlive()) {
            powerOff();
        }
        shell.close();
        try {
            Runtime.getRuntime().removeShutdownHook(shutdownHook);
        } catch (IllegalStateException e) {
            // The JVM is going down already and runs the hook, which finds nothing left to do.
        }
        Files.deleteIfExists(shellSocket(spec, sockets));
        Files.deleteIfExists(qmpSocket(spec, sockets));
    }
}
