// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.certs.FleetAuthority;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lifeboat certs}. */
@Command(
        name = "certs",
        description = "Makes the fleet's authority (once) and certificates of machines and users.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Example: lifeboat certs host-a=10.0.0.1 host-b=10.0.0.2 gateway=10.0.0.254 client",
            "Keep ca.key off the hosts; each gets ca.crt and its own two files."
        })
final class CertsCommand implements Callable<Integer> {
    @Option(
            names = "--tls-dir",
            paramLabel = "DIR",
            description = "where the PEM files go (default: ${DEFAULT-VALUE})",
            defaultValue = "${env:LIFEBOAT_TLS_DIR:-tls}")
    Path directory;

    @Option(names = "--json", description = "answer in JSON")
    boolean json;

    @Parameters(
            arity = "1..*",
            paramLabel = "NAME[=ADDRESS,...]",
            description = "a machine, and the names and IP addresses it is reached by; a user's is \"client\"")
    List<String> machines;

    @Override
    public Integer call() {
        Terminal terminal = Terminal.system();
        FleetAuthority authority = FleetAuthority.openOrCreate(directory);
        ArrayNode made = Json.MAPPER.createArrayNode();
        for (String machine : machines) {
            int equals = machine.indexOf('=');
            String name = equals < 0 ? machine : machine.substring(0, equals);
            if (!name.matches("[a-zA-Z0-9][a-zA-Z0-9.-]*") || name.equals("ca")) {
                throw new ControlException(ExitCode.USAGE, "\"" + name + "\" cannot be the name of a machine");
            }
            List<String> addresses = equals < 0
                    ? List.of()
                    : Arrays.asList(machine.substring(equals + 1).split(","));
            VmmConfig.Tls files = authority.issue(name, addresses);
            made.add(Json.MAPPER.valueToTree(files));
            if (!json) {
                terminal.line(files.certificate() + "  " + files.key());
            }
        }
        if (json) {
            terminal.json(made);
        }
        return ExitCode.OK;
    }
}
