// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;

/**
 * Asks until something has taken effect, for EC2 says "yes" before it has done it. Runs on the caller's thread.
 *
 * @param every between two looks, with up to a quarter more so that hosts do not ask in step
 * @param limit after which it is given up
 */
record AwsWait(Duration every, Duration limit) {
    /**
     * @param look empty as long as it has not happened
     * @return empty when the limit has passed
     */
    <T> Optional<T> until(Supplier<Optional<T>> look) {
        long endNs = System.nanoTime() + limit.toNanos();
        while (true) {
            Optional<T> found = look.get();
            if (found.isPresent() || System.nanoTime() - endNs >= 0) {
                return found;
            }
            pause();
        }
    }

    private void pause() {
        long ms = every.toMillis();
        try {
            Thread.sleep(ms + ThreadLocalRandom.current().nextLong(ms / 4 + 1));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CloudException(Kind.UNCLEAR, "interrupted while waiting for EC2: ask for the state again", e);
        }
    }
}
