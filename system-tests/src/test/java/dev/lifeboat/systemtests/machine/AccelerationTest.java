// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class AccelerationTest {

    @TempDir
    Path root;

    private Path device;
    private Path modules;

    @BeforeEach
    void aMachineWithAKvmDevice() throws Exception {
        device = Files.createFile(root.resolve("kvm"));
        modules = Files.createDirectory(root.resolve("module"));
    }

    private void module(String name, String nested) throws Exception {
        Path parameters = Files.createDirectories(modules.resolve(name).resolve("parameters"));
        Files.writeString(parameters.resolve("nested"), nested + "\n");
    }

    @Test
    void nestedKvmOfEitherVendorIsUsed() throws Exception {
        module("kvm_amd", "1");
        assertThat(Acceleration.detect(device, modules).kvm()).isTrue();
        module("kvm_intel", "Y");
        assertThat(Acceleration.detect(device, modules).kvm()).isTrue();
    }

    @Test
    void pvmIsNeverUsedEvenBesideAModuleThatCanNest() throws Exception {
        module("kvm_intel", "Y");
        Files.createDirectory(modules.resolve("kvm_pvm"));
        assertThat(Acceleration.detect(device, modules).kvm()).isFalse();
    }

    @Test
    void withoutDeviceOrNestingTheSoftwareProcessorWithSvmIsUsedAndTheReasonNamed() throws Exception {
        module("kvm_intel", "N");
        Acceleration off = Acceleration.detect(device, modules);
        assertThat(off.kvm()).isFalse();
        assertThat(off.reason()).contains("kvm_intel has nested virtualization switched off");
        assertThat(off.qemuArguments()).contains("EPYC,+svm,-cx16");
        assertThat(Acceleration.detect(root.resolve("none"), modules).reason()).startsWith("no ");
    }
}
