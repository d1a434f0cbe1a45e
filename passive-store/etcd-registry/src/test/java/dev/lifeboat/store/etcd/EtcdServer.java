// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.etcd;

import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** One etcd on loopback ports, with its data in a folder of the test; ends with the test. */
final class EtcdServer implements AutoCloseable {
    private static final long START_LIMIT_MS = 30_000;

    private final Process process;
    private final int port;
    /** For a test run that is ended from outside. */
    private final Thread ender;

    EtcdServer(Path directory) throws Exception {
        requireProgram();
        port = freePort();
        String client = "http://127.0.0.1:" + port;
        String peer = "http://127.0.0.1:" + freePort();
        process = new ProcessBuilder(
                        "etcd",
                        "--name=test",
                        "--data-dir=" + directory.resolve("data"),
                        "--listen-client-urls=" + client,
                        "--advertise-client-urls=" + client,
                        "--listen-peer-urls=" + peer,
                        "--initial-advertise-peer-urls=" + peer,
                        "--initial-cluster=test=" + peer)
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("etcd.log").toFile())
                .start();
        ender = new Thread(process::destroyForcibly, "etcd-end");
        Runtime.getRuntime().addShutdownHook(ender);
        long endNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(START_LIMIT_MS);
        while (!process.isAlive() || !listens()) {
            if (!process.isAlive() || System.nanoTime() > endNs) {
                close();
                fail("etcd did not start: " + Files.readString(directory.resolve("etcd.log")));
            }
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    int port() {
        return port;
    }

    private static void requireProgram() {
        for (String folder : System.getenv("PATH").split(File.pathSeparator)) {
            if (Files.isExecutable(Path.of(folder, "etcd"))) {
                return;
            }
        }
        String missing = "no etcd on the path; guest-images/install-dependencies installs it";
        if ("1".equals(System.getenv("LIFEBOAT_TESTS_MUST_RUN"))) {
            fail(missing);
        }
        abort(missing);
    }

    private boolean listens() {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            return socket.isConnected();
        } catch (IOException notYet) {
            return false;
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor(5, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        if (!process.isAlive()) {
            Runtime.getRuntime().removeShutdownHook(ender);
        }
    }
}
