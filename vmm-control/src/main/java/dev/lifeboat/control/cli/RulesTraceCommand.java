// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.cloud.rules.TraceGenerator;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code lifeboat rules trace}. */
@Command(
        name = "trace",
        description =
                "Writes a day of signals of three clouds, of the shape that their users report, to standard output.",
        mixinStandardHelpOptions = true)
final class RulesTraceCommand implements Callable<Integer> {
    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "equal seeds make equal traces")
    long seed;

    @Override
    public Integer call() {
        System.out.print(TraceGenerator.generate(seed).text());
        System.out.flush();
        return ExitCode.OK;
    }
}
