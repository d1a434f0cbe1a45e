// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * As much of HTTP/1.1 as clients of clouds speak, on 127.0.0.1. Not the JDK's server because that one writes the Date
 * header itself, and fakes must be able to have a wrong clock. Threads: {@code NAME-accept}, and {@code NAME-N} for each
 * connection, at most {@value #MAX_CONNECTIONS}; all are daemons.
 */
final class RawHttpServer implements AutoCloseable {
    private static final int MAX_CONNECTIONS = 128;
    private static final int MAX_BODY_BYTES = 4 * 1024 * 1024;
    private static final int MAX_LINE_BYTES = 64 * 1024;
    private static final int MAX_HEADERS = 200;
    /** A kept connection that is not used; clients open another. */
    private static final int IDLE_LIMIT_MS = 30_000;

    /** Answers a request; called on the connection's thread. */
    interface Handler {
        Reply handle(FakeRequest request) throws IOException, InterruptedException;
    }

    /**
     * @param answer empty: the connection is cut without one
     * @param cut whether the connection is cut in the middle of the answer's body
     */
    record Reply(Optional<FakeAnswer> answer, String date, boolean cut) {}

    private final String name;
    private final Handler handler;
    private final ServerSocket server;
    private final Set<Socket> connections = ConcurrentHashMap.newKeySet();
    private final AtomicInteger number = new AtomicInteger();

    RawHttpServer(String name, Handler handler) throws IOException {
        this.name = name;
        this.handler = handler;
        server = new ServerSocket();
        try {
            server.bind(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0), MAX_CONNECTIONS);
        } catch (IOException e) {
            server.close();
            throw e;
        }
        thread(this::accept, name + "-accept").start();
    }

    int port() {
        return server.getLocalPort();
    }

    @Override
    public void close() {
        closeQuietly(server);
        connections.forEach(RawHttpServer::closeQuietly);
    }

    private static Thread thread(Runnable action, String name) {
        Thread thread = new Thread(action, name);
        thread.setDaemon(true);
        return thread;
    }

    private static void closeQuietly(AutoCloseable closed) {
        try {
            closed.close();
        } catch (Exception gone) {
            // Nobody is left to be told.
        }
    }

    private void accept() {
        while (!server.isClosed()) {
            try {
                Socket connection = server.accept();
                if (connections.size() >= MAX_CONNECTIONS) {
                    connection.close();
                    continue;
                }
                connections.add(connection);
                if (server.isClosed()) {
                    // close() may not have seen it.
                    closeQuietly(connection);
                }
                thread(() -> serve(connection), name + "-" + number.incrementAndGet())
                        .start();
            } catch (IOException e) {
                if (!server.isClosed()) {
                    continue;
                }
            }
        }
    }

    private void serve(Socket connection) {
        try (connection) {
            connection.setTcpNoDelay(true);
            connection.setSoTimeout(IDLE_LIMIT_MS);
            InputStream in = new BufferedInputStream(connection.getInputStream());
            OutputStream out = new BufferedOutputStream(connection.getOutputStream());
            while (one(in, out)) {
                // The next request of a kept connection.
            }
        } catch (IOException e) {
            // The client has gone, or was idle for too long: it will say so, if it minds.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            connections.remove(connection);
        }
    }

    /** False when the connection is over. */
    private boolean one(InputStream in, OutputStream out) throws IOException, InterruptedException {
        String line = line(in);
        if (line == null) {
            return false;
        }
        String[] words = line.split(" ");
        if (words.length != 3) {
            throw new IOException("no request line: " + line);
        }
        Map<String, List<String>> headers = headers(in);
        if (first(headers, "expect").map("100-continue"::equalsIgnoreCase).orElse(false)) {
            out.write("HTTP/1.1 100 Continue\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            out.flush();
        }
        String body = new String(body(in, headers), StandardCharsets.UTF_8);
        Reply reply = handler.handle(new FakeRequest(words[0], URI.create(words[1]), headers, body));
        if (reply.answer().isEmpty()) {
            return false;
        }
        boolean keep = !reply.cut()
                && words[2].equals("HTTP/1.1")
                && !first(headers, "connection").map("close"::equalsIgnoreCase).orElse(false);
        write(out, reply, words[0].equals("HEAD"), keep);
        return keep;
    }

    private static void write(OutputStream out, Reply reply, boolean head, boolean keep) throws IOException {
        FakeAnswer answer = reply.answer().orElseThrow();
        byte[] body = answer.body().getBytes(StandardCharsets.UTF_8);
        StringBuilder text = new StringBuilder("HTTP/1.1 " + answer.status() + " -\r\nDate: " + reply.date() + "\r\n");
        answer.headers()
                .forEach((header, value) ->
                        text.append(header).append(": ").append(value).append("\r\n"));
        boolean bodiless = answer.status() == 204 || answer.status() == 304;
        if (!bodiless && answer.headers().keySet().stream().noneMatch("content-length"::equalsIgnoreCase)) {
            text.append("Content-Length: ").append(body.length).append("\r\n");
        }
        text.append("Connection: ").append(keep ? "keep-alive" : "close").append("\r\n\r\n");
        out.write(text.toString().getBytes(StandardCharsets.UTF_8));
        if (!head && !bodiless) {
            out.write(body, 0, reply.cut() ? body.length / 2 : body.length);
        }
        out.flush();
    }

    private static Map<String, List<String>> headers(InputStream in) throws IOException {
        Map<String, List<String>> headers = new TreeMap<>();
        for (int i = 0; i < MAX_HEADERS; i++) {
            String line = line(in);
            if (line == null) {
                throw new IOException("the request ends in its headers");
            }
            if (line.isEmpty()) {
                return headers;
            }
            int colon = line.indexOf(':');
            if (colon <= 0) {
                throw new IOException("no header: " + line);
            }
            headers.computeIfAbsent(line.substring(0, colon).toLowerCase(Locale.ROOT), key -> new ArrayList<>())
                    .add(line.substring(colon + 1).strip());
        }
        throw new IOException("more than " + MAX_HEADERS + " headers");
    }

    private static Optional<String> first(Map<String, List<String>> headers, String name) {
        return headers.getOrDefault(name, List.of()).stream().findFirst();
    }

    private static byte[] body(InputStream in, Map<String, List<String>> headers) throws IOException {
        if (first(headers, "transfer-encoding")
                .map(value -> value.toLowerCase(Locale.ROOT).contains("chunked"))
                .orElse(false)) {
            return chunks(in);
        }
        int length = Integer.parseInt(first(headers, "content-length").orElse("0"));
        return exactly(in, length);
    }

    private static byte[] chunks(InputStream in) throws IOException {
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        while (true) {
            String line = line(in);
            if (line == null) {
                throw new IOException("the request ends between chunks");
            }
            int length = Integer.parseInt(line.split(";")[0].strip(), 16);
            if (length == 0) {
                // Trailers mean nothing to a fake.
                headers(in);
                return whole.toByteArray();
            }
            whole.write(exactly(in, length));
            if (whole.size() > MAX_BODY_BYTES) {
                throw new IOException("a body of more than " + MAX_BODY_BYTES + " bytes");
            }
            line(in);
        }
    }

    private static byte[] exactly(InputStream in, int lengthBytes) throws IOException {
        if (lengthBytes < 0 || lengthBytes > MAX_BODY_BYTES) {
            throw new IOException("a body of " + lengthBytes + " bytes");
        }
        byte[] bytes = in.readNBytes(lengthBytes);
        if (bytes.length < lengthBytes) {
            throw new IOException("the request ends in its body");
        }
        return bytes;
    }

    /** Null at the end of the stream. */
    private static String line(InputStream in) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        int next = in.read();
        if (next < 0) {
            return null;
        }
        while (next >= 0 && next != '\n') {
            if (next != '\r') {
                line.write(next);
            }
            if (line.size() > MAX_LINE_BYTES) {
                throw new IOException("a line of more than " + MAX_LINE_BYTES + " bytes");
            }
            next = in.read();
        }
        return line.toString(StandardCharsets.UTF_8);
    }
}
