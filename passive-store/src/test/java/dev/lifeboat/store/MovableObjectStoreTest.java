// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class MovableObjectStoreTest {
    /** The common pool may have a single thread (always so on two processors since JDK 25), and calls here wait for each other. */
    private static final Executor OWN_THREAD = task -> new Thread(task).start();

    private final MovableObjectStore store = new MovableObjectStore("dir:/mnt/v on volume vol-1");

    @TempDir
    Path directory;

    private ObjectStore here() {
        return ObjectStores.open("dir:" + directory.resolve("here"), Optional.empty(), Optional.empty());
    }

    @Test
    void whileTheVolumeIsElsewhereEveryCallFailsAtOnceAndNamesIt() {
        assertThatThrownBy(() -> store.get("a"))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("vol-1 is not on this host");
        assertThatThrownBy(() -> store.put("a", ByteBuffer.allocate(1))).isInstanceOf(StoreException.class);
        assertThatThrownBy(() -> store.putIfAbsent("a", ByteBuffer.allocate(1))).isInstanceOf(StoreException.class);
        assertThatThrownBy(() -> store.list("", 1)).isInstanceOf(StoreException.class);
        assertThatThrownBy(() -> store.delete("a")).isInstanceOf(StoreException.class);
        assertThatThrownBy(() -> store.read("a", 0, 1, ByteBuffer.allocateDirect(1)))
                .isInstanceOf(StoreException.class);
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void whatWasWrittenIsThereAgainWhenTheVolumeComesBack() {
        store.arrive(here());
        store.put("a", ByteBuffer.wrap(new byte[] {7}));
        store.leave(1_000);
        assertThat(store.isHere()).isFalse();
        store.leave(1_000);
        store.arrive(here());
        assertThat(store.get("a")).hasValue(ByteBuffer.wrap(new byte[] {7}));
    }

    /** A store that is nothing but one call, which takes as long as the test wants. */
    private static final class Slow implements ObjectStore {
        private final CountDownLatch begun = new CountDownLatch(1);
        private final CountDownLatch end = new CountDownLatch(1);

        @Override
        public void put(String key, ByteBuffer content) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Put putIfAbsent(String key, ByteBuffer content) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Optional<ByteBuffer> get(String key) {
            return Optional.empty();
        }

        @Override
        public void read(String key, long offset, int length, ByteBuffer into) {
            throw new UnsupportedOperationException();
        }

        @Override
        public List<Entry> entries(String prefix, int limit) {
            return List.of();
        }

        @Override
        public void delete(String key) {
            begun.countDown();
            try {
                assertThat(end.await(20, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public String describe() {
            return "slow";
        }

        @Override
        public void close() {}
    }

    @Test
    void theVolumeDoesNotLeaveUnderACall() throws Exception {
        Slow slow = new Slow();
        store.arrive(slow);
        CompletableFuture<Void> call = CompletableFuture.runAsync(() -> store.delete("a"), OWN_THREAD);
        assertThat(slow.begun.await(20, TimeUnit.SECONDS)).isTrue();
        assertThatThrownBy(() -> store.leave(20))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("did not end within 20 ms");
        assertThat(store.isHere()).isTrue();
        assertThat(store.get("a")).isEmpty();

        CompletableFuture<Void> leaving = CompletableFuture.runAsync(() -> store.leave(20_000), OWN_THREAD);
        while (store.isHere()) {
            Thread.onSpinWait();
        }
        assertThatThrownBy(() -> store.get("a")).isInstanceOf(StoreException.class);
        assertThat(leaving).isNotDone();
        slow.end.countDown();
        leaving.get(20, TimeUnit.SECONDS);
        call.get(20, TimeUnit.SECONDS);
    }
}
