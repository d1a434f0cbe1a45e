// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.store.DefaultVmStore;
import dev.lifeboat.store.EpochManifest;
import dev.lifeboat.store.MovableObjectStore;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.ObjectStores;
import dev.lifeboat.store.OwnerRegistries;
import dev.lifeboat.store.VmStore;
import dev.lifeboat.stream.FakeDisk;
import dev.lifeboat.stream.FakeVm;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.StreamException;
import dev.lifeboat.stream.wire.WireSecurity;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A VM moves together with the volume that its store is on: a directory that is only ever at one host's place. */
@Timeout(120)
class VolumeHandOverTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    @TempDir
    Path directory;

    private ObjectStore registry;
    private Place a;
    private Place b;

    /** A host and where it has the volume while it has it. */
    private final class Place implements AutoCloseable {
        private final Path mountPoint;
        private final MovableObjectStore objects;
        private final TestHost host;

        Place(String name) {
            mountPoint = directory.resolve("mnt-" + name);
            objects = new MovableObjectStore("dir:" + mountPoint);
            VmStore store = new DefaultVmStore(objects, "vm-1")
                    .ownedIn(OwnerRegistries.in(registry).owners("vm-1"));
            host = new TestHost(name, store, WireSecurity.insecure());
        }

        void plug() throws IOException {
            Files.move(directory.resolve("volume"), mountPoint);
            objects.arrive(ObjectStores.open("dir:" + mountPoint, Optional.empty(), Optional.empty()));
        }

        void unplug() throws IOException {
            objects.leave(10_000);
            Files.move(mountPoint, directory.resolve("volume"));
        }

        @Override
        public void close() {
            host.close();
        }
    }

    @BeforeEach
    void bootOnTheVolume() throws IOException {
        registry = ObjectStores.open("dir:" + directory.resolve("registry"), Optional.empty(), Optional.empty());
        Files.createDirectory(directory.resolve("volume"));
        a = new Place("a");
        b = new Place("b");
        a.plug();
        a.host.boot(31, 20_000);
        a.host.streamer.forceEpoch(LIMIT);
    }

    @AfterEach
    void close() {
        a.close();
        b.close();
        registry.close();
    }

    @Test
    void theVolumeGoesAheadAndTheTargetFillsFromItWhileTheSourceSendsWhatChangedSince() throws Exception {
        long released = a.host.streamer.releaseStore(LIMIT);
        a.unplug();
        long atRelease = a.host.vm.writes();
        b.plug();
        EvacuationReport report = a.host.evacuateTo(b.host);
        assertThat(report.hydratedFromEpoch()).isEqualTo(released).isPositive();
        assertThat(report.memoryHashEqual()).isTrue();
        // The guest ran on without the store, and what it wrote since is what the source sent.
        assertThat(a.host.vm.writes()).isGreaterThan(atRelease);
        assertThat(report.pagesAfterNotice()).isPositive();
        b.host.target.complete().get(10, TimeUnit.SECONDS);
        b.host.arrived();
        assertThat(b.host.findDamage()).isEmpty();
        assertRestores(b);
        // A source that still wrote would have made its empty mount point anew.
        assertThat(a.mountPoint).doesNotExist();
    }

    @Test
    void aMoveThatFailsAfterTheVolumeLeftEndsWithVolumeAndVmTogetherAgain() throws Exception {
        long released = a.host.streamer.releaseStore(LIMIT);
        a.unplug();
        b.plug();
        InetSocketAddress nobody = nobody();
        assertThatThrownBy(() -> a.host.evacuateTo(nobody, "b")).isInstanceOf(EvacuationException.class);
        assertThat(a.host.runs()).isTrue();
        // Streaming is not resumed by the roll-back: the volume is not here.
        assertThatThrownBy(() -> a.host.streamer.forceEpoch(Duration.ofMillis(200)))
                .isInstanceOf(StreamException.class)
                .hasMessageContaining("given away");
        assertThat(a.host.streamer.stats().lastEpoch()).isEqualTo(released);
        assertThat(a.mountPoint).doesNotExist();

        b.unplug();
        a.plug();
        a.host.streamer.regainStore();
        assertThat(a.host.streamer.forceEpoch(LIMIT)).isGreaterThan(released);
        assertThat(a.host.streamer.stats().failures()).isZero();
        assertRestores(a);
        assertThat(a.host.findDamage()).isEmpty();
    }

    @Test
    void aVmWhoseVolumeIsLateMovesWithoutItAndStreamsOnceTheVolumeComes() throws Exception {
        a.host.streamer.releaseStore(LIMIT);
        a.unplug();
        EvacuationReport report = a.host.evacuateTo(b.host);
        assertThat(report.hydratedFromEpoch()).isZero();
        assertThat(report.memoryHashEqual()).isTrue();
        b.host.target.complete().get(10, TimeUnit.SECONDS);
        b.host.arrived();
        assertThat(b.host.findDamage()).isEmpty();
        while (b.host.streamer.stats().failures() == 0) {
            Thread.onSpinWait();
        }
        assertThat(b.host.streamer.stats().lastError()).contains("not on this host");
        assertThat(b.mountPoint).doesNotExist();

        b.plug();
        awaitEpoch(b);
        assertRestores(b);
    }

    @Test
    void aVolumeThatTakesNoLastEpochIsNotReleasedAndStreamingGoesOnWhenItCan() throws Exception {
        long before = a.host.streamer.forceEpoch(LIMIT);
        a.unplug();
        assertThatThrownBy(() -> a.host.streamer.releaseStore(LIMIT))
                .isInstanceOf(StreamException.class)
                .hasMessageContaining("not on this host");
        a.plug();
        awaitEpoch(a);
        assertThat(a.host.streamer.stats().lastEpoch()).isGreaterThan(before);
        assertRestores(a);
    }

    private static void awaitEpoch(Place place) {
        long before = place.host.streamer.stats().epochs();
        long endNs = System.nanoTime() + LIMIT.toNanos();
        while (place.host.streamer.stats().epochs() == before) {
            assertThat(System.nanoTime()).as("an epoch in time").isLessThan(endNs);
            Thread.onSpinWait();
        }
    }

    /** Where nobody listens. */
    private static InetSocketAddress nobody() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return new InetSocketAddress(InetAddress.getLoopbackAddress(), socket.getLocalPort());
        }
    }

    private static void assertRestores(Place place) {
        place.host.streamer.forceEpoch(LIMIT);
        long epoch = place.host.streamer.suspend(LIMIT);
        EpochManifest manifest = place.host.store.epoch(epoch).orElseThrow();
        List<FakeDisk> disks = TestHost.freshDisks();
        try (GuestMemory memory = new GuestMemory(TestHost.MEMORY_BYTES)) {
            place.host.store.restore(
                    manifest,
                    (first, count, content) -> NativeMemory.copy(
                            NativeMemory.addressOf(content) + content.position(),
                            memory.pageAddress(first),
                            count * 4096L));
            for (int i = 0; i < disks.size(); i++) {
                FakeDisk disk = disks.get(i);
                place.host.store.restore(
                        manifest,
                        i + 1,
                        (first, count, content) ->
                                disk.fill(first, count, NativeMemory.addressOf(content) + content.position()));
            }
            try (FakeVm restored = new FakeVm(memory, disks, manifest.state())) {
                assertThat(restored.findDamage()).isEmpty();
            }
        }
        place.host.streamer.resume(place.host.streamer.owner());
    }
}
