// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.store.StoreException;
import dev.lifeboat.stream.StreamException;
import dev.lifeboat.vmm.device.DeviceException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The {@code vmm} process: one microVM, told what to do by a JSON file ({@link VmmConfig}) and a control socket
 * (docs/protocol.md). Exits with 0 when the guest shut down, was stopped or runs elsewhere, with 1 and one line of
 * explanation otherwise.
 */
public final class VmmProcess {
    private static final Logger LOG = LoggerFactory.getLogger(VmmProcess.class);

    private VmmProcess() {}

    /** Arguments: {@code --config FILE}, or {@code --spare FILE} for a {@link Spare} that is told its file later. */
    public static void main(String[] args) {
        if (args.length == 2 && args[0].equals("--config")) {
            System.exit(run(Path.of(args[1])));
        }
        if (args.length == 2 && args[0].equals("--spare")) {
            System.exit(spare(Path.of(args[1])));
        }
        System.err.println("usage: vmm --config FILE.json | --spare FILE.json");
        System.exit(2);
    }

    private static int spare(Path file) {
        Optional<Path> config;
        try {
            config = new Spare(Json.readFile(file, SpareConfig.class), System.in).await();
        } catch (IllegalArgumentException | IOException e) {
            System.err.println("lifeboat: " + e.getMessage());
            return 1;
        } catch (InterruptedException e) {
            return 1;
        }
        return config.map(VmmProcess::run).orElse(0);
    }

    private static int run(Path file) {
        try (Vmm vmm = new Vmm(Json.readFile(file, VmmConfig.class))) {
            // SIGTERM and Ctrl-C: the guest is stopped hard, but everything it holds is given back in order.
            Runtime.getRuntime().addShutdownHook(new Thread(vmm::close, "vmm-shutdown"));
            return vmm.run();
        } catch (VmmException
                | StoreException
                | StreamException
                | LinuxException
                | DeviceException
                | IllegalArgumentException e) {
            LOG.debug("failed", e);
            System.err.println("lifeboat: " + e.getMessage());
            return 1;
        } catch (RuntimeException e) {
            // A fault of ours, and still one line: the agent shows the last line of the log to the user.
            LOG.debug("failed", e);
            System.err.println("lifeboat: unexpected " + e + " (-Dlifeboat.log.level=DEBUG shows where)");
            return 1;
        } catch (IOException e) {
            System.err.println("lifeboat: " + e.getMessage());
            return 1;
        } catch (InterruptedException e) {
            return 1;
        }
    }
}
