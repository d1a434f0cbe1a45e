// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.net;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/**
 * Counts over a classic pcap file: IPv4 TCP segments as they are on the wire, or inside VXLAN.
 *
 * @param frames records in the file
 * @param tcpSegments TCP segments of the host asked for, or of all
 * @param tcpBytes payload bytes in them
 * @param rstPackets those with the RST flag
 * @param synPackets those with SYN and without ACK: attempts to open a connection
 * @param icmpUnreachable ICMP destination unreachable messages to or from the host asked for, or all
 * @param longestSilenceMicros longest time between two TCP segments
 * @param truncated the file ends inside a record
 */
public record PcapStats(
        long frames,
        long tcpSegments,
        long tcpBytes,
        long rstPackets,
        long synPackets,
        long icmpUnreachable,
        long longestSilenceMicros,
        boolean truncated) {

    private static final int ETHERTYPE_IPV4 = 0x0800;
    private static final int PROTOCOL_ICMP = 1;
    private static final int PROTOCOL_TCP = 6;
    private static final int PROTOCOL_UDP = 17;
    private static final int VXLAN_PORT = 4789;
    private static final int TCP_SYN = 0x02;
    private static final int TCP_RST = 0x04;
    private static final int TCP_ACK = 0x10;
    private static final int ICMP_DESTINATION_UNREACHABLE = 3;

    /** Everything in the file. */
    public static PcapStats of(Path file) throws IOException {
        return read(file, Optional.empty());
    }

    /** Only what has {@code host} as source or destination address. */
    public static PcapStats ofHost(Path file, InetAddress host) throws IOException {
        return read(file, Optional.of(host.getAddress()));
    }

    private static PcapStats read(Path file, Optional<byte[]> host) throws IOException {
        ByteBuffer content;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            content = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
        }
        content.order(ByteOrder.LITTLE_ENDIAN);
        if (content.remaining() < 24 || content.getInt(0) != 0xa1b2c3d4) {
            throw new IOException(file + " is not a little-endian pcap file with microseconds");
        }
        content.position(24);
        Counter counter =
                new Counter(host.map(address -> ByteBuffer.wrap(address).getInt()));
        boolean truncated = false;
        while (content.hasRemaining()) {
            if (content.remaining() < 16) {
                truncated = true;
                break;
            }
            long micros = Integer.toUnsignedLong(content.getInt()) * 1_000_000 + content.getInt();
            int captured = content.getInt();
            content.getInt();
            if (captured < 0 || captured > content.remaining()) {
                truncated = true;
                break;
            }
            ByteBuffer frame = content.slice(content.position(), captured).order(ByteOrder.BIG_ENDIAN);
            content.position(content.position() + captured);
            counter.frames++;
            counter.ethernet(frame, micros, true);
        }
        return new PcapStats(
                counter.frames,
                counter.segments,
                counter.bytes,
                counter.resets,
                counter.opens,
                counter.unreachable,
                counter.longestSilence,
                truncated);
    }

    /** Walks one frame after the other; short frames count as nothing. */
    private static final class Counter {
        private final Optional<Integer> host;
        private long frames;
        private long segments;
        private long bytes;
        private long resets;
        private long opens;
        private long unreachable;
        private long lastMicros = -1;
        private long longestSilence;

        Counter(Optional<Integer> host) {
            this.host = host;
        }

        void ethernet(ByteBuffer frame, long micros, boolean outer) {
            if (frame.remaining() < 34 || (frame.getShort(12) & 0xffff) != ETHERTYPE_IPV4) {
                return;
            }
            ByteBuffer ip = frame.slice(14, frame.remaining() - 14);
            int headerBytes = (ip.get(0) & 0x0f) * 4;
            boolean laterFragment = (ip.getShort(6) & 0x1fff) != 0;
            if ((ip.get(0) & 0xf0) != 0x40 || headerBytes < 20 || laterFragment || ip.remaining() < headerBytes + 8) {
                return;
            }
            int protocol = ip.get(9) & 0xff;
            ByteBuffer payload = ip.slice(headerBytes, ip.remaining() - headerBytes);
            if (protocol == PROTOCOL_UDP && outer && (payload.getShort(2) & 0xffff) == VXLAN_PORT) {
                if (payload.remaining() > 16) {
                    ethernet(payload.slice(16, payload.remaining() - 16), micros, false);
                }
                return;
            }
            if (host.isPresent() && ip.getInt(12) != host.get() && ip.getInt(16) != host.get()) {
                return;
            }
            if (protocol == PROTOCOL_ICMP && payload.get(0) == ICMP_DESTINATION_UNREACHABLE) {
                unreachable++;
            } else if (protocol == PROTOCOL_TCP && payload.remaining() >= 20) {
                tcp(payload, (ip.getShort(2) & 0xffff) - headerBytes, micros);
            }
        }

        private void tcp(ByteBuffer tcp, int lengthBytes, long micros) {
            int flags = tcp.get(13);
            segments++;
            bytes += Math.max(0, lengthBytes - ((tcp.get(12) >> 4) & 0x0f) * 4);
            if ((flags & TCP_RST) != 0) {
                resets++;
            }
            if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
                opens++;
            }
            if (lastMicros >= 0) {
                longestSilence = Math.max(longestSilence, micros - lastMicros);
            }
            lastMicros = micros;
        }
    }
}
