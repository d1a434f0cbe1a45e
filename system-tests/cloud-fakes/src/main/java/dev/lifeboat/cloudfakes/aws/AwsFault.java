// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.aws;

/** A refusal in EC2's own words. */
final class AwsFault extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int status;
    private final String code;

    AwsFault(int status, String code, String message) {
        super(message);
        this.status = status;
        this.code = code;
    }

    int status() {
        return status;
    }

    String code() {
        return code;
    }
}
