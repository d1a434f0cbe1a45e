// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

/** Another host owns the VM under a newer term: stop, never retry (invariant I1). */
public final class FencedException extends StoreException {
    private static final long serialVersionUID = 1L;

    public FencedException(String message) {
        super(message);
    }
}
