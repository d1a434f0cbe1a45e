// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ExitCode;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lifeboat logs}. */
@Command(
        name = "logs",
        description = "Prints the log of a microVM's process (what the guest prints: console).",
        mixinStandardHelpOptions = true)
final class LogsCommand implements Callable<Integer> {
    @Mixin
    ClientOptions options;

    @Parameters(paramLabel = "VM")
    String vmId;

    @Option(
            names = {"-f", "--follow"},
            description = "go on as it grows")
    boolean follow;

    @Override
    public Integer call() throws InterruptedException {
        Terminal terminal = Terminal.system();
        if (options.json) {
            terminal.json(options.client().get(options.agent, "/v1/vms/" + vmId + "/log", Waiting.CALL_LIMIT_MS));
            return ExitCode.OK;
        }
        return Follow.print(options, terminal, "/v1/vms/" + vmId + "/log", 0, follow);
    }
}
