// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google;

import dev.lifeboat.control.cloud.LookingSource;
import dev.lifeboat.control.cloud.MetadataHttp;
import dev.lifeboat.control.cloud.Signal;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * A value whose change is waited for by a read that hangs. Each read names the tag of the last answer, so that no change
 * between two reads is missed. Runs on its thread {@code signal-google-...}.
 */
final class WaitingSource extends LookingSource {
    /** Much shorter than the hour that the server would allow: a dead connection is found out by then. */
    static final int WAIT_SECONDS = 60;

    /** So that a server that does not wait is not asked without end; what changes meanwhile has another tag. */
    private static final long BREATH_MS = 50;

    private static final int LIMIT_MS = WAIT_SECONDS * 1_000 + 5_000;

    private final MetadataHttp http;
    private final MetadataValue value;
    private Optional<String> etag = Optional.empty();

    WaitingSource(String name, MetadataHttp http, MetadataValue value) {
        super(name, BREATH_MS);
        this.http = http;
        this.value = value;
    }

    @Override
    protected List<Signal> look() throws IOException {
        // The first read answers at once, whatever the value is.
        String path = value.path()
                + etag.map(tag -> "?wait_for_change=true&timeout_sec=" + WAIT_SECONDS + "&last_etag=" + tag)
                        .orElse("");
        Optional<String> asked = etag;
        etag = Optional.empty();
        MetadataHttp.Answer answer =
                http.get(path, GoogleSources.HEADERS, asked.isEmpty() ? MetadataHttp.LIMIT_MS : LIMIT_MS);
        if (!answer.ok()) {
            throw new IOException(http.baseUrl() + value.path() + ": HTTP status " + answer.status());
        }
        List<Signal> standing;
        try {
            standing = value.signals(name(), answer.body());
        } catch (IllegalArgumentException e) {
            throw new IOException(e.getMessage(), e);
        }
        if (answer.etag().isEmpty()) {
            throw new IOException(http.baseUrl() + value.path() + " answers without an ETag");
        }
        etag = answer.etag();
        return standing;
    }
}
