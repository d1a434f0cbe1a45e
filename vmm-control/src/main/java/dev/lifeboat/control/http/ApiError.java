// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.http;

/** An answer other than success: its HTTP status and one line for the user. Thrown by handlers and by the client. */
public final class ApiError extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int status;

    public ApiError(int status, String message) {
        super(message);
        this.status = status;
    }

    public int status() {
        return status;
    }
}
