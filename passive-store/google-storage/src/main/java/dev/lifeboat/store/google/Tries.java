// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.google;

import com.google.api.client.http.HttpResponseException;
import java.io.IOException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Repeats a request that failed in a way that may pass: the client library leaves that to its user. */
final class Tries {
    private static final int TRIES = 4;
    private static final long FIRST_PAUSE_MS = 50;
    private static final long THROTTLED_PAUSE_MS = 200;

    private Tries() {}

    /** One request. */
    @FunctionalInterface
    interface Request<T> {
        T send() throws IOException;
    }

    /**
     * @param request that checks no keys: an illegal argument is taken for a broken answer
     * @throws IOException of the last try
     */
    static <T> T of(Request<T> request) throws IOException {
        for (int attempt = 1; ; attempt++) {
            try {
                return sendWhole(request);
            } catch (IOException e) {
                if (attempt == TRIES || !mayPass(e)) {
                    throw e;
                }
                pause(attempt, e);
            }
        }
    }

    /** An answer that breaks off in its head or its JSON is an illegal argument to the library's parsers. */
    private static <T> T sendWhole(Request<T> request) throws IOException {
        try {
            return request.send();
        } catch (IllegalArgumentException e) {
            throw new IOException("the answer cannot be read: " + e.getMessage(), e);
        }
    }

    private static boolean mayPass(IOException e) {
        if (e instanceof HttpResponseException answer) {
            int status = answer.getStatusCode();
            return status == 408 || status == 429 || status >= 500;
        }
        return !(e instanceof MachineCredentials.Missing);
    }

    private static void pause(int attempt, IOException e) {
        long base = e instanceof HttpResponseException ? THROTTLED_PAUSE_MS : FIRST_PAUSE_MS;
        long limitNs = TimeUnit.MILLISECONDS.toNanos(base << attempt);
        LockSupport.parkNanos(ThreadLocalRandom.current().nextLong(limitNs / 2, limitNs));
    }
}
