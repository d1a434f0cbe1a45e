// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.ExitCode;
import java.io.IOException;

/** Prints a file of a VM as it grows. */
final class Follow {
    private static final long PERIOD_MS = 300;

    private Follow() {}

    /** @param forever whether to wait for more at the end, until the VM is removed or the command interrupted */
    static int print(ClientOptions options, Terminal terminal, String path, long from, boolean forever)
            throws InterruptedException {
        long offset = from;
        while (true) {
            JsonNode piece = options.client().get(options.agent, path + "?from=" + offset, Waiting.CALL_LIMIT_MS);
            byte[] bytes;
            try {
                bytes = piece.path("base64").binaryValue();
            } catch (IOException e) {
                throw new IllegalStateException("the agent sent a piece that is not base64", e);
            }
            offset = piece.path("next").asLong();
            terminal.raw(bytes);
            if (bytes.length == 0) {
                if (!forever) {
                    return ExitCode.OK;
                }
                Thread.sleep(PERIOD_MS);
            }
        }
    }
}
