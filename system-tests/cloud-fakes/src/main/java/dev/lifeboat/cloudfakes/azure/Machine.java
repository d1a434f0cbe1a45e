// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.azure;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;

/** A virtual machine: its document as the API shows it, and what it does at the moment. Under the fake's lock. */
final class Machine {
    final ObjectNode document;
    final String nicId;
    final boolean spot;
    final String userData;
    final Instant visibleAt;
    String powerState = "";
    boolean gone;

    /** @param body as it was asked for, checked; the document is made of it */
    Machine(JsonNode body, String id, String nicId, Instant visibleAt) {
        this.nicId = nicId;
        this.visibleAt = visibleAt;
        spot = body.at("/properties/priority").asText().equals("Spot");
        userData = new String(
                Base64.getDecoder()
                        .decode(body.at("/properties/osProfile/customData").asText()),
                StandardCharsets.UTF_8);
        document = body.deepCopy();
        document.put("id", id).put("name", ArmPath.lastName(id)).put("type", "Microsoft.Compute/virtualMachines");
        document.put("etag", "\"1\"");
        ObjectNode properties = properties();
        properties.put("vmId", UUID.randomUUID().toString());
        properties.put("provisioningState", "Creating");
        // The API never shows these again.
        ((ObjectNode) properties.path("osProfile")).remove("customData");
        ObjectNode network = properties.putObject("networkProfile");
        ObjectNode nic = network.putArray("networkInterfaces").addObject().put("id", nicId);
        nic.putObject("properties").put("deleteOption", "Delete").put("primary", true);
        ObjectNode storage = (ObjectNode) properties.path("storageProfile");
        if (!storage.has("dataDisks")) {
            storage.putArray("dataDisks");
        }
    }

    ObjectNode properties() {
        return (ObjectNode) document.get("properties");
    }

    String name() {
        return document.get("name").asText();
    }

    String id() {
        return document.get("id").asText();
    }

    String size() {
        return document.at("/properties/hardwareProfile/vmSize").asText();
    }

    String provisioningState() {
        return document.at("/properties/provisioningState").asText();
    }

    ObjectNode shown(boolean withView) {
        ObjectNode shown = document.deepCopy();
        if (withView) {
            ObjectNode view = JsonNodeFactory.instance.objectNode();
            view.putArray("statuses")
                    .addObject()
                    .put("code", "ProvisioningState/" + provisioningState().toLowerCase(Locale.ROOT))
                    .put("level", "Info");
            if (!powerState.isEmpty()) {
                view.withArray("statuses")
                        .addObject()
                        .put("code", "PowerState/" + powerState)
                        .put("level", "Info")
                        .put("displayStatus", "VM " + powerState);
            }
            ((ObjectNode) shown.get("properties")).set("instanceView", view);
        }
        return shown;
    }

    FakeInstance instance(String address) {
        Map<String, String> tags = new LinkedHashMap<>();
        document.path("tags")
                .properties()
                .forEach(tag -> tags.put(tag.getKey(), tag.getValue().asText()));
        return new FakeInstance(
                name(), size(), document.at("/zones/0").asText(), spot, powerState, address, tags, userData);
    }
}
