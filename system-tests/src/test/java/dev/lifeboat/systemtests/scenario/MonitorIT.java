// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.systemtests.machine.ExecResult;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The monitor alone on real KVM: guests of all shapes boot, work, and are saved and restored in place. */
@ExtendWith(SharedFabric.class)
@OnRealKvm
final class MonitorIT {

    @Test
    void guestsOfAllShapesBootWorkAndAreSavedAndRestoredInPlace() throws Exception {
        ExecResult result = MonitorTests.end(SharedFabric.get());
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
