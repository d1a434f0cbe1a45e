// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.systemtests.fabric.EmulatedFabric;
import dev.lifeboat.systemtests.net.LinkConditions;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The emulated data centre itself: what the scenarios take for granted. */
@ExtendWith(SharedFabric.class)
final class EmulatedFabricIT {

    private static final Duration LIMIT = Duration.ofSeconds(60);

    private static boolean pings(EmulatedFabric fabric, String from, String address) throws Exception {
        return fabric.machine(from).exec("ping -c 1 -W 3 " + address, LIMIT).exitCode() == 0;
    }

    @Test
    void everyHostHasARealKvmDeviceAndReachesTheOthersAndTheStore() throws Exception {
        EmulatedFabric fabric = SharedFabric.get();
        assertThat(fabric.machine("host-a").exec("test -c /dev/kvm", LIMIT).exitCode())
                .isZero();
        assertThat(pings(fabric, "host-a", "10.77.0.12")).isTrue();
        assertThat(pings(fabric, "host-b", "10.77.0.13")).isTrue();
        // A request without a signature is answered, and refused.
        assertThat(fabric.machine("host-c")
                        .exec("wget -q -O - http://10.77.0.1:9000/lifeboat 2>&1", LIMIT)
                        .output())
                .contains("403");
    }

    @Test
    void aCutCableIsSilenceAndComesBack() throws Exception {
        EmulatedFabric fabric = SharedFabric.get();
        fabric.underlay().setPlugged(fabric.port("host-b"), false);
        assertThat(pings(fabric, "host-a", "10.77.0.12")).isFalse();
        fabric.underlay().setPlugged(fabric.port("host-b"), true);
        // The first question may still meet the host's memory of a neighbour that does not answer.
        ScenarioVms.await("host-b behind its cable again", LIMIT, () -> pings(fabric, "host-a", "10.77.0.12"));
    }

    @Test
    void aDelayOnALinkIsSeenByTheMachines() throws Exception {
        EmulatedFabric fabric = SharedFabric.get();
        fabric.underlay()
                .setConditions(
                        fabric.port("host-a"),
                        fabric.port("host-c"),
                        LinkConditions.CLEAR.withDelay(Duration.ofMillis(400)));
        String output = fabric.machine("host-a")
                .exec("ping -c 2 -W 5 10.77.0.13 | tail -1", LIMIT)
                .orThrow("ping");
        // "round-trip min/avg/max = 400.1/401.2/402.3 ms"
        double fastest = Double.parseDouble(output.replaceAll(".*= ([0-9.]+)/.*", "$1"));
        assertThat(fastest).isGreaterThanOrEqualTo(400);
    }

    @Test
    void aHostThatIsPoweredOffIsGoneAndCanBeStartedAgain() throws Exception {
        EmulatedFabric fabric = SharedFabric.get();
        fabric.powerOff("host-c");
        assertThat(fabric.machine("host-c").isAlive()).isFalse();
        assertThat(pings(fabric, "host-a", "10.77.0.13")).isFalse();
        fabric.startAgain("host-c");
        fabric.awaitHealth("host-c");
        assertThat(pings(fabric, "host-a", "10.77.0.13")).isTrue();
    }
}
