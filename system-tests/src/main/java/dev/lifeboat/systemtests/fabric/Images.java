// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.fabric;

import dev.lifeboat.systemtests.machine.MachineException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Where the images and the S3 server are: what {@code guest-images/make} and the build left in the project.
 *
 * @param project root of the project
 */
public record Images(Path project) {

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

    public Path hostKernel() throws MachineException {
        return need("guest-images/build/host/vmlinuz", "guest-images/make host --program system-tests/target/dist/lib");
    }

    public Path hostInitrd() throws MachineException {
        return need(
                "guest-images/build/host/initrd.cpio", "guest-images/make host --program system-tests/target/dist/lib");
    }

    /** {@code redis-guest} or {@code test-guest}. */
    public Path guestKernel(String guest) throws MachineException {
        return need("guest-images/build/" + guest + "/vmlinuz", "guest-images/make " + guest);
    }

    public Path guestInitrd(String guest) throws MachineException {
        return need("guest-images/build/" + guest + "/initrd", "guest-images/make " + guest);
    }

    public Path s3ServerLibraries() throws MachineException {
        return need("system-tests/s3-server/target/dist/lib", "mvn -B package -DskipTests");
    }

    private Path need(String path, String command) throws MachineException {
        Path file = project.resolve(path);
        if (!Files.isReadable(file)) {
            throw new MachineException(file + " is missing; make it with: " + command);
        }
        return file;
    }
}
