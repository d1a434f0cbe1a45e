// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.inside;

import dev.lifeboat.vmm.CpuProfile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The monitor's tests on real KVM, run inside an emulated host: {@code java MonitorSelfTest DIR [NAME...]}, where DIR
 * holds {@code vmlinuz} and {@code initrd} of the test guest. Prints one line per test, {@code monitor-test: ok NAME ms}
 * or {@code monitor-test: failed NAME why}, and a last line {@code monitor-tests: N ok, M failed}; status 0 when none
 * failed. Without names it runs all.
 */
public final class MonitorSelfTest {
    private static final int ATTEMPTS = 3;

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
                runUnlessEmulatorFails(name, cases.get(name));
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

    /**
     * QEMU before 8.1 may keep the break point that a kernel puts in for an instant while it changes its own code
     * ("accel/tcg: Always lock pages before translation" mends it): a guest with several vCPUs then dies with "Oops:
     * int3". That says nothing about the monitor, so such a case, and only such a case, is run again, and said so.
     */
    private static void runUnlessEmulatorFails(String name, Case test) throws Exception {
        for (int attempt = 1; ; attempt++) {
            try {
                test.run();
                return;
            } catch (AssertionError e) {
                if (attempt == ATTEMPTS || !String.valueOf(e.getMessage()).contains("Oops: int3")) {
                    throw e;
                }
                System.out.println("monitor-test: again " + name + ", the emulator kept a break point in the guest");
            }
        }
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
        // Only what needs no XSAVE: QEMU's software processor does not intercept XSETBV, so there every guest finds its
        // XSAVE inconsistent and does without it and AVX, whatever it is shown.
        cases.put(
                "aGuestOfLevelTwoSeesNoMoreAndIsSavedAndRestored",
                () -> save.profile(
                        CpuProfile.X86_64_V2, List.of("sse4_2", "popcnt"), List.of("bmi2", "movbe", "adx", "smap")));
        cases.put(
                "aGuestOfLevelThreeSeesNoMoreAndIsSavedAndRestored",
                () -> save.profile(CpuProfile.X86_64_V3, List.of("bmi2", "movbe"), List.of("adx", "smap")));
        cases.put("memoryAboveTheGapIsSavedAndRestored", save::aboveTheGap);
        cases.put("theWallClockIsRightAfterAMove", save::wallClock);
        cases.put("theDirtyLogReportsWhatTheGuestWrote", new DirtyLogCase()::run);
        cases.put("aDirtyLogThatComesOnLateKnowsWhatIsWrittenFromThenOn", new DirtyLogCase()::runWithALateLog);
        cases.put("closingFreesEverything", new LeakCase(files)::run);
        return cases;
    }
}
