// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/** The store could not do what was asked; the message says what, where, and what the user can do. */
public class StoreException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public StoreException(String message) {
        super(message);
    }

    public StoreException(String message, Throwable cause) {
        super(message, cause);
    }
}
