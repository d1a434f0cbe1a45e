// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class VmDescriptionTest {
    private static final String IMAGE = "sha256-" + "7".repeat(64);

    private static VmmConfig config(VmmConfig.Disk... disks) {
        return new VmmConfig(
                VmmConfig.Mode.RESTORE,
                "vm",
                "host",
                64 << 20,
                1,
                "host",
                Optional.empty(),
                Optional.empty(),
                "",
                List.of(),
                List.of(disks),
                Optional.empty(),
                1_000,
                Optional.empty(),
                Optional.empty(),
                "/run/socket",
                "/run/console",
                new VmmConfig.Files("/run", "/images"));
    }

    private static String json(VmDescription.Disk... disks) {
        return VmDescription.of(config(), List.of(disks)).toJson();
    }

    @Test
    void sizesAndImagesComeFromTheVmAndNotFromTheHost() {
        VmDescription.Disk ofFile = new VmDescription.Disk(false, 5 << 20, Optional.empty());
        VmDescription.Disk ofImage = new VmDescription.Disk(false, 9 << 20, Optional.of(IMAGE));
        VmDescription vm = VmDescription.requireFitting(
                json(ofFile, ofImage),
                config(
                        VmmConfig.Disk.at("/not/on/this/host", false),
                        VmmConfig.Disk.ofSize(9 << 20, Optional.of("/nor/this"))));
        assertThat(vm.disks()).containsExactly(ofFile, ofImage);
    }

    @Test
    void disksOfAnotherKindSizeOrNumberAreRefused() {
        String vm = json(new VmDescription.Disk(false, 9 << 20, Optional.of(IMAGE)));
        for (VmmConfig other : List.of(
                config(),
                config(VmmConfig.Disk.at("/disk", false)),
                config(VmmConfig.Disk.at("/disk", true)),
                config(VmmConfig.Disk.ofSize(9 << 20, Optional.empty())),
                config(VmmConfig.Disk.ofSize(8 << 20, Optional.of("/image"))))) {
            assertThatThrownBy(() -> VmDescription.requireFitting(vm, other))
                    .isInstanceOf(VmmException.class)
                    .hasMessageContaining("but the VM is");
        }
    }

    @Test
    void aDescriptionFromBeforeDisksCouldTravelIsReadUnlessItHasOne() {
        String old = "{\"version\":1,\"vmId\":\"vm\",\"memoryBytes\":67108864,\"vcpus\":1,\"cpuProfile\":\"host\","
                + "\"macs\":[],\"disksReadOnly\":[]}";
        assertThat(VmDescription.requireFitting(old, config()).disks()).isEmpty();
        assertThatThrownBy(() -> VmDescription.requireFitting(old.replace("[]}", "[true]}"), config()))
                .hasMessageContaining("another release");
    }
}
