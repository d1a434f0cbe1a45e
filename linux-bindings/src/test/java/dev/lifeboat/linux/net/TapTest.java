// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.linux.CProgram;
import dev.lifeboat.linux.LinuxException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TapTest {
    @Test
    void numbersAreThoseOfTheKernelHeaders(@TempDir Path folder) throws IOException, InterruptedException {
        TreeMap<String, Long> ours = new TreeMap<>();
        ours.put("SIOCGIFINDEX", Tap.SIOCGIFINDEX);
        ours.put("TUNSETIFF", Tap.TUNSETIFF);
        ours.put("TUNSETOFFLOAD", Tap.TUNSETOFFLOAD);
        ours.put("TUNSETVNETHDRSZ", Tap.TUNSETVNETHDRSZ);
        ours.put("TUNSETPERSIST", PersistentTap.TUNSETPERSIST);
        ours.put("IFF_TAP", (long) Tap.IFF_TAP);
        ours.put("IFF_NO_PI", (long) Tap.IFF_NO_PI);
        ours.put("IFF_VNET_HDR", (long) Tap.IFF_VNET_HDR);
        ours.put("TUN_F_CSUM", (long) Tap.TUN_F_CSUM);
        ours.put("TUN_F_TSO4", (long) Tap.TUN_F_TSO4);
        ours.put("TUN_F_TSO6", (long) Tap.TUN_F_TSO6);
        ours.put("IFNAMSIZ", (long) Tap.IFNAMSIZ);
        ours.put("sizeof(struct ifreq)", (long) Tap.IFREQ_BYTES);
        ours.put("offsetof(struct ifreq, ifr_flags)", (long) Tap.IFREQ_FLAGS_OFFSET);
        ours.put("sizeof(struct virtio_net_hdr_v1)", (long) Tap.VNET_HEADER_BYTES);
        StringBuilder source = new StringBuilder("""
                #include <stdio.h>
                #include <stddef.h>
                #include <sys/ioctl.h>
                #include <linux/if.h>
                #include <linux/if_tun.h>
                #include <linux/virtio_net.h>
                int main(void) {
                """);
        ours.keySet().forEach(name -> source.append("printf(\"%lu\\n\", (unsigned long)(" + name + "));\n"));
        source.append("return 0; }\n");
        List<Long> theirs = CProgram.output(folder, source.toString())
                .lines()
                .map(Long::parseLong)
                .toList();
        assertThat(ours.values()).containsExactlyElementsOf(theirs);
    }

    @Test
    void aNameThatTheKernelCannotHoldIsRefusedBeforeAnythingIsOpened() {
        assertThatThrownBy(() -> new Tap("sixteen-letters-")).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Tap("")).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void anInterfaceThatDoesNotExistIsNamedAndNotMade() {
        assertThatThrownBy(() -> new Tap("lb-missing"))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("lb-missing")
                .hasMessageContaining("errno 19");
    }

    @Test
    void anInterfaceThatIsNoTapIsRefusedWithItsName() {
        assertThatThrownBy(() -> new Tap("lo"))
                .isInstanceOf(LinuxException.class)
                .hasMessageMatching("(?s).*(lo|/dev/net/tun).*errno.*");
    }
}
