// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

@Timeout(30)
@Isolated("it reads what the process prints")
class MainTest {
    @TempDir
    Path directory;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private PrintStream realOut;
    private PrintStream realErr;

    @BeforeEach
    void capture() {
        realOut = System.out;
        realErr = System.err;
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
    }

    @AfterEach
    void release() {
        System.setOut(realOut);
        System.setErr(realErr);
    }

    @Test
    void anAgentThatIsNotThereIsExitCode3AndOneLine() throws IOException {
        certs();
        int port;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = socket.getLocalPort();
        }
        assertThat(Main.run("ps", "--agent", "https://127.0.0.1:" + port, "--tls-dir", tls()))
                .isEqualTo(ExitCode.UNREACHABLE);
        assertOneLineSaying("nobody answers at https://127.0.0.1:" + port);
    }

    @Test
    void theStackTraceComesWithVerboseOnly() {
        assertThat(Main.run(
                        "ps",
                        "--verbose",
                        "--tls-dir",
                        directory.resolve("none").toString()))
                .isEqualTo(ExitCode.USAGE);
        assertThat(errors()).contains("ControlException").contains("\tat ");
    }

    @Test
    void aMissingTlsDirectorySaysHowToMakeOne() {
        assertThat(Main.run("ps", "--tls-dir", directory.resolve("none").toString()))
                .isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("lifeboat certs");
    }

    @Test
    void anUnknownCommandAndNoCommandAreWrongUsage() {
        assertThat(Main.run("fly")).isEqualTo(ExitCode.USAGE);
        assertThat(Main.run()).isEqualTo(ExitCode.USAGE);
        assertThat(errors()).contains("Usage: lifeboat");
    }

    @Test
    void aConfigurationFileThatIsMissingBrokenOrHasAnUnknownFieldIsNamedInOneLine() throws IOException {
        Path file = directory.resolve("agent.json");
        assertThat(Main.run("agent", "--config", file.toString())).isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("no configuration file at " + file);
        Files.writeString(file, "{\"host\": \"a\",\n \"listen\" }");
        assertThat(Main.run("agent", "--config", file.toString())).isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("line 2");
        Files.writeString(
                file, "{\"host\": \"a\", \"peers\": [{\"host\": \"b\", \"url\": \"https://b\", \"port\": 1}]}");
        assertThat(Main.run("agent", "--config", file.toString())).isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("unknown field \"port\"");
        Files.writeString(file, "{\"host\": \"a\"}");
        assertThat(Main.run("agent", "--config", file.toString())).isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("\"listen\" is missing");
        assertThat(Main.run("gateway", "--config", file.toString())).isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("\"listen\" is missing");
    }

    @Test
    void anAgentWhosePortIsTakenSaysByWhichCommandToFindTheOther() throws IOException {
        certs();
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Path file = directory.resolve("agent.json");
            Files.writeString(file, """
                            {"host": "a", "listen": "127.0.0.1:%d", "runDirectory": "%s/run", "tls":
                            {"authority": "%2$s/tls/ca.crt", "certificate": "%2$s/tls/client.crt",
                            "key": "%2$s/tls/client.key"}}
                            """.formatted(taken.getLocalPort(), directory));
            assertThat(Main.run("agent", "--config", file.toString())).isEqualTo(ExitCode.MISSING);
            assertOneLineSaying("cannot listen on 127.0.0.1:" + taken.getLocalPort());
        }
    }

    @Test
    void certificatesAreMadeOnceForTheFleetAndKeysAreTheirOwnersOnly() throws IOException {
        certs();
        byte[] authority = Files.readAllBytes(directory.resolve("tls/ca.crt"));
        assertThat(Main.run("certs", "--json", "--tls-dir", tls(), "host-a=10.0.0.1,a.example.org"))
                .isZero();
        assertThat(Files.readAllBytes(directory.resolve("tls/ca.crt"))).isEqualTo(authority);
        for (String key : new String[] {"ca.key", "client.key", "host-a.key"}) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(
                            directory.resolve("tls").resolve(key))))
                    .isEqualTo("rw-------");
        }
    }

    @Test
    void doctorAnswersInJsonWithAdviceForWhatIsMissing() throws IOException {
        int code = Main.run("doctor", "--json");
        JsonNode findings = Json.MAPPER.readTree(out.toString(StandardCharsets.UTF_8));
        boolean missing = false;
        for (JsonNode finding : findings) {
            if (finding.get("verdict").asText().equals("MISSING")) {
                missing = true;
                assertThat(finding.get("advice").asText()).isNotBlank();
            }
        }
        assertThat(findings.findValuesAsText("subject"))
                .contains("java", "kvm", "kvm kind", "tun", "qemu-system-x86_64");
        assertThat(code).isEqualTo(missing ? ExitCode.MISSING : ExitCode.OK);
    }

    @Test
    void deadlinesAreSecondsOrATime() {
        assertThat(EvacuateCommand.millis("2026-01-31T12:00:00Z")).isEqualTo(1_769_860_800_000L);
        long now = System.currentTimeMillis();
        assertThat(EvacuateCommand.millis("90s")).isBetween(now + 89_000, now + 95_000);
        assertThat(Main.run("evacuate", "web", "--deadline", "soon", "--tls-dir", tls()))
                .isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("--deadline soon");
    }

    private void certs() {
        assertThat(Main.run("certs", "--tls-dir", tls(), "client")).isZero();
    }

    private String tls() {
        return directory.resolve("tls").toString();
    }

    private String errors() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private void assertOneLineSaying(String text) {
        assertThat(errors()).contains(text).startsWith("lifeboat: ").doesNotContain("\tat ");
        assertThat(errors().strip().lines()).hasSize(1);
        err.reset();
    }
}
