// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import java.util.List;
import java.util.Optional;

/** Where hosts can be had. */
public interface TargetMarket {
    /** Sizes that a VM can go to, the most promising first. May be slow, and is asked ahead of need. */
    List<Offer> offers(TargetWish wish);

    /**
     * Buys one host. The same token never buys twice, also after a restart.
     *
     * @return the instance, perhaps not running yet
     * @throws CloudException of kind CAPACITY or QUOTA when none of the offers can be had
     */
    Instance acquire(Purchase purchase);

    /** What the token has bought, whatever became of the answer. */
    Optional<Instance> bought(String token);

    Instance describe(String instanceId);

    /** All instances that carry this fleet's tag and are not gone. */
    List<Instance> all(String fleet);

    /** Nothing happens when it is gone already. */
    void release(String instanceId);

    /** For a pool of stopped instances, whose disks are warm. */
    void stop(String instanceId);

    void start(String instanceId);

    enum PriceClass {
        SPOT,
        ON_DEMAND
    }

    /**
     * What a host must offer.
     *
     * @param cpuProfile a {@link dev.lifeboat.vmm.CpuProfile} by its word; the provider leaves out sizes that do not reach it
     * @param near zone that is needed, because a volume is there
     */
    record TargetWish(int vcpus, long memoryMib, String cpuProfile, Optional<String> near) {}

    /**
     * @param size instance type, VM size or machine type
     * @param score 0 to 10, how likely the cloud says it is to be had and kept; 0 when it does not say
     * @param dollarsPerHour what it costs, 0 when not known
     */
    record Offer(String size, String zone, PriceClass priceClass, int score, double dollarsPerHour) {}

    /**
     * @param token idempotency token, at most 36 letters, digits and hyphens
     * @param fleet tag of all instances of a fleet
     * @param offers of one price class, in the order to try
     * @param userData script for the host's first boot
     */
    record Purchase(String token, String fleet, List<Offer> offers, String userData) {
        public Purchase {
            offers = List.copyOf(offers);
            if (offers.isEmpty()) {
                throw new IllegalArgumentException("a purchase needs an offer");
            }
        }
    }

    /**
     * @param address private address; empty while the cloud has not given one
     * @param token with which it was bought; empty for instances of others
     */
    record Instance(
            String id, String size, String zone, PriceClass priceClass, State state, String address, String token) {
        public enum State {
            PENDING,
            RUNNING,
            STOPPING,
            STOPPED,
            GONE
        }
    }
}
