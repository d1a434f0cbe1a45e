// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.google;

import dev.lifeboat.store.FaultProxy;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.RemoteBackEnd;
import java.io.IOException;
import java.util.Optional;

/** {@link FakeGoogleStorage} behind a {@link FaultProxy}. */
public final class GoogleBackEnd implements RemoteBackEnd {
    private final FakeGoogleStorage server = new FakeGoogleStorage();
    private final FaultProxy faults = new FaultProxy(server.port());

    public GoogleBackEnd() throws IOException {}

    @Override
    public ObjectStore open() {
        return open(FakeGoogleStorage.BUCKET, faults.endpoint(), FakeGoogleStorage.TOKEN);
    }

    @Override
    public FaultProxy faults() {
        return faults;
    }

    @Override
    public ObjectStore openAt(String endpoint) {
        return open(FakeGoogleStorage.BUCKET, endpoint, FakeGoogleStorage.TOKEN);
    }

    @Override
    public ObjectStore openMissing(String name) {
        return open(name, faults.endpoint(), FakeGoogleStorage.TOKEN);
    }

    @Override
    public Optional<ObjectStore> openRefused() {
        return Optional.of(open(FakeGoogleStorage.BUCKET, faults.endpoint(), "of-somebody-else"));
    }

    @Override
    public String secret() {
        return FakeGoogleStorage.TOKEN;
    }

    private static ObjectStore open(String bucket, String endpoint, String token) {
        return GoogleObjectStore.open(
                "gs://" + bucket + "/some/prefix",
                Optional.of(endpoint),
                request -> request.getHeaders().setAuthorization("Bearer " + token));
    }

    @Override
    public void close() throws IOException {
        faults.close();
        server.close();
    }
}
