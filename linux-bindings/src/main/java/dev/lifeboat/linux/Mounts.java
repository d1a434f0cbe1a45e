// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux;

/** Mounting and unmounting file systems, mount(2) and umount2(2). Any thread; a call lasts as long as the disk takes. */
public final class Mounts {
    /** Programs and devices of a volume are nobody's here: MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME of mount(2). */
    public static final long DATA_ONLY = 2 | 4 | 8 | 1024;

    private static final int O_RDONLY = 0;
    private static final int O_DIRECTORY = 0x10000;

    private Mounts() {}

    /**
     * @param device block device
     * @param mountPoint an existing directory
     * @param fileSystem such as {@code ext4}
     * @param flags of mount(2)
     */
    public static void mount(String device, String mountPoint, String fileSystem, long flags) {
        Libc.check(Libc.mount(device, mountPoint, fileSystem, flags, ""), "mount", device + " at " + mountPoint);
    }

    /** Writes everything of the file system out and unmounts it; EBUSY when somebody uses it. */
    public static void unmount(String mountPoint) {
        int fd = Libc.check(Libc.open(mountPoint, O_RDONLY | O_DIRECTORY, 0), "open", mountPoint);
        try {
            // The unmount would write, too, but report no error of it.
            Libc.check(Libc.syncfs(fd), "syncfs", mountPoint);
        } finally {
            Libc.close(fd);
        }
        Libc.check(Libc.umount2(mountPoint, 0), "umount", mountPoint);
    }
}
