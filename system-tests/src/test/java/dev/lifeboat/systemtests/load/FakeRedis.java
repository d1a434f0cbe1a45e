// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.load;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** SET and GET over RESP, with faults on demand: to prove that the load client sees what it has to see. */
final class FakeRedis implements AutoCloseable {

    final Map<String, String> data = new ConcurrentHashMap<>();
    volatile boolean breakNextConnection;
    volatile boolean dropWrites;
    volatile long stallNextMs;
    private final ServerSocket server;

    FakeRedis() throws IOException {
        server = new ServerSocket(0, 4, InetAddress.getLoopbackAddress());
        Thread thread = new Thread(this::accept, "fake-redis");
        thread.setDaemon(true);
        thread.start();
    }

    int port() {
        return server.getLocalPort();
    }

    private void accept() {
        while (!server.isClosed()) {
            try (Socket socket = server.accept()) {
                serve(socket);
            } catch (IOException | InterruptedException e) {
                // The client went away or the test is over.
            }
        }
    }

    private void serve(Socket socket) throws IOException, InterruptedException {
        DataInputStream in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
        OutputStream out = socket.getOutputStream();
        while (true) {
            String[] words = new String[Integer.parseInt(line(in).substring(1))];
            for (int i = 0; i < words.length; i++) {
                byte[] word = in.readNBytes(Integer.parseInt(line(in).substring(1)));
                line(in);
                words[i] = new String(word, StandardCharsets.ISO_8859_1);
            }
            if (stallNextMs > 0) {
                long millis = stallNextMs;
                stallNextMs = 0;
                Thread.sleep(millis);
            }
            if (breakNextConnection) {
                breakNextConnection = false;
                return;
            }
            String answer = "+OK\r\n";
            if (words[0].equals("SET")) {
                if (!dropWrites) {
                    data.put(words[1], words[2]);
                }
            } else {
                String value = data.get(words[1]);
                answer = value == null ? "$-1\r\n" : "$" + value.length() + "\r\n" + value + "\r\n";
            }
            out.write(answer.getBytes(StandardCharsets.ISO_8859_1));
        }
    }

    private static String line(DataInputStream in) throws IOException {
        StringBuilder text = new StringBuilder();
        for (int next = in.readUnsignedByte(); next != '\n'; next = in.readUnsignedByte()) {
            if (next != '\r') {
                text.append((char) next);
            }
        }
        return text.toString();
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
