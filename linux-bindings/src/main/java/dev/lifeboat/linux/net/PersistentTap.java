// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.net;

import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.NativeMemory;
import java.nio.charset.StandardCharsets;

/**
 * Makes tap devices that outlive the process which made them, see the kernel's Documentation/networking/tuntap.rst.
 * Any thread; the device appears in the calling thread's network namespace. RTM_DELLINK removes it.
 *
 * <p>Whoever reads it later opens it by name as a {@link Tap}: one queue, no packet information; IFF_VNET_HDR is that
 * opener's choice, the kernel takes it over at each attach.
 */
public final class PersistentTap {
    static final long TUNSETPERSIST = 0x400454cbL;

    private static final String DEVICE = "/dev/net/tun";
    private static final int O_RDWR = 2;
    private static final int O_CLOEXEC = 0x80000;

    private PersistentTap() {}

    /**
     * Makes the tap, or keeps it when it is there.
     *
     * @throws dev.lifeboat.linux.LinuxException EPERM without CAP_NET_ADMIN, EBUSY when another process has it open,
     *     EINVAL when the name belongs to a device that is no tap
     */
    public static void create(String name) {
        byte[] nameBytes = name.getBytes(StandardCharsets.US_ASCII);
        if (nameBytes.length == 0 || nameBytes.length >= Tap.IFNAMSIZ) {
            throw new IllegalArgumentException("an interface name has 1 to 15 characters: '" + name + "'");
        }
        int fd = Libc.check(Libc.open(DEVICE, O_RDWR | O_CLOEXEC, 0), "open", DEVICE);
        long request = NativeMemory.allocate(Tap.IFREQ_BYTES);
        try {
            NativeMemory.copy(nameBytes, 0, request, nameBytes.length);
            NativeMemory.putShort(request + Tap.IFREQ_FLAGS_OFFSET, (short) (Tap.IFF_TAP | Tap.IFF_NO_PI));
            Libc.check(Libc.ioctl(fd, Tap.TUNSETIFF, request), "TUNSETIFF", name);
            Libc.check(Libc.ioctl(fd, TUNSETPERSIST, 1), "TUNSETPERSIST", name);
        } finally {
            NativeMemory.free(request);
            Libc.close(fd);
        }
    }
}
