// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudSettings;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * What the operator said, checked.
 *
 * @param networkGroup resource group of route tables and load balancers
 * @param subnet full id of the hosts' subnet
 * @param image {@code publisher:offer:sku:version}, or the full id of an image
 * @param securityGroup full id; empty: the subnet's own is enough
 * @param deallocateOnEviction an evicted host keeps its disks and its place in the quota
 * @param poll between two looks at an operation
 * @param operationLimit for an operation that runs on after its request was answered
 * @param callLimit for one request with its repetitions
 */
record AzureSettings(
        String subscription,
        String group,
        String networkGroup,
        String location,
        Optional<String> zone,
        Optional<URI> endpoint,
        String subnet,
        String image,
        Optional<String> securityGroup,
        String adminUser,
        String sshPublicKey,
        String diskSku,
        boolean deallocateOnEviction,
        Duration poll,
        Duration operationLimit,
        Duration callLimit) {

    static AzureSettings of(CloudSettings settings) {
        Map<String, String> options = settings.options();
        if (settings.region().isBlank()) {
            throw invalid("the azure settings lack a region: the location of hosts and disks, such as westeurope");
        }
        String group = settings.require("resourceGroup", "the resource group of hosts, interfaces and disks");
        String subnet = settings.require("subnet", "the full id of the hosts' subnet, /subscriptions/.../subnets/NAME");
        if (!subnet.startsWith("/subscriptions/") || !subnet.contains("/subnets/")) {
            throw invalid("azure setting \"subnet\" is not the full id of a subnet: " + subnet
                    + "; az network vnet subnet show --query id prints it");
        }
        String image = settings.require("image", "publisher:offer:sku:version, or the full id of an image");
        if (!image.startsWith("/") && image.split(":").length != 4) {
            throw invalid("azure setting \"image\" is neither publisher:offer:sku:version nor an image's id: " + image);
        }
        return new AzureSettings(
                settings.require("subscription", "the id of the subscription that pays"),
                group,
                options.getOrDefault("networkResourceGroup", group),
                settings.region(),
                settings.zone(),
                settings.endpoint(),
                subnet,
                image,
                Optional.ofNullable(options.get("securityGroup")),
                options.getOrDefault("adminUser", "lifeboat"),
                settings.require("sshPublicKey", "Azure wants a key for the first user of a Linux host"),
                options.getOrDefault("diskSku", "Premium_LRS"),
                word(options, "evictionPolicy", "Delete", "Delete", "Deallocate")
                        .equals("Deallocate"),
                Duration.ofMillis(number(options, "pollMs", 1_000, 10, 60_000)),
                Duration.ofSeconds(number(options, "operationLimitSeconds", 300, 1, 3_600)),
                settings.callLimit());
    }

    private static String word(Map<String, String> options, String name, String usual, String... known) {
        String value = options.getOrDefault(name, usual);
        for (String each : known) {
            if (each.equals(value)) {
                return value;
            }
        }
        throw invalid("azure setting \"" + name + "\" must be one of " + String.join(", ", known) + ": " + value);
    }

    private static long number(Map<String, String> options, String name, long usual, long least, long most) {
        String value = options.getOrDefault(name, Long.toString(usual));
        try {
            long number = Long.parseLong(value);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            throw new CloudException(
                    CloudException.Kind.INVALID, "azure setting \"" + name + "\" is not a number: " + value, e);
        }
        throw invalid("azure setting \"" + name + "\" must be from " + least + " to " + most + ": " + value);
    }

    private static CloudException invalid(String message) {
        return new CloudException(CloudException.Kind.INVALID, message);
    }
}
