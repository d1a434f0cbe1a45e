// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class ControlSocketTest {
    private static final ObjectNode NOTHING = Json.MAPPER.createObjectNode();

    @TempDir
    Path directory;

    @Test
    void commandsAreAnsweredInOrderOnOneConnection() throws Exception {
        try (ControlSocket socket =
                        open(Map.of("double", n -> number(2 * n.get("value").asInt())));
                ControlClient client = ControlClient.connect(path())) {
            for (int i = 0; i < 100; i++) {
                assertThat(client.call("double", number(i), 5_000).get("value").asInt())
                        .isEqualTo(2 * i);
            }
        }
    }

    @Test
    void whatAHandlerThrowsBecomesTheErrorAndTheConnectionStaysUsable() throws Exception {
        Function<JsonNode, JsonNode> failing = n -> {
            throw new IllegalStateException("the VM is paused");
        };
        try (ControlSocket socket = open(Map.of("epoch", failing, "status", n -> number(1)));
                ControlClient client = ControlClient.connect(path())) {
            assertThatThrownBy(() -> client.call("epoch", NOTHING, 5_000))
                    .isInstanceOf(ControlClient.Refused.class)
                    .hasMessage("the VM is paused");
            assertThatThrownBy(() -> client.call("fly", NOTHING, 5_000)).hasMessageContaining("\"fly\"");
            assertThat(client.call("status", NOTHING, 5_000).get("value").asInt())
                    .isEqualTo(1);
        }
    }

    @Test
    void statusAnswersOnASecondConnectionWhileALongCommandRuns() throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        Function<JsonNode, JsonNode> evacuate = n -> {
            try {
                assertThat(release.await(20, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            return number(7);
        };
        try (ControlSocket socket = open(Map.of("evacuate", evacuate, "status", n -> number(1)))) {
            CopyOnWriteArrayList<Integer> result = new CopyOnWriteArrayList<>();
            Thread caller = new Thread(() -> {
                try {
                    result.add(ControlClient.once(path(), "evacuate", NOTHING, 20_000)
                            .get("value")
                            .asInt());
                } catch (IOException | ControlClient.Refused e) {
                    throw new IllegalStateException(e);
                }
            });
            caller.start();
            assertThat(ControlClient.once(path(), "status", NOTHING, 5_000)
                            .get("value")
                            .asInt())
                    .isEqualTo(1);
            assertThat(result).isEmpty();
            release.countDown();
            caller.join(10_000);
            assertThat(result).containsExactly(7);
        }
    }

    @Test
    void aListenerGetsEveryEventInOrderIncludingTheLastOneBeforeTheSocketCloses() throws Exception {
        List<Integer> seen = new CopyOnWriteArrayList<>();
        CountDownLatch subscribed = new CountDownLatch(1);
        ControlSocket socket = open(Map.of());
        Thread listener = new Thread(() -> {
            try (ControlClient client = ControlClient.connect(path())) {
                client.listen(
                        (event, data) -> {
                            seen.add(data.get("value").asInt());
                            subscribed.countDown();
                        },
                        20_000);
            } catch (IOException | ControlClient.Refused end) {
                subscribed.countDown();
            }
        });
        listener.start();
        while (subscribed.getCount() > 0 && listener.isAlive()) {
            socket.publish("state", number(-1));
            subscribed.await(10, TimeUnit.MILLISECONDS);
        }
        for (int i = 0; i < 50; i++) {
            socket.publish("state", number(i));
        }
        socket.close();
        listener.join(10_000);
        List<Integer> numbered = seen.stream().filter(n -> n >= 0).toList();
        assertThat(numbered).hasSize(50).isSorted();
    }

    @Test
    void anAnswerThatDoesNotComeInTimeIsAnErrorNotAHang() throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        Function<JsonNode, JsonNode> stuck = n -> {
            try {
                release.await(20, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            return number(0);
        };
        try (ControlSocket socket = open(Map.of("status", stuck))) {
            assertThatThrownBy(() -> ControlClient.once(path(), "status", NOTHING, 100))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("in time");
            release.countDown();
        }
    }

    @Test
    void theSocketIsForItsOwnerOnlyIsRefusedTwiceAndReplacesADeadOne() throws Exception {
        try (ControlSocket socket = open(Map.of())) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path())))
                    .isEqualTo("rw-------");
            assertThatThrownBy(() -> open(Map.of())).hasMessageContaining("another process");
        }
        assertThat(path()).doesNotExist();
        try (var dead = java.nio.channels.ServerSocketChannel.open(java.net.StandardProtocolFamily.UNIX)) {
            dead.bind(java.net.UnixDomainSocketAddress.of(path()));
        }
        assertThat(path()).exists();
        try (ControlSocket socket = open(Map.of("status", n -> number(3)))) {
            assertThat(ControlClient.once(path(), "status", NOTHING, 5_000)
                            .get("value")
                            .asInt())
                    .isEqualTo(3);
        }
    }

    private ControlSocket open(Map<String, Function<JsonNode, JsonNode>> commands) throws IOException {
        return ControlSocket.open(path(), commands);
    }

    private Path path() {
        return directory.resolve("vmm.sock");
    }

    private static JsonNode number(int value) {
        return Json.MAPPER.createObjectNode().put("value", value);
    }
}
