// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.store.RunCodec;
import dev.lifeboat.store.XorDelta;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Random histories of a guest, its pipeline and a store in a few lines: whatever is committed reads back as the memory
 * that was sent. Run with {@code -Dlifeboat.histories=N} for more of them.
 */
@Timeout(120)
class DeltaHistoriesTest {
    private static final int PAGES = 96;
    private static final int PAGE = GuestMemory.PAGE_BYTES;
    private static final int HISTORIES = Integer.getInteger("lifeboat.histories", 700);

    /** What a store holds of a page: the newest full version, and what the newest version is. */
    private record Stored(byte[] full, byte[] newest) {}

    private record Run(long firstPage, int count, byte encoding, byte[] payload) {}

    /** The newest versions of all pages, and the runs of the epoch that is being built. */
    private static final class ModelStore implements RunSink {
        Stored[] pages = newPages();
        final Deque<Stored[]> older = new ArrayDeque<>();
        final List<Run> building = new ArrayList<>();
        /** The sink fails when so many more runs have come. */
        int failAfter = Integer.MAX_VALUE;

        long deltas;
        private final RunCodec codec = new RunCodec();

        static Stored[] newPages() {
            Stored[] pages = new Stored[PAGES];
            Arrays.fill(pages, new Stored(new byte[PAGE], new byte[PAGE]));
            return pages;
        }

        @Override
        public void accept(int space, long firstPage, int count, byte encoding, ByteBuffer payload, int crc32c) {
            if (failAfter-- <= 0) {
                throw new IllegalStateException("the store fails");
            }
            assertThat(RunCodec.crc32c(payload)).isEqualTo(crc32c);
            byte[] bytes = new byte[payload.remaining()];
            payload.get(bytes);
            building.add(new Run(firstPage, count, encoding, bytes));
        }

        void commit() {
            older.addLast(pages.clone());
            ByteBuffer decoded = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
            for (Run run : building) {
                boolean delta = run.encoding == RunCodec.DELTA;
                deltas += delta ? run.count : 0;
                ByteBuffer payload = ByteBuffer.allocateDirect(run.payload.length)
                        .put(run.payload)
                        .flip();
                decoded.clear();
                for (int page = 0; delta && page < run.count; page++) {
                    decoded.put(page * PAGE, pages[(int) run.firstPage + page].full);
                }
                if (delta) {
                    XorDelta.apply(payload, run.count, -1, decoded);
                } else {
                    codec.decode(run.encoding, payload, run.count, decoded);
                }
                for (int page = 0; page < run.count; page++) {
                    byte[] newest = new byte[PAGE];
                    decoded.get(page * PAGE, newest);
                    int number = (int) run.firstPage + page;
                    pages[number] = new Stored(delta ? pages[number].full : newest, newest);
                }
            }
            building.clear();
        }
    }

    /** The guest's memory and which pages the store does not have. */
    private static final class Guest {
        final GuestMemory memory = new GuestMemory((long) PAGES * PAGE);
        final BitSet dirty = new BitSet();
        final BitSet pending = new BitSet();

        void write(SplittableRandom random) {
            for (int write = random.nextInt(40); write > 0; write--) {
                // A third of the pages is hot.
                int page = random.nextInt(3) == 0 ? random.nextInt(PAGES) : random.nextInt(PAGES / 3);
                long address = memory.pageAddress(page);
                switch (random.nextInt(12)) {
                    case 0 -> NativeMemory.fill(address, PAGE, (byte) 0);
                    case 1 -> NativeMemory.fill(address, PAGE, (byte) random.nextInt());
                    case 2 -> {
                        for (int at = 0; at < PAGE; at += 8) {
                            NativeMemory.putLong(address + at, random.nextLong());
                        }
                    }
                    default -> {
                        for (int words = 1 + random.nextInt(random.nextInt(10) == 0 ? 400 : 12); words > 0; words--) {
                            NativeMemory.putLong(address + 8L * random.nextInt(PAGE / 8), random.nextLong());
                        }
                    }
                }
                dirty.set(page);
            }
        }

        void send(PagePipeline pipeline) {
            int from = dirty.nextSetBit(0);
            while (from >= 0) {
                int block = from / PageRun.MAX_PAGES * PageRun.MAX_PAGES + PageRun.MAX_PAGES;
                int to = Math.min(dirty.nextClearBit(from), block);
                pipeline.publish(0, from, to - from, memory.pageAddress(from));
                pending.set(from, to);
                dirty.clear(from, to);
                from = dirty.nextSetBit(to);
            }
        }

        void giveUp() {
            dirty.or(pending);
            pending.clear();
        }

        byte[] page(int page) {
            byte[] bytes = new byte[PAGE];
            NativeMemory.copy(memory.pageAddress(page), bytes, 0, PAGE);
            return bytes;
        }
    }

    /** I2, and more: whatever was given up, lost or taken back, each committed epoch is the memory of its cut. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void noDeltaIsEverAgainstBytesThatTheStoreDoesNotHold(int encoders) {
        long deltas = 0;
        try (PagePipeline pipeline = PagePipeline.toStore("histories", encoders, 16, (long) encoders * 16 * PAGE)) {
            for (int history = 0; history < HISTORIES; history++) {
                deltas += history(pipeline, 1_000_003L * encoders + history);
            }
        }
        assertThat(deltas).as("pages sent as deltas").isGreaterThan(HISTORIES);
    }

    private static long history(PagePipeline pipeline, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        ModelStore store = new ModelStore();
        Guest guest = new Guest();
        try (GuestMemory memory = guest.memory) {
            pipeline.forgetEpochs();
            for (int epoch = 2 + random.nextInt(12); epoch > 0; epoch--) {
                if (random.nextInt(12) == 0) {
                    goBack(pipeline, store, guest, random);
                }
                try {
                    sendEpoch(pipeline, store, guest, random);
                    store.commit();
                    pipeline.epochCommitted();
                    guest.pending.clear();
                    for (int page = 0; page < PAGES; page++) {
                        assertThat(Arrays.equals(store.pages[page].newest, guest.page(page)))
                                .as("seed %d: page %d, %d epochs before the end", seed, page, epoch)
                                .isTrue();
                    }
                } catch (IllegalStateException e) {
                    pipeline.abandon();
                    store.building.clear();
                    guest.giveUp();
                }
            }
        }
        return store.deltas;
    }

    /** Another writer goes on from an epoch that may be older; every page may differ from it. */
    private static void goBack(PagePipeline pipeline, ModelStore store, Guest guest, SplittableRandom random) {
        for (int back = random.nextInt(3); back > 0 && !store.older.isEmpty(); back--) {
            store.pages = store.older.removeLast();
        }
        guest.dirty.set(0, PAGES);
        pipeline.forgetEpochs();
    }

    /** Live passes and a cut; some fail on the way, some are stopped. */
    private static void sendEpoch(PagePipeline pipeline, ModelStore store, Guest guest, SplittableRandom random) {
        store.failAfter = random.nextInt(4) == 0 ? random.nextInt(30) : Integer.MAX_VALUE;
        pipeline.begin(store);
        for (int pass = random.nextInt(3); pass >= 0; pass--) {
            guest.write(random);
            guest.send(pipeline);
            if (random.nextInt(12) == 0) {
                throw new IllegalStateException("suspended");
            }
            if (pass > 0 && random.nextBoolean()) {
                pipeline.drain();
            }
        }
        pipeline.drain();
        if (random.nextInt(12) == 0) {
            throw new IllegalStateException("the commit fails");
        }
    }
}
