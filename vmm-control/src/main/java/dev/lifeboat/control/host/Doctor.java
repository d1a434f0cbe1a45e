// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.host;

import dev.lifeboat.control.ControlException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Looks at this machine and says what it can do, what it lacks, and what to do about it. */
public final class Doctor {
    /** GOOD; MISSING something that hosting VMs needs; or only NOTE worthy. */
    public enum Verdict {
        GOOD,
        NOTE,
        MISSING
    }

    /** @param advice what to do, empty when nothing */
    public record Finding(String subject, Verdict verdict, String found, String advice) {}

    private final Path root;
    private final List<Path> searchPath;

    /** @param root {@code /}; tests take another */
    public Doctor(Path root, List<Path> searchPath) {
        this.root = root;
        this.searchPath = List.copyOf(searchPath);
    }

    /** This machine. */
    public static Doctor ofThisMachine() {
        List<Path> searchPath = new ArrayList<>();
        for (String entry :
                Optional.ofNullable(System.getenv("PATH")).orElse("").split(":")) {
            if (!entry.isEmpty()) {
                searchPath.add(Path.of(entry));
            }
        }
        // Tools of the administrator, off the path of an ordinary user on Debian.
        searchPath.add(Path.of("/usr/sbin"));
        searchPath.add(Path.of("/sbin"));
        return new Doctor(Path.of("/"), searchPath);
    }

    /** Everything, in the order it is printed. */
    public List<Finding> examine() {
        List<Finding> findings = new ArrayList<>();
        findings.add(java());
        findings.add(kvm());
        findings.add(kvmKind());
        findings.add(userfaultfd());
        findings.add(tun());
        findings.add(tool("qemu-system-x86_64", "qemu-system-x86", "emulated hosts of `lifeboat demo`"));
        findings.add(tool("mvn", "maven", "building"));
        findings.add(tool("cpio", "cpio", "making the images"));
        findings.add(tool("xz", "xz-utils", "making the images"));
        findings.add(tool("zstd", "zstd", "making the images"));
        findings.add(tool("busybox", "busybox-static", "making the images"));
        return findings;
    }

    private static Finding java() {
        int version = Runtime.version().feature();
        String found = "Java " + Runtime.version() + " at " + System.getProperty("java.home");
        return version >= 17
                ? new Finding("java", Verdict.GOOD, found, "")
                : new Finding("java", Verdict.MISSING, found, "apt-get install openjdk-17-jdk-headless");
    }

    private Finding kvm() {
        Path device = root.resolve("dev/kvm");
        try {
            KvmDevice.require(device);
            return new Finding("kvm", Verdict.GOOD, device + " can be opened", "");
        } catch (ControlException e) {
            String text = e.getMessage();
            int colon = text.indexOf(": ");
            return new Finding("kvm", Verdict.MISSING, text.substring(0, colon), text.substring(colon + 2));
        }
    }

    private Finding kvmKind() {
        Path modules = root.resolve("sys/module");
        if (Files.isDirectory(modules.resolve("kvm_pvm"))) {
            return new Finding(
                    "kvm kind",
                    Verdict.NOTE,
                    "PVM: KVM without hardware virtualization",
                    "guests need a PVM kernel here; a stock kernel does not run. lifeboat demo uses emulated hosts");
        }
        if (Files.isDirectory(modules.resolve("kvm_intel"))) {
            return new Finding("kvm kind", Verdict.GOOD, "Intel VMX", "");
        }
        if (Files.isDirectory(modules.resolve("kvm_amd"))) {
            return new Finding("kvm kind", Verdict.GOOD, "AMD SVM", "");
        }
        return new Finding(
                "kvm kind",
                Verdict.NOTE,
                "no kvm_intel, kvm_amd or kvm_pvm module in " + modules,
                "built into the kernel, or hidden by a container; where /dev/kvm is missing: modprobe kvm-intel or kvm-amd");
    }

    private Finding userfaultfd() {
        Path control = root.resolve("proc/sys/vm/unprivileged_userfaultfd");
        if (!Files.exists(control)) {
            return new Finding(
                    "userfaultfd",
                    Verdict.NOTE,
                    "this kernel has none, or hides it",
                    "needed by post-copy only; a kernel with CONFIG_USERFAULTFD has it");
        }
        return new Finding("userfaultfd", Verdict.GOOD, "offered by this kernel", "");
    }

    private Finding tun() {
        Path device = root.resolve("dev/net/tun");
        if (!Files.exists(device)) {
            return new Finding(
                    "tun", Verdict.MISSING, "no " + device, "modprobe tun; guests need it for their network");
        }
        if (!Files.isWritable(device)) {
            return new Finding("tun", Verdict.MISSING, "no permission for " + device, "run the agent as root");
        }
        return new Finding("tun", Verdict.GOOD, device + " can be opened", "");
    }

    private Finding tool(String name, String debianPackage, String purpose) {
        for (Path directory : searchPath) {
            Path file = directory.resolve(name);
            if (Files.isExecutable(file)) {
                return new Finding(name, Verdict.GOOD, file.toString(), "");
            }
        }
        return new Finding(
                name, Verdict.NOTE, "not installed; needed for " + purpose, "apt-get install " + debianPackage);
    }
}
