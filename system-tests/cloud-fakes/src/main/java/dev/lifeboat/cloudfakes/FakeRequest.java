// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes;

import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A request as it came.
 *
 * @param headers names in lower case
 */
public record FakeRequest(String method, URI uri, Map<String, List<String>> headers, String body) {
    public String path() {
        return uri.getPath();
    }

    public Optional<String> header(String name) {
        return headers.getOrDefault(name.toLowerCase(java.util.Locale.ROOT), List.of()).stream()
                .findFirst();
    }
}
