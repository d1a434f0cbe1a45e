// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.demo;

import dev.lifeboat.systemtests.fabric.StoreKind;
import java.nio.file.Path;
import java.util.Optional;

/**
 * @param memoryMib of the guest
 * @param loadSeconds under load before the notice
 * @param warningSeconds from the notice to the end of host A
 * @param logs directory for logs and recordings
 * @param cloud that has host B, and takes host A away in its way
 * @param slowMachine host B boots after the guest, not beside it, because of more machines at once each takes longer than
 *     all of them one after the other
 */
record DemoOptions(
        StoreKind store,
        int memoryMib,
        int loadSeconds,
        int warningSeconds,
        Path logs,
        Optional<DemoCloud> cloud,
        boolean slowMachine) {
    DemoOptions onASlowMachine(int seconds) {
        return new DemoOptions(store, memoryMib, loadSeconds, seconds, logs, cloud, true);
    }
}
