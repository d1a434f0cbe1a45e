// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.etcd;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/** A TCP line to a server that can lose answers, delay them, or be cut. */
final class Line implements AutoCloseable {
    private final ServerSocket listener = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
    private final int serverPort;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    /** The next answers of any size above a mere acknowledgement are lost, and their connection with them. */
    final AtomicInteger answersToCut = new AtomicInteger();

    volatile long slowMillis;
    volatile boolean dead;

    Line(int serverPort) throws IOException {
        this.serverPort = serverPort;
        daemon("line-accept", this::accept);
    }

    int port() {
        return listener.getLocalPort();
    }

    void dead(boolean now) {
        dead = now;
        if (now) {
            open.forEach(Line::closeQuietly);
        }
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket client = listener.accept();
                if (dead) {
                    closeQuietly(client);
                    continue;
                }
                Socket server = new Socket(InetAddress.getLoopbackAddress(), serverPort);
                client.setTcpNoDelay(true);
                server.setTcpNoDelay(true);
                open.add(client);
                open.add(server);
                daemon("line-out", () -> pump(client, server, false));
                daemon("line-back", () -> pump(server, client, true));
            } catch (IOException e) {
                // The listener was closed, or the server is not there: the client sees a closed connection.
                if (listener.isClosed()) {
                    return;
                }
            }
        }
    }

    private void pump(Socket from, Socket to, boolean answers) {
        byte[] buffer = new byte[64 << 10];
        try (from;
                to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            int length;
            while ((length = in.read(buffer)) >= 0) {
                if (answers) {
                    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(slowMillis));
                    if (isAnswer(buffer, length) && answersToCut.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
                        return;
                    }
                }
                out.write(buffer, 0, length);
            }
        } catch (IOException e) {
            // Either end went away: both are closed.
        } finally {
            open.remove(from);
            open.remove(to);
        }
    }

    /** Whether there is an HTTP/2 DATA frame (type 0) in it: an answer of the service, not housekeeping. */
    private static boolean isAnswer(byte[] bytes, int length) {
        int at = 0;
        while (at + 9 <= length) {
            if (bytes[at + 3] == 0) {
                return true;
            }
            at += 9 + ((bytes[at] & 0xff) << 16 | (bytes[at + 1] & 0xff) << 8 | bytes[at + 2] & 0xff);
        }
        return false;
    }

    private static void daemon(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        thread.start();
    }

    private static void closeQuietly(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            // It is gone either way.
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        open.forEach(Line::closeQuietly);
    }
}
