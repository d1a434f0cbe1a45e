// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;

/** What the agent needs of the host's network. Any thread. */
public interface GuestNetwork extends AutoCloseable {
    /** Makes or mends bridge and tunnel. */
    void ensureFabric();

    /** Makes the tap of a guest, on the bridge and up. Doing it again changes nothing. */
    void createTap(String tap, String mac);

    /** Whether the guest behind the tap gets broadcasts: only where it runs. */
    void receiveBroadcasts(String tap, boolean on);

    /** Nothing happens when there is none. */
    void removeTap(String tap);

    /** Tells the network that the guest is here now. Returns after the first round. */
    void announce(String mac);

    @Override
    void close();

    /** For a host whose VMs have no network. */
    GuestNetwork NONE = new GuestNetwork() {
        @Override
        public void ensureFabric() {}

        @Override
        public void createTap(String tap, String mac) {
            throw new ControlException(
                    ExitCode.USAGE,
                    "the VM has a \"mac\", but agent.json has no \"network\"; add one, or run the VM without --mac");
        }

        @Override
        public void receiveBroadcasts(String tap, boolean on) {}

        @Override
        public void removeTap(String tap) {}

        @Override
        public void announce(String mac) {}

        @Override
        public void close() {}
    };
}
