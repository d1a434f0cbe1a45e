// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.lifeboat.stream.lease.LeaseState;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Spin goes through every state of the model of the ownership ({@code ownership.pml} in the test resources): never two that
 * run (I1), and somebody can always go on (I4). Each mistake built into the model must be found, or the check is none.
 * Spin does the work, so once is enough however many JDKs the tests run on ({@code .ci/run}).
 */
@Timeout(300)
@Tag("any-jdk")
@Execution(ExecutionMode.CONCURRENT)
class OwnershipModelTest {
    private static final String MODEL = "/model/ownership.pml";
    private static final long STEP_LIMIT_S = 120;
    /** More than any of the checks needs; a model that grew beyond it ends with an error and not with the machine's memory. */
    private static final int MEMORY_LIMIT_MB = 1_500;

    @TempDir
    Path directory;

    @Test
    void theModelHasTheStatesOfTheCode() throws IOException {
        assertThat(modelled("source", "SOURCE_")).isEqualTo(names(SourceState.values()));
        assertThat(modelled("target", "TARGET_")).isEqualTo(names(TargetState.values()));
        assertThat(modelled("lease", "LEASE_")).isEqualTo(names(LeaseState.values()));
    }

    /** And uses each of them: a name that only stands in the list says nothing. */
    @Test
    void everyStateOfTheModelIsEntered() throws IOException {
        String body = model().replaceAll("(?s)mtype:\\w+ = \\{[^}]*}", "");
        Stream.of(SourceState.values()).forEach(state -> assertThat(body).contains("source_state = SOURCE_" + state));
        Stream.of(TargetState.values()).forEach(state -> assertThat(body).contains("target_state = TARGET_" + state));
        Stream.of(LeaseState.values()).forEach(state -> assertThat(body).contains("LEASE_" + state));
    }

    private static Set<String> names(Enum<?>[] values) {
        Set<String> names = new TreeSet<>();
        Arrays.stream(values).forEach(value -> names.add(value.name()));
        return names;
    }

    private static Set<String> modelled(String kind, String prefix) throws IOException {
        Matcher list = Pattern.compile("mtype:" + kind + " = \\{([^}]*)}").matcher(model());
        assertThat(list.find()).isTrue();
        Set<String> names = new TreeSet<>();
        for (String name : list.group(1).split(",")) {
            assertThat(name.strip()).startsWith(prefix);
            names.add(name.strip().substring(prefix.length()));
        }
        return names;
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "'strict: a move, two restores, one death', '', 800000",
        "'lease: a move and a restore', '-DLEASE -DONE_RESTORE -DDEATHS=0 -DLENGTH=1', 1380000",
        "'lease: a move and a restore, one death', '-DLEASE -DONE_RESTORE -DLOSSES=0 -DLENGTH=1', 1550000",
        "'lease: two restores, one death', '-DLEASE -DWITHOUT_MOVE', 190000"
    })
    void neverTwoCopiesRun(String what, String options, long atLeast) throws Exception {
        Verdict verdict = check(false, options);
        assertThat(verdict.errors()).as(verdict.output()).isZero();
        assertThat(verdict.states()).as("states of: %s", what).isGreaterThanOrEqualTo(atLeast);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "'strict: the line breaks, the target dies', '-DWITHOUT_RESTORE', 8000",
        "'strict: anybody dies, somebody restores', '-DONE_RESTORE', 125000",
        "'lease: the line breaks, the target dies', '-DLEASE -DWITHOUT_RESTORE -DTIMELY -DDELAYS=0 -DLOSSES=0"
                + " -DLENGTH=1', 42000",
        "'lease: anybody dies, somebody restores', '-DLEASE -DWITHOUT_MOVE -DTIMELY -DDELAYS=0 -DLOSSES=0 -DLENGTH=1',"
                + " 28000"
    })
    void somebodyCanAlwaysGoOn(String what, String options, long atLeast) throws Exception {
        Verdict verdict = check(true, options);
        assertThat(verdict.errors()).as(verdict.output()).isZero();
        assertThat(verdict.states()).as("states of: %s", what).isGreaterThanOrEqualTo(atLeast);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "MUTANT_RESUMES_WITHOUT_THE_RACE, '-DWITHOUT_RESTORE'",
        "MUTANT_RESUMES_WITHOUT_THE_RACE, '-DWITHOUT_RESTORE -DLEASE'",
        "MUTANT_CLAIMS_WITHOUT_SWITCH, '-DWITHOUT_RESTORE'",
        "MUTANT_RESTORES_WHILE_THE_OWNER_LIVES, '-DONE_RESTORE'",
        "MUTANT_CLAIMS_BEFORE_THE_GRANT_IS_OVER, '-DWITHOUT_RESTORE -DLEASE'",
        "MUTANT_RENEWS_A_GIVEN_RIGHT, '-DWITHOUT_RESTORE -DLEASE'",
        "MUTANT_GRANT_COUNTS_FROM_ITS_ARRIVAL, '-DWITHOUT_RESTORE -DLEASE'",
        "MUTANT_LEASE_FROM_THE_ANSWER, '-DWITHOUT_MOVE -DLEASE'",
        "MUTANT_LEASE_FROM_LAST_TRY, '-DONE_RESTORE -DLEASE -DLENGTH=1'",
        "MUTANT_WAIT_WITHOUT_DRIFT, '-DWITHOUT_MOVE -DLEASE'"
    })
    void aMistakeThatLetsTwoRunIsFound(String mistake, String options) throws Exception {
        Verdict verdict = check(false, options + " -D" + mistake);
        assertThat(verdict.errors()).as("%s: %s", mistake, verdict.output()).isEqualTo(1);
        assertThat(verdict.output()).contains("assertion violated");
    }

    @ParameterizedTest
    @CsvSource({"-DWITHOUT_RESTORE", "-DWITHOUT_RESTORE -DLEASE -DLENGTH=1 -DTIMELY -DDELAYS=0 -DLOSSES=0"})
    void aSourceThatNeverDecidesIsFound(String options) throws Exception {
        Verdict verdict = check(true, options + " -DMUTANT_NEVER_DECIDES");
        assertThat(verdict.errors()).as(verdict.output()).isEqualTo(1);
        assertThat(verdict.output()).contains("acceptance cycle");
    }

    /** Every mistake that the model can be built with is one that a test names. */
    @Test
    void noMistakeIsLeftOut() throws IOException {
        Set<String> inTheModel = new TreeSet<>();
        Matcher mutant = Pattern.compile("MUTANT_[A-Z_]*[A-Z]").matcher(model());
        while (mutant.find()) {
            inTheModel.add(mutant.group());
        }
        Set<String> tested = new TreeSet<>(Set.of("MUTANT_NEVER_DECIDES"));
        for (var method : OwnershipModelTest.class.getDeclaredMethods()) {
            if (method.getName().equals("aMistakeThatLetsTwoRunIsFound")) {
                for (String row : method.getAnnotation(CsvSource.class).value()) {
                    tested.add(row.split(",")[0].strip());
                }
            }
        }
        assertThat(tested).isEqualTo(inTheModel);
    }

    private record Verdict(int errors, long states, String output) {}

    private Verdict check(boolean fair, String options) throws Exception {
        requireProgram("spin", "spin");
        requireProgram("gcc", "gcc");
        Files.writeString(directory.resolve("ownership.pml"), model());
        List<String> spin = new ArrayList<>(List.of("spin", "-a"));
        List<String> defines = Arrays.stream(options.split(" "))
                .filter(word -> !word.isEmpty())
                .toList();
        spin.addAll(defines);
        spin.add("ownership.pml");
        run(spin);
        List<String> gcc = new ArrayList<>(List.of(
                "gcc", options.contains("MUTANT") ? "-O0" : "-O1", "-w", "-DCOLLAPSE", "-DMEMLIM=" + MEMORY_LIMIT_MB));
        gcc.addAll(fair ? List.of("-DNFAIR=4") : List.of("-DSAFETY", "-DNOCLAIM"));
        gcc.addAll(List.of("-o", "pan", "pan.c"));
        run(gcc);
        String output = run(
                fair
                        ? List.of("./pan", "-a", "-f", "-n", "-m1000000", "-N", "goes_on")
                        : List.of("./pan", "-E", "-n", "-m1000000"));
        assertThat(output)
                .as("the search was complete")
                .doesNotContain("max search depth too small")
                .doesNotContain("out of memory");
        return new Verdict((int) number(output, "errors: (\\d+)"), number(output, "(\\d+) states, stored"), output);
    }

    private static long number(String output, String pattern) {
        Matcher matcher = Pattern.compile(pattern).matcher(output);
        if (!matcher.find()) {
            return fail("no verdict: " + output);
        }
        return Long.parseLong(matcher.group(1));
    }

    private String run(List<String> command) throws Exception {
        Path log = directory.resolve("out.log");
        Process process = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            if (!process.waitFor(STEP_LIMIT_S, TimeUnit.SECONDS)) {
                return fail(String.join(" ", command) + " is not done after " + STEP_LIMIT_S + " s");
            }
        } finally {
            process.destroyForcibly();
        }
        String output = Files.readString(log);
        assertThat(process.exitValue())
                .as("%s: %s", String.join(" ", command), output)
                .isZero();
        return output;
    }

    private static void requireProgram(String name, String debianPackage) {
        for (String folder : System.getenv("PATH").split(File.pathSeparator)) {
            if (Files.isExecutable(Path.of(folder, name))) {
                return;
            }
        }
        String missing = "no " + name + " on the path: apt-get install " + debianPackage;
        if ("1".equals(System.getenv("LIFEBOAT_TESTS_MUST_RUN"))) {
            fail(missing);
        }
        abort(missing);
    }

    private static String model() throws IOException {
        try (InputStream in = OwnershipModelTest.class.getResourceAsStream(MODEL)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
