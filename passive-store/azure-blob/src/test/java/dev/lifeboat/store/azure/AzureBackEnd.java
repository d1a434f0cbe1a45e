// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.azure;

import com.azure.core.http.jdk.httpclient.JdkHttpClientBuilder;
import com.azure.storage.blob.BlobContainerClientBuilder;
import com.azure.storage.common.StorageSharedKeyCredential;
import dev.lifeboat.store.FaultProxy;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.ObjectStores;
import dev.lifeboat.store.RemoteBackEnd;
import java.io.IOException;
import java.util.Base64;
import java.util.Optional;
import java.util.UUID;

/** A container of {@link AzuriteServer} behind a {@link FaultProxy}. */
public final class AzureBackEnd implements RemoteBackEnd {
    private static final String KEY_VARIABLE = "AZURE_STORAGE_KEY";
    private final String container = "test-" + UUID.randomUUID();
    private final FaultProxy faults;

    public AzureBackEnd(AzuriteServer server) throws IOException {
        System.setProperty(KEY_VARIABLE, AzuriteServer.KEY);
        new BlobContainerClientBuilder()
                .endpoint("http://127.0.0.1:" + server.port() + "/" + AzuriteServer.ACCOUNT)
                .credential(new StorageSharedKeyCredential(AzuriteServer.ACCOUNT, AzuriteServer.KEY))
                .containerName(container)
                .httpClient(new JdkHttpClientBuilder().build())
                .buildClient()
                .create();
        faults = new FaultProxy(server.port());
    }

    @Override
    public ObjectStore open() {
        return open(container, faults.endpoint());
    }

    @Override
    public FaultProxy faults() {
        return faults;
    }

    @Override
    public ObjectStore openAt(String endpoint) {
        return open(container, endpoint);
    }

    @Override
    public ObjectStore openMissing(String name) {
        return open(name, faults.endpoint());
    }

    @Override
    public Optional<ObjectStore> openRefused() {
        System.setProperty(KEY_VARIABLE, Base64.getEncoder().encodeToString(new byte[64]));
        try {
            return Optional.of(open());
        } finally {
            System.setProperty(KEY_VARIABLE, AzuriteServer.KEY);
        }
    }

    @Override
    public String secret() {
        return AzuriteServer.KEY;
    }

    private static ObjectStore open(String container, String endpoint) {
        return ObjectStores.open(
                "azblob://" + AzuriteServer.ACCOUNT + "/" + container + "/some/prefix",
                Optional.of(endpoint),
                Optional.empty());
    }

    @Override
    public void close() throws IOException {
        faults.close();
    }
}
