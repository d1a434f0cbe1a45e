// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.inside;

import dev.lifeboat.vmm.BootSource;
import java.nio.file.Path;
import java.util.Optional;

/** The test guest's kernel and initrd. */
record GuestFiles(Path kernel, Path initrd) {
    /** @param mode see guest-images, {@code lifeboat.test=} */
    BootSource source(String mode) {
        return new BootSource(
                kernel, Optional.of(initrd), "console=ttyS0 quiet loglevel=3 reboot=k lifeboat.test=" + mode);
    }

    /** Its kernel is heard from the first line on. */
    BootSource talkative() {
        return new BootSource(kernel, Optional.of(initrd), "console=ttyS0 reboot=k lifeboat.test=idle");
    }

    /** A shell on the console, before anything else. */
    BootSource shell() {
        return new BootSource(kernel, Optional.of(initrd), "console=ttyS0 quiet loglevel=4 reboot=k lifeboat.shell=1");
    }
}
