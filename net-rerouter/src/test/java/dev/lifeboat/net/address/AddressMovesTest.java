// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net.address;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.net.NetworkException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class AddressMovesTest {
    private static final AddressWish WISH = new AddressWish("secondary-ip", "10.0.0.50", "i-a", "i-b");

    private final Cloud cloud = new Cloud();
    private final Log log = new Log();

    /** The process ends here; everything in its memory is gone. */
    private static final class Crash extends Error {
        private static final long serialVersionUID = 1L;
    }

    /** Durable, and crashes before or after its n-th write. */
    private static final class Log implements MoveLog {
        final Map<String, MoveRecord> durable = new LinkedHashMap<>();
        int writesUntilCrash = Integer.MAX_VALUE;
        boolean crashAfterWrite;

        @Override
        public void put(MoveRecord record) {
            write(() -> durable.put(record.id(), record));
        }

        @Override
        public void remove(String id) {
            write(() -> durable.remove(id));
        }

        private void write(Runnable change) {
            boolean crash = --writesUntilCrash == 0;
            if (crash && !crashAfterWrite) {
                throw new Crash();
            }
            change.run();
            if (crash) {
                throw new Crash();
            }
        }

        @Override
        public List<MoveRecord> all() {
            return List.copyOf(durable.values());
        }
    }

    /** One address, who has it, who accepts it; fails or crashes at a named call. */
    private static final class Cloud implements AddressMover, DataPath {
        String at = "i-a";
        boolean targetAccepts;
        boolean seenThrough = true;
        boolean pathFollows = true;
        String failing = "";
        String crashing = "";
        final List<String> calls = new ArrayList<>();

        @Override
        public AddressMove plan(AddressWish wish) {
            return new AddressMove() {
                @Override
                public AddressWish wish() {
                    return wish;
                }

                @Override
                public void prepare() {
                    call("prepare");
                    targetAccepts = true;
                }

                @Override
                public void move() {
                    call("move");
                    if (seenThrough) {
                        at = wish.to();
                    }
                    crashIf("after-move");
                }

                @Override
                public boolean isMoved() {
                    call("isMoved");
                    return at.equals(wish.to());
                }

                @Override
                public void undo() {
                    call("undo");
                    at = wish.from();
                    targetAccepts = false;
                }
            };
        }

        @Override
        public boolean leadsToTarget(AddressWish wish) {
            call("probe");
            return pathFollows && at.equals(wish.to());
        }

        private void call(String name) {
            calls.add(name);
            crashIf(name);
            if (failing.equals(name)) {
                throw new IllegalStateException(name + " was throttled");
            }
        }

        private void crashIf(String name) {
            if (crashing.equals(name)) {
                crashing = "";
                throw new Crash();
            }
        }
    }

    private AddressMoves moves() {
        return new AddressMoves(log, cloud, cloud);
    }

    @Test
    void anAddressIsPreparedAheadMovedAfterTheSwitchAndConfirmedOnBothPlanes() {
        AddressMoves moves = moves();
        moves.prepare("web", WISH);
        assertThat(cloud.calls).containsExactly("prepare");
        moves.follow("web", WISH);
        assertThat(cloud.calls).containsExactly("prepare", "prepare", "move", "isMoved", "probe");
        assertThat(cloud.at).isEqualTo("i-b");
        assertThat(log.durable).isEmpty();
    }

    @Test
    void theCloudsWordAloneIsNotTheEnd() {
        cloud.pathFollows = false;
        AddressMoves moves = moves();
        moves.follow("web", WISH);
        assertThat(moves.open()).extracting(MoveRecord::step).containsExactly(MoveRecord.Step.CONFIRMING);
        cloud.pathFollows = true;
        moves.work();
        assertThat(moves.open()).isEmpty();
    }

    @Test
    void whatFailsBeforeTheSwitchIsTakenBackAndSaid() {
        cloud.failing = "prepare";
        AddressMoves moves = moves();
        assertThatThrownBy(() -> moves.prepare("web", WISH))
                .isInstanceOf(NetworkException.class)
                .hasMessageContaining("10.0.0.50")
                .hasMessageContaining("was throttled");
        assertThat(cloud.calls).containsExactly("prepare", "undo");
        assertThat(log.durable).isEmpty();
    }

    @Test
    void anEvacuationThatFailsGivesBackWhatWasPrepared() {
        AddressMoves moves = moves();
        moves.prepare("web", WISH);
        cloud.failing = "undo";
        moves.abandon("web");
        assertThat(moves.open()).singleElement().satisfies(open -> {
            assertThat(open.step()).isEqualTo(MoveRecord.Step.UNDOING);
            assertThat(open.problem()).contains("was throttled");
        });
        cloud.failing = "";
        moves.work();
        assertThat(cloud.targetAccepts).isFalse();
        assertThat(log.durable).isEmpty();
    }

    @Test
    void afterTheSwitchAFailureIsRepeatedAndNeverTakenBack() {
        cloud.failing = "move";
        AddressMoves moves = moves();
        moves.follow("web", WISH);
        moves.work();
        moves.abandon("web");
        assertThat(cloud.calls).doesNotContain("undo");
        cloud.failing = "";
        moves.work();
        assertThat(cloud.at).isEqualTo("i-b");
        assertThat(log.durable).isEmpty();
    }

    @Test
    void aCloudThatForgotTheRequestIsAskedAgain() {
        cloud.seenThrough = false;
        AddressMoves moves = moves();
        moves.follow("web", WISH);
        for (int look = 1; look < AddressMoves.LOOKS_BEFORE_REPEAT; look++) {
            moves.work();
        }
        assertThat(cloud.calls.stream().filter("move"::equals)).hasSize(1);
        cloud.seenThrough = true;
        moves.work();
        assertThat(cloud.calls.stream().filter("move"::equals)).hasSize(2);
        assertThat(log.durable).isEmpty();
    }

    @Test
    void aCrashAtAnyWriteAndAtAnyCallEndsWithTheAddressWhereTheVmIs() {
        int histories = 0;
        for (boolean switched : new boolean[] {false, true}) {
            for (boolean after : new boolean[] {false, true}) {
                for (int write = 1; write <= 5; write++) {
                    histories += history(switched, write, after, "");
                }
            }
            for (String call : List.of("prepare", "move", "after-move", "isMoved", "probe", "undo")) {
                histories += history(switched, Integer.MAX_VALUE, false, call);
            }
        }
        // Each of them crashed once, at least; a history that does not reach its point is counted as nothing.
        assertThat(histories).isGreaterThanOrEqualTo(20);
    }

    private int history(boolean switched, int write, boolean afterWrite, String crashAt) {
        Cloud cloud = new Cloud();
        cloud.crashing = crashAt;
        Log log = new Log();
        log.writesUntilCrash = write;
        log.crashAfterWrite = afterWrite;
        boolean crashed = false;
        boolean left = false;
        try {
            AddressMoves moves = new AddressMoves(log, cloud, cloud);
            moves.prepare("web", WISH);
            left = switched;
            if (switched) {
                moves.follow("web", WISH);
            } else {
                moves.abandon("web");
            }
        } catch (Crash crash) {
            crashed = true;
        }
        log.writesUntilCrash = Integer.MAX_VALUE;
        cloud.crashing = "";
        boolean atTarget = left;
        AddressMoves again = new AddressMoves(log, cloud, cloud);
        again.recover(record -> atTarget ? AddressMoves.Side.TARGET : AddressMoves.Side.SOURCE);
        if (left && log.durable.isEmpty() && !cloud.at.equals("i-b")) {
            // The crash came before anything was written of the switch; who runs the VM says so again.
            again.follow("web", WISH);
        }
        String which = "switched " + switched + ", write " + write + ", after " + afterWrite + ", call " + crashAt;
        assertThat(cloud.at).as(which).isEqualTo(left ? "i-b" : "i-a");
        assertThat(cloud.targetAccepts).as(which).isEqualTo(left);
        assertThat(log.durable).as(which).isEmpty();
        return crashed ? 1 : 0;
    }

    @Test
    void whoRunsTheVmIsAskedBeforeADirectionIsChosen() {
        moves().prepare("web", WISH);
        AddressMoves again = moves();
        again.recover(record -> AddressMoves.Side.UNKNOWN);
        assertThat(again.open()).extracting(MoveRecord::step).containsExactly(MoveRecord.Step.PREPARED);
        again.follow("web", WISH);
        assertThat(cloud.at).isEqualTo("i-b");
    }
}
