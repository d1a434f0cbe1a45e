// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.inside;

import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.vmm.VmStatus;

/** How a guest ends is told apart, and told once. */
final class StatusCases {
    private final GuestFiles files;

    StatusCases(GuestFiles files) {
        this.files = files;
    }

    void powerOff() throws Exception {
        endsAs("poweroff", VmStatus.ShutDown.class);
    }

    void reboot() throws Exception {
        endsAs("reboot", VmStatus.RebootRequested.class);
    }

    void panic() throws Exception {
        endsAs("panic", VmStatus.Panicked.class);
    }

    void tripleFault() throws Exception {
        endsAs("triplefault", VmStatus.TripleFault.class);
    }

    private void endsAs(String mode, Class<? extends VmStatus> expected) throws Exception {
        try (GuestMemory memory = new GuestMemory(256L << 20);
                TestGuest guest = TestGuest.boot(memory, files.source(mode), 1)) {
            VmStatus end = guest.awaitEnd();
            Check.that(expected.isInstance(end), "mode " + mode + " ended as " + end + ", console: " + guest.console());
            Check.that(guest.vm().status().equals(end), "status and listener agree");
            guest.vm().pause();
            guest.close();
            Check.that(guest.ends() == 1, "the listener was called " + guest.ends() + " times");
        }
    }
}
