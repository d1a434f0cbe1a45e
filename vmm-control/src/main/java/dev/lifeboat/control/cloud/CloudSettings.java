// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * @param region such as {@code eu-central-1}
 * @param zone where targets and volumes are; needed for volumes
 * @param endpoint another address of the cloud's API, for tests and private endpoints: without credentials of the
 *     machine when it is {@code http:}
 * @param options what only one cloud has, by name: {@code subnet}, {@code securityGroups}, {@code image},
 *     {@code resourceGroup}, {@code subscription}, {@code project}, ...; the provider says which it needs
 * @param callLimit for one call with its repetitions
 */
public record CloudSettings(
        CloudKind kind,
        String region,
        Optional<String> zone,
        Optional<URI> endpoint,
        Map<String, String> options,
        Duration callLimit) {
    public CloudSettings {
        zone = zone == null ? Optional.empty() : zone;
        endpoint = endpoint == null ? Optional.empty() : endpoint;
        options = options == null ? Map.of() : Map.copyOf(options);
        callLimit = callLimit == null ? Duration.ofSeconds(20) : callLimit;
    }

    /** An option that must be there. */
    public String require(String option, String meaning) {
        String value = options.get(option);
        if (value == null || value.isBlank()) {
            throw new CloudException(
                    CloudException.Kind.INVALID,
                    "the " + kind.word() + " settings lack \"" + option + "\": " + meaning);
        }
        return value;
    }
}
