// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.AvailabilityZone;
import software.amazon.awssdk.services.ec2.model.SpotPlacementScore;

/**
 * How likely EC2 says that spot instances are to be had, by zone. EC2 lets few such questions pass, so that the thread
 * {@code aws-scores} asks at most once in {@value #EVERY_MINUTES} minutes, and nobody waits for the answer.
 */
final class PlacementScores implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PlacementScores.class);
    private static final long EVERY_MINUTES = 5;

    private final Ec2Client ec2;
    private final String region;
    private final ThreadPoolExecutor thread;
    private volatile Map<String, Integer> byZone = Map.of();
    /** Guarded by this. */
    private long askedNs = System.nanoTime() - Duration.ofMinutes(EVERY_MINUTES).toNanos();

    PlacementScores(Ec2Client ec2, String region) {
        this.ec2 = ec2;
        this.region = region;
        thread = new ThreadPoolExecutor(0, 1, 10, TimeUnit.SECONDS, new ArrayBlockingQueue<>(1), action -> {
            Thread made = new Thread(action, "aws-scores");
            made.setDaemon(true);
            return made;
        });
    }

    /** The last known scores by zone name; a newer look is on its way when it is time for one. */
    Map<String, Integer> known(List<String> sizes) {
        refresh(sizes);
        return byZone;
    }

    /** @return the look that this began; done already when it is not time for one */
    synchronized Future<?> refresh(List<String> sizes) {
        long nowNs = System.nanoTime();
        boolean early = nowNs - askedNs < Duration.ofMinutes(EVERY_MINUTES).toNanos();
        if (early || sizes.isEmpty() || thread.isShutdown()) {
            return CompletableFuture.completedFuture(null);
        }
        askedNs = nowNs;
        return thread.submit(() -> look(sizes));
    }

    private void look(List<String> sizes) {
        try {
            Map<String, String> names = zoneNames();
            Map<String, Integer> found = new HashMap<>();
            for (SpotPlacementScore score : ask(sizes)) {
                // Scores are by zone id, which is the same place in every account; names are not.
                String name = names.get(score.availabilityZoneId());
                if (name != null && score.score() != null) {
                    found.put(name, score.score());
                }
            }
            byZone = Map.copyOf(found);
        } catch (CloudException e) {
            LOG.warn("spot placement scores stay as they were: {}", e.getMessage());
        }
    }

    private List<SpotPlacementScore> ask(List<String> sizes) {
        return AwsErrors.look(
                AwsPermission.GET_SPOT_PLACEMENT_SCORES,
                "get spot placement scores",
                () -> ec2.getSpotPlacementScores(request -> request.instanceTypes(sizes)
                                .targetCapacity(1)
                                .singleAvailabilityZone(true)
                                .regionNames(region))
                        .spotPlacementScores());
    }

    private Map<String, String> zoneNames() {
        Map<String, String> names = new HashMap<>();
        List<AvailabilityZone> zones = AwsErrors.look(
                AwsPermission.DESCRIBE_AVAILABILITY_ZONES,
                "list availability zones",
                () -> ec2.describeAvailabilityZones().availabilityZones());
        zones.forEach(zone -> names.put(zone.zoneId(), zone.zoneName()));
        return names;
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
