// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PcapStatsTest {

    private static final int SYN = 0x02;
    private static final int RST = 0x04;
    private static final int ACK = 0x10;

    @TempDir
    Path directory;

    private static byte[] tcp(String source, String target, int flags, int payloadBytes) throws Exception {
        ByteBuffer tcp = ByteBuffer.allocate(20 + payloadBytes);
        tcp.putShort((short) 40000).putShort((short) 6379).putInt(1).putInt(2);
        tcp.put((byte) 0x50).put((byte) flags);
        return ipv4(source, target, 6, tcp.array());
    }

    private static byte[] ipv4(String source, String target, int protocol, byte[] payload) throws Exception {
        ByteBuffer frame = ByteBuffer.allocate(14 + 20 + payload.length);
        frame.position(12).putShort((short) 0x0800);
        frame.put((byte) 0x45).put((byte) 0).putShort((short) (20 + payload.length));
        frame.putInt(0).put((byte) 64).put((byte) protocol).putShort((short) 0);
        frame.put(InetAddress.getByName(source).getAddress());
        frame.put(InetAddress.getByName(target).getAddress());
        return frame.put(payload).array();
    }

    private static byte[] vxlan(byte[] inner) throws Exception {
        ByteBuffer udp = ByteBuffer.allocate(16 + inner.length);
        udp.putShort((short) 50000).putShort((short) 4789).putShort((short) (16 + inner.length));
        return ipv4("10.77.0.1", "10.77.0.2", 17, udp.position(16).put(inner).array());
    }

    private Path recordingOf(byte[]... frames) throws Exception {
        Path file = directory.resolve("some.pcap");
        try (PcapWriter writer = new PcapWriter(file, 1 << 20)) {
            long micros = 1_700_000_000_000_000L;
            for (byte[] frame : frames) {
                writer.write(micros, frame);
                micros += 250_000;
            }
        }
        return file;
    }

    @Test
    void resetsAreCountedAsTheyAreAndInsideVxlan() throws Exception {
        Path file = recordingOf(
                tcp("10.88.0.1", "10.88.0.2", SYN, 0),
                tcp("10.88.0.2", "10.88.0.1", SYN | ACK, 0),
                tcp("10.88.0.1", "10.88.0.2", ACK, 700),
                tcp("10.88.0.2", "10.88.0.1", RST, 0),
                vxlan(tcp("10.88.0.2", "10.88.0.1", RST | ACK, 0)),
                new byte[14]);
        assertThat(PcapStats.of(file)).isEqualTo(new PcapStats(6, 5, 700, 2, 1, 0, 250_000, false));
    }

    @Test
    void aHostSeesOnlyItsOwnSegments() throws Exception {
        Path file = recordingOf(
                tcp("10.88.0.1", "10.88.0.2", RST, 0),
                tcp("10.88.0.9", "10.88.0.3", RST, 0),
                ipv4("10.88.0.2", "10.88.0.1", 1, new byte[] {3, 1, 0, 0, 0, 0, 0, 0}));
        PcapStats stats = PcapStats.ofHost(file, InetAddress.getByName("10.88.0.2"));
        assertThat(stats.rstPackets()).isEqualTo(1);
        assertThat(stats.icmpUnreachable()).isEqualTo(1);
    }

    @Test
    void aFileThatEndsInsideARecordIsReadUpToThereAndMarked() throws Exception {
        Path file = recordingOf(tcp("10.88.0.1", "10.88.0.2", RST, 0), tcp("10.88.0.1", "10.88.0.2", RST, 0));
        byte[] whole = Files.readAllBytes(file);
        Files.write(file, java.util.Arrays.copyOf(whole, whole.length - 5));
        PcapStats stats = PcapStats.of(file);
        assertThat(stats.rstPackets()).isEqualTo(1);
        assertThat(stats.truncated()).isTrue();
    }

    @Test
    void anotherFileFormatIsRefusedByName() throws Exception {
        Path file = Files.write(directory.resolve("other"), new byte[64]);
        assertThatThrownBy(() -> PcapStats.of(file)).hasMessageContaining("is not a little-endian pcap file");
    }
}
