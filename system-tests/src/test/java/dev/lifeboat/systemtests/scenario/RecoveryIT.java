// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.agent.VmSpec;
import dev.lifeboat.systemtests.fabric.EmulatedFabric;
import dev.lifeboat.systemtests.fabric.HostAgent;
import dev.lifeboat.systemtests.load.NumberedWrites;
import dev.lifeboat.systemtests.machine.ExecResult;
import dev.lifeboat.systemtests.scenario.LifeboatCommand.Said;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What the store is for: a VM goes on without its host. */
@ExtendWith(SharedFabric.class)
@OnRealKvm
final class RecoveryIT {

    private static final Duration RESTORE_LIMIT = Duration.ofSeconds(400);
    private static final Duration CLIENT_LIMIT = Duration.ofSeconds(240);
    private static final String VM = "cut-off";
    private static final int NUMBER = 21;
    private static final int KEYS = 400;
    /** Every key twice before the epoch: the older value, were it to come back, is a failure too. */
    private static final int BEFORE_THE_EPOCH = 2 * KEYS;

    private static final int IN_ALL = BEFORE_THE_EPOCH + KEYS / 2;

    @TempDir
    Path folder;

    private EmulatedFabric fabric;

    @Test
    void aHostCutOffWithoutNoticeLosesNothingThatAnEpochHolds() throws Exception {
        fabric = SharedFabric.get();
        HostAgent hostA = fabric.agent("host-a");
        HostAgent hostB = fabric.agent("host-b");
        try (ScenarioVms vms = new ScenarioVms(fabric)) {
            VmSpec spec = ScenarioVms.redis(VM, NUMBER, 512);
            vms.start("host-a", spec);
            vms.awaitConsole("host-a", VM, "lifeboat-redis: ready");
            vms.awaitEpochs("host-a", VM, 2);
            client("write", 0, BEFORE_THE_EPOCH);
            long epoch = hostA.forceEpoch(VM).path("epoch").asLong();
            client("write", BEFORE_THE_EPOCH, IN_ALL);

            fabric.underlay().setPlugged(fabric.port("host-a"), false);
            long cutAtMs = System.currentTimeMillis();
            Said restored = LifeboatCommand.trusted(folder, "host-b")
                    .run(
                            RESTORE_LIMIT,
                            "restore",
                            VM,
                            "--spec",
                            description(spec).toString());
            assertThat(restored.exitCode()).as(restored.errors()).isZero();
            assertThat(restored.errors()).isEmpty();
            assertThat(Json.MAPPER.readTree(restored.output()).path("state").asText())
                    .isEqualTo("RUNNING");
            long outageMs = System.currentTimeMillis() - cutAtMs;
            JsonNode status = hostB.status(VM);
            assertThat(status.path("mode").asText()).isEqualTo("RESTORE");
            assertThat(status.path("term").asLong()).isEqualTo(2);
            assertThat(status.path("epoch").asLong()).isGreaterThanOrEqualTo(epoch);
            // The epoch was cut before the cable was, and the VM runs now.
            assertThat(status.path("recoveryPointMs").asLong(-1)).isPositive();
            String kept = client("check", BEFORE_THE_EPOCH, IN_ALL);
            assertThat(kept).contains("kept=" + KEYS + " lost=0 wrong=0");
            System.out.println(String.format(
                    Locale.ROOT,
                    "recovery without notice: the epoch was cut %d ms before the restored VM ran, the host was cut off"
                            + " %d ms before; numbered writes 0 to %d: %s",
                    status.path("recoveryPointMs").asLong(),
                    outageMs,
                    IN_ALL - 1,
                    kept));

            // It is protected again where it runs now, and needs nothing of its old host.
            assertThat(hostB.forceEpoch(VM).path("epoch").asLong()).isGreaterThan(epoch);
            fabric.powerOff("host-a");
            assertThat(client("check", BEFORE_THE_EPOCH, IN_ALL)).contains("kept=" + KEYS + " lost=0 wrong=0");
        }
    }

    /** As a user gives it to a host that has never heard of the VM. */
    private Path description(VmSpec spec) throws IOException {
        return Files.write(folder.resolve(VM + ".json"), Json.MAPPER.writeValueAsBytes(spec));
    }

    /** A new connection from the client machine each time; its answer. */
    private String client(String what, int first, int second) throws IOException {
        ExecResult result = fabric.machine("client")
                .exec(
                        "java " + NumberedWrites.class.getName() + " " + what + " "
                                + EmulatedFabric.guestAddress(NUMBER) + " 6379 " + KEYS + " " + first + " " + second,
                        CLIENT_LIMIT);
        assertThat(result.exitCode()).as(result.output()).isZero();
        return result.output();
    }
}
