// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

/** A cloud's SDK behind {@link Cloud}; found by {@link java.util.ServiceLoader}. */
public interface CloudProvider {
    CloudKind kind();

    /**
     * Makes the clients; sends nothing.
     *
     * @throws CloudException of kind INVALID when the settings are not enough, naming the missing one
     */
    Cloud open(CloudSettings settings);
}
