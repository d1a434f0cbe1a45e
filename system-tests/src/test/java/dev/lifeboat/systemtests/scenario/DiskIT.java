// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.agent.VmSpec;
import dev.lifeboat.systemtests.fabric.EmulatedFabric;
import dev.lifeboat.systemtests.fabric.HostAgent;
import dev.lifeboat.systemtests.load.NumberedCommits;
import dev.lifeboat.systemtests.machine.ExecResult;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** A database on a writable disk goes where its VM goes: memory and disk of one cut, the base image from the store. */
@ExtendWith(SharedFabric.class)
@OnRealKvm
final class DiskIT {

    private static final Duration RESTORE_LIMIT = Duration.ofSeconds(400);
    private static final Duration CLIENT_LIMIT = Duration.ofSeconds(600);
    private static final String VM = "database";
    private static final int NUMBER = 41;
    private static final int PGBENCH_PER_SECOND = 4;
    private static final int BEFORE_THE_EPOCH = 40;
    private static final int IN_ALL = 60;

    @TempDir
    Path folder;

    private EmulatedFabric fabric;

    @Test
    void aDatabaseCutOffInTheMiddleOfItsWorkIsWholeOnTheNextHost() throws Exception {
        fabric = SharedFabric.get();
        HostAgent hostA = fabric.agent("host-a");
        HostAgent hostB = fabric.agent("host-b");
        try (ScenarioVms vms = new ScenarioVms(fabric)) {
            VmSpec spec = ScenarioVms.postgres(VM, NUMBER, PGBENCH_PER_SECOND);
            vms.start("host-a", spec);
            vms.awaitConsole("host-a", VM, "lifeboat-postgres: ready");
            client("write", 0, BEFORE_THE_EPOCH);
            long epoch = hostA.forceEpoch(VM).path("epoch").asLong();
            client("write", BEFORE_THE_EPOCH, IN_ALL);

            fabric.underlay().setPlugged(fabric.port("host-a"), false);
            Path description = Files.write(folder.resolve(VM + ".json"), Json.MAPPER.writeValueAsBytes(spec));
            LifeboatCommand.Said restored = LifeboatCommand.trusted(folder, "host-b")
                    .run(RESTORE_LIMIT, "restore", VM, "--spec", description.toString());
            assertThat(restored.exitCode()).as(restored.errors()).isZero();
            JsonNode status = hostB.status(VM);
            assertThat(status.path("epoch").asLong()).isGreaterThanOrEqualTo(epoch);
            String running = client("check", 0, BEFORE_THE_EPOCH, IN_ALL);
            assertThat(running).contains("lost=0").contains("strange=0").contains("balances=equal");
            // Equal balances say something only when there was work to unbalance them.
            assertThat(running).doesNotContain("pgbench=0 ");
            // What is on the disk alone is a database, too: the server is killed, and memory forgets the disk.
            String crashed = client("crash-check");
            assertThat(crashed).contains("recovered").contains("amcheck clean");
            String recovered = client("check", 0, BEFORE_THE_EPOCH, IN_ALL);
            assertThat(recovered).contains("lost=0").contains("strange=0").contains("balances=equal");
            System.out.println(String.format(
                    Locale.ROOT,
                    "database cut off without notice: recovery point %d ms before the restored VM ran; %s; %s; %s",
                    status.path("recoveryPointMs").asLong(),
                    running.strip(),
                    crashed.strip(),
                    recovered.strip()));
        }
    }

    private String client(String what, Object... arguments) throws IOException {
        StringBuilder command = new StringBuilder(
                "java " + NumberedCommits.class.getName() + " " + what + " " + EmulatedFabric.guestAddress(NUMBER));
        for (Object argument : arguments) {
            command.append(' ').append(argument);
        }
        ExecResult result = fabric.machine("client").exec(command.toString(), CLIENT_LIMIT);
        assertThat(result.exitCode()).as(result.output()).isZero();
        return result.output();
    }
}
