// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.etcd;

import dev.lifeboat.store.FleetRegistry;
import dev.lifeboat.store.OwnerRegistry;
import dev.lifeboat.store.StoreException;
import io.etcd.jetcd.Client;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/** One connection to an etcd cluster, shared by the registries of all VMs; threads are the client's. Thread-safe. */
final class EtcdFleetRegistry implements FleetRegistry {
    /** An etcd that is well answers in milliseconds; electing a new leader takes it about a second. */
    private static final long CALL_LIMIT_MS = 2_000;

    private final EtcdUrl url;
    private final Client client;

    EtcdFleetRegistry(EtcdUrl url) {
        this.url = url;
        // A call waits for its connection within its own limit; calls are repeated by who knows what they mean.
        client = Client.builder()
                .endpoints(url.endpoints())
                .connectTimeout(Duration.ofMillis(CALL_LIMIT_MS))
                .retryMaxAttempts(0)
                .build();
    }

    @Override
    public OwnerRegistry owners(String vmId) {
        return new EtcdOwnerRegistry(this, vmId);
    }

    Client client() {
        return client;
    }

    EtcdUrl url() {
        return url;
    }

    /**
     * Waits for an answer of etcd.
     *
     * @throws StoreException when none came in time, or an error; a write may then have taken effect
     */
    <T> T await(String what, Supplier<CompletableFuture<T>> call) {
        CompletableFuture<T> answer = call.get();
        try {
            return answer.get(CALL_LIMIT_MS, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            answer.cancel(true);
            throw new StoreException(
                    "cannot " + what + " in " + url + ": no answer within " + CALL_LIMIT_MS
                            + " ms; check that etcd runs and can be reached",
                    e);
        } catch (ExecutionException e) {
            throw new StoreException(
                    "cannot " + what + " in " + url + ": " + e.getCause().getMessage(), e.getCause());
        } catch (InterruptedException e) {
            answer.cancel(true);
            Thread.currentThread().interrupt();
            throw new StoreException("interrupted while waiting for " + url, e);
        }
    }

    @Override
    public String describe() {
        return url.toString();
    }

    @Override
    public void close() {
        client.close();
    }
}
