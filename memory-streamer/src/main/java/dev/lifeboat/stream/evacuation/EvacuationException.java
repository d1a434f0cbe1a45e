// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.stream.StreamException;

/** An evacuation that did not move the VM, and what has become of the VM. */
public final class EvacuationException extends StreamException {
    private static final long serialVersionUID = 1L;

    /** What has become of the VM on the source. */
    public enum VmFate {
        /** It runs on the source as if nothing had happened (invariant I4). */
        RUNS_HERE,
        /** Nobody could find out who owns it; it stays stopped (invariant I1) until someone can. */
        STOPPED_OWNER_UNKNOWN
    }

    private final VmFate fate;

    public EvacuationException(String message, VmFate fate, Throwable cause) {
        super(message, cause);
        this.fate = fate;
    }

    public VmFate fate() {
        return fate;
    }
}
