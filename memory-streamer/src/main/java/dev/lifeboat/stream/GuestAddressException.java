// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

/** A guest physical address that is not RAM, used where RAM is needed. Never fatal to the monitor. */
public final class GuestAddressException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public GuestAddressException(long guestAddress, long length) {
        super("guest physical range 0x%x, %d bytes, is not RAM".formatted(guestAddress, length));
    }
}
