// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudSettings;
import java.net.URI;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What is needed of a project. Options: {@code project}; {@code image} and {@code subnet} for new hosts;
 * {@code zones} with commas when there are more than the one; {@code serviceAccount}, {@code bootDiskGib},
 * {@code minCpuPlatform}, {@code nestedVirtualization} ({@code false} for hosts that need no KVM), {@code families}
 * with commas, {@code diskType} and {@code sharedDiskType}.
 *
 * @param image such as {@code projects/debian-cloud/global/images/family/debian-12}
 * @param families machine families to choose from
 * @param operationLimit for an operation after the call that started it
 */
record GoogleSettings(
        String project,
        String region,
        List<String> zones,
        Optional<URI> endpoint,
        Optional<String> image,
        Optional<String> subnet,
        Optional<String> serviceAccount,
        Optional<String> minCpuPlatform,
        boolean nestedVirtualization,
        int bootDiskGib,
        List<String> families,
        String diskType,
        String sharedDiskType,
        Duration callLimit,
        Duration operationLimit) {
    /** Intel only: other families offer guests no virtualization. */
    private static final String NESTED_FAMILIES = "n2,c3,n4,c4,n1,c2";

    static GoogleSettings of(CloudSettings settings) {
        Map<String, String> options = settings.options();
        String zones = options.getOrDefault("zones", settings.zone().orElse(""));
        if (zones.isBlank()) {
            throw new CloudException(
                    CloudException.Kind.INVALID,
                    "the gcp settings lack a zone: name one, or several in \"zones\", such as europe-west3-a");
        }
        return new GoogleSettings(
                settings.require("project", "the project's id, as gcloud config get project prints it"),
                settings.region(),
                list(zones),
                settings.endpoint(),
                Optional.ofNullable(options.get("image")),
                Optional.ofNullable(options.get("subnet")),
                Optional.ofNullable(options.get("serviceAccount")),
                Optional.ofNullable(options.get("minCpuPlatform")),
                Boolean.parseBoolean(options.getOrDefault("nestedVirtualization", "true")),
                number(options.getOrDefault("bootDiskGib", "20")),
                list(options.getOrDefault("families", NESTED_FAMILIES)),
                options.getOrDefault("diskType", "pd-balanced"),
                options.getOrDefault("sharedDiskType", "hyperdisk-balanced-high-availability"),
                settings.callLimit(),
                // Deleting an instance takes a minute and more.
                settings.callLimit().multipliedBy(6));
    }

    private static List<String> list(String words) {
        return Arrays.stream(words.split(","))
                .map(String::strip)
                .filter(w -> !w.isEmpty())
                .toList();
    }

    private static int number(String text) {
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new CloudException(
                    CloudException.Kind.INVALID, "the gcp option \"bootDiskGib\" is no number: " + text, e);
        }
    }

    /** An option that only buying needs. */
    static String needed(Optional<String> option, String name) {
        return option.orElseThrow(() -> new CloudException(
                CloudException.Kind.INVALID, "the gcp settings lack \"" + name + "\", which new hosts need"));
    }
}
