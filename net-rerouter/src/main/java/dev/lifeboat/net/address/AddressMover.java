// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net.address;

/** A cloud's ways to deliver an address to another host. */
public interface AddressMover {
    /**
     * Looks at what is there and makes a plan; changes nothing.
     *
     * @throws dev.lifeboat.net.NetworkException when the way is not one of this cloud, or source or target cannot take part
     */
    AddressMove plan(AddressWish wish);
}
