// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * Stands between a cloud's client library and a server of any kind and does to requests what networks and services do to
 * them, by a script. Requests and answers pass unchanged otherwise, so signatures stay right. One request to a connection
 * towards the server; a thread for each client connection.
 */
public final class FaultProxy implements AutoCloseable {
    /** What happens to one request. */
    public enum Fault {
        /** 503, nothing done. */
        BUSY,
        /** The connection is closed before the server saw anything. */
        CUT_BEFORE,
        /** The server sees half of the body and then the connection is gone. */
        CUT_IN_UPLOAD,
        /** Done, and then the connection is closed without an answer. */
        CUT_AFTER_COMMIT,
        /** Done, and then silence: the client must end it. */
        SILENT_AFTER_COMMIT,
        /** Done, and then 500. */
        ERROR_AFTER_COMMIT,
        /** 409, nothing done. */
        CONFLICT,
        /** 412, nothing done: as the echo of a try that is thought to have failed. */
        FALSE_PRECONDITION,
        /** Half of the answer, then closed. */
        CUT_ANSWER,
        /** Passed on after {@link #SLOW_MS}. */
        SLOW
    }

    /** Long against a request on loopback, short against every time limit. */
    static final long SLOW_MS = 300;

    private static final Set<String> OF_ONE_CONNECTION =
            Set.of("connection", "expect", "upgrade", "http2-settings", "keep-alive");

    private record Request(String method, String target, List<String> head, byte[] body) {
        /** Google's uploads have the name at the start of the body. */
        boolean names(String part) {
            String start = new String(body, 0, Math.min(400, body.length), StandardCharsets.ISO_8859_1);
            return target.contains(part) || target.startsWith("/upload/") && start.contains(part);
        }
    }

    /** A fault for the next upload whose request names {@code part}. */
    private record Scripted(String part, Fault fault) {}

    private final int serverPort;
    private final ServerSocket listening;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final CountDownLatch closing = new CountDownLatch(1);
    private final Queue<Scripted> uploads = new ConcurrentLinkedQueue<>();
    private final Queue<Fault> reads = new ConcurrentLinkedQueue<>();
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private volatile String slowPart = "";
    private volatile boolean struck;

    /** @param serverPort on the loopback address */
    public FaultProxy(int serverPort) throws IOException {
        this.serverPort = serverPort;
        listening = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
        threads.execute(this::accept);
    }

    public String endpoint() {
        return "http://127.0.0.1:" + listening.getLocalPort();
    }

    /** Each of these happens to one of the next uploads (PUT or POST), in this order. */
    public void onUploads(Fault... faults) {
        onUploads("", faults);
    }

    /** As {@link #onUploads(Fault...)}, for uploads of objects whose key contains {@code part}. */
    public void onUploads(String part, Fault... faults) {
        for (Fault fault : faults) {
            uploads.add(new Scripted(part, fault));
        }
    }

    /** Each of these happens to one of the next reads (GET), in this order. */
    public void onReads(Fault... faults) {
        reads.addAll(List.of(faults));
    }

    /** From now on every request whose path contains {@code part} is slow; none when empty. */
    public void slowShard(String part) {
        slowPart = part;
    }

    public boolean faultsAreUsedUp() {
        return uploads.isEmpty() && reads.isEmpty();
    }

    /** Whether a fault has happened since {@link #clear}. */
    public boolean hasStruck() {
        return struck;
    }

    public void clear() {
        struck = false;
        uploads.clear();
        reads.clear();
        slowPart = "";
    }

    private void accept() {
        while (!listening.isClosed()) {
            try {
                Socket client = listening.accept();
                open.add(client);
                threads.execute(() -> serve(client));
            } catch (IOException e) {
                // Closed: the loop ends.
                continue;
            }
        }
    }

    private void serve(Socket client) {
        try (client) {
            client.setTcpNoDelay(true);
            InputStream in = new BufferedInputStream(client.getInputStream());
            // A request to a connection: what the server answers is passed on to its end.
            handle(client, read(client, in));
        } catch (IOException e) {
            // The client ended the connection, as clients do; it is closed here too.
            return;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            open.remove(client);
        }
    }

    private static Request read(Socket client, InputStream in) throws IOException {
        List<String> head = new ArrayList<>();
        int length = 0;
        boolean expectsContinue = false;
        String first = line(in);
        for (String line = line(in); !line.isEmpty(); line = line(in)) {
            String name = line.substring(0, line.indexOf(':')).toLowerCase(Locale.ROOT);
            String value = line.substring(line.indexOf(':') + 1).trim();
            if (name.equals("content-length")) {
                length = Integer.parseInt(value);
            } else if (name.equals("transfer-encoding")) {
                throw new IOException("this proxy takes no chunked requests");
            } else if (name.equals("expect")) {
                expectsContinue = true;
            }
            if (!OF_ONE_CONNECTION.contains(name)) {
                head.add(line);
            }
        }
        if (expectsContinue) {
            write(client, "HTTP/1.1 100 Continue\r\n\r\n");
        }
        String[] words = first.split(" ");
        byte[] body = in.readNBytes(length);
        if (body.length < length) {
            throw new EOFException("the client ended its request");
        }
        return new Request(words[0], words[1], head, body);
    }

    private void handle(Socket client, Request request) throws IOException, InterruptedException {
        Fault fault = request.method().equals("GET")
                ? reads.poll()
                : request.method().equals("DELETE") || request.method().equals("HEAD") ? null : nextFor(request);
        String slow = slowPart;
        if (fault == Fault.SLOW || !slow.isEmpty() && request.names(slow)) {
            struck = true;
            closing.await(SLOW_MS, TimeUnit.MILLISECONDS);
            fault = fault == Fault.SLOW ? null : fault;
        }
        if (fault == null) {
            client.getOutputStream().write(answer(request, request.body().length));
            return;
        }
        struck = true;
        switch (fault) {
            case BUSY -> status(client, "503 Service Unavailable");
            case CONFLICT -> status(client, "409 Conflict");
            case FALSE_PRECONDITION -> status(client, "412 Precondition Failed");
            case CUT_IN_UPLOAD -> answer(request, request.body().length / 2);
            case CUT_AFTER_COMMIT -> answer(request, request.body().length);
            case ERROR_AFTER_COMMIT -> {
                answer(request, request.body().length);
                status(client, "500 Internal Server Error");
            }
            case SILENT_AFTER_COMMIT -> {
                answer(request, request.body().length);
                closing.await();
            }
            case CUT_ANSWER -> {
                byte[] whole = answer(request, request.body().length);
                client.getOutputStream().write(whole, 0, whole.length - Math.min(whole.length / 2, 1000));
            }
            default -> {
                // CUT_BEFORE: nothing is done.
            }
        }
    }

    private synchronized Fault nextFor(Request request) {
        Scripted next = uploads.peek();
        return next != null && request.names(next.part()) ? uploads.remove().fault() : null;
    }

    /** The server's whole answer; empty when it saw only {@code bodyBytes} of a longer body. */
    private byte[] answer(Request request, int bodyBytes) throws IOException {
        try (Socket server = new Socket(InetAddress.getLoopbackAddress(), serverPort)) {
            open.add(server);
            try {
                StringBuilder head = new StringBuilder(request.method() + " " + request.target() + " HTTP/1.1\r\n");
                request.head().forEach(line -> head.append(line).append("\r\n"));
                write(server, head.append("Connection: close\r\n\r\n").toString());
                server.getOutputStream().write(request.body(), 0, bodyBytes);
                return bodyBytes < request.body().length
                        ? new byte[0]
                        : closing(server.getInputStream().readAllBytes());
            } finally {
                open.remove(server);
            }
        }
    }

    /** Tells the client that the connection ends with this answer; some servers leave that unsaid. */
    private static byte[] closing(byte[] answer) throws IOException {
        ByteArrayOutputStream told = new ByteArrayOutputStream(answer.length + 32);
        int end = 0;
        while (end < answer.length && answer[end] != '\n') {
            end++;
        }
        told.write(answer, 0, Math.min(end + 1, answer.length));
        told.write("Connection: close\r\n".getBytes(StandardCharsets.ISO_8859_1));
        told.write(answer, Math.min(end + 1, answer.length), Math.max(0, answer.length - end - 1));
        return answer.length == 0 ? answer : told.toByteArray();
    }

    private static void status(Socket client, String status) throws IOException {
        write(client, "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }

    private static void write(Socket to, String text) throws IOException {
        to.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) {
                throw new EOFException("the client ended its request");
            }
            if (c != '\r') {
                line.append((char) c);
            }
        }
        return line.toString();
    }

    @Override
    public void close() throws IOException {
        closing.countDown();
        listening.close();
        for (Socket socket : open) {
            socket.close();
        }
        threads.shutdownNow();
    }
}
