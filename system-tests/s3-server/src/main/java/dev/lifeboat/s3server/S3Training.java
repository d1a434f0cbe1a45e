// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.s3server;

import java.io.IOException;
import java.net.HttpURLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.gaul.s3proxy.S3Proxy;

/**
 * Loads, on loopback, the classes that {@link S3ServerMain} uses, so that {@code guest-images/make s3-server --train} can
 * keep them in a class archive: on a software processor most of the server's start is the loading of classes. Nothing
 * depends on what this does but speed. Runs on the main thread and ends.
 */
public final class S3Training {
    private static final int LIMIT_MS = 20_000;
    private static final int UNSIGNED_IS_REFUSED = 403;

    private S3Training() {}

    /** No arguments; ends with 0 when every step worked. */
    public static void main(String[] args) throws Exception {
        Path directory = Files.createTempDirectory("s3-training");
        Path bucket = directory.resolve("bucket");
        try (S3TestServer server = S3TestServer.onLoopback(directory, "bucket")) {
            loadServerClasses();
            putUnsigned(server);
        } finally {
            Files.deleteIfExists(bucket);
            Files.deleteIfExists(directory);
        }
        System.exit(0);
    }

    private static void loadServerClasses() throws IOException {
        Path jar = Path.of(S3Proxy.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .getPath());
        try (JarFile file = new JarFile(jar.toFile())) {
            for (Enumeration<JarEntry> entries = file.entries(); entries.hasMoreElements(); ) {
                String name = entries.nextElement().getName();
                if (name.startsWith("org/gaul/s3proxy/") && name.endsWith(".class")) {
                    load(name.replace('/', '.').substring(0, name.length() - ".class".length()));
                }
            }
        }
    }

    private static void load(String name) {
        try {
            Class.forName(name, false, S3Training.class.getClassLoader());
        } catch (ClassNotFoundException | LinkageError e) {
            // Classes for providers whose libraries this module leaves out.
            System.err.println("not trained: " + name + ": " + e);
        }
    }

    /** A request as far as it goes without a signature: the HTTP half, the handler, an error as XML. */
    private static void putUnsigned(S3TestServer server) throws IOException {
        HttpURLConnection connection = (HttpURLConnection)
                server.endpoint().resolve("/bucket/object").toURL().openConnection();
        connection.setConnectTimeout(LIMIT_MS);
        connection.setReadTimeout(LIMIT_MS);
        connection.setRequestMethod("PUT");
        connection.setDoOutput(true);
        connection.getOutputStream().write(new byte[16]);
        int status = connection.getResponseCode();
        connection.disconnect();
        if (status != UNSIGNED_IS_REFUSED) {
            throw new IOException("an unsigned request was answered " + status);
        }
    }
}
