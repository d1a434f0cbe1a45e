// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.benchmarks;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What {@link RunCodecBenchmark} measures, in gigabytes per second of processor time: for machines that others use, too.
 * All measurements of one kind of pages take turns in slices of some milliseconds, and the median slice counts, so that
 * they share good and bad times. Runs on the main thread; prints a table.
 */
public final class CodecThroughput {
    private static final int RUN_BYTES = 64 * 1024;
    private static final int RUNS_PER_SLICE = 128;
    private static final int WARM_UP_SLICES = 60;
    private static final int SLICES = 101;

    private CodecThroughput() {}

    public static void main(String[] contents) {
        List<String> wanted = contents.length > 0
                ? List.of(contents)
                : List.of("zero", "sparse1", "sparse8", "sparse64", "text", "random");
        for (String content : wanted) {
            measure(content);
        }
    }

    private static void measure(String content) {
        RunCodecBenchmark pages = new RunCodecBenchmark();
        pages.content = content;
        pages.fill();
        Map<String, Runnable> measured = new LinkedHashMap<>();
        measured.put("copy into the cache", pages::copy);
        measured.put("copy to memory", pages::copyToMemory);
        measured.put("encode + CRC32C", pages::encodeAndChecksum);
        measured.put("CRC32C + decode", pages::checksumAndDecode);
        measured.put("LZ4 alone", pages::lz4Compress);
        measured.put("LZ4 alone, back", pages::lz4Decompress);
        measured.put("zstd alone", pages::zstdCompress);
        measured.put("zstd alone, back", pages::zstdDecompress);
        List<double[]> rates = new ArrayList<>();
        for (Runnable ignored : measured.values()) {
            rates.add(new double[SLICES]);
        }
        for (int slice = -WARM_UP_SLICES; slice < SLICES; slice++) {
            int n = 0;
            for (Runnable one : measured.values()) {
                double rate = rate(one);
                if (slice >= 0) {
                    rates.get(n)[slice] = rate;
                }
                n++;
            }
        }
        pages.printRatios();
        int n = 0;
        double copy = median(rates.get(0));
        double copyToMemory = median(rates.get(1));
        for (String name : measured.keySet()) {
            double rate = median(rates.get(n++));
            System.out.printf(
                    Locale.ROOT,
                    "%-20s %6.2f GB/s, %4.0f %% of a copy into the cache, %4.0f %% of one to memory%n",
                    name,
                    rate,
                    100 * rate / copy,
                    100 * rate / copyToMemory);
        }
    }

    private static double rate(Runnable one) {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadCpuTime();
        for (int run = 0; run < RUNS_PER_SLICE; run++) {
            one.run();
        }
        return (double) RUNS_PER_SLICE * RUN_BYTES / (threads.getCurrentThreadCpuTime() - before);
    }

    private static double median(double[] rates) {
        double[] sorted = rates.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
