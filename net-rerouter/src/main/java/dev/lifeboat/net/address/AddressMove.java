// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net.address;

/**
 * One address on its way, in steps that can each be repeated after a crash without harm: what a step finds done already
 * it does not do again. {@link #move} may take the cloud minutes; the source forwards meanwhile.
 */
public interface AddressMove {
    AddressWish wish();

    /** Lets the target accept the address, where that can be done while the source still has it. */
    void prepare();

    /** Asks the cloud to deliver the address to the target. */
    void move();

    /** Whether the cloud's own description says that the target has it, all of it. */
    boolean isMoved();

    /** Gives the address back to the source, whatever was done. */
    void undo();
}
