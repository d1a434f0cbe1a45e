// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.SpareConfig;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one {@code vmm} process started and waiting, and gives it to the next VM; without one at hand a VM's process
 * starts cold, as it would without this class. Thread {@code spare-vmm} replaces what was used or has died; {@link
 * #start} may be called by any thread.
 */
final class SpareVmm implements AutoCloseable {
    /**
     * After a spare was used, or one was started: whatever its VM does first (boot, fill its memory) needs the processor more,
     * and a spare that dies at once must not be started over and over.
     */
    private static final long REST_NS = TimeUnit.SECONDS.toNanos(60);

    private static final long LOOK_MS = 1_000;
    private static final Logger LOG = LoggerFactory.getLogger(SpareVmm.class);

    private final VmmLauncher launcher;
    private final BooleanSupplier calm;
    private final Path directory;
    private final Path configFile;
    private final Path log;
    private final AgentConfig config;
    private final Thread thread = new Thread(this::keep, "spare-vmm");

    // Guarded by this.
    private Optional<Process> spare = Optional.empty();
    private long notBeforeNs = System.nanoTime();
    private boolean closed;
    private boolean everTaken;

    /**
     * @param runDirectory of the agent
     * @param calm whether a JVM may start now; asked once a second while there is no spare
     */
    SpareVmm(AgentConfig config, Path runDirectory, VmmLauncher launcher, BooleanSupplier calm) {
        this.config = config;
        this.launcher = launcher;
        this.calm = calm;
        directory = runDirectory.resolve("spare").toAbsolutePath();
        configFile = directory.resolve("spare.json");
        log = directory.resolve("spare.log");
        if (!config.spareVmm().orElse(true)) {
            closed = true;
            return;
        }
        try {
            Files.createDirectories(
                    directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (IOException e) {
            throw new ControlException(ExitCode.MISSING, "cannot prepare " + directory + ": " + e.getMessage(), e);
        }
    }

    /** Begins to keep a spare, unless the configuration says not to. */
    synchronized void open() {
        if (!closed) {
            thread.setDaemon(true);
            thread.start();
        }
    }

    /** A process for a VM: the spare, or a new one. Its output goes to {@code vmLog}. */
    Process start(Path config, Path vmLog) {
        Optional<Process> taken;
        synchronized (this) {
            taken = spare.filter(Process::isAlive);
            spare = Optional.empty();
            everTaken = true;
            notBeforeNs = System.nanoTime() + REST_NS;
        }
        if (taken.isPresent() && give(taken.get(), config, vmLog)) {
            return taken.get();
        }
        return launcher.start(config, vmLog);
    }

    synchronized boolean isThere() {
        return spare.filter(Process::isAlive).isPresent();
    }

    /** The process keeps writing to its log under the new name. */
    private boolean give(Process process, Path config, Path vmLog) {
        try (OutputStream input = process.getOutputStream()) {
            Files.move(log, vmLog, StandardCopyOption.REPLACE_EXISTING);
            input.write((config + "\n").getBytes(StandardCharsets.UTF_8));
            input.flush();
            return true;
        } catch (IOException e) {
            LOG.warn(
                    "the spare vmm (process {}) does not listen, another one starts: {}",
                    process.pid(),
                    e.getMessage());
            process.destroyForcibly();
            return false;
        }
    }

    private void keep() {
        try {
            while (true) {
                replaceWhenCalm();
                Thread.sleep(LOOK_MS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void replaceWhenCalm() {
        boolean mayStart = calm.getAsBoolean();
        synchronized (this) {
            if (closed || !mayStart || isThere() || System.nanoTime() - notBeforeNs < 0) {
                return;
            }
            spare.ifPresent(
                    dead -> LOG.warn("the spare vmm ended with exit code {}; its log: {}", dead.exitValue(), log));
            notBeforeNs = System.nanoTime() + REST_NS;
            try {
                Files.deleteIfExists(log);
                Files.write(
                        configFile,
                        Json.MAPPER.writeValueAsBytes(new SpareConfig(
                                config.host(), config.store(), Optional.of(config.absoluteTls()), everTaken)));
                spare = Optional.of(launcher.startSpare(configFile, log));
            } catch (IOException | ControlException e) {
                LOG.warn("no spare vmm, VMs start cold: {}", e.getMessage());
            }
        }
    }

    /** Ends the spare; one that a VM has is no spare any more. */
    @Override
    public void close() {
        thread.interrupt();
        synchronized (this) {
            closed = true;
            spare.ifPresent(Process::destroy);
            spare = Optional.empty();
        }
    }
}
