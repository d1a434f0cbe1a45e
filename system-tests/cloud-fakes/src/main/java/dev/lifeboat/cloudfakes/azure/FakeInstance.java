// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.azure;

import java.util.Map;

/**
 * A virtual machine of the fake, as it is now.
 *
 * @param powerState the cloud's word, such as {@code running}; empty while it is not allocated
 * @param userData as the host's first boot gets it, decoded
 */
public record FakeInstance(
        String id,
        String size,
        String zone,
        boolean spot,
        String powerState,
        String address,
        Map<String, String> tags,
        String userData) {
    public FakeInstance {
        tags = Map.copyOf(tags);
    }
}
