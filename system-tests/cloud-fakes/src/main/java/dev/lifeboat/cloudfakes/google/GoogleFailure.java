// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.google;

import dev.lifeboat.cloudfakes.FakeAnswer;

/** An error answer in the API's published shape, thrown to where answers are made. */
final class GoogleFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int status;
    private final String reason;

    GoogleFailure(int status, String reason, String message) {
        super(message);
        this.status = status;
        this.reason = reason;
    }

    FakeAnswer answer() {
        return FakeGoogle.error(status, reason, getMessage());
    }
}
