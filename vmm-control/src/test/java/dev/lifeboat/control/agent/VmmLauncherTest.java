// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class VmmLauncherTest {
    @Test
    void flagsAndClassPathGoAlongTheMainClassAndItsArgumentsDoNot() {
        assertThat(VmmLauncher.jvmFlags(List.of(
                        "java",
                        "-XX:+UseSerialGC",
                        "--add-opens",
                        "java.base/java.nio=ALL-UNNAMED",
                        "-cp",
                        "lib/*",
                        "-Dlifeboat.log.level=WARN",
                        "dev.lifeboat.control.cli.Main",
                        "agent",
                        "--config",
                        "agent.json")))
                .containsExactly("-XX:+UseSerialGC", "--add-opens", "java.base/java.nio=ALL-UNNAMED", "-cp", "lib/*");
    }

    @Test
    void argumentFilesStayArgumentFilesSoThatAClassArchiveStillFits() {
        assertThat(VmmLauncher.jvmFlags(List.of("runtime/bin/java", "@java.args", "dev.lifeboat.Main", "@not-ours")))
                .containsExactly("@java.args");
    }

    @Test
    void aDebuggersPortIsNotInherited() {
        assertThat(VmmLauncher.jvmFlags(
                        List.of("java", "-agentlib:jdwp=transport=dt_socket,address=5005", "-Xmx64m", "-jar", "x.jar")))
                .containsExactly("-Xmx64m");
    }
}
