// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.Niceness;
import dev.lifeboat.store.DefaultVmStore;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.ObjectStores;
import dev.lifeboat.store.StoreException;
import dev.lifeboat.stream.evacuation.Warmup;
import dev.lifeboat.stream.wire.WireSecurity;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A {@code vmm} process before it has a VM: loads what every VM needs, so that the start of a JVM is not in the way of a
 * run, a restore or an evacuation, and waits for one line on standard input, the path of a {@link VmmConfig}. Main thread.
 *
 * <p>It touches no VM and claims nothing. Standard input ends with the agent, and the spare with it.
 */
final class Spare {
    private static final Logger LOG = LoggerFactory.getLogger(Spare.class);
    /** A name to read under; nothing is ever written there. */
    private static final String NO_VM = "spare";
    /** One evacuation to itself loads the classes; more would only compile. */
    private static final int WARM_UP_MS = 1;

    /**
     * The longest step begins only when no VM has come for this long: the first VM of a host often comes right after its
     * agent, and should not wait for what only a later move needs.
     */
    private static final long CALM_MS = 20_000;

    private static final long LOOK_MS = 100;
    /** A tenth of the share of an ordinary thread (sched(7)): guests run beside it. */
    private static final int NICENESS = 10;

    private final SpareConfig config;
    private final InputStream input;

    Spare(SpareConfig config, InputStream input) {
        this.config = config;
        this.input = input;
    }

    /** The configuration of its VM, or nothing when the agent has gone. */
    Optional<Path> await() throws IOException, InterruptedException {
        if (config.besideGuests()) {
            yieldToGuests();
        }
        // By what a waiting VM would miss most.
        prepare("configuration", Spare::readConfigurations);
        prepare("store", this::openStore);
        prepare("restore", Spare::rehearseRestore);
        if (!somebodyWaits(CALM_MS)) {
            prepare("evacuation", this::evacuateToItself);
        }
        String line = new BufferedReader(new InputStreamReader(input, StandardCharsets.UTF_8)).readLine();
        Niceness.ofThisProcess(0);
        return Optional.ofNullable(line).filter(text -> !text.isBlank()).map(Path::of);
    }

    /** If the process may take it back: a VM is not to stay behind for ever. */
    private static void yieldToGuests() {
        if (Niceness.ofThisThread(1) && Niceness.ofThisThread(0)) {
            Niceness.ofThisProcess(NICENESS);
        }
    }

    /**
     * Does a step unless a VM waits already: what is not loaded yet is then loaded when it is needed. A step that fails
     * costs nothing but time later; what is wrong is told when a VM needs it.
     */
    private void prepare(String name, Runnable step) throws IOException, InterruptedException {
        if (somebodyWaits(0)) {
            return;
        }
        long startNs = System.nanoTime();
        try {
            step.run();
            LOG.info("spare: {} took {} ms", name, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs));
        } catch (LinuxException | StoreException | VmmException | IllegalArgumentException e) {
            LOG.info("spare: {} not prepared: {}", name, e.getMessage());
        }
    }

    private boolean somebodyWaits(long limitMs) throws IOException, InterruptedException {
        long limitNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(limitMs);
        while (input.available() == 0 && System.nanoTime() - limitNs < 0) {
            Thread.sleep(LOOK_MS);
        }
        return input.available() > 0;
    }

    private static void readConfigurations() {
        try {
            Json.MAPPER.readValue("{}", VmmConfig.class);
        } catch (IOException nothingInIt) {
            // An empty one is refused, but by then there is a reader for the next.
            LOG.debug("{}", nothingInIt.getMessage());
        }
    }

    private void openStore() {
        config.store().ifPresent(where -> {
            try (ObjectStore objects = ObjectStores.open(where.url(), where.endpoint(), where.region())) {
                new DefaultVmStore(objects, NO_VM).owners().newest();
            }
        });
    }

    private static void rehearseRestore() {
        MicroVm.rehearseRestore(1);
    }

    private void evacuateToItself() {
        config.tls().ifPresent(tls -> {
            WireSecurity security =
                    WireSecurity.tls(Path.of(tls.authority()), Path.of(tls.certificate()), Path.of(tls.key()));
            Warmup.run(security, config.host(), WARM_UP_MS, 1);
        });
    }
}
