// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Passes TCP on until it is told to swallow everything: a half-open link, on which both ends stay connected. */
final class SwallowingProxy implements AutoCloseable {
    private final ServerSocket listener = new ServerSocket(0, 8, InetAddress.getLoopbackAddress());
    private final InetSocketAddress target;
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private volatile boolean swallowing;
    private volatile long answerDelayMs;

    SwallowingProxy(InetSocketAddress target) throws IOException {
        this.target = target;
        start("proxy-accept", this::acceptAll);
    }

    InetSocketAddress address() {
        return new InetSocketAddress(listener.getInetAddress(), listener.getLocalPort());
    }

    void swallow() {
        swallowing = true;
    }

    /** The first bytes of the target take so long, as from a host whose processor is slow. */
    void delayFirstAnswer(long millis) {
        answerDelayMs = millis;
    }

    private void acceptAll() {
        try {
            while (true) {
                Socket in = listener.accept();
                Socket out = new Socket(target.getAddress(), target.getPort());
                sockets.add(in);
                sockets.add(out);
                start("proxy-there", () -> pass(in, out, 0));
                start("proxy-back", () -> pass(out, in, answerDelayMs));
            }
        } catch (IOException e) {
            // Closed: the test is over.
        }
    }

    private void pass(Socket from, Socket to, long firstDelayMs) {
        byte[] buffer = new byte[65_536];
        long delayMs = firstDelayMs;
        try (InputStream in = from.getInputStream();
                OutputStream out = to.getOutputStream()) {
            while (true) {
                int length = in.read(buffer);
                if (swallowing) {
                    if (length < 0) {
                        // Not even the end of the connection passes; the test closes the sockets.
                        synchronized (this) {
                            wait(30_000);
                        }
                        return;
                    }
                    continue;
                }
                if (length < 0) {
                    return;
                }
                Thread.sleep(delayMs);
                delayMs = 0;
                out.write(buffer, 0, length);
            }
        } catch (IOException | InterruptedException e) {
            // One side is gone, or the test is over.
        }
    }

    private static void start(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void close() {
        try {
            listener.close();
            for (Socket socket : sockets) {
                socket.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        synchronized (this) {
            notifyAll();
        }
    }
}
