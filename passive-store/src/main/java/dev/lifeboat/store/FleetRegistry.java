// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/** Where the hosts of a fleet keep the owner records of all their VMs. Thread-safe. */
public interface FleetRegistry extends AutoCloseable {
    OwnerRegistry owners(String vmId);

    /** Where this is, for messages: never with credentials. */
    String describe();

    @Override
    void close();
}
