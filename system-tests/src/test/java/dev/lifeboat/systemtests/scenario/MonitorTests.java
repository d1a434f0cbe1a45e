// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import dev.lifeboat.systemtests.fabric.EmulatedFabric;
import dev.lifeboat.systemtests.inside.MonitorSelfTest;
import dev.lifeboat.systemtests.machine.ExecResult;
import java.io.IOException;
import java.time.Duration;

/**
 * The monitor's own tests, which take two minutes of one host's processor and nothing else: a scenario that needs one host
 * only begins them on another, and {@link MonitorIT} waits for them.
 */
final class MonitorTests {
    private static final String HOST = "host-c";
    private static final String OUTPUT = "/tmp/monitor-tests.txt";
    private static final String EXIT_CODE = "/tmp/monitor-tests.exit";
    private static final Duration ASK_LIMIT = Duration.ofSeconds(60);
    /** Fifteen tests of 1 to 40 s each on an emulated processor, and room for a machine that does other things too. */
    private static final int LIMIT_SECONDS = 700;

    /** Guarded by the class. A machine that was started again has forgotten them, and so has another fabric. */
    private static EmulatedFabric begunOn;

    private MonitorTests() {}

    /** Does nothing when they have begun already. */
    static synchronized void begin(EmulatedFabric fabric) throws IOException {
        if (begunOn == fabric) {
            return;
        }
        String guest = EmulatedFabric.guestFile("test-guest", "");
        fabric.machine(HOST)
                .exec(
                        "rm -f " + EXIT_CODE + "\n( timeout " + LIMIT_SECONDS + " java "
                                + MonitorSelfTest.class.getName()
                                + " " + guest + " >" + OUTPUT + " 2>&1; echo $? >" + EXIT_CODE + ".new; mv " + EXIT_CODE
                                + ".new " + EXIT_CODE + " ) &",
                        ASK_LIMIT)
                .orThrow("the monitor's own tests");
        begunOn = fabric;
    }

    /** Begins them if nobody has, and waits for their end. The next begin is a new run. */
    static ExecResult end(EmulatedFabric fabric) throws Exception {
        if (!fabric.machine(HOST).exec("ls " + OUTPUT, ASK_LIMIT).output().equals(OUTPUT)) {
            forget();
        }
        begin(fabric);
        ScenarioVms.await(
                "the monitor's own tests",
                Duration.ofSeconds(LIMIT_SECONDS + 30),
                () -> fabric.machine(HOST)
                        .exec("cat " + EXIT_CODE + " 2>/dev/null || true", ASK_LIMIT)
                        .output()
                        .matches("[0-9]+"));
        forget();
        int exitCode = Integer.parseInt(
                fabric.machine(HOST).exec("cat " + EXIT_CODE, ASK_LIMIT).output());
        return new ExecResult(
                exitCode, fabric.machine(HOST).exec("cat " + OUTPUT, ASK_LIMIT).output());
    }

    private static synchronized void forget() {
        begunOn = null;
    }
}
