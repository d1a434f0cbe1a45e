// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.TargetMarket.Offer;
import dev.lifeboat.control.cloud.TargetMarket.PriceClass;
import dev.lifeboat.control.cloud.TargetMarket.Purchase;
import java.util.Locale;
import java.util.regex.Pattern;

/** The request that buys a host, as JSON: the SDK's types lack {@code preemptionNoticeDuration}. */
final class GoogleInsert {
    static final String FLEET = "lifeboat-fleet";
    static final String TOKEN = "lifeboat-token";

    /** The longest that the API allows. */
    private static final long NOTICE_SECONDS = 120;

    private static final Pattern LABEL = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");

    private GoogleInsert() {}

    static ObjectNode body(GoogleSettings settings, Purchase purchase, Offer offer) {
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        body.put("name", name(purchase.token()))
                .put("machineType", "zones/" + offer.zone() + "/machineTypes/" + offer.size())
                .put("canIpForward", true);
        body.putObject("labels").put(FLEET, label(purchase.fleet())).put(TOKEN, label(purchase.token()));
        settings.minCpuPlatform().ifPresent(platform -> body.put("minCpuPlatform", platform));
        if (settings.nestedVirtualization()) {
            body.putObject("advancedMachineFeatures").put("enableNestedVirtualization", true);
        }
        ObjectNode disk = body.putArray("disks").addObject().put("boot", true).put("autoDelete", true);
        disk.putObject("initializeParams")
                .put("sourceImage", GoogleSettings.needed(settings.image(), "image"))
                .put("diskSizeGb", Integer.toString(settings.bootDiskGib()));
        body.putArray("networkInterfaces").addObject().put("subnetwork", subnet(settings));
        body.putObject("metadata")
                .putArray("items")
                .addObject()
                .put("key", "startup-script")
                .put("value", purchase.userData());
        settings.serviceAccount().ifPresent(account -> {
            ObjectNode given = body.putArray("serviceAccounts").addObject().put("email", account);
            ArrayNode scopes = given.putArray("scopes");
            scopes.add("https://www.googleapis.com/auth/cloud-platform");
        });
        schedule(body.putObject("scheduling"), offer.priceClass());
        return body;
    }

    private static void schedule(ObjectNode scheduling, PriceClass priceClass) {
        scheduling.put("provisioningModel", priceClass == PriceClass.SPOT ? "SPOT" : "STANDARD");
        if (priceClass == PriceClass.SPOT) {
            // A host that was emptied is of no use, and a stopped one costs its disk.
            scheduling
                    .put("instanceTerminationAction", "DELETE")
                    .put("onHostMaintenance", "TERMINATE")
                    .put("automaticRestart", false);
            scheduling.putObject("preemptionNoticeDuration").put("seconds", NOTICE_SECONDS);
        }
    }

    /** Derived from the token, so that a zone refuses a second one. */
    static String name(String token) {
        return "lifeboat-" + label(token);
    }

    static String label(String word) {
        String label = word.toLowerCase(Locale.ROOT);
        if (!LABEL.matcher(label).matches()) {
            throw new CloudException(
                    CloudException.Kind.INVALID,
                    "\"" + word + "\" cannot be a label in Google Cloud: at most 63 letters, digits and inner hyphens");
        }
        return label;
    }

    private static String subnet(GoogleSettings settings) {
        String subnet = GoogleSettings.needed(settings.subnet(), "subnet");
        return subnet.contains("/") ? subnet : "regions/" + settings.region() + "/subnetworks/" + subnet;
    }
}
