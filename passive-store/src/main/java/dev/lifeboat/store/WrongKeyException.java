// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/** The store key given is not the one that a VM's epochs are encrypted with, or one is given or missing wrongly. */
public final class WrongKeyException extends StoreException {
    private static final long serialVersionUID = 1L;

    public WrongKeyException(String message) {
        super(message);
    }

    public WrongKeyException(String message, Throwable cause) {
        super(message, cause);
    }
}
