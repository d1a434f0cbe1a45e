// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux.kvm;

import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;

/** The system file descriptor, {@code /dev/kvm}. Any thread may use it; whoever opens it closes it. */
public final class Kvm implements AutoCloseable {
    private static final int O_RDWR = 2;
    private static final int O_CLOEXEC = 0x80000;
    private static final int E2BIG = 7;
    /** KVM knows about 100 MSRs and 60 CPUID leaves; asked again with the kernel's own count when there are more. */
    private static final int FIRST_GUESS = 256;

    private final int fd;

    private Kvm(int fd) {
        this.fd = fd;
    }

    /**
     * @param path normally {@code "/dev/kvm"}
     * @throws LinuxException ENOENT (no KVM), EACCES (no permission) and others of open(2)
     */
    public static Kvm open(String path) {
        return new Kvm(Libc.check(Libc.open(path, O_RDWR | O_CLOEXEC, 0), "open", path));
    }

    public int apiVersion() {
        return Libc.check(Libc.ioctl(fd, KvmRequest.KVM_GET_API_VERSION, 0), "KVM_GET_API_VERSION", "");
    }

    /** The value of a capability; 0 means that it is missing. */
    public int checkExtension(int capability) {
        return Libc.check(
                Libc.ioctl(fd, KvmRequest.KVM_CHECK_EXTENSION, capability),
                "KVM_CHECK_EXTENSION",
                Integer.toString(capability));
    }

    public int vcpuMmapBytes() {
        return Libc.check(Libc.ioctl(fd, KvmRequest.KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE", "");
    }

    public KvmVm createVm() {
        int vm = Libc.check(Libc.ioctl(fd, KvmRequest.KVM_CREATE_VM, 0), "KVM_CREATE_VM", "type 0");
        return new KvmVm(vm, vcpuMmapBytes(), checkExtension(KvmCapability.XSAVE2));
    }

    /** The MSRs whose values belong to a guest's state on this kernel, unfiltered. */
    public int[] msrIndexList() {
        int room = FIRST_GUESS;
        while (true) {
            long list = NativeMemory.allocate(4 + 4L * room);
            try {
                NativeMemory.putInt(list, room);
                if (Libc.ioctl(fd, KvmRequest.KVM_GET_MSR_INDEX_LIST, list) < 0) {
                    room = moreRoom(list, room, "KVM_GET_MSR_INDEX_LIST");
                    continue;
                }
                int[] indices = new int[NativeMemory.getInt(list)];
                for (int i = 0; i < indices.length; i++) {
                    indices[i] = NativeMemory.getInt(list + 4 + 4L * i);
                }
                return indices;
            } finally {
                NativeMemory.free(list);
            }
        }
    }

    /** The entries ({@code struct kvm_cpuid_entry2}, 40 bytes each) that this host can offer a guest. */
    public byte[] supportedCpuid() {
        int room = FIRST_GUESS;
        while (true) {
            long list = NativeMemory.allocate(KvmStruct.CPUID_HEADER + (long) KvmStruct.CPUID_ENTRY * room);
            try {
                NativeMemory.putInt(list, room);
                if (Libc.ioctl(fd, KvmRequest.KVM_GET_SUPPORTED_CPUID, list) < 0) {
                    room = moreRoom(list, room, "KVM_GET_SUPPORTED_CPUID");
                    continue;
                }
                byte[] entries = new byte[NativeMemory.getInt(list) * KvmStruct.CPUID_ENTRY];
                NativeMemory.copy(list + KvmStruct.CPUID_HEADER, entries, 0, entries.length);
                return entries;
            } finally {
                NativeMemory.free(list);
            }
        }
    }

    private static int moreRoom(long list, int room, String call) {
        int errno = Libc.errno();
        if (errno != E2BIG || room > 16 * FIRST_GUESS) {
            throw new LinuxException(call, room + " entries", errno);
        }
        return Math.max(2 * room, NativeMemory.getInt(list));
    }

    @Override
    public void close() {
        Libc.close(fd);
    }
}
