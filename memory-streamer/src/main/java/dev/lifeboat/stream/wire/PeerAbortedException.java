// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import dev.lifeboat.stream.StreamException;

/** The other side gave up and said why; it does not run the VM and will not. */
public final class PeerAbortedException extends StreamException {
    private static final long serialVersionUID = 1L;

    public PeerAbortedException(String reason) {
        super("the other host gave up: " + reason);
    }
}
