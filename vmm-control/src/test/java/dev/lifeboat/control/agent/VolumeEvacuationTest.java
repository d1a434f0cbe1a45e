// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A VM moves between agents, and the volume of its store with it, ahead of it, after it, or back. */
@Timeout(90)
class VolumeEvacuationTest {
    private static final String VOLUME = "vol-1";

    @TempDir
    Path directory;

    private TestFleet fleet;

    @BeforeEach
    void start() throws Exception {
        fleet = new TestFleet(directory, "a", "b");
        fleet.start("a");
        fleet.start("b");
    }

    @AfterEach
    void stop() throws InterruptedException {
        fleet.close();
    }

    private ObjectNode spec(String vmId, String commandLine) {
        Path mountPoint = directory.resolve("volume");
        VmmConfig.Volume volume = new VmmConfig.Volume(VOLUME, null, mountPoint.toString(), null, true);
        VmmConfig.Store store = new VmmConfig.Store(
                "dir:" + mountPoint.resolve("store"),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.of(volume));
        ObjectNode spec = fleet.spec(vmId, commandLine);
        spec.set("store", Json.MAPPER.valueToTree(store));
        VmmConfig.Owners owners = new VmmConfig.Owners(
                Optional.of("dir:" + directory.resolve("registry")), VmmConfig.Ownership.STRICT, 0);
        spec.set("owners", Json.MAPPER.valueToTree(owners));
        return spec;
    }

    private void run(String commandLine) throws InterruptedException {
        fleet.client.post(fleet.url("a"), "/v1/vms", spec("web", commandLine), 20_000);
        fleet.awaitState("a", "web", "RUNNING");
        assertThat(fleet.volumes.steps()).containsExactly("attach a", "mount a");
    }

    private JsonNode evacuate(String end, long withinMs) throws InterruptedException {
        ObjectNode wish = Json.MAPPER.createObjectNode().put("target", "b");
        wish.put("deadlineMillis", System.currentTimeMillis() + withinMs);
        fleet.client.post(fleet.url("a"), "/v1/vms/web/evacuate", wish, 10_000);
        return fleet.awaitEvacuation("a", "web", end);
    }

    private void assertTogetherOn(String host) {
        assertThat(fleet.volumes.holder(VOLUME)).hasValue(host);
        assertThat(fleet.volumes.isMounted(VOLUME, host)).isTrue();
        assertThat(fleet.vm(host, "web").get("storeIsHere").asBoolean()).isTrue();
        assertThat(fleet.vm(host, "web").get("state").asText()).isEqualTo("RUNNING");
    }

    @Test
    void theVolumeGoesAheadOfItsVm() throws Exception {
        run("");
        JsonNode move = evacuate("DONE", 60_000);
        assertThat(fleet.volumes.steps())
                .containsExactly("attach a", "mount a", "unmount a", "detach a", "attach b", "mount b");
        assertThat(move.get("report").get("storeWasHere").asBoolean()).isFalse();
        assertThat(move.get("volume").get("state").asText()).isEqualTo("THERE");
        assertThat(move.get("volume").get("handOverMs").asLong()).isNotNegative();
        assertThat(fleet.events("a"))
                .containsSubsequence("evacuation-prepared", "volume-handed-over", "evacuation-switched");
        fleet.awaitState("b", "web", "RUNNING");
        assertTogetherOn("b");
        // The end of the source's process, which lets go of what it has, takes nothing from the new owner.
        TestFleet.await(() -> fleet.networks.get("a").taps.isEmpty(), "the source's process to end and its tap to go");
        assertTogetherOn("b");
    }

    @ParameterizedTest
    @ValueSource(strings = {"unmount a", "detach a", "attach b", "mount b"})
    void aVolumeThatCannotGoAheadFollowsItsVm(String step) throws Exception {
        run("");
        fleet.volumes.fail(step, 1);
        JsonNode move = evacuate("DONE", 60_000);
        assertThat(fleet.volumes.steps()).contains(step + " fails", step);
        assertThat(fleet.events("a")).containsSubsequence("volume-late", "evacuation-switched", "volume-followed");
        assertThat(move.get("volume").get("state").asText()).isEqualTo("THERE");
        assertTogetherOn("b");
    }

    @ParameterizedTest
    @ValueSource(strings = {"release-fails", "take-fails-on=b"})
    void aProcessThatDoesNotGiveOrTakeItsStoreMovesAllTheSameAndTheVolumeFollows(String words) throws Exception {
        run(words);
        evacuate("DONE", 60_000);
        assertThat(fleet.events("a")).containsSubsequence("volume-late", "evacuation-switched", "volume-followed");
        assertTogetherOn("b");
    }

    @Test
    void withTooLittleTimeForTheVolumeTheVmGoesFirst() throws Exception {
        run("");
        JsonNode move = evacuate("DONE", 7_000);
        assertThat(fleet.events("a")).containsSubsequence("evacuation-switched", "volume-followed");
        assertThat(move.get("report").get("storeWasHere").asBoolean()).isTrue();
        assertTogetherOn("b");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "unmount a",
                "detach a",
                "attach b",
                "mount b",
                "unmount b",
                "detach b",
                "attach a",
                "mount a"
            })
    void aMoveThatFailsEndsWithVmAndVolumeTogetherOnTheSource(String step) throws Exception {
        run("evacuation-fails-to=b");
        if (!step.isEmpty()) {
            fleet.volumes.fail(step, 1);
        }
        JsonNode move = evacuate("FAILED", 60_000);
        assertThat(move.get("message").asText()).contains("was reset");
        assertThat(fleet.events("a")).contains("volume-back");
        assertThat(move.get("volume").get("state").asText()).isEqualTo("HERE");
        assertTogetherOn("a");
    }

    @Test
    void aTargetThatDoesNotGiveTheVolumeBackLosesIt() throws Exception {
        run("evacuation-fails-to=b");
        fleet.volumes.fail("unmount b", 1_000);
        evacuate("FAILED", 60_000);
        assertThat(fleet.volumes.steps()).containsSubsequence("unmount b fails", "fence b", "attach a", "mount a");
        assertThat(fleet.events("a")).contains("volume-fenced", "volume-back");
        assertTogetherOn("a");
    }

    @Test
    void aHostThatRunsTheVmDoesNotGiveItsVolume() throws Exception {
        run("");
        ObjectNode wish = Json.MAPPER.createObjectNode().put("limitMs", 5_000);
        wish.set("volume", spec("web", "").path("store").path("volume"));
        assertThatThrownBy(() -> fleet.client.post(fleet.url("a"), "/v1/vms/web/volume/give", wish, 10_000))
                .isInstanceOfSatisfying(
                        ApiError.class, e -> assertThat(e.status()).isEqualTo(409));
        assertTogetherOn("a");
    }

    @Test
    void aVolumeServesOneVm() throws Exception {
        run("");
        assertThatThrownBy(() -> fleet.client.post(fleet.url("a"), "/v1/vms", spec("mail", ""), 20_000))
                .hasMessageContaining("vol-1")
                .hasMessageContaining("in use by VM web")
                .hasMessageContaining("a volume serves one VM");
    }

    @Test
    void aVolumeThatCannotBeMountedStaysFree() {
        fleet.volumes.fail("mount a", 1);
        assertThatThrownBy(() -> fleet.client.post(fleet.url("a"), "/v1/vms", spec("web", ""), 20_000))
                .hasMessageContaining("mount a does not work");
        assertThat(fleet.volumes.holder(VOLUME)).isEmpty();
        assertThat(fleet.client.get(fleet.url("a"), "/v1/vms", 10_000)).isEmpty();
    }

    @Test
    void aVmThatIsRemovedLetsItsVolumeGo() throws Exception {
        run("");
        fleet.client.delete(fleet.url("a"), "/v1/vms/web", 20_000);
        TestFleet.await(() -> fleet.volumes.holder(VOLUME).isEmpty(), "the volume to be free");
        assertThat(fleet.volumes.steps()).containsExactly("attach a", "mount a", "unmount a", "detach a");
    }
}
