// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What every back end does with keys and contents; one subclass per back end. */
abstract class ObjectStoreSuite {
    BackEnd backEnd;
    ObjectStore objects;

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

    @Test
    void putReplacesAndPutIfAbsentDoesNot() {
        assertThat(objects.get("a/b")).isEmpty();
        assertThat(objects.putIfAbsent("a/b", bytes("one"))).isEqualTo(ObjectStore.Put.CREATED);
        assertThat(objects.putIfAbsent("a/b", bytes("two"))).isEqualTo(ObjectStore.Put.EXISTS);
        assertThat(objects.get("a/b")).contains(bytes("one"));
        objects.put("a/b", bytes("three"));
        assertThat(objects.get("a/b")).contains(bytes("three"));
        objects.delete("a/b");
        objects.delete("a/b");
        assertThat(objects.get("a/b")).isEmpty();
        assertThat(objects.putIfAbsent("a/b", bytes("four"))).isEqualTo(ObjectStore.Put.CREATED);
    }

    @Test
    void twoStoresSeeEachOthersObjectsAtOnce() {
        try (ObjectStore other = backEnd.open()) {
            objects.put("a", bytes("one"));
            assertThat(other.get("a")).contains(bytes("one"));
            assertThat(other.list("a", 2)).containsExactly("a");
            other.delete("a");
            assertThat(objects.get("a")).isEmpty();
            assertThat(objects.list("a", 2)).isEmpty();
        }
    }

    @Test
    void ofAllWhoCreateAKeyAtOnceExactlyOneDoes() throws Exception {
        int racers = 6;
        ExecutorService threads = Executors.newFixedThreadPool(racers);
        try {
            for (int round = 0; round < 20; round++) {
                String key = "race/" + round;
                List<Callable<String>> tries = new ArrayList<>();
                for (int racer = 0; racer < racers; racer++) {
                    String mine = "racer " + racer;
                    tries.add(() -> objects.putIfAbsent(key, bytes(mine)) == ObjectStore.Put.CREATED ? mine : "");
                }
                List<String> winners = new ArrayList<>();
                for (Future<String> one : threads.invokeAll(tries, 60, TimeUnit.SECONDS)) {
                    if (!one.get().isEmpty()) {
                        winners.add(one.get());
                    }
                }
                assertThat(winners).as("round %d", round).hasSize(1);
                assertThat(objects.get(key)).contains(bytes(winners.get(0)));
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void contentsAreTakenFromTheBufferAsItStandsAndLeaveItSo() {
        for (ByteBuffer buffer : List.of(ByteBuffer.allocate(64), ByteBuffer.allocateDirect(64))) {
            buffer.put(bytes("....0123456789....")).position(4).limit(14);
            objects.put("a", buffer);
            assertThat(buffer.position()).isEqualTo(4);
            assertThat(buffer.limit()).isEqualTo(14);
            assertThat(objects.get("a")).contains(bytes("0123456789"));
            objects.delete("b");
            assertThat(objects.putIfAbsent("b", buffer.asReadOnlyBuffer())).isEqualTo(ObjectStore.Put.CREATED);
            assertThat(objects.get("b")).contains(bytes("0123456789"));
        }
    }

    @Test
    void anEmptyObjectIsThere() {
        objects.put("empty", ByteBuffer.allocate(0));
        assertThat(objects.get("empty")).contains(ByteBuffer.allocate(0));
        assertThat(objects.entries("empty", 1).get(0).lengthBytes()).isZero();
        assertThat(objects.putIfAbsent("empty", bytes("x"))).isEqualTo(ObjectStore.Put.EXISTS);
    }

    @Test
    void rangesAreReadAndAShortObjectIsNamed() {
        objects.put("seg/x", bytes("0123456789"));
        ByteBuffer into = ByteBuffer.allocateDirect(8).position(2);
        objects.read("seg/x", 3, 4, into);
        assertThat(into.position()).isEqualTo(6);
        assertThat(into.flip().position(2)).isEqualTo(bytes("3456"));
        for (long offset : new long[] {8, 10, 1000}) {
            assertThatThrownBy(() -> objects.read("seg/x", offset, 4, ByteBuffer.allocate(8)))
                    .isInstanceOf(DamagedObjectException.class)
                    .hasMessageContaining("seg/x")
                    .hasMessageContaining("truncated");
        }
        assertThatThrownBy(() -> objects.read("seg/y", 0, 4, ByteBuffer.allocate(8)))
                .isInstanceOf(DamagedObjectException.class)
                .hasMessageContaining("seg/y")
                .hasMessageContaining("missing");
    }

    @Test
    void aBigObjectComesBackWholeAndInParts() {
        int length = (24 << 20) + 13;
        byte[] content = new byte[length];
        new Random(1).nextBytes(content);
        ByteBuffer direct = ByteBuffer.allocateDirect(length).put(content).flip();
        objects.put("big", direct);
        assertThat(objects.get("big")).contains(ByteBuffer.wrap(content));
        assertThat(objects.entries("big", 1).get(0).lengthBytes()).isEqualTo(length);
        ByteBuffer into = ByteBuffer.allocateDirect(length);
        objects.read("big", 0, length, into);
        assertThat(into.flip()).isEqualTo(ByteBuffer.wrap(content));
        Random random = new Random(2);
        for (int i = 0; i < 20; i++) {
            int from = random.nextInt(length);
            int count = 1 + random.nextInt(Math.min(1 << 20, length - from));
            into.clear();
            objects.read("big", from, count, into);
            assertThat(into.flip())
                    .as("%d bytes from %d", count, from)
                    .isEqualTo(ByteBuffer.wrap(content, from, count));
        }
    }

    @Test
    void listsAreSortedFilteredAndLimited() {
        for (String key : List.of("l/c", "l/a", "l/b/x", "l/a-b", "m/a", "l/B", "l.x")) {
            objects.put(key, bytes(key));
        }
        assertThat(objects.list("l/", 10)).containsExactly("l/B", "l/a", "l/a-b", "l/b/x", "l/c");
        assertThat(objects.list("l/a", 10)).containsExactly("l/a", "l/a-b");
        assertThat(objects.list("l/", 2)).containsExactly("l/B", "l/a");
        assertThat(objects.list("", 100)).hasSize(7).isSorted();
        assertThat(objects.list("n/", 10)).isEmpty();
    }

    @Test
    void aListingSaysLengthAndAge() {
        objects.put("e/a", bytes("12345"));
        ObjectStore.Entry entry = objects.entries("e/", 10).get(0);
        assertThat(entry.key()).isEqualTo("e/a");
        assertThat(entry.lengthBytes()).isEqualTo(5);
        assertThat(Math.abs(System.currentTimeMillis() - entry.modifiedAtMillis()))
                .isLessThan(600_000);
    }

    @Test
    void listsGoOnBeyondOnePage() throws Exception {
        int count = 1_250; // the clouds answer with at most 1000
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            List<Callable<Void>> puts = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                String key = String.format("p/%05d", i);
                puts.add(() -> {
                    objects.put(key, bytes("x"));
                    return null;
                });
            }
            for (Future<Void> put : threads.invokeAll(puts, 120, TimeUnit.SECONDS)) {
                put.get();
            }
        } finally {
            threads.shutdownNow();
        }
        assertThat(objects.list("p/", Integer.MAX_VALUE)).hasSize(count).isSorted();
        assertThat(objects.list("p/", 1_200))
                .hasSize(1_200)
                .startsWith("p/00000")
                .endsWith("p/01199");
    }

    @Test
    void keysThatLeaveTheStoreAreRefused() {
        for (String key : List.of("../x", "a/../../x", "/x", "a//b", "a b", "", "./x")) {
            assertThatThrownBy(() -> objects.put(key, bytes("x"))).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> objects.delete(key)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    static ByteBuffer bytes(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
    }
}
