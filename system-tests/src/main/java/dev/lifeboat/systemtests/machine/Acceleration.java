// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.machine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * How QEMU runs the machines: on this machine's KVM when that can give them a KVM of their own, else on QEMU's software
 * processor, which has AMD's virtualization (SVM with nested paging).
 *
 * @param kvm by this machine's KVM
 * @param reason for the choice, for a person to read
 * @param qemuArguments for QEMU
 */
public record Acceleration(boolean kvm, String reason, List<String> qemuArguments) {

    /**
     * Without cmpxchg16b: QEMU 7.2 computes the flags after it from stale state, and an interrupt that comes right then
     * (Linux's allocator uses the instruction all the time) saves garbage as RFLAGS, trap flag included. Kernels of hosts
     * and guests then died now and then with "Oops: int3", unexpected debug traps or triple faults. QEMU 8 does not do
     * that (target/i386: cmpxchg16b became inline code there), but Debian 12 has 7.2.
     */
    private static final List<String> SOFTWARE = List.of("-accel", "tcg,thread=multi", "-cpu", "EPYC,+svm,-cx16");

    private static final List<String> NESTED = List.of("-accel", "kvm", "-cpu", "host");

    /** The choice for this machine. */
    public static Acceleration detect() {
        return detect(Path.of("/dev/kvm"), Path.of("/sys/module"));
    }

    static Acceleration detect(Path device, Path modules) {
        if (!Files.exists(device)) {
            return software("no " + device);
        }
        if (!Files.isReadable(device) || !Files.isWritable(device)) {
            return software("no permission for " + device + "; see: lifeboat doctor");
        }
        if (Files.exists(modules.resolve("kvm_pvm"))) {
            return software("this machine's KVM is PVM, which runs no stock kernel");
        }
        for (String module : List.of("kvm_intel", "kvm_amd")) {
            Path nested = modules.resolve(module).resolve("parameters/nested");
            if (Files.isReadable(nested)) {
                try {
                    String value = Files.readString(nested).strip();
                    if (value.equals("1") || value.equals("Y")) {
                        return new Acceleration(true, "nested KVM by " + module, NESTED);
                    }
                    return software(module + " has nested virtualization switched off");
                } catch (IOException e) {
                    return software(nested + " cannot be read: " + e.getMessage());
                }
            }
        }
        return software("neither kvm_intel nor kvm_amd says that it can nest");
    }

    private static Acceleration software(String reason) {
        return new Acceleration(false, reason, SOFTWARE);
    }
}
