// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.load;

/**
 * What the load client saw so far.
 *
 * @param atMillis since the load started
 * @param operations answered: writes and reads
 * @param errors error replies, wrong values, broken connections
 * @param reconnects connections opened after the first
 * @param currentStallMillis since the last answer while some were due
 * @param longestStallMillis longest time without an answer while some were due
 * @param longestStallAtMillis when that began, since the load started
 * @param latencyMicrosP50 of one operation
 * @param latencyMicrosP99 of one operation
 * @param verified whether the figures below are final
 * @param acknowledgedKeys keys with at least one acknowledged write
 * @param lostWrites keys whose last acknowledged write is gone
 * @param oldestLostAgeMillis age of the oldest lost write, counted back from the last acknowledged one; 0 when none
 * @param firstError what went wrong first, or empty
 */
public record LoadReport(
        long atMillis,
        long operations,
        long errors,
        long reconnects,
        long currentStallMillis,
        long longestStallMillis,
        long longestStallAtMillis,
        long latencyMicrosP50,
        long latencyMicrosP99,
        boolean verified,
        long acknowledgedKeys,
        long lostWrites,
        long oldestLostAgeMillis,
        String firstError) {}
