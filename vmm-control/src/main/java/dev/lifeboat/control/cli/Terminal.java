// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.vmm.Json;
import java.io.PrintStream;

/** What a command says: results to standard output, progress to standard error and only when that is a terminal. */
final class Terminal {
    private final PrintStream out;
    private final PrintStream err;
    private final boolean interactive;
    private int progressWidth;

    Terminal(PrintStream out, PrintStream err, boolean interactive) {
        this.out = out;
        this.err = err;
        this.interactive = interactive;
    }

    static Terminal system() {
        // Non-null only when both ends are a terminal, up to JDK 21; from 22 on it must be asked (JDK-8308591). A
        // terminal type is there in both cases, and not under a service manager.
        boolean interactive = System.console() != null && isTerminal();
        return new Terminal(System.out, System.err, interactive);
    }

    void line(String text) {
        endProgress();
        out.println(text);
    }

    void raw(byte[] bytes) {
        endProgress();
        out.write(bytes, 0, bytes.length);
        out.flush();
    }

    void json(JsonNode node) {
        endProgress();
        try {
            out.println(Json.MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(node));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON tree always has a text", e);
        }
    }

    /** Replaces the progress line. */
    void progress(String text) {
        if (interactive) {
            err.print("\r" + text + " ".repeat(Math.max(0, progressWidth - text.length())));
            err.flush();
            progressWidth = text.length();
        }
    }

    private void endProgress() {
        if (progressWidth > 0) {
            err.print("\r" + " ".repeat(progressWidth) + "\r");
            err.flush();
            progressWidth = 0;
        }
    }

    private static boolean isTerminal() {
        try {
            return (boolean) java.io.Console.class.getMethod("isTerminal").invoke(System.console());
        } catch (NoSuchMethodException before22) {
            return true;
        } catch (ReflectiveOperationException e) {
            return false;
        }
    }
}
