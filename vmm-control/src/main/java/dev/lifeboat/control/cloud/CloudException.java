// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

/** A call to a cloud that did not do what it was for. The message is one line and says what the user can do. */
public final class CloudException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** What follows from it. */
    public enum Kind {
        /** No capacity of that size there now: try the next offer. */
        CAPACITY,
        /** The account's quota or the price limit is reached: another offer may still be possible. */
        QUOTA,
        /** Too many calls: later. */
        THROTTLED,
        /** Credentials are missing, expired, or lack a permission that the message names. */
        DENIED,
        /** What was asked for does not exist or cannot be. */
        NOT_FOUND,
        /** The request is wrong, or the settings: asking again does not help. */
        INVALID,
        /** The service failed or did not answer before anything can have happened. */
        UNAVAILABLE,
        /** It may have happened or not: ask the cloud, by token, before doing it again. */
        UNCLEAR
    }

    private final Kind kind;

    public CloudException(Kind kind, String message) {
        super(message);
        this.kind = kind;
    }

    public CloudException(Kind kind, String message, Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    public Kind kind() {
        return kind;
    }
}
