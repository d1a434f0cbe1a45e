// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.fabric;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * @param hosts names of the spot hosts, at most 8; the first ones are each other's peers
 * @param hostMemoryMib of each host: the microVM's memory (twice while it is checked), the program and its image
 * @param store S3 server on the gateway, or a directory there that all hosts mount
 * @param guests images that every host gets, such as {@code redis-guest}; the disk of one goes to the first host only
 * @param maxLife after which every machine is gone, whatever happened
 * @param logs directory for logs and recordings
 */
public record FabricOptions(
        List<String> hosts,
        int hostMemoryMib,
        StoreKind store,
        List<String> guests,
        Duration maxLife,
        Path logs,
        Optional<CloudFleet> cloud) {

    /**
     * Hosts but the first start when a cloud launches them ({@link EmulatedFabric#launch}).
     *
     * @param kind {@code aws}, {@code azure} or {@code gcp}: of the metadata services
     * @param controllerUrl that the first host finds targets by
     * @param metadataOptions of the agents
     */
    public record CloudFleet(String kind, String controllerUrl, Map<String, String> metadataOptions) {
        public CloudFleet {
            metadataOptions = Map.copyOf(metadataOptions);
        }
    }

    /** All hosts are there from the start and know each other. */
    public FabricOptions(
            List<String> hosts, int hostMemoryMib, StoreKind store, List<String> guests, Duration maxLife, Path logs) {
        this(hosts, hostMemoryMib, store, guests, maxLife, logs, Optional.empty());
    }

    public FabricOptions {
        hosts = List.copyOf(hosts);
        guests = List.copyOf(guests);
    }
}
