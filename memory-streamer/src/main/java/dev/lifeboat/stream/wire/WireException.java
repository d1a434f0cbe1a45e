// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import dev.lifeboat.stream.StreamException;

/** The connection to the other host failed, or the other side broke the protocol. */
public final class WireException extends StreamException {
    private static final long serialVersionUID = 1L;

    public WireException(String message) {
        super(message);
    }

    public WireException(String message, Throwable cause) {
        super(message, cause);
    }
}
