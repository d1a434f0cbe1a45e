// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.host;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import java.nio.file.Files;
import java.nio.file.Path;

/** Whether this machine offers KVM to us, asked before a VM is started. */
public final class KvmDevice {
    public static final Path PATH = Path.of("/dev/kvm");

    private KvmDevice() {}

    /** @throws ControlException saying what is missing and what to do */
    public static void require(Path device) {
        if (!Files.exists(device)) {
            throw new ControlException(
                    ExitCode.MISSING,
                    "no " + device
                            + ": this host offers no KVM. On hardware: switch virtualization on in the firmware and"
                            + " modprobe kvm-intel or kvm-amd; on EC2 choose an instance type with nested virtualization"
                            + " switched on");
        }
        if (!Files.isReadable(device) || !Files.isWritable(device)) {
            throw new ControlException(
                    ExitCode.MISSING,
                    "no permission for " + device + ": run the agent as root, or add its user to the device's group:"
                            + " usermod -aG kvm " + System.getProperty("user.name"));
        }
    }
}
