// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.load;

/** Counts latencies in steps of an eighth of a power of two, so that a percentile is right within 13 %. One writer. */
final class LatencyHistogram {

    private static final int STEPS = 8;
    private final long[] counts = new long[64 * STEPS];
    private long total;

    void add(long micros) {
        counts[bucket(Math.max(1, micros))]++;
        total++;
    }

    private static int bucket(long micros) {
        int power = 63 - Long.numberOfLeadingZeros(micros);
        long rest = micros - (1L << power);
        return power * STEPS + (int) (power >= 3 ? rest >>> (power - 3) : rest << (3 - power));
    }

    /** Upper end of the step that holds the percentile; 0 when nothing was counted. */
    long percentile(double share) {
        long wanted = (long) Math.ceil(total * share);
        long seen = 0;
        for (int i = 0; i < counts.length; i++) {
            seen += counts[i];
            if (seen >= wanted && seen > 0) {
                int power = i / STEPS;
                return (1L << power) + (((i % STEPS) + 1L) << power >> 3);
            }
        }
        return 0;
    }
}
