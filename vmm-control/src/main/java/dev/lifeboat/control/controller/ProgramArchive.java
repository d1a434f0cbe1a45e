// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.concurrent.TimeUnit;

/**
 * The program as new hosts fetch it.
 *
 * @param file gzipped tar with {@code lib/*.jar}
 * @param sha256 in hex, which the script that fetches it compares
 */
record ProgramArchive(Path file, String sha256) {
    private static final long TAR_LIMIT_S = 120;

    /** @param program a {@code .tar.gz}, or a directory that is packed with {@code tar} into {@code stateDirectory} */
    static ProgramArchive of(Path program, Path stateDirectory) throws InterruptedException {
        Path file = program;
        if (Files.isDirectory(program)) {
            file = stateDirectory.resolve("program.tar.gz");
            pack(program, file);
        }
        try (InputStream in = new DigestInputStream(Files.newInputStream(file), MessageDigest.getInstance("SHA-256"))) {
            in.transferTo(java.io.OutputStream.nullOutputStream());
            return new ProgramArchive(
                    file,
                    HexFormat.of()
                            .formatHex(
                                    ((DigestInputStream) in).getMessageDigest().digest()));
        } catch (IOException e) {
            throw new ControlException(ExitCode.USAGE, "\"program\": cannot read " + file + ": " + e.getMessage(), e);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("SHA-256 is in every JDK", e);
        }
    }

    private static void pack(Path directory, Path file) throws InterruptedException {
        if (!Files.isDirectory(directory.resolve("lib"))) {
            throw new ControlException(ExitCode.USAGE, "\"program\": " + directory + " has no folder lib with jars");
        }
        try {
            Process tar = new ProcessBuilder(
                            "tar", "-C", directory.toString(), "--owner=0", "--group=0", "-czf", file.toString(), "lib")
                    .redirectErrorStream(true)
                    .redirectOutput(file.resolveSibling("program.log").toFile())
                    .start();
            if (!tar.waitFor(TAR_LIMIT_S, TimeUnit.SECONDS)) {
                tar.destroyForcibly();
            }
            if (tar.waitFor() != 0) {
                throw new ControlException(
                        ExitCode.FAILED,
                        "tar could not pack " + directory + ": "
                                + Files.readString(file.resolveSibling("program.log"))
                                        .strip());
            }
        } catch (IOException e) {
            throw new ControlException(
                    ExitCode.MISSING, "cannot pack " + directory + " with tar: " + e.getMessage(), e);
        }
    }
}
