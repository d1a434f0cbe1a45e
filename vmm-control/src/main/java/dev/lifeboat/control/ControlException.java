// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control;

/**
 * A failure of the control side: one line that says what was tried, on what, and what the user can do; and the exit
 * code a command ends with. The exception root of this module.
 */
public class ControlException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int exitCode;

    public ControlException(int exitCode, String message) {
        super(message);
        this.exitCode = exitCode;
    }

    public ControlException(int exitCode, String message, Throwable cause) {
        super(message, cause);
        this.exitCode = exitCode;
    }

    /** One of {@link ExitCode}. */
    public int exitCode() {
        return exitCode;
    }
}
