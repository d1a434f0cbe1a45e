// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes;

import java.util.Map;

/** @param headers besides length and Date */
public record FakeAnswer(int status, Map<String, String> headers, String body) {
    public FakeAnswer {
        headers = Map.copyOf(headers);
    }

    public static FakeAnswer of(int status, String contentType, String body) {
        return new FakeAnswer(status, Map.of("Content-Type", contentType), body);
    }

    public static FakeAnswer empty(int status) {
        return new FakeAnswer(status, Map.of(), "");
    }

    public static FakeAnswer json(int status, String body) {
        return of(status, "application/json", body);
    }
}
