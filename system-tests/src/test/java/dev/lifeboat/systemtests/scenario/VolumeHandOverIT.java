// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.agent.VmSpec;
import dev.lifeboat.systemtests.fabric.EmulatedFabric;
import dev.lifeboat.systemtests.load.LoadReport;
import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The store of a VM is on a disk that is unplugged from one emulated host and plugged into the next while the VM moves. */
@ExtendWith(SharedFabric.class)
@OnRealKvm
final class VolumeHandOverIT {

    private static final String MOUNT_POINT = "/mnt/volume";
    private static final long DISK_BYTES = 1L << 30;
    private static final int OPERATIONS_PER_SECOND = 40;
    private static final int KEYS = 200;
    private static final int EPOCHS = 2;
    private static final int NUMBER = 51;
    private static final int LOOKED_AT_BYTES = 64 << 20;
    private static final Duration LOOK_LIMIT = Duration.ofSeconds(20);

    /** Of this test only: disks are not kept with the machines' logs. */
    @TempDir
    Path folder;

    private Path disk(String volume) throws IOException {
        Path disk = folder.resolve(volume + ".img");
        try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
            file.setLength(DISK_BYTES);
        }
        SharedFabric.get().volumes().add(volume, disk);
        return disk;
    }

    /** Owner records are in the fabric's S3 store: only one host at a time has the disk. */
    private static VmSpec onVolume(VmSpec spec, String volume) {
        VmmConfig.Store store = new VmmConfig.Store(
                "dir:" + MOUNT_POINT + "/store",
                Optional.of("http://10.77.0.1:9000"),
                Optional.of("us-east-1"),
                Optional.empty(),
                Optional.of(new VmmConfig.Volume(volume, null, MOUNT_POINT, null, true)));
        return new VmSpec(
                spec.vmId(),
                spec.memoryMiB(),
                spec.vcpus(),
                spec.kernel(),
                spec.initrd(),
                spec.commandLine(),
                spec.mac(),
                spec.disks(),
                spec.epochIntervalMs(),
                spec.lifeboat(),
                spec.storeKey(),
                new VmmConfig.Owners(Optional.of("s3://lifeboat/volume-owners"), VmmConfig.Ownership.STRICT, 0),
                Optional.of(store),
                spec.hooks(),
                spec.cpuProfile());
    }

    @Test
    void theDiskMovesAheadOfItsVmWhichFillsFromItAndStreamsOnToIt() throws Exception {
        EmulatedFabric fabric = SharedFabric.get();
        disk("vol-move");
        String vm = "on-volume";
        try (ScenarioVms vms = new ScenarioVms(fabric)) {
            vms.start("host-a", onVolume(ScenarioVms.redis(vm, NUMBER, 256), "vol-move"));
            vms.awaitConsole("host-a", vm, "lifeboat-redis: ready");
            vms.startLoad(NUMBER, OPERATIONS_PER_SECOND, KEYS);
            vms.awaitEpochs("host-a", vm, EPOCHS);
            for (String[] move : new String[][] {{"host-a", "host-b"}, {"host-b", "host-a"}}) {
                JsonNode report = vms.move(vm, move[0], move[1]);
                assertThat(report.path("hydratedFromEpoch").asLong())
                        .as("filled from the disk: %s", report)
                        .isPositive();
                JsonNode volume = fabric.agent(move[0]).evacuation(vm).path("volume");
                assertThat(volume.path("state").asText()).as(volume.toString()).isEqualTo("THERE");
                assertThat(fabric.machine(move[0]).has("vol-move")).isFalse();
                assertThat(fabric.machine(move[1]).has("vol-move")).isTrue();
                assertThat(mounts(move[0])).isEmpty();
                assertThat(mounts(move[1])).contains(MOUNT_POINT + " ext4");
                vms.awaitEpochs(move[1], vm, EPOCHS);
                System.out.println(String.format(
                        Locale.ROOT,
                        "volume handed over from %s to %s in %d ms; the target filled from epoch %d in %.0f ms",
                        move[0],
                        move[1],
                        volume.path("handOverMs").asLong(),
                        report.path("hydratedFromEpoch").asLong(),
                        report.path("hydrateMs").asDouble()));
            }
            assertThat(fabric.volumes().moves().stream().filter(move -> move.contains("vol-move")))
                    .containsExactly(
                            "plug vol-move host-a",
                            "unplug vol-move host-a",
                            "plug vol-move host-b",
                            "unplug vol-move host-b",
                            "plug vol-move host-a");
            LoadReport load = vms.finishLoad();
            assertThat(load.errors()).as(load.firstError()).isZero();
            assertThat(load.lostWrites()).isZero();
            vms.remove("host-a", vm);
            ScenarioVms.await(
                    "the disk of a removed VM to be free",
                    LOOK_LIMIT,
                    () -> !fabric.machine("host-a").has("vol-move"));
        }
    }

    @Test
    void aDiskWithForeignDataIsRefusedInOneLineAndStaysAsItWas() throws Exception {
        EmulatedFabric fabric = SharedFabric.get();
        Path disk = disk("vol-foreign");
        byte[] mark = "XFSB".getBytes(StandardCharsets.US_ASCII);
        try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
            file.write(mark);
        }
        VmSpec spec = onVolume(ScenarioVms.redis("foreign", NUMBER + 1, 128), "vol-foreign");
        assertThatThrownBy(() -> fabric.agent("host-a").run(spec))
                .hasMessageContaining("cannot use volume vol-foreign")
                .hasMessageContaining("holds an XFS file system; nothing was written")
                .hasMessageNotContaining("\n");
        assertThat(mounts("host-a")).isEmpty();
        assertThat(fabric.machine("host-a").has("vol-foreign")).isFalse();
        byte[] start = new byte[LOOKED_AT_BYTES];
        try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "r")) {
            file.readFully(start);
        }
        byte[] expected = new byte[LOOKED_AT_BYTES];
        System.arraycopy(mark, 0, expected, 0, mark.length);
        assertThat(Arrays.mismatch(start, expected))
                .as("first byte that was changed")
                .isEqualTo(-1);
    }

    private static String mounts(String host) throws IOException {
        return SharedFabric.get()
                .machine(host)
                .exec("grep ' " + MOUNT_POINT + " ' /proc/mounts || true", LOOK_LIMIT)
                .output();
    }
}
