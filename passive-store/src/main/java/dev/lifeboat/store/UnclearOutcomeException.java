// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/** A write may or may not have taken effect (time-out, 409, 5xx, broken connection): read back before going on. */
public final class UnclearOutcomeException extends StoreException {
    private static final long serialVersionUID = 1L;

    public UnclearOutcomeException(String message, Throwable cause) {
        super(message, cause);
    }
}
