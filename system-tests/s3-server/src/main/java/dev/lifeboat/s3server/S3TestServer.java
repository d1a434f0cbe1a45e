// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.s3server;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.gaul.s3proxy.S3Proxy;
import org.gaul.s3proxy.auth.AuthenticationType;
import org.gaul.s3proxy.nio2blob.FilesystemNio2BlobStore;

/**
 * A real S3 server in this JVM: S3Proxy over a directory, with credentials that it verifies. Its requests run on Jetty's
 * own threads.
 *
 * <p>Put-if-absent ({@code If-None-Match: *}) stores one object and answers 200 to nobody else. The winner may be told 412 all
 * the same, when its connection breaks after the commit and the client library tries again: read back. {@code If-Match} is not: a directory has no compare and
 * swap, so nothing that needs it may be tested against this server.
 */
public final class S3TestServer implements AutoCloseable {

    public static final String ACCESS_KEY = "lifeboat-test";
    public static final String SECRET_KEY = "lifeboat-test-secret";

    private final S3Proxy proxy;
    private final String host;

    private S3TestServer(S3Proxy proxy, String host) {
        this.proxy = proxy;
        this.host = host;
    }

    /** Serves {@code directory} on a free port of the loopback address. */
    public static S3TestServer onLoopback(Path directory, String... buckets) throws IOException {
        return start("127.0.0.1", 0, directory, List.of(buckets));
    }

    /**
     * Serves {@code directory} (a bucket is a directory in it) at {@code host:port}; port 0 takes a free one.
     *
     * @throws IOException when the directory cannot be written or the address cannot be bound
     */
    public static S3TestServer start(String host, int port, Path directory, List<String> buckets) throws IOException {
        Files.createDirectories(directory);
        for (String bucket : buckets) {
            Path path = directory.resolve(bucket);
            if (!Files.exists(path)) {
                // A directory that others may read is a public bucket to S3Proxy: it would answer unsigned requests.
                Files.createDirectory(
                        path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            }
        }
        S3Proxy proxy = S3Proxy.builder()
                // Named directly, not by provider name: the other providers' libraries are left out of this module.
                .blobStore(new FilesystemNio2BlobStore(directory.toString()))
                .endpoint(URI.create("http://" + host + ":" + port))
                .awsAuthentication(AuthenticationType.AWS_V4, ACCESS_KEY, SECRET_KEY)
                .metricsEnabled(false)
                .jettyMaxThreads(32)
                .build();
        try {
            proxy.start();
        } catch (Exception e) {
            throw new IOException("S3 server cannot start on " + host + ":" + port + ": " + e.getMessage(), e);
        }
        return new S3TestServer(proxy, host);
    }

    public URI endpoint() {
        return URI.create("http://" + host + ":" + proxy.getPort());
    }

    @Override
    public void close() throws IOException {
        try {
            proxy.stop();
        } catch (Exception e) {
            throw new IOException("S3 server at " + endpoint() + " did not stop: " + e.getMessage(), e);
        }
    }
}
