// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.systemtests.fabric.EmulatedFabric;
import dev.lifeboat.systemtests.inside.MonitorSelfTest;
import dev.lifeboat.systemtests.machine.ExecResult;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The monitor alone on real KVM: guests of all shapes boot, work, and are saved and restored in place. */
@ExtendWith(SharedFabric.class)
@OnRealKvm
final class MonitorIT {

    /** Twelve tests of 5 to 40 s each on an emulated processor, and room for a machine that does other things too. */
    private static final int LIMIT_SECONDS = 700;

    @Test
    void guestsOfAllShapesBootWorkAndAreSavedAndRestoredInPlace() throws Exception {
        String guest = EmulatedFabric.guestFile("test-guest", "");
        ExecResult result = SharedFabric.get()
                .machine("host-a")
                .exec(
                        // The host's own limit ends it first, so that what it printed until then is seen.
                        "timeout " + LIMIT_SECONDS + " java " + MonitorSelfTest.class.getName() + " " + guest,
                        Duration.ofSeconds(LIMIT_SECONDS + 30));
        System.out.println(result.output());
        List<String> lines = result.output().lines().toList();
        List<String> passed = lines.stream()
                .filter(line -> line.startsWith("monitor-test: ok "))
                .toList();
        // The class is itself counted as one test on real KVM.
        SharedFabric.alsoRanOnKvm(passed.size() - 1);
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(lines).contains("monitor-tests: " + passed.size() + " ok, 0 failed");
        assertThat(String.join("\n", passed))
                .contains(
                        " twoVcpusAreSavedAndRestored ",
                        " fourVcpusAreSavedAndRestored ",
                        " memoryAboveTheGapIsSavedAndRestored ");
    }
}
