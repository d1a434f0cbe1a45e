// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.stream.Baseline;
import dev.lifeboat.stream.LiveVm;
import dev.lifeboat.stream.lease.LeaseKeeper;
import dev.lifeboat.stream.wire.HelloInfo;
import java.util.Optional;

/**
 * A VM that arrived and runs here. Its dirty log is on since before it resumed.
 *
 * @param owner this host's record
 * @param baseline for the VM's new {@code Streamer}: exactly the pages that came from the source differ from the epoch
 * @param lease in lease mode: this host's; {@code vm} is then the one behind it
 * @param readyToResumedMs from READY to the guest running
 */
public record Arrival(
        LiveVm vm,
        OwnerRecord owner,
        Optional<LeaseKeeper> lease,
        Baseline baseline,
        HelloInfo hello,
        long hydratedPages,
        long receivedPages,
        double hydrateMs,
        double readyToResumedMs) {}
