// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.machine;

/**
 * What a command in a machine printed (both streams, in order) and how it ended.
 *
 * @param exitCode of the shell that ran it
 * @param output without the last line feed
 */
public record ExecResult(int exitCode, String output) {

    /** The output of a command that must not fail. */
    public String orThrow(String what) throws MachineException {
        if (exitCode != 0) {
            throw new MachineException(what + " ended with status " + exitCode + ": " + output);
        }
        return output;
    }
}
