// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.volume;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.Mounts;
import dev.lifeboat.vmm.VmmConfig;
import dev.lifeboat.vmm.VmmException;
import dev.lifeboat.vmm.VolumeLabel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;

/**
 * Volumes as ext4 file systems, on Linux. A volume's file system has an id made of fleet and volume ({@link #fileSystemId}), which is
 * read from the disk before anything is mounted. Calls of the kernel that may take long run on a thread {@code
 * volume-ID} of their own, for nothing can interrupt them.
 */
public final class LinuxHostDisks implements HostDisks {
    private static final String FILE_SYSTEM = "ext4";
    /**
     * What is zero already is not written again: a journal of 64 MiB alone takes seconds on a slow volume. Inode tables are
     * written by the kernel later.
     */
    private static final String EMPTY_DISK = "lazy_itable_init=1,lazy_journal_init=1,nodiscard";

    private static final long LOOK_MS = 50;
    /** Whoever used the volume last may still be closing its files. */
    private static final long BUSY_RETRY_MS = 200;

    private static final Path MOUNTS = Path.of("/proc/self/mounts");

    private final BlockDevices devices;

    public LinuxHostDisks() {
        devices = new BlockDevices(Path.of("/sys/block"), Path.of("/dev"));
    }

    @Override
    public boolean isMounted(VmmConfig.Volume volume) {
        String mountPoint = path(volume).toString();
        try (Stream<String> lines = Files.lines(MOUNTS, StandardCharsets.ISO_8859_1)) {
            return lines.map(line -> line.split(" ")).anyMatch(fields -> fields[1].equals(mountPoint));
        } catch (IOException e) {
            throw new ControlException(ExitCode.FAILED, "cannot read " + MOUNTS + ": " + e.getMessage(), e);
        }
    }

    private static Path path(VmmConfig.Volume volume) {
        return Path.of(volume.mountPoint()).normalize();
    }

    @Override
    public void mount(VmmConfig.Volume volume, String serial, boolean mayFormat, long limitMs)
            throws InterruptedException {
        long endNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(limitMs);
        Path device = await(volume, serial, endNs);
        boolean fresh = prepare(volume, device, mayFormat, endNs);
        try {
            Files.createDirectories(path(volume));
        } catch (IOException e) {
            throw failed("make the mount point " + volume.mountPoint() + " of", volume, e.getMessage(), e);
        }
        bounded(volume, "mount", endNs, () -> {
            try {
                Mounts.mount(device.toString(), path(volume).toString(), FILE_SYSTEM, Mounts.DATA_ONLY);
            } catch (LinuxException e) {
                throw failed("mount " + device + " of", volume, e.getMessage(), e);
            }
        });
        try {
            if (fresh || isEmpty(path(volume))) {
                VolumeLabel.write(volume);
            }
            VolumeLabel.require(volume);
        } catch (IOException | VmmException e) {
            unmount(volume, Math.max(LOOK_MS, leftMs(endNs)));
            throw failed("use", volume, e.getMessage(), e);
        }
    }

    private Path await(VmmConfig.Volume volume, String serial, long endNs) throws InterruptedException {
        while (true) {
            Optional<Path> found = devices.find(serial);
            if (found.isPresent() && Files.exists(found.get())) {
                return found.get();
            }
            if (leftMs(endNs) <= 0) {
                throw failed(
                        "find", volume, "no disk of this host shows the serial number " + serial + "; is it attached?");
            }
            Thread.sleep(LOOK_MS);
        }
    }

    /** True when it was blank and is formatted now. */
    private static boolean prepare(VmmConfig.Volume volume, Path device, boolean mayFormat, long endNs)
            throws InterruptedException {
        DiskContent content;
        try {
            content = DiskContent.of(device);
        } catch (IOException e) {
            throw failed("read " + device + " of", volume, e.getMessage(), e);
        }
        UUID wanted = fileSystemId(volume);
        if (content instanceof DiskContent.Ext ext && ext.id().equals(wanted)) {
            return false;
        }
        if (content instanceof DiskContent.Blank) {
            if (!mayFormat) {
                throw failed(
                        "use",
                        volume,
                        "the disk " + device + " is blank; start a VM with \"format\": true on the volume to begin with"
                                + " it, or correct the id");
            }
            format(volume, device, wanted, endNs);
            return true;
        }
        String what = content instanceof DiskContent.Ext ext
                ? "an ext file system " + ext.id() + " that was not made for this volume and fleet " + volume.fleet()
                        + " (that would be " + wanted + ")"
                : ((DiskContent.Foreign) content).what();
        throw failed(
                "use",
                volume,
                "the disk " + device + " holds " + what
                        + "; nothing was written. Name another volume, or wipe this one yourself if its data is not"
                        + " needed");
    }

    /** The id of the file system on a volume: whoever formats another disk by hand does not get it by chance. */
    static UUID fileSystemId(VmmConfig.Volume volume) {
        return UUID.nameUUIDFromBytes(
                ("lifeboat volume\n" + volume.fleet() + "\n" + volume.id()).getBytes(StandardCharsets.UTF_8));
    }

    /** Whether the disk is blank must have been checked: this asks nobody. */
    static void format(VmmConfig.Volume volume, Path device, UUID id, long endNs) throws InterruptedException {
        List<String> command = new ArrayList<>(List.of("mke2fs", "-q", "-F", "-t", FILE_SYSTEM, "-L", "lifeboat"));
        command.addAll(List.of("-U", id.toString(), "-m", "0", "-E", EMPTY_DISK, device.toString()));
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            // On a thread of its own: the common pool may have a single one, which this would hold for as long as
            // mke2fs runs.
            CompletableFuture<String> said =
                    CompletableFuture.supplyAsync(() -> text(process), task -> new Thread(task, "mke2fs-said").start());
            if (!process.waitFor(Math.max(LOOK_MS, leftMs(endNs)), TimeUnit.MILLISECONDS)) {
                process.destroyForcibly();
                throw failed("format", volume, "mke2fs did not end in time");
            }
            if (process.exitValue() != 0) {
                throw failed("format", volume, "mke2fs said: " + said.join().strip());
            }
        } catch (IOException e) {
            throw failed("format", volume, e.getMessage() + "; install e2fsprogs", e);
        }
    }

    private static String text(Process process) {
        try {
            return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return e.getMessage();
        }
    }

    /** A crash between formatting and labelling leaves it so. */
    private static boolean isEmpty(Path root) throws IOException {
        try (Stream<Path> entries = Files.list(root)) {
            return entries.allMatch(entry -> entry.getFileName().toString().equals("lost+found"));
        }
    }

    @Override
    public void unmount(VmmConfig.Volume volume, long limitMs) throws InterruptedException {
        long endNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(limitMs);
        while (isMounted(volume)) {
            try {
                bounded(
                        volume,
                        "unmount",
                        endNs,
                        () -> Mounts.unmount(path(volume).toString()));
            } catch (LinuxException e) {
                if (e.errno() != Errno.EBUSY) {
                    throw failed("unmount " + volume.mountPoint() + " of", volume, e.getMessage(), e);
                }
                if (leftMs(endNs) <= BUSY_RETRY_MS) {
                    throw failed(
                            "unmount " + volume.mountPoint() + " of",
                            volume,
                            "a process still uses it; see: fuser -vm " + volume.mountPoint(),
                            e);
                }
                Thread.sleep(BUSY_RETRY_MS);
            }
        }
    }

    private static void bounded(VmmConfig.Volume volume, String what, long endNs, Runnable call)
            throws InterruptedException {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread thread = new Thread(
                () -> {
                    try {
                        call.run();
                        done.complete(null);
                    } catch (RuntimeException e) {
                        done.completeExceptionally(e);
                    }
                },
                "volume-" + volume.id());
        thread.setDaemon(true);
        thread.start();
        try {
            done.get(Math.max(1, leftMs(endNs)), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw failed(what, volume, "its disk did not finish in time", e);
        } catch (ExecutionException e) {
            throw (RuntimeException) e.getCause();
        }
    }

    private static long leftMs(long endNs) {
        return TimeUnit.NANOSECONDS.toMillis(endNs - System.nanoTime());
    }

    private static ControlException failed(String attempt, VmmConfig.Volume volume, String why) {
        return new ControlException(ExitCode.FAILED, "cannot " + attempt + " volume " + volume.id() + ": " + why);
    }

    private static ControlException failed(String attempt, VmmConfig.Volume volume, String why, Exception cause) {
        return new ControlException(
                ExitCode.FAILED, "cannot " + attempt + " volume " + volume.id() + ": " + why, cause);
    }
}
