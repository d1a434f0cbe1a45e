// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.azure;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;

/**
 * The Azurite process of a test class, on a free port of the loopback address, with its blobs in memory. Where it is not
 * installed the tests say so and are left out; with {@code LIFEBOAT_TESTS_MUST_RUN=1} that is a failure.
 */
public final class AzuriteServer implements AutoCloseable {
    /** The account that every Azurite has, and its published key. */
    static final String ACCOUNT = "devstoreaccount1";

    static final String KEY =
            "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    private static final Pattern LISTENS = Pattern.compile("successfully listens on http://127\\.0\\.0\\.1:([0-9]+)");

    private final Process process;
    private final int port;

    private AzuriteServer(Process process, int port) {
        this.process = process;
        this.port = port;
    }

    public static AzuriteServer start() throws IOException {
        Path home = Path.of(System.getProperty("basedir", "."), "azurite").toAbsolutePath();
        Path main = home.resolve("node_modules/azurite/dist/src/blob/main.js");
        if (!Files.exists(main)) {
            missing("Azurite is not installed: run " + home.resolve("install"));
        }
        Process process;
        try {
            process = new ProcessBuilder(
                            "node",
                            main.toString(),
                            "--blobHost",
                            "127.0.0.1",
                            "--blobPort",
                            "0",
                            "--inMemoryPersistence",
                            "--disableTelemetry",
                            // The client library is newer than the server.
                            "--skipApiVersionCheck")
                    .redirectErrorStream(true)
                    .start();
        } catch (IOException e) {
            missing("node cannot be started (" + e.getMessage() + "); on Debian: apt-get install nodejs");
            throw e;
        }
        // SIGTERM ends a test run without @AfterAll; the server must not outlive it.
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly, "azurite-end"));
        StringBuilder said = new StringBuilder();
        Optional<Integer> port = port(process, said);
        if (port.isEmpty()) {
            process.destroyForcibly();
            throw new IOException("Azurite does not start; it said: " + said);
        }
        return new AzuriteServer(process, port.get());
    }

    private static void missing(String what) {
        if ("1".equals(System.getenv("LIFEBOAT_TESTS_MUST_RUN"))) {
            throw new IllegalStateException(what);
        }
        Assumptions.abort(what);
    }

    private static Optional<Integer> port(Process process, StringBuilder said) throws IOException {
        // Ends with the process: Azurite logs nothing more than these lines.
        BufferedReader out =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        for (String line = out.readLine(); line != null; line = out.readLine()) {
            said.append(line).append('\n');
            Matcher listens = LISTENS.matcher(line);
            if (listens.find()) {
                Thread drain = new Thread(() -> drain(out), "azurite-log");
                drain.setDaemon(true);
                drain.start();
                return Optional.of(Integer.parseInt(listens.group(1)));
            }
        }
        return Optional.empty();
    }

    /** A full pipe would stop the server. */
    private static void drain(BufferedReader out) {
        try {
            while (out.readLine() != null) {
                continue;
            }
        } catch (IOException e) {
            // The process has ended.
            return;
        }
    }

    int port() {
        return port;
    }

    @Override
    public void close() throws InterruptedException {
        process.destroy();
        if (!process.waitFor(10, TimeUnit.SECONDS)) {
            process.destroyForcibly();
        }
    }
}
