// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class OverlayTest {

    @TempDir
    Path directory;

    @Test
    void theArchiveUnpacksWithTheToolThatTheMachinesUse() throws Exception {
        Path source = Files.write(directory.resolve("kernel"), new byte[100_001]);
        Path archive = directory.resolve("overlay.cpio");
        new Overlay()
                .text("/etc/hostname", "host-a\n")
                .script("lifeboat/start", "#!/bin/sh\n")
                .copy("lifeboat/guest/vmlinuz", source)
                .write(archive);
        assertThat(Files.size(archive) % 512).isZero();
        Path root = Files.createDirectory(directory.resolve("root"));
        Process cpio = new ProcessBuilder("cpio", "-idm", "--quiet")
                .directory(root.toFile())
                .redirectInput(archive.toFile())
                .redirectErrorStream(true)
                .start();
        String output = new String(cpio.getInputStream().readAllBytes());
        assertThat(cpio.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(cpio.exitValue()).as(output).isZero();
        assertThat(root.resolve("etc/hostname")).hasContent("host-a\n");
        assertThat(Files.isExecutable(root.resolve("lifeboat/start"))).isTrue();
        assertThat(root.resolve("lifeboat/guest/vmlinuz")).hasSameBinaryContentAs(source);
    }

    @Test
    void aMissingSourceIsNamedBeforeAnythingIsWritten() {
        assertThatThrownBy(() -> new Overlay().copy("x", directory.resolve("nowhere")))
                .hasMessageContaining("nowhere is missing");
    }
}
