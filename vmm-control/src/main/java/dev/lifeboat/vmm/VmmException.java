// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

/** Something the monitor cannot do; the message says what was tried, on what, and what the user can do about it. */
public class VmmException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public VmmException(String message) {
        super(message);
    }

    public VmmException(String message, Throwable cause) {
        super(message, cause);
    }
}
