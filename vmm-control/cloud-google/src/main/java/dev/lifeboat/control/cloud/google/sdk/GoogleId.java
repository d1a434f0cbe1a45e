// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import dev.lifeboat.control.cloud.CloudException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A zonal resource; written {@code ZONE/NAME}, and read from links and metadata's paths too. */
record GoogleId(String zone, String name) {
    private static final Pattern LINK = Pattern.compile("(?:.*/)?zones/([^/]+)/[a-zA-Z]+/([^/]+)");
    private static final Pattern SHORT = Pattern.compile("([a-z0-9-]+)/([a-z0-9-]+)");

    static GoogleId of(String text) {
        for (Pattern pattern : new Pattern[] {LINK, SHORT}) {
            Matcher matcher = pattern.matcher(text);
            if (matcher.matches()) {
                return new GoogleId(matcher.group(1), matcher.group(2));
            }
        }
        throw new CloudException(
                CloudException.Kind.INVALID, "\"" + text + "\" names nothing in Google Cloud: write ZONE/NAME");
    }

    /** @param link such as {@code https://.../zones/europe-west3-a} */
    static String last(String link) {
        return link.substring(link.lastIndexOf('/') + 1);
    }

    String path(String collection) {
        return "zones/" + zone + "/" + collection + "/" + name;
    }

    @Override
    public String toString() {
        return zone + "/" + name;
    }
}
