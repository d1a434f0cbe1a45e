// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import dev.lifeboat.store.LivePages.Segment;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class LivePagesTest {
    private static final VmShape SHAPE = VmShape.ofMemory(8);
    private final HeapObjectStore objects = new HeapObjectStore();
    private final LivePages live = new LivePages(SHAPE);

    /** A segment of runs of zeros, given by first page and page count. */
    private SegmentIndex segment(String name, int... runs) {
        SegmentBuilder builder = new SegmentBuilder(80 * 1024, 80 * 1024);
        for (int i = 0; i < runs.length; i += 2) {
            builder.append(VmShape.MEMORY, runs[i], runs[i + 1], RunCodec.ZERO, ByteBuffer.allocateDirect(0), 0);
        }
        ByteBuffer content = builder.seal();
        SegmentObjects segments = new SegmentObjects(objects, Optional::empty);
        segments.put(name, content);
        SegmentRef ref = new SegmentRef(name, content.limit(), builder.indexCrc32c(), builder.runs());
        builder.release();
        return SegmentIndex.read(segments, ref, SHAPE);
    }

    private List<String> liveKeys() {
        return live.refs(Optional.empty()).stream().map(SegmentRef::key).toList();
    }

    private List<Segment> pinned(int from, int to) {
        List<Segment> window = List.copyOf(live.live().subList(from, to));
        window.forEach(segment -> segment.pinned = true);
        return window;
    }

    @Test
    void aSegmentWithoutLivePagesIsLeftOut() {
        live.add(segment("a", 0, 4));
        live.add(segment("b", 2, 2));
        live.add(segment("c", 0, 2));
        assertThat(liveKeys()).containsExactly("b", "c");
    }

    @Test
    void aFullVersionReplacesTheDeltaAgainstTheOneBefore() {
        live.add(segment("a", 0, 4));
        int delta = live.add(new SegmentRef("delta", 100, 0, 1));
        live.replace(delta, VmShape.MEMORY, 1, 1, true);
        assertThat(liveKeys()).containsExactly("a", "delta");
        live.add(segment("b", 0, 2));
        assertThat(liveKeys()).containsExactly("a", "b");
    }

    @Test
    void copiesTakeThePlaceOfWhatTheyWereMadeFrom() {
        live.add(segment("a", 0, 2));
        live.add(segment("b", 2, 2));
        live.add(segment("c", 4, 2));
        live.add(segment("d", 6, 2));
        List<Segment> window = pinned(1, 3);
        SegmentIndex copy = segment("copy", 2, 4);
        Optional<Compaction.Result> result = Optional.of(new Compaction.Result(window, List.of(copy)));
        assertThat(live.refs(result)).extracting(SegmentRef::key).containsExactly("a", "copy", "d");
        assertThat(liveKeys()).as("not before it is committed").containsExactly("a", "b", "c", "d");
        live.swap(window, List.of(copy));
        window.forEach(segment -> segment.pinned = false);
        assertThat(liveKeys()).containsExactly("a", "copy", "d");
    }

    @Test
    void ofAPageThatWasCopiedTwiceTheLaterCopyIsAlive() {
        live.add(segment("a", 0, 2));
        live.add(segment("b", 0, 1));
        List<Segment> window = pinned(0, 2);
        live.swap(window, List.of(segment("copy-a", 0, 2), segment("copy-b", 0, 1)));
        window.forEach(segment -> segment.pinned = false);
        assertThat(liveKeys()).containsExactly("copy-a", "copy-b");
        // Page 1 goes: now only page 0 is left, and that is in the later copy.
        live.add(segment("c", 1, 1));
        assertThat(liveKeys()).containsExactly("copy-b", "c");
    }

    @Test
    void whatIsWrittenWhileCopiesAreMadeStaysNewer() {
        live.add(segment("a", 0, 4));
        List<Segment> window = pinned(0, 1);
        live.add(segment("b", 0, 2));
        live.swap(window, List.of(segment("copy", 0, 4)));
        window.forEach(segment -> segment.pinned = false);
        assertThat(liveKeys()).containsExactly("copy", "b");
        live.add(segment("c", 2, 2));
        assertThat(liveKeys()).containsExactly("b", "c");
    }

    @Test
    void theNumberOfADeadSegmentIsNotUsedAgainWhileACompactionKnowsIt() {
        live.add(segment("a", 0, 2));
        Segment dead = pinned(0, 1).get(0);
        live.add(segment("b", 0, 2));
        assertThat(liveKeys()).containsExactly("b");
        int other = live.add(new SegmentRef("c", 100, 0, 1));
        live.replace(other, VmShape.MEMORY, 4, 1, false);
        assertThat(other).isNotEqualTo(dead.number);
        dead.pinned = false;
        liveKeys();
        assertThat(live.add(new SegmentRef("d", 100, 0, 1))).isEqualTo(dead.number);
    }
}
