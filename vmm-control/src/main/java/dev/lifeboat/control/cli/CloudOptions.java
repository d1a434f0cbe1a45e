// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.controller.Controller;
import dev.lifeboat.control.controller.ControllerConfig;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.FleetTls;
import java.nio.file.Path;
import java.util.function.Function;
import picocli.CommandLine.Option;

/** How a command reaches a cloud; shared by all that do. */
final class CloudOptions {
    @Option(
            names = "--config",
            required = true,
            paramLabel = "FILE",
            description = "controller.json; its section \"cloud\" is used")
    Path config;

    @Option(names = "--json", description = "answer in JSON")
    boolean json;

    ControllerConfig read() {
        return Controller.read(config);
    }

    /** Does something with the cloud; what the cloud says against it becomes the command's one line. */
    <T> T with(Function<Cloud, T> action) {
        ControllerConfig.CloudSection section = read().cloud()
                .orElseThrow(() -> new ControlException(
                        ExitCode.USAGE, config + " has no \"cloud\"; add one, as docs/clouds.md shows"));
        try (Cloud cloud = Controller.open(section)) {
            return action.apply(cloud);
        } catch (CloudException e) {
            throw Controller.explain(e);
        }
    }

    /** To the fleet, in the controller's name. */
    ApiClient client() {
        return new ApiClient(FleetTls.read(read().tls()));
    }
}
