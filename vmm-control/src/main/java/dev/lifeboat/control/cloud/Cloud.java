// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import dev.lifeboat.net.address.AddressMover;
import java.util.List;

/**
 * One account in one region of a cloud. Every call has a time limit, repeats itself a bounded number of times with
 * jitter where that is safe, and fails with a {@link CloudException}. Any thread.
 */
public interface Cloud extends AutoCloseable {
    CloudKind kind();

    TargetMarket market();

    Volumes volumes();

    AddressMover addresses();

    /** Sources outside of the hosts, such as a queue of events; none where a cloud has none. */
    List<PreemptionSource> sources();

    /** Lets the cloud itself take an instance away, as it would a spot instance. */
    void rehearse(String instanceId);

    /** Each ability that the program may need, tried without changing anything where the cloud allows that. */
    List<Finding> check();

    /** Loads classes, makes TLS connections and gets credentials, so that the next call is as fast as any. */
    void warmUp();

    @Override
    void close();

    /**
     * @param ability such as {@code buy spot hosts}
     * @param permission the cloud's own name of what is needed
     * @param works whether it was found to be there
     * @param advice what to do when it does not; empty when it works
     */
    record Finding(String ability, String permission, boolean works, String advice) {}
}
