// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.machine;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** QEMU's control socket: greeting, capabilities, then one command and its answer at a time. */
final class Qmp implements AutoCloseable {

    private static final Duration LIMIT = Duration.ofSeconds(5);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final UnixLine line;

    private Qmp(UnixLine line) {
        this.line = line;
    }

    static Qmp connect(Path socket) throws IOException {
        Qmp qmp = new Qmp(UnixLine.connect(socket));
        try {
            qmp.read("QMP");
            qmp.execute("qmp_capabilities");
            return qmp;
        } catch (IOException | RuntimeException e) {
            qmp.close();
            throw e;
        }
    }

    JsonNode execute(String command) throws IOException {
        line.write("{\"execute\":\"" + command + "\"}\n", LIMIT);
        return read("return");
    }

    /** Skips events until an object with the wanted member comes. */
    private JsonNode read(String member) throws IOException {
        long deadlineNs = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            String text = line.readLine(deadlineNs);
            if (text == null) {
                throw new IOException("QEMU's control socket did not answer in " + LIMIT.toSeconds() + " s");
            }
            JsonNode message = JSON.readTree(text);
            if (message.has("error")) {
                throw new IOException("QEMU refused a command: " + message.get("error"));
            }
            if (message.has(member)) {
                return message.get(member);
            }
        }
    }

    @Override
    public void close() throws IOException {
        line.close();
    }
}
