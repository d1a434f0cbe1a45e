// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.OwnerRecord;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The arithmetic of leases, in virtual time on clocks that are as wrong as they may be. */
class LeaseTest {
    private static final long MS = TimeUnit.MILLISECONDS.toNanos(1);
    /** Five per cent of drift and no margin: nothing but the factors keeps two guests apart. */
    private static final LeaseTerms BARE = new LeaseTerms(1_000, 50_000, 0);

    @Test
    void aLeaseEndsByItselfAndComesBackWhenNobodyFollowed() {
        Lease lease = new Lease(BARE);
        assertThat(lease.state(0)).isEqualTo(LeaseState.NONE);
        lease.take(1, 0);
        assertThat(lease.state(949 * MS)).isEqualTo(LeaseState.HELD);
        assertThat(lease.state(950 * MS)).isEqualTo(LeaseState.EXPIRED);
        Lease.Renewal renewal = lease.begin(2_000 * MS).orElseThrow();
        assertThat(lease.mayRun(2_000 * MS)).isFalse();
        lease.renewed(renewal);
        assertThat(lease.mayRun(2_100 * MS)).isTrue();
        // From when it was asked, not from when it was answered.
        assertThat(lease.mayRun(2_950 * MS)).isFalse();
    }

    @Test
    void anAnswerThatComesAfterTheLeaseWasGivenBringsNothingBack() {
        Lease lease = new Lease(BARE);
        lease.take(1, 0);
        Lease.Renewal late = lease.begin(100 * MS).orElseThrow();
        assertThat(lease.give(200 * MS, 1)).hasValue(750 * MS);
        lease.renewed(late);
        assertThat(lease.state(201 * MS)).isEqualTo(LeaseState.GIVEN);
        assertThat(lease.begin(201 * MS)).isEmpty();
        assertThat(lease.followed(late))
                .as("it is not this host's loss any more")
                .isFalse();
        assertThat(lease.givenLeftNs(200 * MS)).isGreaterThan(750 * MS);
    }

    @Test
    void tooLittleOfALeaseIsNotGiven() {
        Lease lease = new Lease(BARE);
        lease.take(1, 0);
        assertThat(lease.give(800 * MS, 200 * MS)).isEmpty();
        assertThat(lease.state(800 * MS)).isEqualTo(LeaseState.HELD);
        assertThat(lease.give(960 * MS, 0)).as("over").isEmpty();
    }

    @Test
    void aRightThatWasGivenIsNotRenewedAndNotGivenOn() {
        Lease lease = new Lease(BARE);
        lease.grant(0, 500 * MS);
        assertThat(lease.mayRun(474 * MS)).isTrue();
        assertThat(lease.mayRun(476 * MS)).isFalse();
        assertThat(lease.begin(10 * MS)).isEmpty();
        assertThat(lease.give(10 * MS, 1)).isEqualTo(OptionalLong.empty());
    }

    @Test
    void whoTakesOverWaitsLongerThanAnyClockCanMakeALeaseLast() {
        OwnerRecord last = new OwnerRecord(2, "vm", 1, "a", "n", 0, 10_000);
        assertThat(LeaseTerms.waitAfterNs(last)).isGreaterThan(10_200 * MS).isLessThan(10_300 * MS);
        assertThat(LeaseTerms.waitAfterNs(last.withLeaseMillis(0))).isZero();
    }

    @Test
    void termsThatLeaveNothingAreRefused() {
        assertThatThrownBy(() -> new LeaseTerms(100, 0, 60)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new LeaseTerms(0, 0, 0)).isInstanceOf(IllegalArgumentException.class);
    }

    /** A host whose clock began somewhere and runs at its own rate. */
    private static class Host {
        final long offsetNs;
        final double rate;
        final Lease lease = new Lease(BARE);
        boolean wanted;
        boolean dead;
        Lease.Renewal asked;
        boolean answer;
        long answerAtMs;

        Host(SplittableRandom random) {
            offsetNs = random.nextLong(-1_000_000 * MS, 1_000_000 * MS);
            // The extremes most often: there the factors are tight.
            rate = switch (random.nextInt(3)) {
                case 0 -> 0.95;
                case 1 -> 1.05;
                default -> random.nextDouble(0.95, 1.05);
            };
        }

        long clock(long realMs) {
            return offsetNs + (long) (realMs * MS * rate);
        }

        boolean runs(long realMs) {
            return wanted && !dead && lease.mayRun(clock(realMs));
        }
    }

    /** What one history did, so that the test can tell it was no idle one. */
    private record Outcome(int mostAtOnce, boolean moved, boolean takenOver, boolean cameBack) {}

    /**
     * A source, a target and a restorer in a thousand histories of six seconds, in steps of a millisecond: renewals and
     * claims with answers that take up to a lease and a half, deaths, a hand-over whose SWITCH may be late or lost.
     */
    @Test
    void inRandomHistoriesNeverTwoRun() {
        int moved = 0;
        int takenOver = 0;
        int cameBack = 0;
        for (long seed = 0; seed < 1_000; seed++) {
            Outcome outcome = history(seed, 1.0);
            assertThat(outcome.mostAtOnce()).as("seed %d", seed).isLessThanOrEqualTo(1);
            moved += outcome.moved() ? 1 : 0;
            takenOver += outcome.takenOver() ? 1 : 0;
            cameBack += outcome.cameBack() ? 1 : 0;
        }
        assertThat(moved).as("histories with a move").isGreaterThan(50);
        assertThat(takenOver).as("histories with a restore").isGreaterThan(50);
        assertThat(cameBack).as("histories in which the source went on").isGreaterThan(50);
    }

    @Test
    void withWaitsThatForgetTheDriftTwoAreSeenToRun() {
        long found = 0;
        for (long seed = 0; seed < 1_000; seed++) {
            found += history(seed, 0.9).mostAtOnce() > 1 ? 1 : 0;
        }
        assertThat(found).as("histories of 1000 with two guests at once").isPositive();
    }

    private static Outcome history(long seed, double waitFactor) {
        SplittableRandom random = new SplittableRandom(seed);
        Host source = new Host(random);
        Host target = new Host(random);
        Host restorer = new Host(random);
        List<Host> hosts = List.of(source, target, restorer);
        Host[] owner = new Host[5];
        owner[1] = source;
        source.lease.take(1, source.clock(0));
        source.wanted = true;
        long readyMs = random.nextLong(50, 1_500);
        long switchMs = readyMs + random.nextLong(0, 100);
        long arrivesMs = switchMs + random.nextLong(0, 1_200);
        boolean switchLost = random.nextInt(4) == 0;
        long sourceDiesMs = random.nextInt(4) == 0 ? random.nextLong(3_000) : Long.MAX_VALUE;
        long targetDiesMs = random.nextInt(4) == 0 ? random.nextLong(3_000) : Long.MAX_VALUE;
        long restoreMs = random.nextInt(2) == 0 ? random.nextLong(3_000) : Long.MAX_VALUE;
        long targetClaimsMs = arrivesMs + random.nextLong(0, 1_500);
        long targetKnowsMs = targetClaimsMs + random.nextLong(0, 1_500);
        long restorerKnowsMs = restoreMs == Long.MAX_VALUE ? Long.MAX_VALUE : restoreMs + random.nextLong(0, 500);
        long sourceKnowsMs = Long.MAX_VALUE;
        long granted = 0;
        boolean given = false;
        boolean sourceClaimed = false;
        long restorerTerm = 0;
        boolean restored = false;
        boolean cameBack = false;
        boolean moved = false;
        int most = 0;
        for (long now = 0; now < 6_000; now++) {
            source.dead |= now >= sourceDiesMs;
            target.dead |= now >= targetDiesMs;
            for (Host host : hosts) {
                renew(host, owner, now, random);
            }
            if (now == readyMs && !source.dead) {
                source.wanted = false;
            }
            if (now == switchMs && !source.dead) {
                OptionalLong left = source.lease.give(source.clock(now), 1);
                given = left.isPresent();
                granted = left.orElse(0);
                source.wanted = !given && source.lease.state(source.clock(now)) != LeaseState.LOST;
            }
            if (given && !switchLost && now == arrivesMs && !target.dead) {
                target.lease.grant(target.clock(readyMs), granted);
                target.wanted = true;
                moved |= target.runs(now);
            }
            if (given && !switchLost && now == targetClaimsMs && !target.dead && owner[2] == null) {
                owner[2] = target;
            }
            if (given && !switchLost && now == targetKnowsMs && !target.dead) {
                if (owner[2] == target) {
                    target.lease.take(2, target.clock(targetClaimsMs));
                } else {
                    target.lease.lose();
                }
            }
            // The source never hears from the target: it always decides by the registry.
            if (given
                    && !sourceClaimed
                    && !source.dead
                    && source.lease.givenLeftNs(source.clock(now)) <= (1 - waitFactor) * granted) {
                sourceClaimed = true;
                if (owner[2] == null) {
                    owner[2] = source;
                }
                source.lease.lose();
                sourceKnowsMs = now + random.nextLong(0, 300);
                if (owner[2] == source) {
                    source.lease.take(2, source.clock(now));
                }
            }
            if (sourceClaimed && now == sourceKnowsMs && owner[2] == source) {
                source.wanted = true;
                cameBack |= source.runs(now);
            }
            if (now == restoreMs) {
                int next = 2;
                while (owner[next] != null) {
                    next++;
                }
                owner[next] = restorer;
                restorerTerm = next;
            }
            if (restorerTerm != 0 && now == restorerKnowsMs) {
                restorer.lease.take(restorerTerm, restorer.clock(restoreMs));
            }
            if (restorerTerm != 0
                    && now > restorerKnowsMs
                    && !restorer.wanted
                    && restorer.clock(now) - restorer.clock(restorerKnowsMs)
                            >= BARE.waiterNs(BARE.leaseMillis() * MS) * waitFactor) {
                restorer.wanted = true;
                restored = true;
            }
            most = Math.max(most, (int) countRunning(hosts, now));
        }
        return new Outcome(most, moved, restored, cameBack);
    }

    private static long countRunning(List<Host> hosts, long now) {
        return hosts.stream().filter(host -> host.runs(now)).count();
    }

    /** Asks every now and then; the registry looks at once, the answer takes its time. */
    private static void renew(Host host, Host[] owner, long now, SplittableRandom random) {
        if (host.asked != null && now >= host.answerAtMs) {
            if (host.answer) {
                host.lease.renewed(host.asked);
            } else {
                host.lease.followed(host.asked);
            }
            host.asked = null;
        }
        if (host.asked == null && random.nextInt(100) == 0) {
            Optional<Lease.Renewal> renewal = host.lease.begin(host.clock(now));
            if (renewal.isPresent()) {
                host.asked = renewal.get();
                host.answer = owner[(int) renewal.get().term() + 1] == null;
                host.answerAtMs = now + (random.nextInt(3) == 0 ? random.nextLong(1_500) : random.nextLong(30));
            }
        }
    }
}
