// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.cloudfakes.metadata.AwsMetadata;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.certs.FleetAuthority;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(90)
class AgentTest {
    private static final ObjectNode NOTHING = Json.MAPPER.createObjectNode();

    @TempDir
    Path directory;

    private TestFleet fleet;

    @BeforeEach
    void start() throws Exception {
        fleet = new TestFleet(directory, "a", "b", "c");
    }

    @AfterEach
    void stop() throws InterruptedException {
        fleet.close();
    }

    @Test
    void aVmIsStartedListedTypedIntoAndRemovedAndItsTapGoesWithIt() throws Exception {
        fleet.start("a");
        fleet.run("a", "web", "");
        JsonNode all = fleet.client.get(fleet.url("a"), "/v1/vms", 10_000);
        assertThat(all).hasSize(1);
        assertThat(all.get(0).get("state").asText()).isEqualTo("RUNNING");
        assertThat(all.get(0).get("epoch").asInt()).isEqualTo(4);
        assertThat(fleet.networks.get("a").taps).containsValue(TestFleet.MAC).hasSize(1);
        TestFleet.await(() -> fleet.networks.get("a").announced.size() == 1, "the announcement");
        assertThat(fleet.flows.flows).containsEntry(TestFleet.MAC, "127.0.0.1");

        byte[] line = "reboot\n".getBytes(StandardCharsets.UTF_8);
        fleet.client.post(
                fleet.url("a"),
                "/v1/vms/web/console",
                Json.MAPPER.createObjectNode().put("base64", line),
                10_000);
        JsonNode console = fleet.client.get(fleet.url("a"), "/v1/vms/web/console?from=0", 10_000);
        assertThat(new String(console.get("base64").binaryValue(), StandardCharsets.UTF_8))
                .isEqualTo("hello from web on a\ntyped: reboot\n");
        JsonNode rest = fleet.client.get(
                fleet.url("a"),
                "/v1/vms/web/console?from=" + console.get("next").asInt(),
                10_000);
        assertThat(rest.get("base64").binaryValue()).isEmpty();

        fleet.client.delete(fleet.url("a"), "/v1/vms/web", 20_000);
        assertThat(fleet.client.get(fleet.url("a"), "/v1/vms", 10_000)).isEmpty();
        assertThat(fleet.networks.get("a").taps).isEmpty();
        assertThat(fleet.flows.flows).isEmpty();
        assertThat(directory.resolve("run-a/vms/web")).doesNotExist();
    }

    @Test
    void anEvacuationMovesTheVmFlipsItsFlowAndFreesTheSource() throws Exception {
        fleet.start("a");
        fleet.start("b");
        fleet.run("a", "web", "");
        fleet.client.post(fleet.url("a"), "/v1/vms/web/evacuate", to("b"), 10_000);
        JsonNode move = fleet.awaitEvacuation("a", "web", "DONE");
        assertThat(move.get("target").asText()).isEqualTo("b");
        assertThat(move.get("report").get("blackoutMs").asInt()).isEqualTo(5);
        assertThat(move.get("noticeToSwitchMs").asLong())
                .isPositive()
                .isLessThanOrEqualTo(move.get("noticeToSourceFreeMs").asLong());
        fleet.awaitState("b", "web", "RUNNING");
        TestFleet.await(() -> fleet.networks.get("b").announced.size() == 1, "the announcement");
        assertThat(fleet.flows.terms).containsExactly(1L, 2L);
        assertThat(fleet.networks.get("b").broadcasts).containsValue(true);
        fleet.awaitState("a", "web", "HANDED_OVER");
        TestFleet.await(() -> fleet.networks.get("a").taps.isEmpty(), "the source's tap to go");
    }

    @Test
    void aVmGoesToAnotherHostAndBackAndTheNewTapIsNotTakenForTheOldOne() throws Exception {
        fleet.start("a");
        fleet.start("b");
        fleet.run("a", "web", "");
        for (String[] move : List.of(new String[] {"a", "b"}, new String[] {"b", "a"}, new String[] {"a", "b"})) {
            fleet.client.post(fleet.url(move[0]), "/v1/vms/web/evacuate", to(move[1]), 10_000);
            fleet.awaitEvacuation(move[0], "web", "DONE");
            fleet.awaitState(move[1], "web", "RUNNING");
            assertThat(fleet.networks.get(move[1]).taps).containsValue(TestFleet.MAC);
        }
        assertThat(fleet.vm("b", "web").get("term").asInt()).isEqualTo(4);
    }

    @Test
    void aNoticeMovesEveryVmInTimeAndTheHostTakesNoNewOnes() throws Exception {
        try (AwsMetadata imds = AwsMetadata.start(InstantSource.system())) {
            fleet.start("a", Optional.of(imds.url()));
            fleet.start("b");
            fleet.run("a", "one", "");
            fleet.run("a", "two", "");
            imds.failNext(request -> request.path().equals(AwsMetadata.ACTION), Fault.status(FakeAnswer.empty(503)));
            TestFleet.await(() -> fleet.events("a").contains("spot-watch-recovered"), "the error, and its end");
            imds.announceTermination(Instant.now().plusSeconds(100));
            fleet.awaitEvacuation("a", "one", "DONE");
            fleet.awaitEvacuation("a", "two", "DONE");
            fleet.awaitState("b", "one", "RUNNING");
            fleet.awaitState("b", "two", "RUNNING");
            assertThat(fleet.events("a"))
                    .containsSubsequence("spot-watch-failed", "spot-watch-recovered", "notice", "evacuation-started")
                    .containsSubsequence("evacuation-prepared", "evacuation-switched", "evacuation-done")
                    .containsOnlyOnce("notice");
            assertThatThrownBy(() -> fleet.run("a", "three", ""))
                    .isInstanceOf(ApiError.class)
                    .hasMessageContaining("choose another host");
        }
    }

    @Test
    void aVmThatIsStillStartingAtTheNoticeIsMovedAsSoonAsItRuns() throws Exception {
        try (AwsMetadata imds = AwsMetadata.start(InstantSource.system())) {
            fleet.start("a", Optional.of(imds.url()));
            fleet.start("b");
            fleet.client.post(fleet.url("a"), "/v1/vms", fleet.spec("web", "slow-start"), 20_000);
            imds.announceTermination(Instant.now().plusSeconds(100));
            JsonNode move = fleet.awaitEvacuation("a", "web", "DONE");
            assertThat(move.get("attempts").asInt()).isEqualTo(1);
            fleet.awaitState("b", "web", "RUNNING");
        }
    }

    @Test
    void anAttemptThatFailsLeavesTheVmRunningAndTheNextTargetIsTried() throws Exception {
        fleet.start("a");
        fleet.start("b");
        fleet.start("c");
        fleet.run("a", "web", "evacuation-fails-to=b");
        fleet.client.post(fleet.url("a"), "/v1/vms/web/evacuate", to("b"), 10_000);
        JsonNode failed = fleet.awaitEvacuation("a", "web", "FAILED");
        Path receiversLog = directory.resolve("run-b/vms/web/vmm.log").toAbsolutePath();
        assertThat(failed.get("message").asText())
                .contains("b")
                .contains("was reset")
                .contains(receiversLog.toString());
        assertThat(fleet.vm("a", "web").get("state").asText()).isEqualTo("RUNNING");
        TestFleet.await(
                () -> fleet.client.get(fleet.url("b"), "/v1/vms", 10_000).isEmpty(), "b's receiver to go");
        TestFleet.await(
                () -> !Files.exists(receiversLog.resolveSibling("vm.json")), "all that b kept but the log to go");
        try (var left = Files.list(receiversLog.getParent())) {
            assertThat(left).containsExactly(receiversLog);
        }

        fleet.client.post(fleet.url("a"), "/v1/vms/web/evacuate", NOTHING, 10_000);
        JsonNode moved = fleet.awaitEvacuation("a", "web", "DONE");
        assertThat(moved.get("target").asText()).isEqualTo("c");
        fleet.awaitState("c", "web", "RUNNING");
    }

    @Test
    void aTargetThatIsAwayIsPassedOver() throws Exception {
        fleet.start("a");
        fleet.start("c");
        fleet.run("a", "web", "");
        fleet.client.post(fleet.url("a"), "/v1/vms/web/evacuate", NOTHING, 10_000);
        assertThat(fleet.awaitEvacuation("a", "web", "DONE").get("target").asText())
                .isEqualTo("c");
    }

    @Test
    void aTargetThatIsDeafCostsAPartOfTheTimeOnly() throws Exception {
        try (ServerSocket deaf = new ServerSocket(fleet.port("b"), 50, InetAddress.getLoopbackAddress())) {
            fleet.start("a");
            fleet.run("a", "web", "");
            long deadlineMillis = System.currentTimeMillis() + 40_000;
            fleet.client.post(
                    fleet.url("a"), "/v1/vms/web/evacuate", to("b").put("deadlineMillis", deadlineMillis), 10_000);
            JsonNode move = fleet.awaitEvacuation("a", "web", "FAILED");
            assertThat(move.get("message").asText()).contains("to b failed", "no connection to " + fleet.url("b"));
            assertThat(System.currentTimeMillis()).isLessThan(deadlineMillis);
            assertThat(deaf.isBound()).isTrue();
            assertThat(fleet.vm("a", "web").get("state").asText()).isEqualTo("RUNNING");
        }
    }

    @Test
    void aVmmThatDiesInAnEvacuationIsReportedAsLostHereWithItsExitCode() throws Exception {
        fleet.start("a");
        fleet.start("b");
        fleet.run("a", "web", "die-when-asked-to-evacuate");
        fleet.client.post(fleet.url("a"), "/v1/vms/web/evacuate", to("b"), 10_000);
        fleet.awaitEvacuation("a", "web", "FAILED");
        JsonNode vm = fleet.awaitState("a", "web", "FAILED");
        assertThat(vm.get("exitCode").asInt()).isEqualTo(7);
    }

    @Test
    void aVmTakesTheSpareProcessWithItsLogAndTheNextOneStartsCold() throws Exception {
        fleet.spareVmm = true;
        Agent agent = fleet.start("a");
        TestFleet.await(() -> agent.vms().hasSpare(), "a spare");
        fleet.run("a", "first", "");
        assertThat(agent.vms().hasSpare()).isFalse();
        assertThat(directory.resolve("run-a/vms/first/vmm.log")).content().contains("was a spare");
        fleet.run("a", "second", "");
        assertThat(directory.resolve("run-a/vms/second/vmm.log")).content().doesNotContain("was a spare");
    }

    @Test
    void aSpareThatHasDiedIsNotGivenToAVm() throws Exception {
        fleet.spareVmm = true;
        Agent agent = fleet.start("a");
        TestFleet.await(() -> agent.vms().hasSpare(), "a spare");
        ProcessHandle spare = spares().get(0);
        spare.destroyForcibly();
        TestFleet.await(() -> !agent.vms().hasSpare(), "the spare's end");
        fleet.run("a", "web", "");
        assertThat(directory.resolve("run-a/vms/web/vmm.log")).content().doesNotContain("was a spare");
    }

    @Test
    void theSpareEndsWithItsAgentAndIsNotStartedWhereItIsNotWanted() throws Exception {
        fleet.start("b");
        fleet.spareVmm = true;
        Agent agent = fleet.start("a");
        TestFleet.await(() -> agent.vms().hasSpare(), "a spare");
        assertThat(spares()).hasSize(1);
        ProcessHandle spare = spares().get(0);
        fleet.stop("a");
        TestFleet.await(() -> !spare.isAlive(), "the spare's end");
        assertThat(directory.resolve("run-b/spare")).doesNotExist();
    }

    private List<ProcessHandle> spares() {
        return ProcessHandle.current()
                .children()
                .filter(child -> commandLine(child).contains(directory + "/run-a/spare/spare.json"))
                .toList();
    }

    /** From proc(5): the JDK's own answer ends after a page, and class paths are longer. */
    private static String commandLine(ProcessHandle process) {
        try {
            return Files.readString(Path.of("/proc/" + process.pid() + "/cmdline"));
        } catch (IOException ended) {
            return "";
        }
    }

    @Test
    void aDeadlineThatIsPastIsRefusedAndTheVmRunsOn() throws Exception {
        fleet.start("a");
        fleet.run("a", "web", "");
        ObjectNode wish = to("b").put("deadlineMillis", System.currentTimeMillis() - 5_000);
        assertThatThrownBy(() -> fleet.client.post(fleet.url("a"), "/v1/vms/web/evacuate", wish, 10_000))
                .isInstanceOf(ApiError.class)
                .hasMessageContaining("already past")
                .hasMessageContaining("runs on");
        assertThat(fleet.vm("a", "web").get("state").asText()).isEqualTo("RUNNING");
    }

    @Test
    void aRestartedAgentFindsItsVmsAgainAndCanStillMoveThem() throws Exception {
        fleet.start("a");
        fleet.run("a", "web", "");
        long pid = fleet.vm("a", "web").get("pid").asLong();
        fleet.stop("a");
        assertThat(ProcessHandle.of(pid)).isPresent();

        fleet.start("a");
        fleet.start("b");
        assertThat(fleet.awaitState("a", "web", "RUNNING").get("pid").asLong()).isEqualTo(pid);
        fleet.client.post(fleet.url("a"), "/v1/vms/web/evacuate", to("b"), 10_000);
        fleet.awaitEvacuation("a", "web", "DONE");
        fleet.awaitState("b", "web", "RUNNING");
    }

    @Test
    void aPeerKnowsTheDescriptionOfAVmWhoseHostIsGoneAndCanRestoreIt() throws Exception {
        fleet.start("a");
        fleet.start("b");
        fleet.run("a", "web", "");
        TestFleet.await(
                () -> {
                    try {
                        ObjectNode wish = Json.MAPPER.createObjectNode().put("storeKey", "file:/elsewhere/key");
                        fleet.client.post(fleet.url("b"), "/v1/vms/web/restore", wish, 10_000);
                        return true;
                    } catch (ApiError notYet) {
                        assertThat(notYet).hasMessageContaining("has no description");
                        return false;
                    }
                },
                "b to know the VM");
        JsonNode restored = fleet.awaitState("b", "web", "RUNNING");
        assertThat(restored.get("mode").asText()).isEqualTo("RESTORE");
        Path vmmConfig = directory.resolve("run-b/vms/web/vmm.json");
        assertThat(Json.readFile(vmmConfig, VmmConfig.class)
                        .store()
                        .orElseThrow()
                        .key())
                .contains("file:/elsewhere/key");
    }

    @Test
    void aVmmThatCannotStartIsReportedWithItsLastWords() throws Exception {
        fleet.start("a");
        fleet.client.post(fleet.url("a"), "/v1/vms", fleet.spec("web", "die-at-start"), 20_000);
        JsonNode vm = fleet.awaitState("a", "web", "FAILED");
        assertThat(vm.get("exitCode").asInt()).isEqualTo(3);
        assertThat(vm.get("message").asText()).contains("exit code 3").contains("the kernel is truncated");
        assertThat(fleet.networks.get("a").taps).isEmpty();
    }

    @Test
    void badWishesAreRefusedBeforeAProcessStarts() throws Exception {
        fleet.start("a");
        String url = fleet.url("a");
        ObjectNode noKernel = fleet.spec("web", "").put("kernel", "/no/such/vmlinuz");
        assertThatThrownBy(() -> fleet.client.post(url, "/v1/vms", noKernel, 10_000))
                .hasMessageContaining("no kernel at /no/such/vmlinuz");
        ObjectNode name = fleet.spec("web", "").put("vmId", "../../etc");
        assertThatThrownBy(() -> fleet.client.post(url, "/v1/vms", name, 10_000))
                .hasMessageContaining("\"vmId\" must match");
        ObjectNode vcpus = fleet.spec("web", "").put("vcpus", 17);
        assertThatThrownBy(() -> fleet.client.post(url, "/v1/vms", vcpus, 10_000))
                .hasMessageContaining("1 to 16");
        ObjectNode unknown = fleet.spec("web", "").put("colour", "red");
        assertThatThrownBy(() -> fleet.client.post(url, "/v1/vms", unknown, 10_000))
                .hasMessageContaining("unknown field \"colour\"");
        assertThat(fleet.client.get(url, "/v1/vms", 10_000)).isEmpty();
        assertThatThrownBy(() -> fleet.client.get(url, "/v1/vms/nobody", 10_000))
                .isInstanceOfSatisfying(
                        ApiError.class, e -> assertThat(e.status()).isEqualTo(404));
    }

    @Test
    void aHostWithoutKvmSaysSo() throws Exception {
        Agent agent = new Agent(
                fleet.config("a", Optional.empty()),
                new VmmLauncher(FakeVmm.class.getName(), List.of()),
                GuestNetwork.NONE,
                directory.resolve("no-kvm"));
        agent.start();
        try {
            assertThatThrownBy(() -> fleet.client.post(fleet.url("a"), "/v1/vms", fleet.spec("web", ""), 10_000))
                    .isInstanceOfSatisfying(
                            ApiError.class, e -> assertThat(e.status()).isEqualTo(503))
                    .hasMessageContaining("offers no KVM");
        } finally {
            agent.close();
        }
    }

    @Test
    void aPortInUseIsNamed() {
        fleet.start("a");
        assertThatThrownBy(() -> fleet.start("a"))
                .isInstanceOfSatisfying(
                        ControlException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.MISSING))
                .hasMessageContaining("cannot listen on 127.0.0.1:")
                .hasMessageContaining("ss -ltnp");
    }

    @Test
    void aClientOfAnotherAuthorityIsRefusedAndSoIsAnAgentOfOne() throws Exception {
        fleet.start("a");
        FleetAuthority stranger = FleetAuthority.openOrCreate(directory.resolve("stranger"));
        ApiClient strangersClient = new ApiClient(FleetTls.read(stranger.issue("client", List.of())));
        assertThatThrownBy(() -> strangersClient.get(fleet.url("a"), "/v1/vms", 10_000))
                .isInstanceOfSatisfying(
                        ControlException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.NOT_TRUSTED))
                .hasMessageContaining("same fleet authority");

        // It trusts our authority, but shows a certificate of its own: the agent must be the one that refuses.
        Files.copy(directory.resolve("tls/ca.crt"), directory.resolve("trusting.crt"));
        ApiClient halfStranger = new ApiClient(FleetTls.read(new dev.lifeboat.vmm.VmmConfig.Tls(
                directory.resolve("trusting.crt").toString(),
                directory.resolve("stranger/client.crt").toString(),
                directory.resolve("stranger/client.key").toString())));
        assertThatThrownBy(() -> halfStranger.get(fleet.url("a"), "/v1/vms", 10_000))
                .isInstanceOfSatisfying(
                        ControlException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.NOT_TRUSTED));
    }

    private static ObjectNode to(String host) {
        return Json.MAPPER.createObjectNode().put("target", host);
    }
}
