// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class SignalBoardTest {
    private final List<String> told = new ArrayList<>();
    private long nowMs = 1_000_000;
    private final SignalBoard board =
            new SignalBoard(new Clocks(() -> nowMs, () -> TimeUnit.MILLISECONDS.toNanos(nowMs)), new Teller());

    private final class Teller implements SignalBoard.Listener {
        @Override
        public void appeared(Signal signal) {
            told.add("appeared " + signal.kind() + " " + signal.action() + left(signal));
        }

        @Override
        public void tightened(Signal signal) {
            told.add("tightened " + signal.kind() + " " + signal.action() + left(signal));
        }

        @Override
        public void withdrawn(Signal signal) {
            told.add("withdrawn " + signal.action());
        }

        @Override
        public void failing(String source, String why) {
            told.add("failing " + source + ": " + why);
        }

        @Override
        public void recovered(String source) {
            told.add("recovered " + source);
        }
    }

    private String left(Signal signal) {
        return signal.deadlineNs().isPresent()
                ? " " + (TimeUnit.NANOSECONDS.toMillis(signal.deadlineNs().getAsLong()) - nowMs)
                : "";
    }

    /** @param leftMs negative: no deadline */
    private Signal signal(String source, String id, Signal.Kind kind, String action, long leftMs, boolean sure) {
        return new Signal(
                source,
                "",
                id,
                kind,
                action,
                leftMs < 0 ? OptionalLong.empty() : OptionalLong.of(TimeUnit.MILLISECONDS.toNanos(nowMs + leftMs)),
                sure ? Signal.Confidence.HIGH : Signal.Confidence.MEDIUM,
                "");
    }

    private Signal notice(String source, long leftMs) {
        return signal(source, "terminate", Signal.Kind.NOTICE, "terminate", leftMs, true);
    }

    private void report(String source, Signal... signals) {
        board.standing(source, List.of(signals));
    }

    @Test
    void whatStandsIsToldOnceHoweverOftenItIsReported() {
        for (int i = 0; i < 5; i++) {
            report("imds", notice("imds", 100_000 - 1_000L * i));
            nowMs += 1_000;
        }
        assertThat(told).containsExactly("appeared NOTICE terminate 100000");
    }

    @Test
    void theSameEventFromASecondSourceIsFoldedAndTheEarlierDeadlineWins() {
        report("imds", notice("imds", 100_000));
        report("queue", notice("queue", 97_000));
        assertThat(told).hasSize(1);
        assertThat(board.standing())
                .singleElement()
                .satisfies(one -> assertThat(left(one)).isEqualTo(" 97000"));
        report("imds");
        assertThat(told).hasSize(1);
        report("queue");
        assertThat(told).last().isEqualTo("withdrawn terminate");
        assertThat(board.standing()).isEmpty();
    }

    @Test
    void aSourceThatKnowsNoDeadlineTellsOfTheSameEvent() {
        report("queue", signal("queue", "q1", Signal.Kind.NOTICE, "Terminate", -1, false));
        report("imds", notice("imds", 100_000));
        assertThat(board.standing()).hasSize(1);
        assertThat(told).containsExactly("appeared NOTICE Terminate", "tightened NOTICE terminate 100000");
    }

    @Test
    void eventsWithOtherDeadlinesOrActionsAreOthers() {
        report(
                "imds",
                signal("imds", "e1", Signal.Kind.NOTICE, "reboot", 100_000, true),
                signal("imds", "e2", Signal.Kind.NOTICE, "reboot", 200_000, true),
                signal("imds", "e3", Signal.Kind.NOTICE, "stop", 100_000, true));
        assertThat(board.standing()).hasSize(3);
        assertThat(board.notice().map(this::left)).contains(" 100000");
    }

    @Test
    void aDeadlineThatMovesCloserIsToldAgainAlsoWhenItCreeps() {
        report("imds", notice("imds", 100_000));
        for (int i = 1; i <= 4; i++) {
            report("imds", notice("imds", 100_000 - 2_000L * i));
        }
        assertThat(told).containsExactly("appeared NOTICE terminate 100000", "tightened NOTICE terminate 94000");
    }

    @Test
    void aDeadlineThatTheCloudMovesAwayIsBelievedAndOneThatIsAssumedAnewIsNot() {
        report("imds", notice("imds", 100_000));
        report("imds", notice("imds", 160_000));
        assertThat(left(board.standing().get(0))).isEqualTo(" 160000");
        report("imds");
        report("gcp", signal("gcp", "TRUE", Signal.Kind.SHUTDOWN, "preempt", 30_000, false));
        nowMs += 10_000;
        report("gcp", signal("gcp", "TRUE", Signal.Kind.SHUTDOWN, "preempt", 30_000, false));
        assertThat(left(board.standing().get(0))).isEqualTo(" 20000");
        assertThat(told).hasSize(3);
    }

    @Test
    void anEventThatGetsStrongerIsToldAgainAndKeepsItsEarlierDeadline() {
        report("azure", signal("azure", "e1", Signal.Kind.NOTICE, "Preempt", 5_000, true));
        report("azure", signal("azure", "e1", Signal.Kind.SHUTDOWN, "Preempt", 10_000, false));
        assertThat(told).containsExactly("appeared NOTICE Preempt 5000", "tightened SHUTDOWN Preempt 5000");
    }

    @Test
    void aHintIsNoNoticeAndTheMostUrgentNoticeCounts() {
        report("hints", signal("hints", "h", Signal.Kind.HINT, "rebalance", -1, false));
        assertThat(board.notice()).isEmpty();
        report("a", signal("a", "a", Signal.Kind.NOTICE, "reboot", 600_000, true));
        report("b", signal("b", "b", Signal.Kind.NOTICE, "terminate", 60_000, true));
        assertThat(board.notice().map(Signal::action)).contains("terminate");
    }

    @Test
    void aFailureIsToldThenEveryMinuteAndNothingIsWithdrawnByIt() {
        report("imds", notice("imds", 100_000));
        for (int i = 0; i < 130; i++) {
            board.failed("imds", "away");
            nowMs += 1_000;
        }
        assertThat(board.notice()).isPresent();
        report("imds", notice("imds", 0));
        assertThat(told).filteredOn(line -> line.startsWith("failing")).hasSize(3);
        assertThat(told).contains("recovered imds");
    }

    @Test
    void theOrderInWhichSourcesSpeakDoesNotChangeWhatStands() {
        for (long seed = 1; seed <= 200; seed++) {
            Random random = new Random(seed);
            List<Signal> signals = new ArrayList<>();
            for (String source : List.of("a", "b", "c", "d")) {
                signals.add(signal(
                        source,
                        "e",
                        Signal.Kind.values()[random.nextInt(3)],
                        random.nextBoolean() ? "stop" : "terminate",
                        random.nextInt(3) * 20_000L,
                        true));
            }
            List<String> one = standing(signals);
            java.util.Collections.reverse(signals);
            assertThat(standing(signals)).as("seed " + seed).isEqualTo(one);
        }
    }

    private List<String> standing(List<Signal> signals) {
        SignalBoard fresh =
                new SignalBoard(new Clocks(() -> nowMs, () -> TimeUnit.MILLISECONDS.toNanos(nowMs)), new Teller());
        signals.forEach(signal -> fresh.standing(signal.source(), List.of(signal)));
        return fresh.standing().stream()
                .map(signal -> signal.kind() + " " + signal.action() + left(signal))
                .sorted()
                .toList();
    }
}
