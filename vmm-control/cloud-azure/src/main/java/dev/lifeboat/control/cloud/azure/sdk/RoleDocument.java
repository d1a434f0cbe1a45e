// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

/** The custom role that {@code az role definition create --role-definition} takes, with no permission more than needed. */
final class RoleDocument {
    private RoleDocument() {}

    static String text() {
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode role = mapper.createObjectNode();
        role.put("Name", "Lifeboat operator");
        role.put("IsCustom", true);
        role.put("Description", "Buys and releases spot hosts, moves disks and addresses between them.");
        ArrayNode actions = role.putArray("Actions");
        for (Permission permission : Permission.values()) {
            actions.add(permission.action());
        }
        role.putArray("NotActions");
        role.putArray("DataActions");
        role.putArray("NotDataActions");
        role.putArray("AssignableScopes").add("/subscriptions/SUBSCRIPTION");
        try {
            return mapper.writerWithDefaultPrettyPrinter().writeValueAsString(role) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a role of texts only cannot be written", e);
        }
    }
}
