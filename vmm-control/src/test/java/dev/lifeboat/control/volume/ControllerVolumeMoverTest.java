// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.volume;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class ControllerVolumeMoverTest {
    private static final VmmConfig.Volume VOLUME = new VmmConfig.Volume("vol-1", "serial-1", "/mnt/v", null, false);

    private final List<String> asked = new CopyOnWriteArrayList<>();
    private volatile int status = 200;
    private volatile String answer = "{}";
    private HttpServer server;
    private VolumeMover mover;

    @BeforeEach
    void serve() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 4);
        server.createContext("/", exchange -> {
            try (exchange) {
                asked.add(exchange.getRequestMethod() + " " + exchange.getRequestURI() + " "
                        + new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
                byte[] body = answer.getBytes(StandardCharsets.UTF_8);
                exchange.sendResponseHeaders(status, body.length);
                exchange.getResponseBody().write(body);
            }
        });
        server.start();
        mover = new ControllerVolumeMover(
                "http://127.0.0.1:" + server.getAddress().getPort() + "/volumes/", "host-a", null);
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    @Test
    void eachWishIsOnePostAndTheAnswerNamesTheSerialNumberOfTheDisk() {
        String body = "{\"volume\":\"vol-1\",\"serial\":\"serial-1\",\"host\":\"host-a\"}";
        assertThat(mover.attach(VOLUME, 5_000)).isEqualTo("serial-1");
        answer = "{\"serial\":\"nvme-7\"}";
        assertThat(mover.attach(VOLUME, 5_000)).isEqualTo("nvme-7");
        mover.detach(VOLUME, 5_000);
        mover.detachElsewhere(VOLUME, 5_000);
        assertThat(asked)
                .containsExactly(
                        "POST /volumes/attach " + body,
                        "POST /volumes/attach " + body,
                        "POST /volumes/detach " + body,
                        "POST /volumes/detach-elsewhere " + body);
    }

    @Test
    void aRefusalSaysWhatWasWantedAndWhy() {
        status = 409;
        answer = "host-b has it";
        assertThatThrownBy(() -> mover.attach(VOLUME, 5_000))
                .isInstanceOf(ControlException.class)
                .hasMessageContaining("cannot attach volume vol-1")
                .hasMessageContaining("409: host-b has it");
    }

    @Test
    void nobodyThereIsSaidInOneLine() {
        server.stop(0);
        assertThatThrownBy(() -> mover.detach(VOLUME, 1_000))
                .isInstanceOf(ControlException.class)
                .hasMessageContaining("cannot detach volume vol-1");
    }
}
