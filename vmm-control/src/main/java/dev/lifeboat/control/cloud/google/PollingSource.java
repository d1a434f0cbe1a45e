// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google;

import dev.lifeboat.control.cloud.LookingSource;
import dev.lifeboat.control.cloud.MetadataHttp;
import dev.lifeboat.control.cloud.Signal;
import java.io.IOException;
import java.util.List;

/** The net below {@link WaitingSource}: the same value, read plainly. Runs on its thread {@code signal-google-...-poll}. */
final class PollingSource extends LookingSource {
    private static final long POLL_MS = 5_000;

    private final MetadataHttp http;
    private final MetadataValue value;

    PollingSource(String name, MetadataHttp http, MetadataValue value) {
        super(name, POLL_MS);
        this.http = http;
        this.value = value;
    }

    @Override
    protected List<Signal> look() throws IOException {
        MetadataHttp.Answer answer = http.get(value.path(), GoogleSources.HEADERS, MetadataHttp.LIMIT_MS);
        if (!answer.ok()) {
            throw new IOException(http.baseUrl() + value.path() + ": HTTP status " + answer.status());
        }
        try {
            return value.signals(name(), answer.body());
        } catch (IllegalArgumentException e) {
            throw new IOException(e.getMessage(), e);
        }
    }
}
