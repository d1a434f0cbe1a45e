// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.machine;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** QEMU's control socket: greeting, capabilities, then one command and its answer at a time; events in between are kept. */
final class Qmp implements AutoCloseable {

    private static final Duration LIMIT = Duration.ofSeconds(5);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final UnixLine line;
    private final List<JsonNode> events = new ArrayList<>();

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
        return execute(command, JSON.createObjectNode());
    }

    JsonNode execute(String command, ObjectNode arguments) throws IOException {
        ObjectNode order = JSON.createObjectNode().put("execute", command);
        if (!arguments.isEmpty()) {
            order.set("arguments", arguments);
        }
        line.write(order + "\n", LIMIT);
        return read("return");
    }

    static ObjectNode arguments() {
        return JSON.createObjectNode();
    }

    /** Keeps events until an object with the wanted member comes. */
    private JsonNode read(String member) throws IOException {
        long deadlineNs = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            JsonNode message = next(deadlineNs);
            if (message.has("error")) {
                throw new IOException("QEMU refused a command: " + message.get("error"));
            }
            if (message.has(member)) {
                return message.get(member);
            }
            events.add(message);
        }
    }

    private JsonNode next(long deadlineNs) throws IOException {
        String text = line.readLine(deadlineNs);
        if (text == null) {
            throw new IOException("QEMU's control socket did not answer in time");
        }
        return JSON.readTree(text);
    }

    /** Waits until a device that was ordered away has really gone, which the guest must have agreed to. */
    void awaitDeviceDeleted(String id, Duration limit) throws IOException {
        long deadlineNs = System.nanoTime() + limit.toNanos();
        while (events.stream().noneMatch(event -> isDeletion(event, id))) {
            events.add(next(deadlineNs));
        }
    }

    private static boolean isDeletion(JsonNode event, String id) {
        return event.path("event").asText().equals("DEVICE_DELETED")
                && event.path("data").path("device").asText().equals(id);
    }

    @Override
    public void close() throws IOException {
        line.close();
    }
}
