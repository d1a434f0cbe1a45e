// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.google;

import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The parts of {@code /compute/v1/projects/P/SCOPE/COLLECTION/NAME/VERB}.
 *
 * @param scope {@code zones/Z}, {@code regions/R}, {@code global} or {@code aggregated}
 * @param name empty for the collection itself
 * @param verb empty for the resource itself
 */
record GooglePath(
        String project, String scope, String collection, String name, String verb, Map<String, String> query) {
    static Optional<GooglePath> of(URI uri) {
        List<String> parts = Arrays.asList(uri.getPath().split("/"));
        if (parts.size() < 6 || !"compute".equals(parts.get(1)) || !"v1".equals(parts.get(2))) {
            return Optional.empty();
        }
        boolean place = parts.get(5).equals("zones") || parts.get(5).equals("regions");
        String scope = place && parts.size() > 6 ? parts.get(5) + "/" + parts.get(6) : parts.get(5);
        int next = place ? 7 : 6;
        return Optional.of(new GooglePath(
                parts.get(4), scope, at(parts, next), at(parts, next + 1), at(parts, next + 2), query(uri)));
    }

    private static String at(List<String> parts, int index) {
        return index < parts.size() ? parts.get(index) : "";
    }

    private static Map<String, String> query(URI uri) {
        Map<String, String> query = new LinkedHashMap<>();
        String raw = uri.getRawQuery() == null ? "" : uri.getRawQuery();
        for (String pair : raw.split("&")) {
            int equals = pair.indexOf('=');
            if (equals > 0) {
                query.put(
                        pair.substring(0, equals),
                        URLDecoder.decode(pair.substring(equals + 1), StandardCharsets.UTF_8));
            }
        }
        return query;
    }

    String place() {
        return scope.substring(scope.indexOf('/') + 1);
    }

    private String service() {
        String plural = scope.substring(0, Math.max(0, scope.indexOf('/')));
        String kind = plural.isEmpty() ? scope : plural.substring(0, plural.length() - 1);
        return switch (collection) {
            case "operations" -> kind + "Operations";
            case "backendServices" -> kind + "BackendServices";
            default -> collection;
        };
    }

    /** Such as {@code instances.insert}, with the request's method. */
    String call(String method) {
        String service = service();
        if (!verb.isEmpty()) {
            return service + "." + verb;
        }
        if (scope.equals("aggregated")) {
            return service + ".aggregatedList";
        }
        if (collection.isEmpty()) {
            return scope.substring(0, Math.max(0, scope.indexOf('/'))) + ".get";
        }
        return service
                + switch (method) {
                    case "POST" -> ".insert";
                    case "DELETE" -> ".delete";
                    case "PATCH" -> ".patch";
                    default -> name.isEmpty() ? ".list" : ".get";
                };
    }
}
