// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.IOException;
import java.util.Optional;

/** {@link FakeS3} behind a {@link FaultProxy}. */
final class S3BackEnd implements RemoteBackEnd {
    final FakeS3 server;
    private final FaultProxy faults;
    private final String bucket;

    S3BackEnd(String bucket) throws IOException {
        // The default chain's first provider; never a real account.
        System.setProperty("aws.accessKeyId", "test");
        System.setProperty("aws.secretAccessKey", "not-to-be-shown");
        this.bucket = bucket;
        server = new FakeS3(bucket);
        faults = new FaultProxy(server.port());
    }

    @Override
    public ObjectStore open() {
        return open(bucket, faults.endpoint());
    }

    @Override
    public FaultProxy faults() {
        return faults;
    }

    @Override
    public ObjectStore openAt(String endpoint) {
        return open(bucket, endpoint);
    }

    @Override
    public ObjectStore openMissing(String name) {
        return open(name, faults.endpoint());
    }

    @Override
    public Optional<ObjectStore> openRefused() {
        server.refuseCredentials();
        return Optional.of(open());
    }

    @Override
    public String secret() {
        return System.getProperty("aws.secretAccessKey");
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
