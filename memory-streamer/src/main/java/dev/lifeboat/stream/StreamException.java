// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

/** Streaming or a migration could not do what was asked; the message says what, with whom, and what can be done. */
public class StreamException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public StreamException(String message) {
        super(message);
    }

    public StreamException(String message, Throwable cause) {
        super(message, cause);
    }
}
