// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.rules;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.control.cloud.Signal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReplayTest {
    private static final Path SHIPPED = Path.of("src/test/resources/signals/trace.jsonl");
    private static final long SEED = 1;

    @TempDir
    Path directory;

    @Test
    void theShippedTraceIsWhatTheGeneratorMakes() throws Exception {
        assertThat(TraceGenerator.generate(SEED).text()).isEqualTo(Files.readString(SHIPPED));
        assertThat(Trace.read(SHIPPED)).isEqualTo(TraceGenerator.generate(SEED));
        assertThat(TraceGenerator.generate(SEED + 1)).isNotEqualTo(TraceGenerator.generate(SEED));
    }

    @Test
    void theTraceHasTheShapeThatUsersReport() {
        for (long seed = 1; seed <= 20; seed++) {
            Replay.Summary sum = new Replay(Rules.DEFAULT, "vm")
                    .run(TraceGenerator.generate(seed))
                    .summary();
            // 36 + 2 of EC2, 12 + 1 of Azure, 10 of Google.
            assertThat(sum.hosts()).as("seed " + seed).isEqualTo(61);
            assertThat(sum.gone()).isEqualTo(9 + 6 + 1 + 10 + 9);
            assertThat(sum.evacuatedAndGone()).isEqualTo(sum.gone());
            assertThat(sum.goneUnheard()).isZero();
            // One notice of EC2 and two of Azure are withdrawn.
            assertThat(sum.evacuatedForNothing()).isEqualTo(3);
            // 21 recommendations, one freeze and one migration come to nothing.
            assertThat(sum.warmedForNothing()).isEqualTo(23);
            assertThat(sum.leastWarningMs()).isBetween(4_000L, 10_000L);
        }
    }

    @Test
    void evacuatingAtEachHintMovesTwentyOneVmsForNothing() {
        Rules eager = new Rules(List.of(new Rule(
                Optional.of(Signal.Kind.HINT),
                Optional.of("rebalance"),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                List.of(Reaction.EVACUATE),
                Optional.empty())));
        Replay.Summary sum = new Replay(eager, "vm").run(Trace.read(SHIPPED)).summary();
        assertThat(sum.evacuatedForNothing()).isEqualTo(3 + 21);
    }

    @Test
    void ignoringEverythingIsSeenInTheSummary() {
        Rules deaf = new Rules(List.of(new Rule(
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                List.of(Reaction.IGNORE),
                Optional.empty())));
        Replay.Summary sum = new Replay(deaf, "vm").run(Trace.read(SHIPPED)).summary();
        assertThat(sum.goneUnheard()).isEqualTo(sum.gone());
        assertThat(sum.leastWarningMs()).isEqualTo(-1);
    }

    @Test
    void decisionsHaveTheTimesOfTheTraceAndDuplicatesAreFolded() {
        List<Replay.Decision> ofOne = new Replay(Rules.DEFAULT, "vm")
                .run(Trace.read(SHIPPED)).decisions().stream()
                        .filter(decision -> decision.host().equals("gcp-0"))
                        .toList();
        assertThat(ofOne).singleElement().satisfies(decision -> {
            assertThat(decision.leftMs()).hasValue(30_000);
            assertThat(decision.reactions()).containsExactly(Reaction.EVACUATE);
            assertThat(decision.atMs())
                    .isEqualTo(Trace.read(SHIPPED).entries().stream()
                            .filter(entry -> entry.host().equals("gcp-0"))
                            .findFirst()
                            .orElseThrow()
                            .atMs());
        });
    }

    @Test
    void aTraceWithAnErrorIsRefusedWithTheLine() throws Exception {
        String good = "{\"atMs\":5,\"cloud\":\"aws\",\"host\":\"h\",\"source\":\"s\",\"signals\":[],\"gone\":false}\n";
        for (String wrong : List.of(
                "{\"atMs\":",
                "{\"atMs\":6,\"cloud\":\"ibm\",\"host\":\"h\",\"gone\":true}",
                "{\"atMs\":4,\"cloud\":\"aws\",\"host\":\"h\",\"source\":\"\",\"gone\":true}",
                "{\"atMs\":6,\"cloud\":\"aws\",\"host\":\"h\",\"source\":\"s\",\"signals\":[{\"kind\":\"HINT\"}],\"gone\":false}")) {
            Path file = Files.writeString(directory.resolve("trace.jsonl"), good + wrong + "\n");
            assertThatThrownBy(() -> Trace.read(file))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith(file + ", line 2: ");
        }
        assertThatThrownBy(() -> Trace.read(directory.resolve("none"))).hasMessageContaining("no trace at");
    }
}
