// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudSettings;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What AWS needs, read from {@link CloudSettings}. Options: {@code image} (AMI) and {@code subnet} are needed for buying;
 * {@code securityGroups}, {@code instanceProfile}, {@code keyName}, {@code families}, {@code queueUrl} and {@code
 * fisRole} are not.
 *
 * @param subnets by zone; a {@code subnet} without a zone stands in the settings' own zone
 * @param fisRole ARN of the role with which Fault Injection Service interrupts a host for a rehearsal
 * @param families instance families that hosts may be of, such as {@code c8i}; all that can nest when empty
 */
record AwsSettings(
        String region,
        Optional<String> zone,
        Optional<URI> endpoint,
        Duration callLimit,
        Optional<String> image,
        Map<String, String> subnets,
        List<String> securityGroups,
        Optional<String> instanceProfile,
        Optional<String> keyName,
        List<String> families,
        Optional<URI> queueUrl,
        Optional<String> fisRole) {

    static AwsSettings of(CloudSettings settings) {
        if (settings.kind() != CloudKind.AWS) {
            throw invalid("these are the settings of " + settings.kind().word() + ", not of aws");
        }
        if (settings.region() == null || settings.region().isBlank()) {
            throw invalid("the aws settings lack \"region\": name it as in eu-central-1");
        }
        return new AwsSettings(
                settings.region(),
                settings.zone(),
                settings.endpoint(),
                settings.callLimit(),
                option(settings, "image"),
                subnets(settings),
                list(settings, "securityGroups"),
                option(settings, "instanceProfile"),
                option(settings, "keyName"),
                list(settings, "families"),
                option(settings, "queueUrl").map(AwsSettings::url),
                option(settings, "fisRole"));
    }

    /** The subnet of a zone. */
    String subnetOf(String zone) {
        String subnet = subnets.get(zone);
        if (subnet == null) {
            throw invalid("the aws settings have no subnet in " + zone
                    + ": set \"subnet\" to zone=subnet pairs, such as " + zone + "=subnet-0123456789abcdef0");
        }
        return subnet;
    }

    String imageForHosts() {
        return image.orElseThrow(
                () -> invalid("the aws settings lack \"image\": the AMI of hosts, such as ami-0123456789abcdef0"));
    }

    private static Map<String, String> subnets(CloudSettings settings) {
        Map<String, String> subnets = new LinkedHashMap<>();
        for (String entry : list(settings, "subnet")) {
            int equals = entry.indexOf('=');
            String zone = equals > 0
                    ? entry.substring(0, equals).trim()
                    : settings.zone()
                            .orElseThrow(() -> invalid(
                                    "the aws subnet " + entry + " has no zone: set the zone, or write ZONE=" + entry));
            subnets.put(zone, entry.substring(equals + 1).trim());
        }
        return Map.copyOf(subnets);
    }

    private static URI url(String text) {
        try {
            URI url = URI.create(text);
            if (url.getScheme() != null && url.getHost() != null) {
                return url;
            }
        } catch (IllegalArgumentException e) {
            throw new CloudException(CloudException.Kind.INVALID, badQueue(text), e);
        }
        throw invalid(badQueue(text));
    }

    private static String badQueue(String text) {
        return "\"queueUrl\" is no URL of a queue: " + text + "; take it from aws sqs get-queue-url";
    }

    private static Optional<String> option(CloudSettings settings, String name) {
        return Optional.ofNullable(settings.options().get(name))
                .map(String::trim)
                .filter(value -> !value.isEmpty());
    }

    private static List<String> list(CloudSettings settings, String name) {
        List<String> values = new ArrayList<>();
        for (String value : option(settings, name).orElse("").split(",")) {
            if (!value.isBlank()) {
                values.add(value.trim());
            }
        }
        return List.copyOf(values);
    }

    private static CloudException invalid(String message) {
        return new CloudException(CloudException.Kind.INVALID, message);
    }
}
