// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.azure.core.http.HttpHeaderName;
import com.azure.core.http.policy.ExponentialBackoff;
import com.azure.core.http.policy.RequestRetryCondition;
import java.time.Duration;

/**
 * The SDK's exponential and jittered repetition, but for waits that the service asks for and that would outlast a call:
 * there the caller is told at once, and buys elsewhere. Any thread.
 */
final class BoundedRetry extends ExponentialBackoff {
    private static final int MAX_RETRIES = 3;
    private static final Duration BASE = Duration.ofMillis(200);

    private final long longestWaitSeconds;

    BoundedRetry(Duration callLimit) {
        super(MAX_RETRIES, BASE, callLimit.dividedBy(4).compareTo(BASE) > 0 ? callLimit.dividedBy(4) : BASE);
        longestWaitSeconds = callLimit.toSeconds() / 4;
    }

    @Override
    public boolean shouldRetryCondition(RequestRetryCondition condition) {
        if (condition.getResponse() != null) {
            String wait = condition.getResponse().getHeaderValue(HttpHeaderName.RETRY_AFTER);
            if (wait != null && wait.matches("\\d{1,9}") && Long.parseLong(wait) > longestWaitSeconds) {
                return false;
            }
        }
        return super.shouldRetryCondition(condition);
    }
}
