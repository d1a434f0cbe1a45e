// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import dev.lifeboat.control.cloud.CloudException;
import java.util.Map;
import java.util.regex.Pattern;

/** Names and tags: a resource is named by its token, so that Resource Manager itself lets a token make one thing only. */
final class Tags {
    static final String FLEET = "lifeboat-fleet";
    static final String TOKEN = "lifeboat-token";

    private static final String PREFIX = "lb-";
    private static final Pattern GOOD_TOKEN = Pattern.compile("[A-Za-z0-9-]{1,36}");

    private Tags() {}

    static String resourceName(String token) {
        if (!GOOD_TOKEN.matcher(token).matches()) {
            throw new CloudException(
                    CloudException.Kind.INVALID,
                    "a token is 1 to 36 letters, digits and hyphens, and not \"" + token + "\"");
        }
        return PREFIX + token;
    }

    static Map<String, String> of(String fleet, String token) {
        return Map.of(FLEET, fleet, TOKEN, token);
    }

    static String value(Map<String, String> tags, String name) {
        return tags == null ? "" : tags.getOrDefault(name, "");
    }
}
