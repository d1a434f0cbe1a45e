// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

/**
 * What is known of a VM's target.
 *
 * @param host empty before it is chosen, as are the next two
 * @param targetAcquireMs from the first wish to a host that answers; -1 before
 * @param message why there is none; empty when all is well
 */
record TargetView(
        String vmId,
        State state,
        String host,
        String url,
        String underlayAddress,
        String priceClass,
        long targetAcquireMs,
        String message) {
    enum State {
        /** Nobody has asked, or nothing is known. */
        NONE,
        /** Sizes and their prospects are known; nothing is bought. */
        PLANNED,
        /** The cloud is asked. */
        BUYING,
        /** The cloud has said yes. */
        BOOTING,
        /** Its agent answers. */
        READY,
        /** It was taken away, or there is none to be had; the message says which. */
        LOST
    }
}
