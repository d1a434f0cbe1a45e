// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;

/**
 * One connection to a {@code vmm}'s {@link ControlSocket}. Used by one thread at a time; every wait has a limit. Any
 * thread may {@link #close} it, which ends a wait.
 */
public final class ControlClient implements AutoCloseable {
    private final Path path;
    private final SocketChannel channel;
    private final Selector selector;
    private final ByteBuffer input = ByteBuffer.allocate(8192).limit(0);
    private final ByteArrayOutputStream line = new ByteArrayOutputStream(256);
    private long lastId;

    private ControlClient(Path path, SocketChannel channel, Selector selector) {
        this.path = path;
        this.channel = channel;
        this.selector = selector;
    }

    /** @throws IOException when nobody listens there */
    public static ControlClient connect(Path path) throws IOException {
        SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(path));
        try {
            channel.configureBlocking(false);
            Selector selector = Selector.open();
            try {
                channel.register(selector, SelectionKey.OP_READ);
            } catch (IOException e) {
                selector.close();
                throw e;
            }
            return new ControlClient(path, channel, selector);
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    /** Connects, runs one command and leaves. */
    public static JsonNode once(Path path, String command, JsonNode arguments, long timeoutMs)
            throws IOException, Refused {
        try (ControlClient client = connect(path)) {
            return client.call(command, arguments, timeoutMs);
        }
    }

    /**
     * Runs one command.
     *
     * @return the result
     * @throws Refused when the {@code vmm} answers with an error
     * @throws IOException when the connection ends or the answer does not come in time; the connection is then of no
     *     more use
     */
    public JsonNode call(String command, JsonNode arguments, long timeoutMs) throws IOException, Refused {
        long limitNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs);
        ObjectNode request = Json.MAPPER.createObjectNode();
        request.put("id", ++lastId).put("command", command);
        request.set("arguments", arguments);
        ByteArrayOutputStream out = new ByteArrayOutputStream(256);
        out.writeBytes(Json.MAPPER.writeValueAsBytes(request));
        out.write('\n');
        send(ByteBuffer.wrap(out.toByteArray()), limitNs);
        JsonNode answer = Json.MAPPER.readTree(next(limitNs, command));
        if (!answer.path("ok").asBoolean()) {
            throw new Refused(answer.path("error").asText("no reason given"));
        }
        return answer.path("result");
    }

    /**
     * Subscribes and hands every event to {@code listener} on the calling thread until the connection ends.
     *
     * @param silenceLimitMs the longest time without even a heartbeat
     * @throws IOException when the connection ends, always in the end
     */
    public void listen(BiConsumer<String, JsonNode> listener, long silenceLimitMs) throws IOException, Refused {
        call("subscribe", Json.MAPPER.createObjectNode(), silenceLimitMs);
        while (true) {
            long limitNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(silenceLimitMs);
            JsonNode event = Json.MAPPER.readTree(next(limitNs, "subscribe"));
            String name = event.path("event").asText();
            if (!name.equals("heartbeat")) {
                listener.accept(name, event.path("data"));
            }
        }
    }

    @Override
    public void close() throws IOException {
        try (channel;
                selector) {
            selector.wakeup();
        }
    }

    private void send(ByteBuffer bytes, long limitNs) throws IOException {
        while (bytes.hasRemaining()) {
            if (channel.write(bytes) == 0) {
                if (System.nanoTime() - limitNs >= 0) {
                    throw new IOException("the vmm at " + path + " does not read its control socket");
                }
                Thread.yield();
            }
        }
    }

    private String next(long limitNs, String what) throws IOException {
        line.reset();
        while (true) {
            while (input.hasRemaining()) {
                byte b = input.get();
                if (b == '\n') {
                    return line.toString(StandardCharsets.UTF_8);
                }
                line.write(b);
            }
            if (line.size() > ControlSocket.MAX_LINE_BYTES) {
                throw new IOException("an answer of the vmm at " + path + " is too long");
            }
            long leftMs = TimeUnit.NANOSECONDS.toMillis(limitNs - System.nanoTime());
            if (leftMs <= 0) {
                throw new IOException("no answer to \"" + what + "\" in time from the vmm at " + path);
            }
            selector.select(leftMs);
            if (!channel.isOpen()) {
                throw new IOException("connection to " + path + " closed");
            }
            selector.selectedKeys().clear();
            input.clear();
            int read = channel.read(input);
            input.flip();
            if (read < 0) {
                throw new IOException("the vmm at " + path + " ended the connection");
            }
        }
    }

    /** The {@code vmm} understood the command and says no; the message is its reason. */
    public static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;

        public Refused(String message) {
            super(message);
        }
    }
}
