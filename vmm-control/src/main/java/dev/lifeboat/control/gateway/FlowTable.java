// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.gateway;

import java.util.List;
import java.util.Map;

/** Where each guest's frames go. Any thread. */
public interface FlowTable extends AutoCloseable {
    /** @param term of the owner; an older term than the one known is refused */
    void point(String mac, String vtep, long term);

    void drop(String mac);

    /** Hosts that get broadcasts from now on, beside those that are configured. */
    void admit(List<String> vteps);

    /** From guest address to the underlay address of its host. */
    Map<String, String> flows();

    @Override
    void close();
}
