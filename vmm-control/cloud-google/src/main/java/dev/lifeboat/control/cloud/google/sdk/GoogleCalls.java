// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import com.google.cloud.compute.v1.Instance;
import com.google.cloud.compute.v1.Operation;
import dev.lifeboat.control.cloud.CloudException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.function.Function;

/**
 * What market, volumes and addresses share: calls whose failures are mapped, and waiting for operations. Makes the
 * clients at the first call. Any thread.
 */
final class GoogleCalls implements AutoCloseable {
    private final GoogleSettings settings;
    private GoogleClients clients;
    private boolean closed;

    GoogleCalls(GoogleSettings settings) {
        this.settings = settings;
    }

    GoogleSettings settings() {
        return settings;
    }

    synchronized GoogleClients clients() {
        if (closed) {
            throw new CloudException(CloudException.Kind.INVALID, "this cloud is closed: open it anew");
        }
        if (clients == null) {
            clients = new GoogleClients(settings);
        }
        return clients;
    }

    <T> T read(String attempted, GooglePermission permission, Function<GoogleClients, T> call) {
        return call(attempted, permission, false, () -> call.apply(clients()));
    }

    /** A change that has begun when this returns. */
    Operation change(String attempted, GooglePermission permission, Function<GoogleClients, Operation> call) {
        return call(attempted, permission, true, () -> call.apply(clients()));
    }

    <T> T call(String attempted, GooglePermission permission, boolean changes, Callable<T> call) {
        try {
            return call.call();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CloudException(
                    changes ? CloudException.Kind.UNCLEAR : CloudException.Kind.UNAVAILABLE,
                    "interrupted while trying to " + attempted,
                    e);
        } catch (Exception e) {
            throw GoogleErrors.of(attempted, permission, changes, e);
        }
    }

    /** Returns when the operation has succeeded. */
    void await(String attempted, GooglePermission permission, Operation begun) {
        Operation last = begun.getStatus() == Operation.Status.DONE
                ? begun
                : call(
                        "see whether it worked to " + attempted,
                        GooglePermission.ZONE_OPERATIONS_GET,
                        true,
                        () -> GoogleRepeats.until(
                                GoogleRepeats.ofPoll(settings.operationLimit()),
                                failure -> false,
                                operation -> operation.getStatus() != Operation.Status.DONE,
                                () -> operation(begun)));
        if (last.getStatus() != Operation.Status.DONE) {
            throw new CloudException(
                    CloudException.Kind.UNCLEAR,
                    "cannot " + attempted + " within "
                            + settings.operationLimit().toSeconds() + " s: operation "
                            + begun.getName() + " is still " + last.getStatus()
                            + ". It goes on: look before it is repeated");
        }
        failIfFailed(attempted, permission, last);
    }

    static void failIfFailed(String attempted, GooglePermission permission, Operation operation) {
        if (operation.getStatus() == Operation.Status.DONE
                && (operation.getError().getErrorsCount() > 0 || operation.getHttpErrorStatusCode() >= 400)) {
            throw GoogleErrors.of(attempted, permission, operation);
        }
    }

    /** The operation as it is now. */
    Operation operation(Operation begun) {
        String project = settings.project();
        if (!begun.getZone().isEmpty()) {
            return clients().zoneOperations.get(project, GoogleId.last(begun.getZone()), begun.getName());
        }
        if (!begun.getRegion().isEmpty()) {
            return clients().regionOperations.get(project, GoogleId.last(begun.getRegion()), begun.getName());
        }
        return clients().globalOperations.get(project, begun.getName());
    }

    /** A request through {@link GoogleRest}; the answer is an operation of that zone. */
    Operation raw(String attempted, GooglePermission permission, String method, String zone, String path, String body) {
        return call(attempted, permission, true, () -> {
            URI uri = URI.create(compute() + "/projects/" + settings.project() + "/zones/" + zone + "/" + path);
            String name = clients().rest.call(method, uri, body).path("name").asText();
            return Operation.newBuilder().setName(name).setZone(zone).build();
        });
    }

    String compute() {
        return settings.endpoint().map(URI::toString).orElse("https://compute.googleapis.com") + "/compute/v1";
    }

    Instance instance(GoogleId id) {
        return read(
                "describe instance " + id,
                GooglePermission.INSTANCES_GET,
                c -> c.instances.get(settings.project(), id.zone(), id.name()));
    }

    Optional<Instance> findInstance(GoogleId id) {
        try {
            return Optional.of(instance(id));
        } catch (CloudException e) {
            if (e.kind() == CloudException.Kind.NOT_FOUND) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** For a request that is not repeated after this call. */
    static String newRequestId() {
        return UUID.randomUUID().toString();
    }

    /** The same for the same words, also after a restart. */
    static String requestId(String words) {
        return UUID.nameUUIDFromBytes(words.getBytes(StandardCharsets.UTF_8)).toString();
    }

    @Override
    public synchronized void close() {
        closed = true;
        if (clients != null) {
            clients.close();
            clients = null;
        }
    }
}
