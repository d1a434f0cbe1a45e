// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.SocketException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The server side of a {@code vmm}'s control socket: JSON lines over a Unix domain socket (docs/protocol.md). Thread
 * {@code control-accept} takes connections; each connection has its own thread {@code control-N} and runs one command
 * at a time, so a long command needs a connection of its own. The command {@code subscribe} turns a connection into a
 * listener for what {@link #publish} says.
 *
 * <p>Bounds (I9): {@value #MAX_CONNECTIONS} connections, {@value #MAX_LINE_BYTES} bytes a line, {@value #MAX_QUEUED}
 * undelivered events per listener; a listener that falls further behind is cut off, so the publisher never waits.
 */
public final class ControlSocket implements AutoCloseable {
    static final int MAX_CONNECTIONS = 16;
    static final int MAX_LINE_BYTES = 1 << 20;
    static final int MAX_QUEUED = 256;
    /** Longest silence on a subscribed connection: tells a dead listener from a calm VM. */
    private static final long HEARTBEAT_MS = 5_000;
    /** sizeof(sockaddr_un.sun_path) - 1, see unix(7). */
    private static final int MAX_PATH_BYTES = 107;

    private static final Logger LOG = LoggerFactory.getLogger(ControlSocket.class);

    private final Path path;
    private final ServerSocketChannel server;
    private final Map<String, Function<JsonNode, JsonNode>> commands;
    private final Semaphore places = new Semaphore(MAX_CONNECTIONS);
    private final Set<SocketChannel> connections = ConcurrentHashMap.newKeySet();
    private final Map<SocketChannel, Listener> listeners = new ConcurrentHashMap<>();
    private final AtomicInteger connectionNumber = new AtomicInteger();

    private ControlSocket(Path path, ServerSocketChannel server, Map<String, Function<JsonNode, JsonNode>> commands) {
        this.path = path;
        this.server = server;
        this.commands = Map.copyOf(commands);
    }

    /**
     * Listens at {@code path} (mode 0600). A socket file that nobody listens on any more is replaced.
     *
     * @param commands by name; a handler gets {@code arguments} (an object, maybe empty) and gives the {@code result};
     *     the message of what it throws is the {@code error}. Handlers run on connection threads, maybe several at once.
     * @throws IOException saying what is in the way
     */
    public static ControlSocket open(Path path, Map<String, Function<JsonNode, JsonNode>> commands) throws IOException {
        if (path.toString().getBytes(StandardCharsets.UTF_8).length > MAX_PATH_BYTES) {
            throw new IOException("control socket path " + path + " is longer than " + MAX_PATH_BYTES
                    + " bytes; choose a shorter run directory");
        }
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(path);
        if (Files.exists(path)) {
            try (SocketChannel probe = SocketChannel.open(address)) {
                throw new IOException("another process listens on control socket " + path);
            } catch (SocketException nobodyListens) {
                Files.delete(path);
            }
        }
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            server.bind(address);
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
        } catch (IOException e) {
            server.close();
            throw new IOException("cannot listen on control socket " + path + ": " + e.getMessage(), e);
        }
        ControlSocket socket = new ControlSocket(path, server, commands);
        Thread thread = new Thread(socket::accept, "control-accept");
        thread.setDaemon(true);
        thread.start();
        return socket;
    }

    /** Tells every listener. Never blocks; any thread but a vCPU thread (it allocates). */
    public void publish(String event, JsonNode data) {
        if (listeners.isEmpty()) {
            return;
        }
        ObjectNode line = Json.MAPPER.createObjectNode();
        line.put("event", event);
        line.set("data", data);
        byte[] bytes = encode(line);
        for (Listener listener : listeners.values()) {
            if (!listener.offer(bytes)) {
                LOG.warn("control listener fell {} events behind, cut off", MAX_QUEUED);
                listeners.remove(listener.channel);
                closeQuietly(listener.channel);
            }
        }
    }

    /**
     * Stops listening, cuts every connection, removes the socket file. What was published just before is given a short
     * time to go out.
     */
    @Override
    public void close() {
        closeQuietly(server);
        long limitNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(500);
        for (Listener listener : listeners.values()) {
            while (listener.undelivered.get() > 0 && listener.channel.isOpen() && System.nanoTime() < limitNs) {
                LockSupport.parkNanos(1_000_000);
            }
        }
        connections.forEach(ControlSocket::closeQuietly);
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            LOG.warn("cannot remove control socket {}: {}", path, e.getMessage());
        }
    }

    private void accept() {
        while (server.isOpen()) {
            SocketChannel channel;
            try {
                channel = server.accept();
            } catch (ClosedChannelException e) {
                return;
            } catch (IOException e) {
                LOG.warn("control socket {} stops accepting: {}", path, e.getMessage());
                return;
            }
            if (!places.tryAcquire()) {
                LOG.warn("control socket {} has {} connections already, one refused", path, MAX_CONNECTIONS);
                closeQuietly(channel);
                continue;
            }
            connections.add(channel);
            Thread thread = new Thread(() -> serve(channel), "control-" + connectionNumber.incrementAndGet());
            thread.setDaemon(true);
            thread.start();
        }
    }

    private void serve(SocketChannel channel) {
        try (channel) {
            LineReader lines = new LineReader(channel);
            String line = lines.next();
            while (line != null) {
                if (answer(channel, line)) {
                    push(channel);
                    return;
                }
                line = lines.next();
            }
        } catch (IOException e) {
            LOG.debug("control connection ended: {}", e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            connections.remove(channel);
            places.release();
        }
    }

    /** Runs one command; true when the connection is to become a listener. */
    private boolean answer(SocketChannel channel, String line) throws IOException {
        ObjectNode answer = Json.MAPPER.createObjectNode();
        try {
            JsonNode request = Json.MAPPER.readTree(line);
            answer.set("id", request.path("id"));
            String command = request.path("command").asText();
            JsonNode arguments = request.path("arguments");
            if (!arguments.isObject()) {
                arguments = Json.MAPPER.createObjectNode();
            }
            Function<JsonNode, JsonNode> handler = commands.get(command);
            if (command.equals("subscribe")) {
                // Registered before the answer goes out: nothing published after the answer is missed.
                Listener listener = new Listener(channel);
                listener.offer(encode(answer.put("ok", true)));
                listeners.put(channel, listener);
                return true;
            }
            if (handler == null) {
                answer.put("ok", false).put("error", "unknown command \"" + command + "\"");
            } else {
                JsonNode result = handler.apply(arguments);
                answer.put("ok", true);
                answer.set("result", result == null ? Json.MAPPER.createObjectNode() : result);
            }
        } catch (JsonProcessingException e) {
            answer.put("ok", false).put("error", "not a JSON line: " + e.getOriginalMessage());
        } catch (RuntimeException e) {
            LOG.debug("control command failed", e);
            String message = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
            answer.put("ok", false).put("error", message);
        }
        write(channel, encode(answer));
        return false;
    }

    private void push(SocketChannel channel) throws IOException, InterruptedException {
        byte[] heartbeat = encode(Json.MAPPER.createObjectNode().put("event", "heartbeat"));
        Listener self = listeners.get(channel);
        try {
            while (self != null && channel.isOpen()) {
                byte[] line = self.queue.poll(HEARTBEAT_MS, TimeUnit.MILLISECONDS);
                write(channel, line == null ? heartbeat : line);
                if (line != null) {
                    self.undelivered.decrementAndGet();
                }
            }
        } finally {
            listeners.remove(channel);
        }
    }

    private static byte[] encode(JsonNode node) {
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream(256);
            out.writeBytes(Json.MAPPER.writeValueAsBytes(node));
            out.write('\n');
            return out.toByteArray();
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON tree always has a text", e);
        }
    }

    private static void write(SocketChannel channel, byte[] line) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(line);
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    private static void closeQuietly(Channel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.debug("close: {}", e.getMessage());
        }
    }

    /** A subscribed connection and what it has still to be told. */
    private static final class Listener {
        final SocketChannel channel;
        final BlockingQueue<byte[]> queue = new ArrayBlockingQueue<>(MAX_QUEUED);
        final AtomicInteger undelivered = new AtomicInteger();

        Listener(SocketChannel channel) {
            this.channel = channel;
        }

        boolean offer(byte[] line) {
            undelivered.incrementAndGet();
            return queue.offer(line);
        }
    }

    /** Cuts a blocking channel into lines. */
    private static final class LineReader {
        private final SocketChannel channel;
        private final ByteBuffer input = ByteBuffer.allocate(8192).limit(0);
        private final ByteArrayOutputStream line = new ByteArrayOutputStream(256);

        LineReader(SocketChannel channel) {
            this.channel = channel;
        }

        /** The next line without its end, or null at the end of the stream. */
        String next() throws IOException {
            line.reset();
            while (true) {
                while (input.hasRemaining()) {
                    byte b = input.get();
                    if (b == '\n') {
                        return line.toString(StandardCharsets.UTF_8);
                    }
                    line.write(b);
                }
                if (line.size() > MAX_LINE_BYTES) {
                    throw new IOException("a control line is longer than " + MAX_LINE_BYTES + " bytes");
                }
                input.clear();
                int read = channel.read(input);
                input.flip();
                if (read < 0) {
                    return null;
                }
            }
        }
    }
}
