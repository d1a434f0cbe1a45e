// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/** An object is torn, truncated, missing or altered; the message names it. An older epoch may still be whole. */
public final class DamagedObjectException extends StoreException {
    private static final long serialVersionUID = 1L;

    public DamagedObjectException(String message) {
        super(message);
    }

    public DamagedObjectException(String message, Throwable cause) {
        super(message, cause);
    }
}
