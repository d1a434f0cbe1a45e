// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.Trouble.Place;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Every trouble of a back end at every kind of object, and every damage in every region of every kind: afterwards the
 * newest whole epoch restores bit for bit, or the error names what is damaged and an older epoch restores. One subclass per
 * back end.
 */
abstract class FaultMatrixSuite {
    private static final int PAGES = 96;
    private static final StoreSettings SMALL = VmStoreSuite.SMALL;

    /** Where an object is damaged: the header, the payloads or the body, the index, the trailer, the last byte. */
    private static final double[] REGIONS = {0, 0.01, 0.3, 0.6, 0.97, 0.995, 1};

    private BackEnd backEnd;
    private ObjectStore objects;
    private int vms;

    abstract BackEnd backEnd() throws Exception;

    @BeforeEach
    void openStore() throws Exception {
        backEnd = backEnd();
        objects = backEnd.open();
    }

    @AfterEach
    void closeStore() throws Exception {
        objects.close();
        backEnd.close();
    }

    /** What is left of a good object at a place in it. */
    private enum Damage {
        FLIPPED_BIT {
            @Override
            byte[] of(byte[] good, int at) {
                byte[] bad = good.clone();
                bad[at] ^= (byte) (1 << at % 8);
                return bad;
            }
        },
        TRUNCATED {
            @Override
            byte[] of(byte[] good, int at) {
                return Arrays.copyOf(good, at);
            }
        },
        /** As long as it was, but its end never reached the medium. */
        TORN {
            @Override
            byte[] of(byte[] good, int at) {
                byte[] bad = good.clone();
                Arrays.fill(bad, at, bad.length, (byte) 0);
                return bad;
            }
        };

        abstract byte[] of(byte[] good, int at);
    }

    @TestFactory
    Stream<DynamicTest> noTroubleWhileWritingCostsACommittedEpoch() {
        List<DynamicTest> tests = new ArrayList<>();
        for (Trouble trouble : backEnd.troubles()) {
            for (Place place : trouble.places()) {
                tests.add(DynamicTest.dynamicTest(trouble + " at " + place, () -> {
                    if (place == Place.OWNER) {
                        claimUnder(trouble);
                    } else {
                        commitUnder(trouble, place);
                    }
                }));
            }
        }
        return tests.stream();
    }

    private void commitUnder(Trouble trouble, Place place) {
        DefaultVmStore vm = nextVm();
        ModelVm model = new ModelVm(PAGES);
        model.write(new Random(vms), 80);
        try (DefaultEpochWriter writer = (DefaultEpochWriter) vm.writer(claim(vm, 1), VmShape.ofMemory(PAGES))) {
            model.append(writer);
            model.commit(writer);
            byte[] before = model.memory.clone();
            model.write(new Random(1000 + vms), 60);
            trouble.begin().accept(place);
            boolean committed = commits(model, writer);
            if (place == Place.CHECKPOINT) {
                // No epoch waits for one, and none is lost without one.
                assertThat(committed).isTrue();
                writer.awaitBackground();
            }
            assertThat(backEnd.hasStruck()).isTrue();
            backEnd.calm();
            assertNewest(vm, committed ? List.of(model.memory) : List.of(before, model.memory));
            model.write(new Random(2000 + vms), 10);
            assertThat(commits(model, writer)).as("when all is well again").isTrue();
            if (place == Place.CHECKPOINT) {
                writer.awaitBackground();
                model.write(new Random(3000 + vms), 10);
                model.append(writer);
                assertThat(model.commit(writer).checkpoint()).isPresent();
            }
        }
        assertNewest(vm, List.of(model.memory));
    }

    /** As the streamer does it: pages of an epoch that could not be committed are still dirty. */
    private static boolean commits(ModelVm model, EpochWriter writer) {
        try {
            model.append(writer);
            model.commit(writer);
            return true;
        } catch (FencedException e) {
            throw new AssertionError("fenced by nobody", e);
        } catch (StoreException e) {
            writer.abandon();
            return false;
        }
    }

    private static void assertNewest(DefaultVmStore vm, List<byte[]> allowed) {
        byte[] restored = ModelVm.restore(vm, vm.newestWhole().orElseThrow());
        assertThat(allowed).as("memory of a committed epoch").anyMatch(memory -> Arrays.equals(memory, restored));
    }

    private void claimUnder(Trouble trouble) {
        DefaultVmStore vm = nextVm();
        claim(vm, 1);
        OwnerRecord mine = record(2);
        trouble.begin().accept(Place.OWNER);
        boolean known = true;
        try {
            assertThat(vm.owners().claim(mine)).isEqualTo(mine);
        } catch (StoreException e) {
            known = false;
        }
        assertThat(backEnd.hasStruck()).isTrue();
        backEnd.calm();
        OwnerRecord standing = vm.owners().claim(record(2));
        assertThat(vm.owners().newest()).contains(standing);
        if (known) {
            assertThat(standing).isEqualTo(mine);
        }
    }

    @TestFactory
    Stream<DynamicTest> noDamageGivesAWrongPage() {
        List<DynamicTest> tests = new ArrayList<>();
        for (Place place : Place.values()) {
            for (Damage damage : Damage.values()) {
                tests.add(DynamicTest.dynamicTest(damage + " " + place, () -> damageEverywhere(place, damage)));
            }
        }
        tests.add(DynamicTest.dynamicTest("MISSING SEGMENT", () -> missing(Place.SEGMENT)));
        tests.add(DynamicTest.dynamicTest("MISSING MANIFEST", () -> missing(Place.MANIFEST)));
        tests.add(DynamicTest.dynamicTest("MISSING CHECKPOINT", () -> missing(Place.CHECKPOINT)));
        return tests.stream();
    }

    /** A VM with three epochs, and what memory was in each. */
    private final class Kept {
        final Map<Long, byte[]> memories = new HashMap<>();
        final EpochManifest newest;

        Kept() {
            DefaultVmStore vm = nextVm();
            ModelVm model = new ModelVm(PAGES);
            EpochManifest last = null;
            claim(vm, 1);
            try (DefaultEpochWriter writer = (DefaultEpochWriter) vm.writer(claim(vm, 2), VmShape.ofMemory(PAGES))) {
                for (int epoch = 1; epoch <= 3; epoch++) {
                    model.write(new Random(10L * vms + epoch), 70);
                    model.append(writer);
                    last = model.commit(writer);
                    memories.put(last.epoch(), model.memory.clone());
                    writer.awaitBackground();
                }
            }
            newest = last;
            assertThat(vm.epoch(1).orElseThrow().checkpoint()).isEmpty();
        }

        /** As another process sees it, which has read no checkpoint yet. */
        DefaultVmStore vm() {
            return new DefaultVmStore(objects, newest.vmId(), SMALL);
        }

        String victim(Place place) {
            String root = "vm/" + id() + "/" + place.part + "/";
            return switch (place) {
                case SEGMENT ->
                    newest.segments().get(newest.segments().size() - 1).key();
                case MANIFEST -> objects.list(root, 1).get(0);
                case CHECKPOINT -> newest.checkpoint().orElseThrow().key();
                case OWNER -> objects.list(root, 10).get(1);
            };
        }

        private String id() {
            return newest.vmId();
        }

        /** The newest whole epoch, or an error that names the object while the epoch before restores. */
        void assertHonest(String damaged, String how) {
            DefaultVmStore vm = vm();
            try {
                EpochManifest whole = vm.newestWhole().orElseThrow();
                assertThat(ModelVm.restore(vm, whole)).as(how).isEqualTo(memories.get(whole.epoch()));
            } catch (StoreException e) {
                assertThat(e).as(how).hasMessageContaining(damaged);
                EpochManifest older = vm.epoch(newest.epoch() - 1).orElseThrow();
                assertThat(ModelVm.restore(vm, older)).as(how).isEqualTo(memories.get(older.epoch()));
            }
        }
    }

    private void damageEverywhere(Place place, Damage damage) {
        Kept kept = new Kept();
        String key = kept.victim(place);
        byte[] good = bytes(objects.get(key).orElseThrow());
        for (double region : REGIONS) {
            int at = (int) Math.min(good.length - 1L, Math.round(region * good.length));
            byte[] bad = damage.of(good, at);
            if (Arrays.equals(bad, good)) {
                continue; // zeros were there before
            }
            objects.put(key, ByteBuffer.wrap(bad));
            String how = key + ", byte " + at + " of " + good.length;
            if (place == Place.OWNER) {
                // Never an older owner instead, and never a guess.
                assertThatThrownBy(() -> kept.vm().owners().newest())
                        .as(how)
                        .isInstanceOf(StoreException.class)
                        .hasMessageContaining(key);
            }
            kept.assertHonest(key, how);
            if (place == Place.CHECKPOINT) {
                assertThatThrownBy(() -> kept.vm().epoch(kept.newest.epoch()))
                        .as(how)
                        .isInstanceOf(DamagedObjectException.class)
                        .hasMessageContaining(key);
                assertThat(kept.vm().newestWhole().orElseThrow().epoch())
                        .as(how)
                        .isLessThan(kept.newest.epoch());
            }
        }
        objects.put(key, ByteBuffer.wrap(good));
        assertThat(kept.vm().newestWhole().orElseThrow().epoch()).isEqualTo(kept.newest.epoch());
        kept.assertHonest(key, "mended");
    }

    private void missing(Place place) {
        Kept kept = new Kept();
        String key = kept.victim(place);
        objects.delete(key);
        long whole = kept.vm().newestWhole().orElseThrow().epoch();
        if (place == Place.CHECKPOINT) {
            // Whatever refers to it is lost.
            assertThat(whole).isLessThan(kept.newest.epoch());
        } else {
            assertThat(whole).isEqualTo(kept.newest.epoch() - 1);
        }
        kept.assertHonest(key, "missing");
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    private DefaultVmStore nextVm() {
        vms++;
        return new DefaultVmStore(objects, "vm-" + vms, SMALL);
    }

    private OwnerRecord record(long term) {
        return new OwnerRecord(
                OwnerRecord.VERSION,
                "vm-" + vms,
                term,
                "host-" + term,
                UUID.randomUUID().toString(),
                1);
    }

    private OwnerRecord claim(DefaultVmStore vm, long term) {
        OwnerRecord record = record(term);
        assertThat(vm.owners().claim(record)).isEqualTo(record);
        return record;
    }
}
