// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import com.google.api.core.NanoClock;
import com.google.api.gax.retrying.BasicResultRetryAlgorithm;
import com.google.api.gax.retrying.DirectRetryingExecutor;
import com.google.api.gax.retrying.ExponentialRetryAlgorithm;
import com.google.api.gax.retrying.RetryAlgorithm;
import com.google.api.gax.retrying.RetrySettings;
import com.google.api.gax.retrying.RetryingFuture;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.function.Predicate;

/** The SDK's own bounded repetition, whose delays always have jitter, for what the SDK's clients do not repeat. On the caller's thread. */
final class GoogleRepeats {
    private static final int MAX_ATTEMPTS = 5;

    private GoogleRepeats() {}

    /** For one call. */
    static RetrySettings ofCall(Duration limit) {
        // Room for two attempts that hang.
        Duration attempt = limit.dividedBy(2);
        return RetrySettings.newBuilder()
                .setInitialRetryDelayDuration(Duration.ofMillis(100))
                .setRetryDelayMultiplier(2)
                .setMaxRetryDelayDuration(Duration.ofSeconds(2))
                .setInitialRpcTimeoutDuration(attempt)
                .setRpcTimeoutMultiplier(1)
                .setMaxRpcTimeoutDuration(attempt)
                .setTotalTimeoutDuration(limit)
                .setMaxAttempts(MAX_ATTEMPTS)
                .build();
    }

    /** For looking until something is so. */
    static RetrySettings ofPoll(Duration limit) {
        return RetrySettings.newBuilder()
                .setInitialRetryDelayDuration(Duration.ofMillis(200))
                .setRetryDelayMultiplier(1.4)
                .setMaxRetryDelayDuration(Duration.ofSeconds(2))
                .setTotalTimeoutDuration(limit)
                .build();
    }

    /** @return the last result, even when it is still not wanted at the limit */
    static <T> T until(RetrySettings settings, Predicate<Throwable> again, Predicate<T> notYet, Callable<T> attempt)
            throws ExecutionException, InterruptedException {
        BasicResultRetryAlgorithm<T> results = new BasicResultRetryAlgorithm<>() {
            @Override
            public boolean shouldRetry(Throwable failure, T result) {
                return failure == null ? notYet.test(result) : again.test(failure);
            }
        };
        DirectRetryingExecutor<T> executor = new DirectRetryingExecutor<>(
                new RetryAlgorithm<>(results, new ExponentialRetryAlgorithm(settings, NanoClock.getDefaultClock())));
        RetryingFuture<T> future = executor.createFuture(attempt);
        future.setAttemptFuture(executor.submit(future));
        return future.get();
    }
}
