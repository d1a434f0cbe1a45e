// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.Json;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lifeboat console}. */
@Command(
        name = "console",
        description = "Prints the serial console of a guest, or types a line into it.",
        mixinStandardHelpOptions = true)
final class ConsoleCommand implements Callable<Integer> {
    @Mixin
    ClientOptions options;

    @Parameters(paramLabel = "VM")
    String vmId;

    @Option(
            names = {"-f", "--follow"},
            description = "go on as it grows")
    boolean follow;

    @Option(names = "--send", paramLabel = "TEXT", description = "type this line, with its end, and print nothing")
    String send;

    @Override
    public Integer call() throws InterruptedException {
        Terminal terminal = Terminal.system();
        String path = "/v1/vms/" + vmId + "/console";
        if (send != null) {
            byte[] typed = (send + "\n").getBytes(StandardCharsets.UTF_8);
            options.client()
                    .post(
                            options.agent,
                            path,
                            Json.MAPPER.createObjectNode().put("base64", typed),
                            Waiting.CALL_LIMIT_MS);
            return ExitCode.OK;
        }
        if (options.json) {
            terminal.json(options.client().get(options.agent, path, Waiting.CALL_LIMIT_MS));
            return ExitCode.OK;
        }
        return Follow.print(options, terminal, path, 0, follow);
    }
}
