// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.vmm.VmmConfig;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DiskWishTest {
    @Test
    void filesAndNewDisksAreToldApart() {
        assertThat(DiskWish.parse("/disks/a.img")).isEqualTo(VmmConfig.Disk.at("/disks/a.img", false));
        assertThat(DiskWish.parse("/disks/a.img:ro")).isEqualTo(VmmConfig.Disk.at("/disks/a.img", true));
        assertThat(DiskWish.parse("size=20G")).isEqualTo(VmmConfig.Disk.ofSize(20L << 30, Optional.empty()));
        assertThat(DiskWish.parse("base=/images/a,b.img,size=512K"))
                .isEqualTo(VmmConfig.Disk.ofSize(512L << 10, Optional.of("/images/a,b.img")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "size=",
                "size=20T",
                "size=-1",
                "base=/a",
                "base=/a,size=",
                "size=0",
                "size=100",
                "size=17179869185G"
            })
    void whatIsNoDiskIsRefusedWithAdvice(String text) {
        assertThatThrownBy(() -> DiskWish.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageMatching(".*(is no disk: write FILE|multiple of 512).*");
    }
}
