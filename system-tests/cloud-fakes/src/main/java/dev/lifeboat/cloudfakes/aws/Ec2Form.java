// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.aws;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The fields of one EC2 call, as its query protocol sends them: {@code Filter.1.Value.2=...}.
 *
 * @param fields by full name, sorted
 */
public record Ec2Form(Map<String, String> fields) {
    public static Ec2Form of(String body) {
        Map<String, String> fields = new TreeMap<>();
        for (String pair : body.split("&")) {
            int equals = pair.indexOf('=');
            if (equals > 0) {
                fields.put(decode(pair.substring(0, equals)), decode(pair.substring(equals + 1)));
            }
        }
        return new Ec2Form(fields);
    }

    public String action() {
        return fields.getOrDefault("Action", "");
    }

    public Optional<String> get(String name) {
        return Optional.ofNullable(fields.get(name));
    }

    String require(String name) {
        return get(name)
                .filter(value -> !value.isBlank())
                .orElseThrow(
                        () -> new AwsFault(400, "MissingParameter", "The request must contain the parameter " + name));
    }

    boolean is(String name) {
        return "true".equals(fields.get(name));
    }

    /** Values of {@code name.1}, {@code name.2}, ... */
    public List<String> list(String name) {
        List<String> values = new ArrayList<>();
        for (int number = 1; fields.containsKey(name + "." + number); number++) {
            values.add(fields.get(name + "." + number));
        }
        return values;
    }

    /** Members of {@code name.1.*}, {@code name.2.*}, ... */
    List<Ec2Form> members(String name) {
        TreeSet<Integer> numbers = new TreeSet<>();
        fields.keySet().stream()
                .filter(field -> field.startsWith(name + "."))
                .map(field -> field.substring(name.length() + 1).split("\\.")[0])
                .filter(number -> number.matches("\\d+"))
                .forEach(number -> numbers.add(Integer.valueOf(number)));
        return numbers.stream().map(number -> under(name + "." + number + ".")).toList();
    }

    private Ec2Form under(String prefix) {
        Map<String, String> inner = new TreeMap<>();
        fields.forEach((field, value) -> {
            if (field.startsWith(prefix)) {
                inner.put(field.substring(prefix.length()), value);
            }
        });
        return new Ec2Form(inner);
    }

    Map<String, List<String>> filters() {
        Map<String, List<String>> filters = new LinkedHashMap<>();
        members("Filter").forEach(filter -> filters.put(filter.require("Name"), filter.list("Value")));
        return filters;
    }

    /** Tags that a request gives to what it makes of this type. */
    Map<String, String> tags(String resourceType) {
        Map<String, String> tags = new TreeMap<>();
        for (Ec2Form spec : members("TagSpecification")) {
            if (spec.require("ResourceType").equals(resourceType)) {
                spec.members("Tag").forEach(tag -> tags.put(tag.require("Key"), tag.require("Value")));
            }
        }
        return tags;
    }

    private static String decode(String text) {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }
}
