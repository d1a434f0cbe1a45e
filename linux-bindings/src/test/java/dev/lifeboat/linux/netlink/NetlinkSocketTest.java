// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.netlink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.LinuxException;
import java.io.File;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Needs no privilege: it asks, and provokes refusals. */
class NetlinkSocketTest {
    @Test
    void dumpListsTheLoopbackInterface() {
        try (NetlinkSocket socket = NetlinkSocket.openRoute()) {
            List<NetlinkMessage> links = socket.dump(
                    new NetlinkRequest(Rtnetlink.RTM_GETLINK, 0, "list the interfaces").linkHeader(0, 0, 0));

            assertThat(links).allMatch(link -> link.type() == Rtnetlink.RTM_NEWLINK);
            assertThat(links)
                    .extracting(link -> link.attributes(Rtnetlink.IFINFOMSG_BYTES)
                            .text(Rtnetlink.IFLA_IFNAME)
                            .orElseThrow())
                    .contains("lo");
        }
    }

    @Test
    void aQuestionForOneObjectAnswersWithThatObject() {
        try (NetlinkSocket socket = NetlinkSocket.openRoute()) {
            List<NetlinkMessage> links = socket.execute(new NetlinkRequest(Rtnetlink.RTM_GETLINK, 0, "look up lo")
                    .linkHeader(0, 0, 0)
                    .text(Rtnetlink.IFLA_IFNAME, "lo"));

            assertThat(links).hasSize(1);
            assertThat(links.get(0).buffer().getInt(4)).isEqualTo(1);
            assertThat(links.get(0).attributes(Rtnetlink.IFINFOMSG_BYTES).number(Rtnetlink.IFLA_MTU))
                    .hasValue(65_536);
        }
    }

    @Test
    void aRefusalCarriesCallPurposeAndErrno() {
        try (NetlinkSocket socket = NetlinkSocket.openRoute()) {
            NetlinkRequest request = new NetlinkRequest(Rtnetlink.RTM_GETLINK, 0, "look up absent0")
                    .linkHeader(0, 0, 0)
                    .text(Rtnetlink.IFLA_IFNAME, "absent0");

            assertThatThrownBy(() -> socket.execute(request))
                    .isInstanceOfSatisfying(LinuxException.class, e -> {
                        assertThat(e.errno()).isEqualTo(Errno.ENODEV);
                        assertThat(e.call()).isEqualTo("RTM_GETLINK");
                    })
                    .hasMessageContaining("look up absent0");
        }
    }

    @Test
    void aRefusalCarriesTheKernelsOwnSentence() {
        try (NetlinkSocket socket = NetlinkSocket.openRoute()) {
            // Refused by the attribute policy, which needs no privilege.
            NetlinkRequest request = new NetlinkRequest(Rtnetlink.RTM_GETLINK, 0, "look up a name too long")
                    .linkHeader(0, 0, 0)
                    .text(Rtnetlink.IFLA_IFNAME, "a-name-that-is-longer-than-any-interface-name");

            assertThatThrownBy(() -> socket.execute(request))
                    .isInstanceOf(LinuxException.class)
                    .hasMessageContaining("the kernel says: ");
        }
    }

    @Test
    void aClosedSocketRefusesAndClosingTwiceIsHarmless() {
        NetlinkSocket socket = NetlinkSocket.openRoute();
        socket.close();
        socket.close();

        assertThatThrownBy(() ->
                        socket.execute(new NetlinkRequest(Rtnetlink.RTM_GETLINK, 0, "look up lo").linkHeader(1, 0, 0)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("look up lo");
    }

    @Test
    void openingAndClosingManyTimesLeaksNoDescriptor() {
        NetlinkSocket.openRoute().close();
        int before = openDescriptors();
        for (int i = 0; i < 200; i++) {
            NetlinkSocket.openRoute().close();
        }
        assertThat(openDescriptors()).isLessThan(before + 100);
    }

    private static int openDescriptors() {
        return new File("/proc/self/fd").list().length;
    }
}
