// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * The script that makes a stock Debian a host, {@code bootstrap.sh} with its blanks filled in. The same on every cloud and
 * on a bare machine.
 */
final class BootstrapScript {
    /** Needed by the libraries on JDK 17 and later; as the root pom's. */
    private static final String JVM_FLAGS = "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED"
            + " --add-opens=java.base/sun.nio.ch=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED"
            + " --add-exports=java.base/jdk.internal.ref=ALL-UNNAMED";

    private final String enrollUrl;
    private final String authority;
    private final Optional<ProgramArchive> program;

    /** @param authority the fleet authority's certificate, PEM */
    BootstrapScript(String enrollUrl, String authority, Optional<ProgramArchive> program) {
        if (!enrollUrl.matches("https://[A-Za-z0-9.:\\[\\]-]+")) {
            throw new IllegalArgumentException("\"enrollUrl\" must be like https://10.0.0.254:7446, not " + enrollUrl);
        }
        this.enrollUrl = enrollUrl;
        this.authority = authority.endsWith("\n") ? authority : authority + "\n";
        this.program = program;
    }

    String text(String token) {
        return template()
                .replace("@ENROLL_URL@", enrollUrl)
                .replace("@TOKEN@", token)
                .replace("@PROGRAM_SHA256@", program.map(ProgramArchive::sha256).orElse(""))
                .replace("@AUTHORITY@", authority)
                .replace("@JVM_FLAGS@", JVM_FLAGS);
    }

    private static String template() {
        try (InputStream in = BootstrapScript.class.getResourceAsStream("bootstrap.sh")) {
            if (in == null) {
                throw new IllegalStateException("bootstrap.sh is missing in the program");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
