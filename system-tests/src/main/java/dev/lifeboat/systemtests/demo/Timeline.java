// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.demo;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * What happens, with the seconds since the start in front. On a terminal the newest measure is shown on a line that is
 * written over; in a pipe one is printed every few seconds.
 */
final class Timeline {

    private static final long PIPE_INTERVAL_NS = 10_000_000_000L;

    private final PrintStream out;
    private final boolean terminal;
    private final long startNs = System.nanoTime();
    private long lastProgressNs = startNs;
    private boolean lineIsOpen;

    Timeline(PrintStream out) {
        this.out = out;
        terminal = isTerminal();
    }

    /** Standard output of this process; Java's own answer differs from release to release. */
    private static boolean isTerminal() {
        try {
            String target = Files.readSymbolicLink(Path.of("/proc/self/fd/1")).toString();
            return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty");
        } catch (IOException e) {
            return false;
        }
    }

    synchronized void event(String text) {
        if (lineIsOpen) {
            out.print("\r\033[K");
            lineIsOpen = false;
        }
        out.println(stamp() + text);
        out.flush();
    }

    synchronized void progress(String text) {
        if (terminal) {
            out.print("\r\033[K" + stamp() + text);
            out.flush();
            lineIsOpen = true;
        } else if (System.nanoTime() - lastProgressNs > PIPE_INTERVAL_NS) {
            lastProgressNs = System.nanoTime();
            out.println(stamp() + text);
            out.flush();
        }
    }

    double seconds() {
        return (System.nanoTime() - startNs) / 1e9;
    }

    private String stamp() {
        return String.format(Locale.ROOT, "%7.1f s  ", seconds());
    }
}
