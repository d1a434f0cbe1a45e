// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.kvm;

import static dev.lifeboat.vmm.kvm.CpuidTable.EAX;
import static dev.lifeboat.vmm.kvm.CpuidTable.EBX;
import static dev.lifeboat.vmm.kvm.CpuidTable.ECX;
import static dev.lifeboat.vmm.kvm.CpuidTable.EDX;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.lifeboat.linux.kvm.KvmCapability;
import dev.lifeboat.linux.kvm.KvmStruct;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmException;
import java.util.ArrayList;
import java.util.List;

/**
 * Whether a VM may move to a host, decided from two small keys before anything is sent. Same vendor and kind of KVM;
 * every feature the guest was shown is there; extended state of at least the same size.
 */
public final class CpuCompatibility {
    private static final int VERSION = 1;
    private static final int TSC_DEADLINE = 1 << 24;
    /** What the guest's kernel switched on, as KVM shows it back: not a feature of the CPU. */
    private static final int OSXSAVE = 1 << 27;

    private static final int OSPKE = 1 << 4;
    /** Says that the package has several logical processors: the VM's topology, not a feature of the host. */
    private static final int HYPER_THREADING = 1 << 28;

    private CpuCompatibility() {}

    /**
     * What a guest was shown, or what a host can show.
     *
     * @param version of this record, 1
     * @param vendor CPUID vendor string
     * @param hypervisor a {@link Hypervisor.Kind}
     * @param features the registers of {@link #REGISTERS}, in that order
     * @param xsaveBytes size of the extended state
     */
    public record Key(int version, String vendor, String hypervisor, int[] features, int xsaveBytes) {}

    /** The key as text, for the HELLO of a migration. */
    public static String encode(Key key) {
        try {
            return Json.MAPPER.writeValueAsString(key);
        } catch (JsonProcessingException e) {
            throw new VmmException("the CPU key cannot be encoded: " + e.getOriginalMessage(), e);
        }
    }

    /** @throws VmmException when {@code text} is not a key of this release */
    public static Key decode(String text) {
        try {
            return Json.MAPPER.readValue(text, Key.class);
        } catch (JsonProcessingException e) {
            throw new VmmException(
                    "the VM's CPU key is of another release (" + Json.explain(e)
                            + "); run the same release of lifeboat on" + " both hosts",
                    e);
        }
    }

    /** A register of feature bits; {@code mask} leaves out bits that tell something else. */
    private record Register(String name, int function, int index, int register, int mask) {
        Register(String name, int function, int index, int register) {
            this(name, function, index, register, ~0);
        }
    }

    private static final List<Register> REGISTERS = List.of(
            new Register("1.ecx", 1, 0, ECX, ~OSXSAVE),
            new Register("1.edx", 1, 0, EDX, ~HYPER_THREADING),
            new Register("7.ebx", 7, 0, EBX),
            new Register("7.ecx", 7, 0, ECX, ~OSPKE),
            new Register("7.edx", 7, 0, EDX),
            new Register("7.1.eax", 7, 1, EAX),
            new Register("0xd.eax (XCR0)", 0xd, 0, EAX),
            new Register("0xd.1.eax", 0xd, 1, EAX),
            new Register("0x40000001.eax", 0x4000_0001, 0, EAX),
            new Register("0x80000001.ecx", 0x8000_0001, 0, ECX),
            new Register("0x80000001.edx", 0x8000_0001, 0, EDX),
            new Register("0x80000007.edx", 0x8000_0007, 0, EDX),
            new Register("0x80000008.ebx", 0x8000_0008, 0, EBX));

    /** The key of this host: what it can show a guest. */
    public static Key host(Hypervisor hypervisor) {
        CpuidTable cpuid = CpuModel.host(hypervisor.kvm());
        if (hypervisor.kvm().checkExtension(KvmCapability.TSC_DEADLINE_TIMER) != 0) {
            // Any host with that capability can run a guest that uses it, though it may not offer it to a new one.
            cpuid.set(1, 0, ECX, TSC_DEADLINE);
        }
        int xsaveBytes = Math.max(hypervisor.kvm().checkExtension(KvmCapability.XSAVE2), KvmStruct.XSAVE);
        return key(cpuid, hypervisor.kind(), xsaveBytes);
    }

    static Key key(CpuidTable cpuid, Hypervisor.Kind kind, int xsaveBytes) {
        int[] features = REGISTERS.stream()
                .mapToInt(register ->
                        cpuid.get(register.function(), register.index(), register.register()) & register.mask())
                .toArray();
        return new Key(VERSION, cpuid.vendor(), kind.name(), features, xsaveBytes);
    }

    /**
     * Passes when a guest with key {@code saved} can go on on a host with key {@code host}.
     *
     * @throws VmmException naming the vendor or the features that stand against it
     */
    public static void check(Key saved, Key host) {
        if (saved.version() != VERSION) {
            throw new VmmException("the saved VM has CPU key version " + saved.version() + ", this program knows "
                    + VERSION + "; run the same version of lifeboat on both hosts");
        }
        if (!saved.vendor().equals(host.vendor())) {
            throw new VmmException("the VM was started on a CPU of " + saved.vendor() + ", this host has one of "
                    + host.vendor() + ": a running VM cannot change the vendor; choose a target with the same one");
        }
        if (!saved.hypervisor().equals(host.hypervisor())) {
            throw new VmmException("the VM was started on KVM of kind " + saved.hypervisor() + ", this host has "
                    + host.hypervisor() + "; choose a target of the same kind");
        }
        List<String> missing = new ArrayList<>();
        for (int i = 0; i < REGISTERS.size(); i++) {
            int lacking = saved.features()[i] & ~host.features()[i];
            if (lacking != 0) {
                missing.add(REGISTERS.get(i).name() + " bits " + bits(lacking));
            }
        }
        if (!missing.isEmpty()) {
            throw new VmmException("this host's CPU lacks features that the VM was started with: CPUID "
                    + String.join(", ", missing)
                    + "; choose a target with the same or a newer CPU model, or show the VM"
                    + " less of its processor when it is started the next time (\"cpuProfile\", docs/operations.md)");
        }
        if (saved.xsaveBytes() > host.xsaveBytes()) {
            throw new VmmException("the VM's extended CPU state has " + saved.xsaveBytes() + " bytes, this host takes "
                    + host.xsaveBytes() + "; choose a target with the same or a newer CPU model");
        }
    }

    private static String bits(int mask) {
        List<String> names = new ArrayList<>();
        for (int bit = 0; bit < 32; bit++) {
            if ((mask >>> bit & 1) != 0) {
                names.add(Integer.toString(bit));
            }
        }
        return String.join(" ", names);
    }
}
