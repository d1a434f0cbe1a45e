// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.volume;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.control.ControlException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BlockDevicesTest {
    @TempDir
    Path sys;

    private void disk(String name, String file, String content) throws IOException {
        Path at = sys.resolve(name).resolve(file);
        Files.createDirectories(at.getParent());
        Files.writeString(at, content, StandardCharsets.ISO_8859_1);
    }

    private BlockDevices devices() {
        return new BlockDevices(sys, Path.of("/dev"));
    }

    @Test
    void disksAreFoundWhereTheirDriversShowTheSerialNumber() throws IOException {
        disk("vda", "serial", "");
        disk("vdb", "serial", "lifeboat-1");
        disk("nvme1n1", "device/serial", "vol0123456789abcdef0\n");
        disk("sdb", "device/vpd_pg80", "\0\u0080\0\bdata-one");
        disk("loop0", "size", "0");
        assertThat(devices().find("lifeboat-1")).hasValue(Path.of("/dev/vdb"));
        assertThat(devices().find("vol-0123456789abcdef0")).hasValue(Path.of("/dev/nvme1n1"));
        assertThat(devices().find("data-one")).hasValue(Path.of("/dev/sdb"));
        assertThat(devices().find("lifeboat-2")).isEmpty();
    }

    @Test
    void aNumberThatVirtioCutOffIsRecognised() throws IOException {
        disk("vdb", "serial", "vol-0123456789abcdef");
        assertThat(devices().find("vol-0123456789abcdef0")).hasValue(Path.of("/dev/vdb"));
        assertThat(devices().find("vol-0123456789abcde")).isEmpty();
    }

    @Test
    void twoDisksWithOneNumberAreBothLeftAlone() throws IOException {
        disk("vdb", "serial", "same");
        disk("vdc", "serial", "same");
        assertThatThrownBy(() -> devices().find("same"))
                .isInstanceOf(ControlException.class)
                .hasMessageContaining("/dev/vdb")
                .hasMessageContaining("/dev/vdc")
                .hasMessageContaining("none is touched");
    }
}
