// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What every owner registry must do; one subclass per kind. */
@Timeout(value = 180, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
public abstract class OwnerRegistrySuite {
    private static final String VM = "vm-1";

    /** A registry and the hand that disturbs it. */
    protected interface Disturbed extends AutoCloseable {
        FleetRegistry registry();

        /** The next so many claims take effect, and their answers never come. */
        void cutAnswers(int claims);

        /** How many of them are still to come. */
        int answersToCut();

        /** Every answer comes so much later. */
        void slow(long millis);

        /** No call gets through, until called with false. */
        void dead(boolean dead);

        /** Plants something under the prefix of a VM's records that is none. */
        void plantForeignKey(String key);

        @Override
        void close();
    }

    private Disturbed disturbed;
    private OwnerRegistry owners;

    /** A registry without records. */
    protected abstract Disturbed open() throws Exception;

    /** Whether a foreign key hides nothing ({@code newest} passes it by) or is refused in words. */
    protected abstract boolean passesForeignKeys();

    @BeforeEach
    void openRegistry() throws Exception {
        disturbed = open();
        owners = disturbed.registry().owners(VM);
    }

    @AfterEach
    void closeRegistry() {
        disturbed.close();
    }

    protected static OwnerRecord record(long term) {
        return new OwnerRecord(
                OwnerRecord.VERSION,
                VM,
                term,
                "host-" + term,
                UUID.randomUUID().toString(),
                1_700_000_000_000L,
                10_000);
    }

    @Test
    void aVmThatNobodyRanHasNoOwner() {
        assertThat(owners.newest()).isEmpty();
        assertThat(owners.of(1)).isEmpty();
    }

    @Test
    void aClaimedTermIsReadBackFieldByField() {
        OwnerRecord first = record(1);
        assertThat(owners.claim(first)).isEqualTo(first);
        assertThat(owners.of(1)).contains(first);
        assertThat(owners.newest()).contains(first);
        assertThat(owners.of(2)).isEmpty();
    }

    @Test
    void theNewestTermIsTheHighestNumberAndNotTheLastText() {
        for (long term = 1; term <= 12; term++) {
            owners.claim(record(term));
        }
        assertThat(owners.newest().orElseThrow().term()).isEqualTo(12);
    }

    @Test
    void aSecondClaimOfATermGetsTheRecordThatStands() {
        OwnerRecord first = record(1);
        owners.claim(first);
        OwnerRecord rival = record(1);
        assertThat(owners.claim(rival)).isEqualTo(first).isNotEqualTo(rival);
        assertThat(owners.claim(first)).as("the same claim again").isEqualTo(first);
    }

    @Test
    void vmsDoNotSeeEachOthersRecords() {
        owners.claim(record(1));
        OwnerRegistry other = disturbed.registry().owners("vm-10");
        assertThat(other.newest()).isEmpty();
        assertThat(other.of(1)).isEmpty();
        assertThatThrownBy(() -> other.claim(record(1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("vm-10");
    }

    @Test
    void aThousandRacesHaveOneWinnerEach() throws Exception {
        int racers = 4;
        ExecutorService threads = Executors.newFixedThreadPool(racers);
        try {
            for (long term = 1; term <= 1_000; term++) {
                List<Callable<OwnerRecord>> claims = new ArrayList<>();
                List<OwnerRecord> records = new ArrayList<>();
                for (int racer = 0; racer < racers; racer++) {
                    OwnerRecord record = record(term);
                    // Each racer as a host of its own.
                    OwnerRegistry own = disturbed.registry().owners(VM);
                    records.add(record);
                    claims.add(() -> own.claim(record));
                }
                List<OwnerRecord> standing = new ArrayList<>();
                for (Future<OwnerRecord> claim : threads.invokeAll(claims)) {
                    standing.add(claim.get());
                }
                assertThat(standing).as("all are told the same").containsOnly(standing.get(0));
                assertThat(records.stream().filter(standing.get(0)::equals)).hasSize(1);
            }
        } finally {
            threads.shutdownNow();
        }
        assertThat(owners.newest().orElseThrow().term()).isEqualTo(1_000);
    }

    @Test
    void aClaimThatTookEffectWithoutAnAnswerIsKnownAsWon() {
        disturbed.cutAnswers(1);
        OwnerRecord mine = record(1);
        assertThat(owners.claim(mine)).isEqualTo(mine);
        OwnerRecord rival = record(1);
        disturbed.cutAnswers(1);
        assertThat(owners.claim(rival)).isEqualTo(mine);
        assertThat(disturbed.answersToCut())
                .as("answers that were to be lost and were not")
                .isZero();
    }

    @Test
    void aSlowRegistryAnswersRight() {
        disturbed.slow(400);
        OwnerRecord mine = record(1);
        assertThat(owners.claim(mine)).isEqualTo(mine);
        assertThat(owners.newest()).contains(mine);
    }

    @Test
    void aRegistryThatIsDeadFailsInBoundedTimeAndIsUsableAgainAfterwards() throws Exception {
        OwnerRecord mine = record(1);
        owners.claim(mine);
        disturbed.dead(true);
        long startedNs = System.nanoTime();
        assertThatThrownBy(() -> owners.claim(record(2)))
                .isInstanceOf(StoreException.class)
                .isNotInstanceOf(FencedException.class);
        assertThatThrownBy(() -> owners.newest()).isInstanceOf(StoreException.class);
        assertThatThrownBy(() -> owners.of(1)).isInstanceOf(StoreException.class);
        assertThat(TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - startedNs))
                .isLessThan(60);
        disturbed.dead(false);
        assertThat(eventually(owners)).contains(mine);
        assertThat(owners.of(2))
                .as("a claim that failed for good left nothing or a record, never half of one")
                .satisfies(after -> assertThat(after.map(OwnerRecord::term)).isIn(Optional.empty(), Optional.of(2L)));
    }

    /** A client may need a moment to connect again. */
    private static Optional<OwnerRecord> eventually(OwnerRegistry owners) throws InterruptedException {
        long endNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (true) {
            try {
                return owners.of(1);
            } catch (StoreException e) {
                if (System.nanoTime() > endNs) {
                    throw e;
                }
                TimeUnit.MILLISECONDS.sleep(50);
            }
        }
    }

    @Test
    void aForeignKeyAmongTheRecordsIsNeverTakenForAnOwner() {
        OwnerRecord mine = record(3);
        owners.claim(mine);
        disturbed.plantForeignKey(OwnerRecords.prefix(VM) + "zz-notes");
        if (passesForeignKeys()) {
            assertThat(owners.newest()).contains(mine);
        } else {
            assertThatThrownBy(() -> owners.newest())
                    .isInstanceOf(StoreException.class)
                    .hasMessageContaining("zz-notes");
        }
        assertThat(owners.of(3)).contains(mine);
    }
}
