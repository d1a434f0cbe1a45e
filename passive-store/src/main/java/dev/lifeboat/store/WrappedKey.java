// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/**
 * The content of {@code vm/<id>/key/<n>}: a VM's data key as only its {@link KeyWrapper} can read it.
 *
 * @param version of this record's format
 * @param kind of the wrapper
 */
record WrappedKey(int version, String vmId, int number, String kind, byte[] wrapped) {
    static final int VERSION = 1;
}
