// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.azure;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A path of Resource Manager, taken apart: {@code /subscriptions/S/resourceGroups/G/providers/P/type/name/...}.
 *
 * @param group empty at the level of a subscription
 * @param type such as {@code virtualMachines} or {@code routeTables/routes}
 * @param names one for each part of the type; one fewer for a list
 * @param action the last word of a POST
 */
record ArmPath(String subscription, String group, String provider, String type, List<String> names, String action) {
    static ArmPath of(String method, String path) {
        String[] words = path.substring(1).split("/");
        if (words.length < 4 || !words[0].equalsIgnoreCase("subscriptions")) {
            throw new ArmError(404, "InvalidResourceType", "no such path: " + path);
        }
        String subscription = words[1];
        int at = 2;
        String group = "";
        if (words[at].equalsIgnoreCase("resourceGroups")) {
            group = words[at + 1];
            at += 2;
        }
        if (at + 2 >= words.length || !words[at].equalsIgnoreCase("providers")) {
            throw new ArmError(404, "InvalidResourceType", "no provider in " + path);
        }
        String provider = words[at + 1];
        at += 2;
        int end = words.length;
        String action = "";
        // A POST goes to an action of a resource, and everything else to a resource or a list of them.
        if (method.equals("POST")) {
            action = words[--end];
        }
        List<String> types = new ArrayList<>();
        List<String> names = new ArrayList<>();
        for (int i = at; i < end; i++) {
            ((i - at) % 2 == 0 ? types : names).add(words[i]);
        }
        return new ArmPath(subscription, group, provider, String.join("/", types), List.copyOf(names), action);
    }

    String name() {
        return names.get(names.size() - 1);
    }

    boolean isList() {
        return names.size() < type.split("/").length;
    }

    boolean is(String provider, String type) {
        return this.provider.equalsIgnoreCase(provider) && this.type.equalsIgnoreCase(type);
    }

    /** The action that a role must hold for it, by Resource Manager's own rule. */
    String permission(String method) {
        String verb = switch (method) {
            case "GET" -> "read";
            case "PUT", "PATCH" -> "write";
            case "DELETE" -> "delete";
            default -> action + "/action";
        };
        return provider + "/" + type + "/" + verb;
    }

    static String key(String id) {
        return id.toLowerCase(Locale.ROOT);
    }

    static String lastName(String id) {
        return id.substring(id.lastIndexOf('/') + 1);
    }
}
