// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.aws;

import java.util.Map;

/**
 * @param spot whether it can be taken away
 * @param state as EC2 names it
 * @param userData as it was before base 64
 */
public record FakeInstance(
        String id,
        String size,
        String zone,
        boolean spot,
        String state,
        String address,
        String userData,
        Map<String, String> tags) {
    public FakeInstance {
        tags = Map.copyOf(tags);
    }
}
