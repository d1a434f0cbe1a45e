// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import java.util.function.Supplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SegmentObjectsTest {
    private static final String KEY = "vm/vm-1/seg/one";
    private static final int CHUNK = SealedLayout.CHUNK_BYTES;

    @TempDir
    Path directory;

    private final VmKey vmKey = new VmKey(1, VmKey.random());
    private ObjectStore store;
    private SegmentObjects sealed;

    @BeforeEach
    void open() {
        store = ObjectStores.open("dir:" + directory, Optional.empty(), Optional.empty());
        sealed = new SegmentObjects(store, () -> Optional.of(vmKey));
    }

    private static byte[] content(int bytes) {
        byte[] content = new byte[bytes];
        new Random(bytes).nextBytes(content);
        return content;
    }

    private static SegmentRef ref(int bytes) {
        return new SegmentRef(KEY, bytes, 0, 1);
    }

    private byte[] read(SegmentObjects from, int contentBytes, int offset, int length) {
        ByteBuffer into = ByteBuffer.allocateDirect(length + 7).position(3);
        from.read(ref(contentBytes), offset, length, into);
        assertThat(into.position()).isEqualTo(3 + length);
        byte[] bytes = new byte[length];
        into.get(3, bytes);
        return bytes;
    }

    @Test
    void everyRangeOfEverySizeIsReadAsItWasWritten() {
        Random random = new Random(5);
        for (int size : new int[] {1, 4096, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 100}) {
            byte[] content = content(size);
            sealed = new SegmentObjects(store, () -> Optional.of(vmKey)); // Java refuses to use a nonce twice in a row
            sealed.put(KEY, ByteBuffer.wrap(content));
            assertThat(store.entries(KEY, 1).get(0).lengthBytes()).isEqualTo(SealedLayout.sealedBytes(size));
            assertThat(read(sealed, size, 0, size)).isEqualTo(content);
            for (int i = 0; i < 50; i++) {
                int from = random.nextInt(size);
                int length = random.nextInt(size - from + 1);
                assertThat(read(sealed, size, from, length))
                        .isEqualTo(Arrays.copyOfRange(content, from, from + length));
            }
        }
    }

    @Test
    void nothingOfTheContentStandsInTheStoreAndEqualContentsLookDifferent() {
        byte[] content = new byte[2 * CHUNK];
        sealed.put(KEY, ByteBuffer.wrap(content));
        sealed.put(KEY + "-b", ByteBuffer.wrap(content));
        byte[] one = store.get(KEY).orElseThrow().array();
        byte[] two = store.get(KEY + "-b").orElseThrow().array();
        int longestZero = 0;
        int run = 0;
        for (int i = SealedLayout.HEADER_BYTES; i < one.length; i++) {
            run = one[i] == 0 ? run + 1 : 0;
            longestZero = Math.max(longestZero, run);
        }
        assertThat(longestZero).isLessThan(8);
        int equal = 0;
        for (int i = SealedLayout.HEADER_BYTES; i < one.length; i++) {
            equal += one[i] == two[i] ? 1 : 0;
        }
        assertThat(equal).as("by chance, one in 256").isBetween(one.length / 512, one.length / 128);
    }

    @Test
    void aFlippedBitAnywhereATornOrMovedObjectAndAnotherKeyAreNamed() {
        int size = CHUNK + 500;
        sealed.put(KEY, ByteBuffer.wrap(content(size)));
        byte[] stored = store.get(KEY).orElseThrow().array().clone();
        Random random = new Random(6);
        for (int i = 0; i < 300; i++) {
            int at = SealedLayout.HEADER_BYTES + random.nextInt(stored.length - SealedLayout.HEADER_BYTES);
            byte[] flipped = stored.clone();
            flipped[at] ^= (byte) (1 << random.nextInt(8));
            store.put(KEY, ByteBuffer.wrap(flipped));
            assertDamaged(sealed, size, "does not fit its checksum");
        }
        store.put(KEY, ByteBuffer.wrap(stored, 0, stored.length - 1));
        assertDamaged(sealed, size, "truncated");
        store.put(KEY, ByteBuffer.wrap(stored));
        assertDamaged(new SegmentObjects(store, otherKey()), size, "VM's key");
        store.put("vm/vm-1/seg/other", ByteBuffer.wrap(stored));
        assertThatThrownBy(() -> sealed.read(
                        new SegmentRef("vm/vm-1/seg/other", size, 0, 1), 0, size, ByteBuffer.allocateDirect(size)))
                .isInstanceOf(DamagedObjectException.class)
                .hasMessageContaining("seg/other")
                .hasMessageContaining("under this name");
    }

    /** A store that can write could set the checksum right; the tag still tells. */
    @Test
    void anAlterationWithAMatchingChecksumIsFound() {
        int size = 1000;
        sealed.put(KEY, ByteBuffer.wrap(content(size)));
        byte[] stored = store.get(KEY).orElseThrow().array().clone();
        stored[SealedLayout.HEADER_BYTES + 10] ^= 1;
        ByteBuffer chunk = ByteBuffer.wrap(stored).order(ByteOrder.LITTLE_ENDIAN);
        int crcAt = SealedLayout.HEADER_BYTES + size + SealedLayout.TAG_BYTES;
        chunk.putInt(crcAt, RunCodec.crc32c(chunk.duplicate().limit(crcAt).position(SealedLayout.HEADER_BYTES)));
        store.put(KEY, ByteBuffer.wrap(stored));
        assertDamaged(sealed, size, "altered");
    }

    @Test
    void withoutAKeyContentsStandAsTheyAre() {
        SegmentObjects clear = new SegmentObjects(store, Optional::empty);
        byte[] content = content(5000);
        clear.put(KEY, ByteBuffer.wrap(content));
        assertThat(store.get(KEY).orElseThrow().array()).isEqualTo(content);
        assertThat(read(clear, 5000, 10, 100)).isEqualTo(Arrays.copyOfRange(content, 10, 110));
    }

    private static Supplier<Optional<VmKey>> otherKey() {
        VmKey other = new VmKey(1, VmKey.random());
        return () -> Optional.of(other);
    }

    private static void assertDamaged(SegmentObjects objects, int size, String why) {
        assertThatThrownBy(() -> objects.read(ref(size), 0, size, ByteBuffer.allocateDirect(size)))
                .isInstanceOf(DamagedObjectException.class)
                .hasMessageContaining(KEY)
                .hasMessageContaining(why);
    }
}
