// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.LinuxException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The module's values, frames and error texts: what needs no kernel. */
class ValuesTest {
    private static final MacAddress MAC = MacAddress.parse("52:54:00:AB:cd:01");

    @Test
    void macAddressIsTheSameAsTextAsBytesAndAsNumber() {
        assertThat(MAC).hasToString("52:54:00:ab:cd:01");
        assertThat(MAC.bytes()).containsExactly(0x52, 0x54, 0x00, 0xab, 0xcd, 0x01);
        assertThat(MacAddress.of(MAC.bytes())).isEqualTo(MAC);
        assertThat(MAC.value()).isEqualTo(0x525400abcd01L);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "52:54:00:12:34", "52:54:00:12:34:56:78", "52-54-00-12-34-56", "52:54:00:12:34:5g"})
    void textThatIsNoMacAddressIsRefusedWithAnExample(String text) {
        assertThatThrownBy(() -> MacAddress.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("as in 52:54:00:12:34:56");
    }

    @ParameterizedTest
    @ValueSource(strings = {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01"})
    void groupBroadcastAndZeroAreNoStations(String text) {
        assertThat(MacAddress.parse(text).isStation()).isFalse();
    }

    @Test
    void reverseArpIsTheFrameOfRfc903() {
        assertThat(HexFormat.of().formatHex(AnnouncementFrames.reverseArp(MAC)))
                .isEqualTo("ffffffffffff" + "525400abcd01" + "8035" + "0001" + "0800" + "06" + "04" + "0003"
                        + "525400abcd01" + "00000000" + "525400abcd01" + "00000000" + "00".repeat(18));
    }

    @Test
    void gratuitousArpIsTheAnnouncementOfRfc5227() throws Exception {
        Inet4Address address = (Inet4Address) InetAddress.getByName("10.77.0.50");
        assertThat(HexFormat.of().formatHex(AnnouncementFrames.gratuitousArp(MAC, address)))
                .isEqualTo("ffffffffffff" + "525400abcd01" + "0806" + "0001" + "0800" + "06" + "04" + "0001"
                        + "525400abcd01" + "0a4d0032" + "000000000000" + "0a4d0032" + "00".repeat(18));
    }

    @Test
    void announcementsAreBoundedAndTheirGapsGrow() {
        List<Long> delays = Announcer.DELAYS_MS;
        for (int i = 2; i < delays.size(); i++) {
            assertThat(delays.get(i) - delays.get(i - 1)).isGreaterThan(delays.get(i - 1) - delays.get(i - 2));
        }
        assertThat(delays).hasSizeBetween(3, 10).startsWith(0L);
        assertThat(delays.get(delays.size() - 1)).isLessThanOrEqualTo(5_000);
    }

    @ParameterizedTest
    @CsvSource({
        Errno.EPERM + ", CAP_NET_ADMIN",
        Errno.EOPNOTSUPP + ", modprobe bridge vxlan",
        Errno.ENOENT + ", modprobe tun",
        Errno.EEXIST + ", choose others",
        Errno.EBUSY + ", has the tap open"
    })
    void everyExpectedRefusalSaysWhatToDo(int errno, String advice) {
        NetworkException e = new NetworkException("create tap lbt1", new LinuxException("TUNSETIFF", "lbt1", errno));

        assertThat(e).hasMessageContainingAll("create tap lbt1", "TUNSETIFF", "errno " + errno, advice);
    }

    @Test
    void fabricConfigRefusesWhatTheKernelWouldMisunderstand() throws Exception {
        InetAddress here = InetAddress.getByName("10.9.0.1");
        assertThatThrownBy(() -> FabricConfig.host(1 << 24, here, List.of())).hasMessageContaining("16777215");
        assertThatThrownBy(() -> FabricConfig.host(1, InetAddress.getByName("0.0.0.0"), List.of()))
                .hasMessageContaining("not a wildcard");
        assertThatThrownBy(() -> FabricConfig.host(1, here, List.of(here))).hasMessageContaining("to itself");
        assertThatThrownBy(() -> FabricConfig.host(1, here, List.of(InetAddress.getByName("fd00::1"))))
                .hasMessageContaining("address family");
        assertThatThrownBy(() -> FabricConfig.gateway(1, here, List.of(), List.of("a-name-too-long-x")))
                .hasMessageContaining("no interface name");
        assertThatThrownBy(() -> new FabricConfig("lb0", "lbvx0", 1, 4789, here, List.of(), List.of(), 1000))
                .hasMessageContaining("1280");
    }
}
