// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.ExitCode;
import java.time.Instant;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code lifeboat events}. */
@Command(name = "events", description = "Prints the time line of a host.", mixinStandardHelpOptions = true)
final class EventsCommand implements Callable<Integer> {
    @Mixin
    ClientOptions options;

    @Override
    public Integer call() {
        Terminal terminal = Terminal.system();
        JsonNode events = options.client().get(options.agent, "/v1/events", Waiting.CALL_LIMIT_MS);
        if (options.json) {
            terminal.json(events);
            return ExitCode.OK;
        }
        for (JsonNode event : events) {
            String vmId = event.path("vmId").asText();
            terminal.line(Instant.ofEpochMilli(event.path("atMillis").asLong()) + "  "
                    + event.path("kind").asText() + (vmId.isEmpty() ? "" : " " + vmId) + ": "
                    + event.path("message").asText());
        }
        return ExitCode.OK;
    }
}
