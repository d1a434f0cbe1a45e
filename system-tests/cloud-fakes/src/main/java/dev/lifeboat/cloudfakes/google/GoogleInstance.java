// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.google;

import java.util.Map;

/**
 * What a harness needs to know of an instance.
 *
 * @param status as in the API: PROVISIONING, STAGING, RUNNING, STOPPING, TERMINATED
 * @param userData the metadata item {@code startup-script}
 */
public record GoogleInstance(
        String zone,
        String name,
        String machineType,
        boolean spot,
        String status,
        String address,
        String userData,
        Map<String, String> labels) {
    public GoogleInstance {
        labels = Map.copyOf(labels);
    }

    public String id() {
        return zone + "/" + name;
    }
}
