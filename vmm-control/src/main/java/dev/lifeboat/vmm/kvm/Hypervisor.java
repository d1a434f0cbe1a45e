// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.kvm.Kvm;
import dev.lifeboat.linux.kvm.KvmCapability;
import dev.lifeboat.vmm.VmmException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** This host's KVM: opened, checked, and what kind it is. Any thread may use it; whoever opens it closes it. */
public final class Hypervisor implements AutoCloseable {
    /** The module behind /dev/kvm. PVM needs no hardware virtualization but a guest kernel made for it. */
    public enum Kind {
        INTEL,
        AMD,
        PVM,
        UNKNOWN
    }

    private static final int API_VERSION = 12;
    private static final Map<Integer, String> NEEDED = needed();

    private final Kvm kvm;
    private final Kind kind;

    private Hypervisor(Kvm kvm, Kind kind) {
        this.kvm = kvm;
        this.kind = kind;
    }

    /** @throws VmmException when this host cannot run VMs; the message says why and what to do */
    public static Hypervisor open() {
        return open(Path.of("/dev/kvm"), Path.of("/sys/module"));
    }

    static Hypervisor open(Path device, Path modules) {
        Kvm kvm;
        try {
            kvm = Kvm.open(device.toString());
        } catch (LinuxException e) {
            throw new VmmException(whyNot(device, e), e);
        }
        try {
            check(kvm, device);
            return new Hypervisor(kvm, kindOf(modules));
        } catch (RuntimeException e) {
            kvm.close();
            throw e;
        }
    }

    static String whyNot(Path device, LinuxException e) {
        switch (e.errno()) {
            case Errno.ENOENT:
                return "this host has no " + device + ": load the kvm-intel or kvm-amd module (modprobe kvm-intel), and"
                        + " switch virtualization on in the firmware or choose a machine type with nested virtualization";
            case Errno.EACCES:
            case Errno.EPERM:
                return "no permission to open " + device + ": add the user to the group kvm (usermod -aG kvm USER) and"
                        + " log in again";
            case Errno.ENODEV:
                return device + " exists but no KVM module is behind it: load kvm-intel or kvm-amd";
            default:
                return device + " cannot be opened: " + e.getMessage();
        }
    }

    private static void check(Kvm kvm, Path device) {
        int version;
        try {
            version = kvm.apiVersion();
        } catch (LinuxException e) {
            throw new VmmException(device + " is not KVM (" + e.getMessage() + "); check what made it", e);
        }
        if (version != API_VERSION) {
            throw new VmmException("KVM API version " + version + " instead of 12: this kernel is not supported");
        }
        for (Map.Entry<Integer, String> needed : NEEDED.entrySet()) {
            if (kvm.checkExtension(needed.getKey()) == 0) {
                throw new VmmException(
                        "this kernel's KVM lacks " + needed.getValue() + "; use Linux 5.4 or later on the host");
            }
        }
    }

    /** The module that is loaded; only one of them can be. */
    static Kind kindOf(Path modules) {
        if (Files.isDirectory(modules.resolve("kvm_pvm"))) {
            return Kind.PVM;
        } else if (Files.isDirectory(modules.resolve("kvm_intel"))) {
            return Kind.INTEL;
        } else if (Files.isDirectory(modules.resolve("kvm_amd"))) {
            return Kind.AMD;
        }
        return Kind.UNKNOWN;
    }

    private static Map<Integer, String> needed() {
        Map<Integer, String> needed = new LinkedHashMap<>();
        needed.put(KvmCapability.USER_MEMORY, "KVM_CAP_USER_MEMORY");
        needed.put(KvmCapability.IRQCHIP, "KVM_CAP_IRQCHIP");
        needed.put(KvmCapability.IRQFD, "KVM_CAP_IRQFD");
        needed.put(KvmCapability.IOEVENTFD, "KVM_CAP_IOEVENTFD");
        needed.put(KvmCapability.PIT2, "KVM_CAP_PIT2");
        needed.put(KvmCapability.ADJUST_CLOCK, "KVM_CAP_ADJUST_CLOCK");
        needed.put(KvmCapability.XSAVE, "KVM_CAP_XSAVE");
        needed.put(KvmCapability.IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT");
        needed.put(KvmCapability.MANUAL_DIRTY_LOG_PROTECT2, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2");
        return needed;
    }

    public Kvm kvm() {
        return kvm;
    }

    public Kind kind() {
        return kind;
    }

    /**
     * Refuses hosts that would start an ordinary Linux kernel and then hang.
     *
     * @throws VmmException naming PVM
     */
    public void requireOrdinaryGuests() {
        if (kind == Kind.PVM) {
            throw new VmmException(
                    "the KVM of this host is PVM (module kvm_pvm): it runs only kernels built for PVM, and an"
                            + " ordinary distribution kernel would hang; use a host with hardware virtualization (kvm_intel or"
                            + " kvm_amd), or the emulated hosts of `lifeboat demo`");
        }
    }

    @Override
    public void close() {
        kvm.close();
    }
}
