// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.vmm.VmmConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** How a command reaches an agent; shared by all that do. */
final class ClientOptions {
    @Option(
            names = "--agent",
            paramLabel = "URL",
            description = "the agent, such as https://host:7443 (or LIFEBOAT_AGENT)",
            defaultValue = "${env:LIFEBOAT_AGENT:-https://localhost:7443}")
    String agent;

    @Option(
            names = "--tls-dir",
            paramLabel = "DIR",
            description = "PEM files ca.crt, client.crt, client.key, as made by: lifeboat certs (or LIFEBOAT_TLS_DIR)",
            defaultValue = "${env:LIFEBOAT_TLS_DIR:-tls}")
    Path tlsDirectory;

    @Option(
            names = "--tls-name",
            paramLabel = "NAME",
            description = "use NAME.crt and NAME.key of the directory (default: ${DEFAULT-VALUE})",
            defaultValue = "client")
    String tlsName;

    @Option(names = "--json", description = "answer in JSON")
    boolean json;

    private Optional<ApiClient> client = Optional.empty();

    ApiClient client() {
        if (client.isEmpty()) {
            if (!Files.isDirectory(tlsDirectory)) {
                throw new ControlException(
                        ExitCode.USAGE,
                        "no TLS directory " + tlsDirectory
                                + "; name it with --tls-dir, or make one with: lifeboat certs");
            }
            client = Optional.of(new ApiClient(FleetTls.read(new VmmConfig.Tls(
                    tlsDirectory.resolve("ca.crt").toString(),
                    tlsDirectory.resolve(tlsName + ".crt").toString(),
                    tlsDirectory.resolve(tlsName + ".key").toString()))));
        }
        return client.get();
    }
}
