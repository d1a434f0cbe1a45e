// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.inside;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The monitor's tests on real KVM, run inside an emulated host: {@code java MonitorSelfTest DIR [NAME...]}, where DIR
 * holds {@code vmlinuz} and {@code initrd} of the test guest. Prints one line per test, {@code monitor-test: ok NAME ms}
 * or {@code monitor-test: failed NAME why}, and a last line {@code monitor-tests: N ok, M failed}; status 0 when none
 * failed. Without names it runs all.
 */
public final class MonitorSelfTest {
    private MonitorSelfTest() {}

    /** One test; throws what went wrong. */
    interface Case {
        void run() throws Exception;
    }

    public static void main(String[] arguments) {
        GuestFiles files = new GuestFiles(Path.of(arguments[0], "vmlinuz"), Path.of(arguments[0], "initrd"));
        Map<String, Case> cases = cases(files);
        String[] names = arguments.length == 1
                ? cases.keySet().toArray(new String[0])
                : Arrays.copyOfRange(arguments, 1, arguments.length);
        int failed = 0;
        for (String name : names) {
            long startNs = System.nanoTime();
            try {
                if (!cases.containsKey(name)) {
                    throw new IllegalArgumentException("no such test; there are " + cases.keySet());
                }
                cases.get(name).run();
                System.out.println(
                        "monitor-test: ok " + name + " " + (System.nanoTime() - startNs) / 1_000_000 + " ms");
            } catch (Exception | AssertionError e) {
                failed++;
                System.out.println("monitor-test: failed " + name + " " + e);
                e.printStackTrace(System.out);
            }
        }
        System.out.println("monitor-tests: " + (names.length - failed) + " ok, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }

    private static Map<String, Case> cases(GuestFiles files) {
        StatusCases status = new StatusCases(files);
        SaveCases save = new SaveCases(files);
        Map<String, Case> cases = new LinkedHashMap<>();
        cases.put("aKernelThatPowersOffIsShutDown", status::powerOff);
        cases.put("aRebootIsReportedAsSuch", status::reboot);
        cases.put("aPanicIsToldFromAReboot", status::panic);
        cases.put("aTripleFaultEndsTheVm", status::tripleFault);
        cases.put("pausingManyTimesLosesNothing", save::pauseManyTimes);
        cases.put("twoVcpusAreSavedAndRestored", () -> save.counterGoesOn(2, 512));
        cases.put("aSecondRestoreIsAsGoodAsTheFirst", save::chain);
        cases.put("fourVcpusAreSavedAndRestored", () -> save.smpGoesOn(4));
        cases.put("memoryAboveTheGapIsSavedAndRestored", save::aboveTheGap);
        cases.put("theWallClockIsRightAfterAMove", save::wallClock);
        cases.put("theDirtyLogReportsWhatTheGuestWrote", new DirtyLogCase()::run);
        cases.put("closingFreesEverything", new LeakCase(files)::run);
        return cases;
    }
}
