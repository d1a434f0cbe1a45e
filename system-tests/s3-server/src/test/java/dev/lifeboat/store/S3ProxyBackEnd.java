// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.s3server.S3TestServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** A real S3 server (S3Proxy over a directory) behind a {@link FaultProxy}; it verifies signatures. */
final class S3ProxyBackEnd implements RemoteBackEnd {
    private static final String BUCKET = "lifeboat";
    private static final String SECRET_VARIABLE = "aws.secretAccessKey";

    private final S3TestServer server;
    private final FaultProxy faults;

    S3ProxyBackEnd(Path directory) throws IOException {
        System.setProperty("aws.accessKeyId", S3TestServer.ACCESS_KEY);
        System.setProperty(SECRET_VARIABLE, S3TestServer.SECRET_KEY);
        server = S3TestServer.onLoopback(directory, BUCKET);
        faults = new FaultProxy(server.endpoint().getPort());
    }

    @Override
    public ObjectStore open() {
        return open(BUCKET, faults.endpoint());
    }

    @Override
    public FaultProxy faults() {
        return faults;
    }

    @Override
    public ObjectStore openAt(String endpoint) {
        return open(BUCKET, endpoint);
    }

    @Override
    public ObjectStore openMissing(String name) {
        return open(name, faults.endpoint());
    }

    /** The secret is looked up with each request, so it stays wrong until the next back end. */
    @Override
    public Optional<ObjectStore> openRefused() {
        System.setProperty(SECRET_VARIABLE, "another");
        return Optional.of(open());
    }

    @Override
    public String secret() {
        return S3TestServer.SECRET_KEY;
    }

    private static ObjectStore open(String bucket, String endpoint) {
        return ObjectStores.open("s3://" + bucket + "/some/prefix", Optional.of(endpoint), Optional.empty());
    }

    @Override
    public void close() throws IOException {
        faults.close();
        server.close();
    }
}
