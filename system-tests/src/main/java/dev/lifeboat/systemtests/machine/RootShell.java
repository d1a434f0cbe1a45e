// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.machine;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** Commands to the shell on a machine's second serial line, one after the other. Safe for several threads. */
final class RootShell implements AutoCloseable {

    private final String machine;
    private final Path socket;
    private UnixLine line;
    private long commandNumber;

    RootShell(String machine, Path socket) {
        this.machine = machine;
        this.socket = socket;
    }

    /** Runs a command (may be several lines) with empty input. A command that outlives the limit goes on running. */
    synchronized ExecResult exec(String command, Duration limit) throws IOException {
        long deadlineNs = System.nanoTime() + limit.toNanos();
        if (line == null) {
            line = UnixLine.connect(socket);
        }
        // A fresh mark per command: late output of one that ran into its limit is skipped by the next.
        String begin = "lifeboat-begin-" + ++commandNumber;
        String end = "lifeboat-end-" + commandNumber;
        line.write(
                "echo; echo " + begin + "\n(\n" + command + "\n) </dev/null 2>&1\nprintf '\\n%s %d\\n' " + end
                        + " $?\n",
                limit);
        StringBuilder output = null;
        while (true) {
            String text = line.readLine(deadlineNs);
            if (text == null) {
                throw new MachineException(
                        "machine " + machine + ": no answer within " + limit.toSeconds() + " s to: " + command);
            }
            if (output == null) {
                if (text.equals(begin)) {
                    output = new StringBuilder();
                }
            } else if (text.startsWith(end + " ")) {
                int exitCode = Integer.parseInt(text.substring(end.length() + 1).strip());
                return new ExecResult(exitCode, output.toString().strip());
            } else {
                output.append(text).append('\n');
            }
        }
    }

    @Override
    public synchronized void close() throws IOException {
        if (line != null) {
            line.close();
            line = null;
        }
    }
}
