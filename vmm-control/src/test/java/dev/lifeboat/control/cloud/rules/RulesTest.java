// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.rules;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.Signal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RulesTest {
    @TempDir
    Path directory;

    private static Signal signal(Signal.Kind kind, String action) {
        return new Signal("aws-x", "", action, kind, action, OptionalLong.empty(), Signal.Confidence.LOW, "");
    }

    private Path write(String text) throws Exception {
        return Files.writeString(directory.resolve("rules.json"), text);
    }

    private static Rules.Decision decide(Rules rules, Signal signal, String vmId) {
        return rules.decide(signal, Optional.of(CloudKind.AWS), vmId);
    }

    @Test
    void withoutRulesHintsWarmAndNoticesAndShutdownsEvacuate() {
        assertThat(decide(Rules.DEFAULT, signal(Signal.Kind.HINT, "rebalance"), "vm")
                        .reactions())
                .containsExactlyInAnyOrder(Reaction.WARM_TARGET, Reaction.RAISE_STREAMING_RATE);
        assertThat(decide(Rules.DEFAULT, signal(Signal.Kind.HINT, "price-change"), "vm")
                        .reactions())
                .containsExactly(Reaction.WARM_TARGET);
        assertThat(decide(Rules.DEFAULT, signal(Signal.Kind.HINT, "placement-change"), "vm")
                        .reactions())
                .containsExactly(Reaction.WARM_TARGET);
        for (Signal.Kind kind : List.of(Signal.Kind.NOTICE, Signal.Kind.SHUTDOWN)) {
            assertThat(decide(Rules.DEFAULT, signal(kind, "anything"), "vm").reactions())
                    .containsExactly(Reaction.EVACUATE);
        }
    }

    @Test
    void theFirstRuleThatFitsCountsAndWhatNoneFitsIsTheDefault() throws Exception {
        Rules rules = Rules.read(write("""
                {"rules": [
                  {"kind": "HINT", "action": "REBAL*", "cloud": "aws", "vm": "db-*", "do": ["EVACUATE"], "priority": 7},
                  {"kind": "HINT", "source": "aws-*", "do": "IGNORE"},
                  {"cloud": "gcp", "do": "IGNORE"}
                ]}"""));
        Signal hint = signal(Signal.Kind.HINT, "rebalance");
        assertThat(decide(rules, hint, "db-1")).isEqualTo(new Rules.Decision(java.util.Set.of(Reaction.EVACUATE), 7));
        assertThat(decide(rules, hint, "web").reactions()).containsExactly(Reaction.IGNORE);
        assertThat(decide(rules, signal(Signal.Kind.NOTICE, "terminate"), "db-1")
                        .reactions())
                .containsExactly(Reaction.EVACUATE);
        assertThat(rules.decide(signal(Signal.Kind.NOTICE, "preempt"), Optional.of(CloudKind.GOOGLE), "db-1")
                        .reactions())
                .containsExactly(Reaction.IGNORE);
    }

    @Test
    void aWrongFileIsRefusedWithTheLine() throws Exception {
        String[][] wrong = {
            {"{\"rules\": [\n  {\"kind\": \"HINT\", \"do\": \"FLY\"}\n]}", "line 2", "FLY"},
            {"{\"rules\": [\n\n  {\"kind\": \"RUMOUR\", \"do\": \"IGNORE\"}\n]}", "line 3", "RUMOUR"},
            {"{\"rules\": [\n  {\"colour\": 1, \"do\": \"IGNORE\"}\n]}", "line 2", "colour"},
            {"{\"rules\": [\n  {\"kind\": \"HINT\"}\n]}", "line 2", "a rule needs \"do\""},
            {"{\"rules\": [\n  {\"cloud\": \"ibm\", \"do\": \"IGNORE\"}\n]}", "line 2", "ibm"},
            {"{\"rules\": [\n  {\"do\": [\"IGNORE\", \"EVACUATE\"]}\n]}", "line 2", "IGNORE as well"},
            {"{\"rules\": [\n  {\"do\": \"IGNORE\"\n]}", "line 3", "Unexpected close marker"},
            {"{}", "line 1", "\"rules\" must be a list"},
            {"null", "line 1", "null"},
        };
        for (String[] one : wrong) {
            Path file = write(one[0]);
            assertThatThrownBy(() -> Rules.read(file))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith(file + ", " + one[1])
                    .hasMessageContaining(one[2])
                    .message()
                    .doesNotContain("\n");
        }
        assertThatThrownBy(() -> Rules.read(directory.resolve("none"))).hasMessageContaining("no rules file at");
    }

    @Test
    void aFileThatChangesIsReadAgainAndAWrongOneLeavesTheRulesOfBefore() throws Exception {
        List<String> read = new ArrayList<>();
        List<String> errors = new ArrayList<>();
        Path file = write("{\"rules\": [{\"kind\": \"NOTICE\", \"do\": \"IGNORE\"}]}");
        RulesFile rules = new RulesFile(Optional.of(file), read::add, errors::add);
        Signal notice = signal(Signal.Kind.NOTICE, "terminate");
        assertThat(decide(rules.current(), notice, "vm").reactions()).containsExactly(Reaction.IGNORE);
        rules.current();
        assertThat(read).hasSize(1);

        write("{\"rules\": [{\"kind\": \"NOTICE\", \"do\": \"NOTHING\"}]}");
        Files.setLastModifiedTime(file, FileTime.fromMillis(1_000));
        assertThat(decide(rules.current(), notice, "vm").reactions()).containsExactly(Reaction.IGNORE);
        rules.current();
        assertThat(errors).singleElement().asString().contains("line 1").contains("the rules of before stay");

        Files.delete(file);
        assertThat(decide(rules.current(), notice, "vm").reactions()).containsExactly(Reaction.IGNORE);
        write("{\"rules\": []}");
        assertThat(decide(rules.current(), notice, "vm").reactions()).containsExactly(Reaction.EVACUATE);
        assertThat(read).hasSize(2);
        assertThat(errors).hasSize(2);
    }
}
