// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.machine;

import java.io.IOException;

/** A machine did not start, answer or stop; the message names the machine, what was tried, and its log. */
public final class MachineException extends IOException {

    private static final long serialVersionUID = 1;

    public MachineException(String message) {
        super(message);
    }

    public MachineException(String message, Throwable cause) {
        super(message, cause);
    }
}
