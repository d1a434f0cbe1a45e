// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.VmShape.DiskShape;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;

/**
 * One random history of a VM with memory and disks: writes, live passes, deltas, epochs, abandons, crashes at any
 * operation, second writers, compactions, clean-ups and readers. After each step what the store gives back is compared
 * with what the model knows of that epoch.
 */
final class History implements AutoCloseable {
    private static final String VM = "vm-1";
    private static final int PAGE = ModelVm.PAGE;
    /** Small segments, so that a few pages make several; one upload thread, so that a machine can run many. */
    private static final StoreSettings SETTINGS =
            new StoreSettings(80 * 1024, 96 * 1024, 1, 1, new RetentionPolicy(3, 0), true, 2, 60_000, 60_000, 20_000);

    private final Random random;
    private final HistoryStats stats;
    private final HeapObjectStore objects = new HeapObjectStore();
    private final VmShape shape;
    private final ModelVm[] spaces;
    /** Contents of all spaces by committed epoch. */
    private final TreeMap<Long, byte[][]> committed = new TreeMap<>();
    /** Contents of a commit of which nobody knows whether it took effect. */
    private Optional<byte[][]> unknown = Optional.empty();

    private MortalObjectStore process;
    private DefaultEpochWriter writer;
    private long term;
    private Optional<EpochReader> reader = Optional.empty();
    private String lastCheckpoint = "";
    private boolean corrupt;

    History(Random random, HistoryStats stats) {
        this.random = random;
        this.stats = stats;
        List<DiskShape> disks = new ArrayList<>();
        for (int disk = random.nextInt(3); disk > 0; disk--) {
            Optional<String> base = random.nextBoolean() ? Optional.empty() : Optional.of("sha256-" + "a".repeat(64));
            disks.add(new DiskShape(1 + random.nextInt(16), base));
        }
        shape = new VmShape(1 + random.nextInt(32), disks);
        spaces = new ModelVm[shape.spaces()];
        for (int space = 0; space < spaces.length; space++) {
            spaces[space] = new ModelVm((int) shape.pages(space)).withDeltas(random);
        }
    }

    /** Makes the model wrong, to see that it is noticed. */
    void corruptModel() {
        corrupt = true;
    }

    void run() {
        openWriter();
        for (int step = 4 + random.nextInt(10); step > 0; step--) {
            write();
            try {
                step();
            } catch (FencedException e) {
                throw new AssertionError("the only owner was fenced: " + e.getMessage(), e);
            } catch (StoreException e) {
                if (!process.isDead()) {
                    throw e;
                }
                recover();
            }
            if (corrupt) {
                committed.values().forEach(contents -> contents[VmShape.MEMORY][0]++);
            }
        }
        endReader();
        process.dieAfter(Integer.MAX_VALUE, false);
        endWriter();
        checkNewest();
        if (!committed.isEmpty() && random.nextInt(3) == 0) {
            damageSomething();
        }
    }

    private void openWriter() {
        endWriter();
        term++;
        process = new MortalObjectStore(objects);
        OwnerRecord owner = VmStoreSuite.record(VM, term);
        DefaultVmStore store = new DefaultVmStore(process, VM, SETTINGS);
        assertThat(store.owners().claim(owner)).isEqualTo(owner);
        writer = (DefaultEpochWriter) store.writer(owner, shape);
    }

    private void endWriter() {
        if (writer != null) {
            stats.compactions.addAndGet(writer.compactions());
            writer.close();
        }
    }

    /** The store as another process sees it. */
    private DefaultVmStore outside() {
        return new DefaultVmStore(objects, VM, SETTINGS);
    }

    private void write() {
        for (ModelVm space : spaces) {
            space.write(random, random.nextInt(1 + space.pages));
        }
    }

    private void step() {
        append();
        switch (random.nextInt(12)) {
            case 0 -> abandon();
            case 1 -> {
                if (!process.isMortal()) {
                    process.dieAfter(1 + random.nextInt(12), random.nextBoolean());
                }
            }
            case 2 -> fence();
            case 3 -> openReader();
            case 4 -> endReader();
            case 5 -> {
                process.loseAnswer();
                commit();
            }
            default -> {
                if (random.nextBoolean()) {
                    // A live pass before the cut: the same pages twice in one epoch, with other content.
                    write();
                    append();
                }
                commit();
            }
        }
        if (!process.isDead() && random.nextInt(4) == 0) {
            writer.awaitBackground();
        }
        if (random.nextInt(4) == 0) {
            checkNewest();
        }
    }

    private void append() {
        for (int space = 0; space < spaces.length; space++) {
            spaces[space].append(writer, space);
        }
    }

    private void abandon() {
        writer.abandon();
        for (ModelVm space : spaces) {
            space.abandoned();
        }
        stats.abandons.incrementAndGet();
    }

    private void commit() {
        unknown = Optional.of(contents());
        EpochManifest manifest = writer.commit("{}", new byte[] {1}, 1);
        manifest.checkpoint().map(EpochManifest.CheckpointRef::key).ifPresent(key -> {
            stats.epochsOnCheckpoints.incrementAndGet();
            stats.checkpoints.addAndGet(key.equals(lastCheckpoint) ? 0 : 1);
            lastCheckpoint = key;
        });
        committed.put(manifest.epoch(), unknown.orElseThrow());
        unknown = Optional.empty();
        for (ModelVm space : spaces) {
            space.committed();
        }
        stats.commits.incrementAndGet();
    }

    private byte[][] contents() {
        return Arrays.stream(spaces).map(space -> space.memory.clone()).toArray(byte[][]::new);
    }

    /** The process is gone; another host goes on from what the store has. */
    private void recover() {
        stats.crashes.incrementAndGet();
        Optional<EpochManifest> newest = outside().newestWhole();
        long last = committed.isEmpty() ? 0 : committed.lastKey();
        long found = newest.map(EpochManifest::epoch).orElse(0L);
        if (found != last) {
            assertThat(found).as("a newer epoch than the last acknowledged one").isGreaterThan(last);
            assertThat(unknown).as("a commit was under way").isPresent();
            committed.put(found, unknown.orElseThrow());
            stats.unknownCommits.incrementAndGet();
        }
        unknown = Optional.empty();
        goOnFrom(newest);
        openWriter();
    }

    private void goOnFrom(Optional<EpochManifest> newest) {
        byte[][] contents = newest.map(this::check).orElseGet(() -> zeros());
        for (int space = 0; space < spaces.length; space++) {
            spaces[space].startFrom(contents[space]);
            if (newest.isEmpty()) {
                spaces[space].dirty.set(0, spaces[space].pages);
            }
        }
    }

    private byte[][] zeros() {
        return Arrays.stream(spaces).map(space -> new byte[space.memory.length]).toArray(byte[][]::new);
    }

    /** A second writer takes the VM over while the first one still believes to own it. */
    private void fence() {
        if (process.isMortal()) {
            commit();
            return;
        }
        DefaultEpochWriter former = writer;
        writer = null;
        Optional<EpochManifest> newest = outside().newestWhole();
        openWriter();
        boolean newerEpoch = random.nextBoolean();
        if (newerEpoch) {
            // Before the former one commits: both want the same number.
            goOnFrom(newest);
            append();
            commit();
        }
        assertThatThrownBy(() -> former.commit("{}", new byte[] {2}, 2)).isInstanceOf(FencedException.class);
        former.close();
        if (!newerEpoch) {
            goOnFrom(newest);
        }
        stats.fencings.incrementAndGet();
    }

    private void openReader() {
        if (!committed.isEmpty() && reader.isEmpty()) {
            reader = outside().newestWhole().map(outside()::open);
        }
    }

    /** However many epochs came meanwhile, its own is all there. */
    private void endReader() {
        if (reader.isPresent()) {
            EpochManifest manifest = reader.get().manifest();
            for (int space = 0; space < spaces.length; space++) {
                byte[] read = new byte[spaces[space].memory.length];
                reader.get().fill(space, (first, count, content) -> {
                    content.get(0, read, (int) first * PAGE, count * PAGE);
                });
                assertThat(read).isEqualTo(committed.get(manifest.epoch())[space]);
            }
            reader.get().close();
            reader = Optional.empty();
            stats.readers.incrementAndGet();
        }
    }

    private void checkNewest() {
        Optional<EpochManifest> newest = outside().newestWhole();
        assertThat(newest.map(EpochManifest::epoch).orElse(0L))
                .isEqualTo(committed.isEmpty() ? 0 : committed.lastKey());
        newest.ifPresent(this::check);
    }

    private byte[][] check(EpochManifest manifest) {
        byte[][] contents = committed.get(manifest.epoch());
        assertThat(contents).as("epoch %d", manifest.epoch()).isNotNull();
        for (int space = 0; space < spaces.length; space++) {
            byte[] restored = ModelVm.restore(outside(), manifest, space);
            assertThat(Arrays.equals(restored, contents[space]))
                    .as("epoch %d, space %d", manifest.epoch(), space)
                    .isTrue();
        }
        stats.restores.incrementAndGet();
        return contents;
    }

    /** One object is cut, gone, or has a wrong bit: what is restored then is right, or the object is named. */
    private void damageSomething() {
        List<String> keys = objects.objects.keySet().stream()
                .filter(key -> key.contains("/seg/") || key.contains("/epoch/") || key.contains("/checkpoint/"))
                .toList();
        String key = keys.get(random.nextInt(keys.size()));
        byte[] content = objects.objects.get(key).clone();
        long unhurt = newestWithout(key);
        boolean inSegment = key.contains("/seg/");
        stats.damagedCheckpoints.addAndGet(key.contains("/checkpoint/") && unhurt < committed.lastKey() ? 1 : 0);
        switch (random.nextInt(4)) {
            case 0 -> objects.delete(key);
            case 1 -> objects.put(key, ByteBuffer.wrap(content, 0, random.nextInt(content.length)));
            default -> {
                content[random.nextInt(content.length)] ^= (byte) (1 << random.nextInt(8));
                objects.put(key, ByteBuffer.wrap(content));
            }
        }
        stats.damages.incrementAndGet();
        Optional<EpochManifest> newest = Optional.empty();
        try {
            newest = outside().newestWhole();
            newest.ifPresent(this::check);
        } catch (DamagedObjectException e) {
            assertThat(e).hasMessageContaining(key);
            stats.damagesNamed.incrementAndGet();
        }
        long found = newest.map(EpochManifest::epoch).orElse(0L);
        if (!inSegment) {
            assertThat(found).as("newest epoch without %s", key).isEqualTo(unhurt);
        }
        if (newest.isPresent() && found < committed.lastKey()) {
            stats.damagesNamed.incrementAndGet();
        }
    }

    /** The newest epoch that does not need the object; 0 when there is none. */
    private long newestWithout(String key) {
        Keys keys = new Keys(VM);
        for (String manifestKey : objects.list(keys.epochPrefix(), 1000)) {
            long epoch = keys.epochOf(manifestKey).orElseThrow();
            EpochManifest manifest = outside().epoch(epoch).orElseThrow();
            boolean needs = manifestKey.equals(key)
                    || manifest.checkpoint()
                            .filter(ref -> ref.key().equals(key))
                            .isPresent()
                    || manifest.segments().stream().anyMatch(ref -> ref.key().equals(key));
            if (!needs) {
                return epoch;
            }
        }
        return 0;
    }

    @Override
    public void close() {
        reader.ifPresent(EpochReader::close);
        if (writer != null) {
            writer.close();
        }
    }
}
