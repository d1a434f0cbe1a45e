// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoctorTest {
    @TempDir
    Path root;

    @Test
    void anEmptyMachineLacksKvmAndTunAndIsToldWhatToDo() {
        Map<String, Doctor.Finding> findings = examine();
        assertThat(findings.get("kvm").verdict()).isEqualTo(Doctor.Verdict.MISSING);
        assertThat(findings.get("kvm").advice()).contains("modprobe kvm-intel");
        assertThat(findings.get("tun").verdict()).isEqualTo(Doctor.Verdict.MISSING);
        assertThat(findings.get("qemu-system-x86_64").advice()).isEqualTo("apt-get install qemu-system-x86");
    }

    @Test
    void aMachineWithDevicesAndToolsIsGood() throws IOException {
        Files.createDirectories(root.resolve("dev/net"));
        Files.createFile(root.resolve("dev/kvm"));
        Files.createFile(root.resolve("dev/net/tun"));
        Files.createDirectories(root.resolve("sys/module/kvm_amd"));
        Path tools = Files.createDirectory(root.resolve("bin"));
        assertThat(Files.createFile(tools.resolve("cpio")).toFile().setExecutable(true))
                .isTrue();
        Map<String, Doctor.Finding> findings = examine(tools);
        for (String subject : List.of("java", "kvm", "kvm kind", "tun", "cpio")) {
            assertThat(findings.get(subject).verdict()).as(subject).isEqualTo(Doctor.Verdict.GOOD);
        }
    }

    @Test
    void kvmByPvmIsNamedForWhatItIs() throws IOException {
        Files.createDirectories(root.resolve("sys/module/kvm_pvm"));
        Doctor.Finding kind = examine().get("kvm kind");
        assertThat(kind.verdict()).isEqualTo(Doctor.Verdict.NOTE);
        assertThat(kind.found()).contains("PVM");
        assertThat(kind.advice()).contains("a stock kernel does not run");
    }

    private Map<String, Doctor.Finding> examine(Path... searchPath) {
        return new Doctor(root, List.of(searchPath))
                .examine().stream().collect(Collectors.toMap(Doctor.Finding::subject, Function.identity()));
    }
}
