// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.net;

import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;
import java.nio.charset.StandardCharsets;

/**
 * An existing tap interface, opened for a virtual machine: each read takes and each write sends one Ethernet frame
 * headed by a 12-byte {@code virtio_net_hdr_v1} (Documentation/networking/tuntap.rst, include/uapi/linux/if_tun.h).
 * The descriptor does not block. Whoever opens it closes it; the interface itself stays.
 */
public final class Tap implements AutoCloseable {
    /** {@code sizeof(struct virtio_net_hdr_v1)}, virtio 1.2 section 5.1.6. */
    public static final int VNET_HEADER_BYTES = 12;

    static final long TUNSETIFF = 0x400454caL;
    static final long TUNSETOFFLOAD = 0x400454d0L;
    static final long TUNSETVNETHDRSZ = 0x400454d8L;
    static final long SIOCGIFINDEX = 0x8933L;
    static final int IFF_TAP = 0x0002;
    static final int IFF_NO_PI = 0x1000;
    static final int IFF_VNET_HDR = 0x4000;
    static final int TUN_F_CSUM = 0x01;
    static final int TUN_F_TSO4 = 0x02;
    static final int TUN_F_TSO6 = 0x04;
    static final int IFNAMSIZ = 16;
    static final int IFREQ_BYTES = 40;
    static final int IFREQ_FLAGS_OFFSET = 16;

    private static final int AF_INET = 2;
    private static final int SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
    private static final int O_RDWR = 2;
    private static final int O_NONBLOCK = 0x800;
    private static final int O_CLOEXEC = 0x80000;

    private final String name;
    private int fd;

    /**
     * Opens the tap {@code name}.
     *
     * @throws LinuxException with ENODEV when there is no such interface (it is not made here), EPERM or EACCES when /dev/net/tun or the tap is not ours, EBUSY when another process
     *     has it open, EINVAL when it is not a tap
     */
    public Tap(String name) {
        byte[] bytes = name.getBytes(StandardCharsets.US_ASCII);
        if (bytes.length == 0 || bytes.length >= IFNAMSIZ) {
            throw new IllegalArgumentException("tap name '" + name + "' must have 1 to 15 characters");
        }
        this.name = name;
        requireInterface(name, bytes);
        fd = Libc.check(Libc.open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC, 0), "open", "/dev/net/tun");
        long scratch = NativeMemory.allocate(IFREQ_BYTES);
        boolean open = false;
        try {
            NativeMemory.copy(bytes, 0, scratch, bytes.length);
            NativeMemory.putShort(scratch + IFREQ_FLAGS_OFFSET, (short) (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR));
            Libc.check(Libc.ioctl(fd, TUNSETIFF, scratch), "TUNSETIFF", name);
            NativeMemory.putInt(scratch, VNET_HEADER_BYTES);
            Libc.check(Libc.ioctl(fd, TUNSETVNETHDRSZ, scratch), "TUNSETVNETHDRSZ", name);
            setOffloads(false, false, false);
            open = true;
        } finally {
            NativeMemory.free(scratch);
            if (!open) {
                close();
            }
        }
    }

    /** TUNSETIFF makes an interface that does not exist, which would vanish with us and never carry a packet. */
    private static void requireInterface(String name, byte[] bytes) {
        int socket = Libc.check(Libc.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0), "socket", "AF_INET");
        long request = NativeMemory.allocate(IFREQ_BYTES);
        try {
            NativeMemory.copy(bytes, 0, request, bytes.length);
            Libc.check(Libc.ioctl(socket, SIOCGIFINDEX, request), "SIOCGIFINDEX", name);
        } finally {
            NativeMemory.free(request);
            Libc.close(socket);
        }
    }

    /**
     * Tells the kernel what the reader can take: frames whose checksum is still to be filled in, and TCP segments of up
     * to 64 KiB. What is not listed the kernel does itself before it queues a frame.
     */
    public void setOffloads(boolean checksum, boolean tso4, boolean tso6) {
        // The kernel refuses segmentation without checksum offload (drivers/net/tun.c, set_offload).
        int flags = checksum ? TUN_F_CSUM | (tso4 ? TUN_F_TSO4 : 0) | (tso6 ? TUN_F_TSO6 : 0) : 0;
        Libc.check(Libc.ioctl(fd, TUNSETOFFLOAD, flags), "TUNSETOFFLOAD", name + ", 0x" + Integer.toHexString(flags));
    }

    public String name() {
        return name;
    }

    public int fd() {
        return fd;
    }

    @Override
    public synchronized void close() {
        if (fd >= 0) {
            Libc.close(fd);
            fd = -1;
        }
    }
}
