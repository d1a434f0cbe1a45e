// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two hosts that write one VM's epochs at the same time: one goes on, the other is told that it is fenced. */
@Timeout(180)
class TwoWritersTest {
    private static final int RACES = 1_000;
    private static final int PAGES = 16;

    @TempDir
    Path directory;

    /** What one of the two saw. */
    private record End(boolean fenced, String message, long committed) {}

    @Test
    void inAThousandRacesTheNewOwnerCommitsAndTheFormerOneIsFenced() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(2);
        int afterTheNewOwner = 0;
        try (ObjectStore objects = ObjectStores.open("dir:" + directory, Optional.empty(), Optional.empty())) {
            for (int race = 0; race < RACES; race++) {
                String vmId = "vm-" + race;
                VmStore before = new DefaultVmStore(objects, vmId, VmStoreSuite.SMALL);
                OwnerRecord former = record(vmId, 1, "former");
                before.owners().claim(former);
                CyclicBarrier go = new CyclicBarrier(2);
                List<Callable<End>> both = new ArrayList<>();
                int seed = race;
                both.add(() -> write(new DefaultVmStore(objects, vmId, VmStoreSuite.SMALL), former, go, seed));
                both.add(() -> {
                    go.await(20, TimeUnit.SECONDS);
                    VmStore store = new DefaultVmStore(objects, vmId, VmStoreSuite.SMALL);
                    OwnerRecord mine = record(vmId, 2, "new");
                    assertThat(store.owners().claim(mine)).isEqualTo(mine);
                    return write(store, mine, null, seed + 1);
                });
                List<End> ends = new ArrayList<>();
                for (Future<End> end : threads.invokeAll(both)) {
                    ends.add(end.get());
                }
                assertThat(ends.get(0).fenced())
                        .as("race %d, the former owner", race)
                        .isTrue();
                assertThat(ends.get(0).message())
                        .contains("VM " + vmId)
                        .contains("no longer owned by host former (term 1)")
                        .contains("term 2");
                assertThat(ends.get(1).fenced())
                        .as("race %d, the new owner", race)
                        .isFalse();
                EpochManifest newest = before.newestWhole().orElseThrow();
                assertThat(newest.term()).as("race %d, the newest epoch", race).isEqualTo(2);
                afterTheNewOwner += ends.get(0).committed() > 0 ? 1 : 0;
            }
        } finally {
            threads.shutdownNow();
        }
        // The races were races: in some of them the former owner still got an epoch through.
        assertThat(afterTheNewOwner).isBetween(1, RACES);
    }

    /** Commits epochs until fenced; the new owner stops after three. */
    private static End write(VmStore store, OwnerRecord owner, CyclicBarrier go, int seed) throws Exception {
        ModelVm model = new ModelVm(PAGES);
        long committed = 0;
        try (EpochWriter writer = store.writer(owner, VmShape.ofMemory(PAGES))) {
            if (go != null) {
                go.await(20, TimeUnit.SECONDS);
            }
            long endNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
            while (go != null ? System.nanoTime() < endNs : committed < 3) {
                model.write(new Random(seed + committed), 4);
                model.append(writer);
                model.commit(writer);
                committed++;
            }
            return new End(false, "", committed);
        } catch (FencedException e) {
            return new End(true, e.getMessage(), committed);
        }
    }

    private static OwnerRecord record(String vmId, long term, String host) {
        return new OwnerRecord(OwnerRecord.VERSION, vmId, term, host, host + "-" + vmId, 0);
    }
}
