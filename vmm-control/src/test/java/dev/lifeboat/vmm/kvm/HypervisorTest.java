// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.vmm.VmmException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HypervisorTest {
    @TempDir
    Path folder;

    @Test
    void aHostWithoutKvmIsToldWhatToDo() {
        assertThatThrownBy(() -> Hypervisor.open(folder.resolve("kvm"), folder))
                .isInstanceOf(VmmException.class)
                .hasMessageContaining("modprobe");
    }

    @Test
    void aUserWithoutPermissionIsToldWhichGroupHelps() {
        Path device = Path.of("/dev/kvm");
        // The errno is given, not provoked: root, who may run this test, is refused nothing.
        for (int errno : new int[] {Errno.EACCES, Errno.EPERM}) {
            assertThat(Hypervisor.whyNot(device, new LinuxException("open", "/dev/kvm", errno)))
                    .contains("no permission to open /dev/kvm")
                    .contains("usermod -aG kvm");
        }
        assertThat(Hypervisor.whyNot(device, new LinuxException("open", "/dev/kvm", Errno.ENODEV)))
                .contains("no KVM module is behind it");
    }

    @Test
    void somethingElseBehindTheNameIsNotKvm() throws IOException {
        Path file = Files.createFile(folder.resolve("kvm"));
        assertThatThrownBy(() -> Hypervisor.open(file, folder))
                .isInstanceOf(VmmException.class)
                .hasMessageContaining("is not KVM");
    }

    @Test
    void theModuleNamesTheKind() throws IOException {
        assertThat(Hypervisor.kindOf(folder)).isEqualTo(Hypervisor.Kind.UNKNOWN);
        Files.createDirectory(folder.resolve("kvm_amd"));
        assertThat(Hypervisor.kindOf(folder)).isEqualTo(Hypervisor.Kind.AMD);
        Files.createDirectory(folder.resolve("kvm_pvm"));
        assertThat(Hypervisor.kindOf(folder)).isEqualTo(Hypervisor.Kind.PVM);
    }
}
