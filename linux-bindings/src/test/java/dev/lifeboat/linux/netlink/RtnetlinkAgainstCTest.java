// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.netlink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.linux.CProgram;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Compares numbers and encoded messages with what a C program, compiled against the kernel's headers, prints. */
class RtnetlinkAgainstCTest {
    private static final String HEADERS = """
            #define _GNU_SOURCE
            #include <stdio.h>
            #include <string.h>
            #include <sys/socket.h>
            #include <linux/if.h>
            #include <linux/if_addr.h>
            #include <linux/if_link.h>
            #include <linux/neighbour.h>
            #include <linux/netlink.h>
            #include <linux/rtnetlink.h>
            #include <linux/veth.h>
            """;

    // The messages that create a VXLAN device and point a flow, built from the kernel's own structs.
    private static final String MESSAGES = """
            static unsigned char m[512];
            static struct nlmsghdr *h = (struct nlmsghdr *) m;
            static void *put(const void *value, int length) {
                void *at = m + h->nlmsg_len;
                memcpy(at, value, length);
                h->nlmsg_len += NLA_ALIGN(length);
                return at;
            }
            static void start(int type, int flags, int seq, const void *header, int length) {
                memset(m, 0, sizeof m);
                h->nlmsg_len = NLMSG_HDRLEN; h->nlmsg_type = type; h->nlmsg_flags = flags; h->nlmsg_seq = seq;
                put(header, length);
            }
            static void attr(int type, const void *value, int length) {
                struct nlattr a = { .nla_len = NLA_HDRLEN + length, .nla_type = type };
                put(&a, sizeof a);
                put(value, length);
            }
            static struct nlattr *nest(int type) {
                struct nlattr a = { .nla_type = type | NLA_F_NESTED };
                return put(&a, sizeof a);
            }
            static void close_nest(struct nlattr *a) { a->nla_len = m + h->nlmsg_len - (unsigned char *) a; }
            static void print(const char *name) {
                printf("%s ", name);
                for (unsigned i = 0; i < h->nlmsg_len; i++) printf("%02x", m[i]);
                printf("\\n");
            }
            int main(void) {
                struct ifinfomsg link = { 0 };
                unsigned vni = 4711;
                unsigned char port[2] = { 0x12, 0xb5 }, off = 0, local[4] = { 10, 9, 0, 1 };
                start(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 7, &link, sizeof link);
                attr(IFLA_IFNAME, "lbvx0", 6);
                struct nlattr *info = nest(IFLA_LINKINFO);
                attr(IFLA_INFO_KIND, "vxlan", 6);
                struct nlattr *data = nest(IFLA_INFO_DATA);
                attr(IFLA_VXLAN_ID, &vni, 4);
                attr(IFLA_VXLAN_PORT, port, 2);
                attr(IFLA_VXLAN_LEARNING, &off, 1);
                attr(IFLA_VXLAN_LOCAL, local, 4);
                close_nest(data);
                close_nest(info);
                print("vxlan");
                struct ndmsg neighbour = { .ndm_family = AF_BRIDGE, .ndm_ifindex = 300,
                    .ndm_state = NUD_NOARP | NUD_PERMANENT, .ndm_flags = NTF_SELF };
                unsigned char mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };
                start(RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, 8, &neighbour,
                    sizeof neighbour);
                attr(NDA_LLADDR, mac, 6);
                attr(NDA_DST, local, 4);
                print("flow");
                return 0;
            }
            """;

    @TempDir
    private Path directory;

    @Test
    void everyConstantIsTheKernelHeadersOwn() throws Exception {
        Map<String, Long> ours = new LinkedHashMap<>();
        StringBuilder source = new StringBuilder(HEADERS).append("int main(void) {\n");
        for (Field field : Rtnetlink.class.getFields()) {
            if (Modifier.isStatic(field.getModifiers()) && field.getType() == int.class) {
                ours.put(field.getName(), (long) field.getInt(null));
                source.append("printf(\"%s %lld\\n\", \"")
                        .append(field.getName())
                        .append("\", (long long) (")
                        .append(expression(field.getName()))
                        .append("));\n");
            }
        }
        assertThat(ours).hasSizeGreaterThan(50);

        Map<String, Long> theirs = new LinkedHashMap<>();
        compileAndRun(source.append("return 0; }\n").toString())
                .forEach((name, value) -> theirs.put(name, Long.parseLong(value)));

        assertThat(ours).isEqualTo(theirs);
    }

    private static String expression(String name) {
        return switch (name) {
            case "IFINFOMSG_BYTES" -> "sizeof(struct ifinfomsg)";
            case "NDMSG_BYTES" -> "sizeof(struct ndmsg)";
            case "NLMSGHDR_BYTES" -> "sizeof(struct nlmsghdr)";
            case "NLATTR_BYTES" -> "sizeof(struct nlattr)";
            case "NLA_TYPE_MASK" -> "NLA_TYPE_MASK & 0xffff";
            default -> name;
        };
    }

    @Test
    void messagesAreByteForByteWhatTheKernelsStructsMake() throws Exception {
        NetlinkRequest vxlan = new NetlinkRequest(
                        Rtnetlink.RTM_NEWLINK, Rtnetlink.NLM_F_CREATE | Rtnetlink.NLM_F_EXCL, "create")
                .linkHeader(0, 0, 0)
                .text(Rtnetlink.IFLA_IFNAME, "lbvx0");
        int info = vxlan.beginNested(Rtnetlink.IFLA_LINKINFO);
        vxlan.text(Rtnetlink.IFLA_INFO_KIND, "vxlan");
        int data = vxlan.beginNested(Rtnetlink.IFLA_INFO_DATA);
        vxlan.int32(Rtnetlink.IFLA_VXLAN_ID, 4711)
                .bigEndian16(Rtnetlink.IFLA_VXLAN_PORT, 4789)
                .int8(Rtnetlink.IFLA_VXLAN_LEARNING, 0)
                .bytes(Rtnetlink.IFLA_VXLAN_LOCAL, new byte[] {10, 9, 0, 1});
        vxlan.end(data).end(info);
        NetlinkRequest flow = new NetlinkRequest(
                        Rtnetlink.RTM_NEWNEIGH, Rtnetlink.NLM_F_CREATE | Rtnetlink.NLM_F_REPLACE, "point")
                .neighbourHeader(
                        Rtnetlink.AF_BRIDGE, 300, Rtnetlink.NUD_NOARP | Rtnetlink.NUD_PERMANENT, Rtnetlink.NTF_SELF)
                .bytes(Rtnetlink.NDA_LLADDR, new byte[] {0x52, 0x54, 0, 1, 2, 3})
                .bytes(Rtnetlink.NDA_DST, new byte[] {10, 9, 0, 1});

        Map<String, String> expected = compileAndRun(HEADERS + MESSAGES);

        int acknowledged = Rtnetlink.NLM_F_REQUEST | Rtnetlink.NLM_F_ACK;
        assertThat(HexFormat.of().formatHex(vxlan.encode(acknowledged, 7))).isEqualTo(expected.get("vxlan"));
        assertThat(HexFormat.of().formatHex(flow.encode(acknowledged, 8))).isEqualTo(expected.get("flow"));
    }

    private Map<String, String> compileAndRun(String source) throws IOException, InterruptedException {
        Map<String, String> lines = new LinkedHashMap<>();
        CProgram.output(directory, source).lines().forEach(line -> {
            String[] parts = line.split(" ");
            lines.put(parts[0], parts[1]);
        });
        return lines;
    }
}
