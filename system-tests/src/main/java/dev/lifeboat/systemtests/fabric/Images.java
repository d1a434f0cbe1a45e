// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.fabric;

import dev.lifeboat.systemtests.ClassTraining;
import dev.lifeboat.systemtests.machine.MachineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Where the images and the S3 server are: what {@code guest-images/make} and the build left in the project.
 *
 * @param project root of the project
 */
public record Images(Path project) {

    private static final long SCRIPT_LIMIT_MINUTES = 15;

    /** The project that this process was started in or below, or the one the launcher names. */
    public static Images find() throws MachineException {
        String named = System.getProperty("lifeboat.home", "");
        Path start = Path.of(named).toAbsolutePath().normalize();
        for (Path directory = start; directory != null; directory = directory.getParent()) {
            if (Files.isDirectory(directory.resolve("guest-images"))
                    && Files.isRegularFile(directory.resolve("pom.xml"))) {
                return new Images(directory);
            }
        }
        throw new MachineException("no Lifeboat project at or above " + start + "; start from a clone of it");
    }

    /**
     * Makes what is missing or older than what it is made of; quick when there is nothing to do. The scripts' own output
     * goes to {@code log} and, when one fails, its end into the message.
     */
    public void prepare(Path log, Consumer<String> progress) throws IOException, InterruptedException {
        progress.accept("tools of this machine");
        script(log, "guest-images/install-dependencies");
        progress.accept("guest images (the first time this takes minutes and needs the internet)");
        script(log, "guest-images/make", "guests");
        progress.accept("host image");
        script(
                log,
                "guest-images/make",
                "host",
                "--program",
                "system-tests/target/dist/lib",
                "--train",
                ClassTraining.class.getName());
        script(
                log,
                "guest-images/make",
                "s3-server",
                "--program",
                "system-tests/s3-server/target/dist/lib",
                "--train",
                "dev.lifeboat.s3server.S3Training");
    }

    /** Makes a guest that {@link #prepare} leaves out because only a few tests need it. */
    public void prepareGuest(Path log, String guest) throws IOException, InterruptedException {
        script(log, "guest-images/make", guest);
    }

    private void script(Path log, String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .directory(project.toFile())
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                .start();
        try {
            if (!process.waitFor(SCRIPT_LIMIT_MINUTES, TimeUnit.MINUTES)) {
                throw new MachineException(String.join(" ", command) + " did not end within " + SCRIPT_LIMIT_MINUTES
                        + " minutes; its output is in " + log);
            }
        } finally {
            process.descendants().forEach(ProcessHandle::destroy);
            process.destroy();
        }
        if (process.exitValue() != 0) {
            List<String> lines = Files.readAllLines(log);
            throw new MachineException(String.join(" ", command) + " failed: "
                    + String.join(" | ", lines.subList(Math.max(0, lines.size() - 4), lines.size())));
        }
    }

    public Path hostKernel() throws MachineException {
        return need("guest-images/build/host/vmlinuz", "guest-images/make host --program system-tests/target/dist/lib");
    }

    public Path hostInitrd() throws MachineException {
        return need(
                "guest-images/build/host/initrd.cpio", "guest-images/make host --program system-tests/target/dist/lib");
    }

    /** {@code redis-guest}, {@code test-guest} or {@code postgres-guest}. */
    public Path guestKernel(String guest) throws MachineException {
        return need("guest-images/build/" + guest + "/vmlinuz", "guest-images/make " + guest);
    }

    public Path guestInitrd(String guest) throws MachineException {
        return need("guest-images/build/" + guest + "/initrd", "guest-images/make " + guest);
    }

    /** The base image of its disk, when the guest has one. */
    public Optional<Path> guestDisk(String guest) {
        return Optional.of(project.resolve("guest-images/build/" + guest + "/disk.img"))
                .filter(Files::isReadable);
    }

    /** The S3 server as {@code guest-images/make s3-server} left it. */
    public Path s3Server() throws MachineException {
        need(
                "guest-images/build/s3-server/java.args",
                "guest-images/make s3-server --program system-tests/s3-server/target/dist/lib");
        return project.resolve("guest-images/build/s3-server");
    }

    private Path need(String path, String command) throws MachineException {
        Path file = project.resolve(path);
        if (!Files.isReadable(file)) {
            throw new MachineException(file + " is missing; make it with: " + command);
        }
        return file;
    }
}
