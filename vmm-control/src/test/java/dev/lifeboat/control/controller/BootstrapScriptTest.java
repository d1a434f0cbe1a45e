// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The script, run by sh with a root and tools of the test's own. */
@Timeout(60)
class BootstrapScriptTest {
    private static final List<String> TOOLS =
            List.of("sh", "mkdir", "cat", "chmod", "rm", "mv", "cp", "tar", "gzip", "sha256sum", "touch", "echo");

    @TempDir
    Path directory;

    private Path bin;
    private Path root;
    private Path served;

    @BeforeEach
    void makeAMachine() throws Exception {
        bin = Files.createDirectory(directory.resolve("bin"));
        root = Files.createDirectory(directory.resolve("root"));
        for (String tool : TOOLS) {
            Path found = Files.exists(Path.of("/usr/bin", tool)) ? Path.of("/usr/bin", tool) : Path.of("/bin", tool);
            fake(tool, "exec " + found + " \"$@\"");
        }
        Path lib = Files.createDirectories(directory.resolve("program/lib"));
        Files.writeString(lib.resolve("lifeboat.jar"), "a jar");
        served = ProgramArchive.of(directory.resolve("program"), directory).file();
        fake("modprobe", "exit 1");
        fake("systemctl", "echo \"systemctl $*\" >>'" + directory + "/log'");
        fake(
                "curl",
                "echo \"curl $*\" >>'" + directory + "/log'\n" + "while [ $# -gt 1 ]; do [ \"$1\" = -o ] && cp '"
                        + served + "' \"$2\"; shift; done");
        fake(
                "apt-get",
                "echo \"apt-get $*\" >>'" + directory + "/log'\n"
                        + "printf '#!/bin/sh\\necho \"java $*\" >>\"" + directory + "/log\"\\n' >'" + bin + "/java'\n"
                        + "chmod 755 '" + bin + "/java'");
    }

    private void fake(String name, String body) throws IOException {
        Path file = Files.writeString(bin.resolve(name), "#!/bin/sh\n" + body + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private String script(Optional<ProgramArchive> program) {
        return new BootstrapScript(
                        "https://10.0.0.254:7446",
                        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
                        program)
                .text("1b4e28ba.0123abcd");
    }

    private String run(int expected) throws Exception {
        return run(script(Optional.of(ProgramArchive.of(served, directory))), expected);
    }

    private String run(String text, int expected) throws Exception {
        Path script = Files.writeString(directory.resolve("user-data"), text);
        Path output = directory.resolve("output");
        ProcessBuilder builder = new ProcessBuilder("/bin/sh", script.toString())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile());
        builder.environment().clear();
        builder.environment().putAll(Map.of("PATH", bin.toString(), "LIFEBOAT_ROOT", root.toString()));
        Process process = builder.start();
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
        String said = Files.readString(output);
        assertThat(process.exitValue()).as(said).isEqualTo(expected);
        return said;
    }

    private String log() throws IOException {
        Path log = directory.resolve("log");
        return Files.exists(log) ? Files.readString(log) : "";
    }

    @Test
    void aStockMachineWithSystemdGetsJavaTheProgramAndAUnit() throws Exception {
        Files.createDirectories(root.resolve("run/systemd/system"));
        fake("curl", "echo gone >&2; exit 1");
        Files.delete(bin.resolve("curl"));
        fake(
                "apt-get",
                "echo \"apt-get $*\" >>'" + directory + "/log'\n"
                        + "cp '" + bin + "/systemctl' '" + bin + "/java'\n"
                        + "printf '#!/bin/sh\\nwhile [ $# -gt 1 ]; do [ \"$1\" = -o ] && cp \"" + served
                        + "\" \"$2\"; shift; done\\n' >'" + bin + "/curl'; chmod 755 '" + bin + "/curl'");
        run(0);
        assertThat(log())
                .contains("apt-get update -q")
                .contains("apt-get install -q -y --no-install-recommends default-jre-headless curl ca-certificates")
                .contains("systemctl daemon-reload", "systemctl enable --now lifeboat-agent.service");
        assertThat(root.resolve("opt/lifeboat/lib/lifeboat.jar")).hasContent("a jar");
        assertThat(root.resolve("etc/lifeboat/ca.crt"))
                .content()
                .startsWith("-----BEGIN")
                .endsWith("-----\n");
        assertThat(root.resolve("etc/systemd/system/lifeboat-agent.service"))
                .content()
                .contains("KillMode=process", "ExecStart=" + root + "/opt/lifeboat/agent");
        assertThat(root.resolve("opt/lifeboat/agent"))
                .content()
                .contains("dev.lifeboat.control.cli.Main agent --enroll https://10.0.0.254:7446"
                        + " --token 1b4e28ba.0123abcd --authority " + root + "/etc/lifeboat/ca.crt --config " + root
                        + "/etc/lifeboat/agent.json")
                .contains("-cp '" + root + "/opt/lifeboat/lib/*'");
    }

    @Test
    void withoutSystemdItBecomesTheAgentAndASecondRunFetchesNothing() throws Exception {
        run(0);
        assertThat(log()).contains("curl ", "java --add-opens").doesNotContain("systemctl");
        Files.delete(directory.resolve("log"));
        run(0);
        assertThat(log()).contains("java --add-opens").doesNotContain("curl").doesNotContain("apt-get");
    }

    @Test
    void anImageThatHasTheProgramRunsItWithItsOwnRuntime() throws Exception {
        Path java = root.resolve("lifeboat/runtime/bin/java");
        Files.createDirectories(java.getParent());
        Files.writeString(java, "#!/bin/sh\necho \"own $*\" >>'" + directory + "/log'\n");
        Files.setPosixFilePermissions(java, PosixFilePermissions.fromString("rwxr-xr-x"));
        run(script(Optional.empty()), 0);
        assertThat(log())
                .startsWith("own @java.args dev.lifeboat.control.cli.Main agent --enroll https://10.0.0.254:7446")
                .doesNotContain("apt-get");
    }

    @Test
    void aDamagedProgramIsNotRun() throws Exception {
        ProgramArchive other = new ProgramArchive(served, "0".repeat(64));
        assertThat(run(script(Optional.of(other)), 1)).contains("is damaged");
        assertThat(root.resolve("opt/lifeboat/lib")).doesNotExist();
        assertThat(log()).doesNotContain("java --");
    }

    @Test
    void aMachineWithoutProgramAndWithoutPackagesSaysWhatItNeeds() throws Exception {
        Files.delete(bin.resolve("apt-get"));
        assertThat(run(1)).contains("needs default-jre-headless", "install them and run this again");
        fake("java", "exit 0");
        assertThat(run(script(Optional.empty()), 1)).contains("the controller has none to give");
    }
}
