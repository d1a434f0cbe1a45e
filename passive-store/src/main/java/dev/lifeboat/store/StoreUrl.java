// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.net.URI;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The URL of an object store, {@code scheme://authority/path}, read the same way for every cloud. It carries no
 * credentials: a URL with a user, a port or a query is refused without repeating it.
 *
 * @param authority bucket or account
 * @param path without slashes at its ends; may be empty
 */
public record StoreUrl(String authority, String path) {
    private static final Pattern URL = Pattern.compile("[a-z0-9]+://([A-Za-z0-9._-]+)(/[A-Za-z0-9._/-]*)?");

    /** @param form how such a URL is written, for the message */
    public static StoreUrl parse(String url, String form) {
        Matcher matcher = URL.matcher(url);
        if (!matcher.matches()) {
            throw new StoreException("'" + url.replaceAll("://.*", "://...") + "' names no store: use " + form
                    + ", of letters, digits and ._-, and without credentials");
        }
        String path = matcher.group(2) == null ? "" : matcher.group(2).replaceAll("^/+|/+$", "");
        return new StoreUrl(matcher.group(1), path);
    }

    /**
     * The address of a server that is not the cloud's own.
     *
     * @throws StoreException when it is no http or https address
     */
    public static URI endpoint(String endpoint) {
        try {
            URI address = URI.create(endpoint);
            boolean http = "http".equals(address.getScheme()) || "https".equals(address.getScheme());
            if (http && address.getHost() != null && address.getUserInfo() == null && address.getQuery() == null) {
                return address;
            }
        } catch (IllegalArgumentException e) {
            throw new StoreException("'" + endpoint + "' is no endpoint: use http://host:port", e);
        }
        throw new StoreException(
                "'" + endpoint.replaceAll("//.*@", "//...@") + "' is no endpoint: use http://host:port");
    }

    /** {@code url} and where it is served, for messages. */
    public static String describe(String url, Optional<String> endpoint) {
        return url + endpoint.map(e -> " at " + e).orElse("");
    }
}
