// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import dev.lifeboat.control.cloud.aws.Imds;
import dev.lifeboat.control.cloud.azure.ScheduledEvents;
import dev.lifeboat.control.cloud.google.GoogleSources;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Finds out which cloud this host is of: asks the metadata services of all at once, each in its own words, on daemon
 * threads {@code cloud-probe} that live for one probe. Services refuse each other's requests, so that one answers.
 */
public final class CloudProbe {
    public static final String METADATA_URL = "http://169.254.169.254";
    /** Two requests with their own limits, for a token or name comes first nowhere. */
    private static final long LIMIT_MS = 2L * MetadataHttp.LIMIT_MS + 500;

    private static final Path DMI_VENDOR = Path.of("/sys/class/dmi/id/sys_vendor");

    private CloudProbe() {}

    /**
     * @throws IllegalArgumentException when the URL is not that of a metadata service
     * @return empty when none answers and the machine's vendor is no cloud either
     */
    public static Optional<CloudKind> recognise(String baseUrl) throws InterruptedException {
        return recognise(baseUrl, DMI_VENDOR);
    }

    static Optional<CloudKind> recognise(String baseUrl, Path vendorFile) throws InterruptedException {
        new MetadataHttp(baseUrl);
        Optional<CloudKind> hint = vendor(vendorFile);
        Set<CloudKind> answering = ask(baseUrl);
        if (answering.isEmpty()) {
            // The service may be away for now; the sources will say so, and go on trying.
            return hint;
        }
        return hint.filter(answering::contains).or(() -> answering.stream().findFirst());
    }

    private static Set<CloudKind> ask(String baseUrl) throws InterruptedException {
        ExecutorService threads = Executors.newFixedThreadPool(CloudKind.values().length, action -> {
            Thread thread = new Thread(action, "cloud-probe");
            thread.setDaemon(true);
            return thread;
        });
        try {
            Map<CloudKind, Future<Boolean>> asked = new EnumMap<>(CloudKind.class);
            asked.put(CloudKind.AWS, threads.submit(() -> new Imds(baseUrl).answers()));
            asked.put(CloudKind.AZURE, threads.submit(() -> new ScheduledEvents(baseUrl, "").answers()));
            asked.put(CloudKind.GOOGLE, threads.submit(() -> GoogleSources.answers(baseUrl)));
            long limitNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LIMIT_MS);
            Set<CloudKind> answering = EnumSet.noneOf(CloudKind.class);
            for (Map.Entry<CloudKind, Future<Boolean>> one : asked.entrySet()) {
                try {
                    if (one.getValue().get(Math.max(0, limitNs - System.nanoTime()), TimeUnit.NANOSECONDS)) {
                        answering.add(one.getKey());
                    }
                } catch (TimeoutException silent) {
                    // Not this one.
                } catch (ExecutionException e) {
                    throw new IllegalStateException("cannot ask for the cloud at " + baseUrl, e.getCause());
                }
            }
            return answering;
        } finally {
            threads.shutdownNow();
        }
    }

    private static Optional<CloudKind> vendor(Path file) {
        String vendor;
        try {
            vendor = Files.readString(file).toLowerCase(Locale.ROOT);
        } catch (IOException noDmi) {
            return Optional.empty();
        }
        if (vendor.contains("amazon")) {
            return Optional.of(CloudKind.AWS);
        }
        // Also of Hyper-V anywhere: it counts only where the service answers, or as the better guess.
        if (vendor.contains("microsoft")) {
            return Optional.of(CloudKind.AZURE);
        }
        return vendor.contains("google") ? Optional.of(CloudKind.GOOGLE) : Optional.empty();
    }
}
