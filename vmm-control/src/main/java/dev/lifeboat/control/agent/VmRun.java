// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.ControlClient;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One {@code vmm} process and what is known of it. Its thread {@code vm-watch-ID} listens to the process's events and
 * sees its end. Methods may be called from any thread.
 */
final class VmRun {
    private static final Logger LOG = LoggerFactory.getLogger(VmRun.class);

    static final String STARTING = "STARTING";
    static final String RUNNING = "RUNNING";
    static final String PAUSED = "PAUSED";
    static final String RECEIVING = "RECEIVING";
    static final String EVACUATING = "EVACUATING";
    static final String HANDED_OVER = "HANDED_OVER";
    static final String EXITED = "EXITED";
    static final String FAILED = "FAILED";
    private static final Set<String> FINAL = Set.of(HANDED_OVER, EXITED, FAILED);

    private static final long STATUS_LIMIT_MS = 10_000;
    /** Three missed heartbeats of the control socket. */
    private static final long SILENCE_LIMIT_MS = 15_000;

    /** For a signal to be heard, when the control socket was not. */
    private static final long POLITE_LEAST_MS = 1_000;

    private static final int LOG_TAIL_BYTES = 2_048;

    /** What survives a restart of the agent, {@code vm.json} in the VM's directory. */
    record Saved(VmSpec spec, VmmConfig.Mode mode, long pid, long startedAtMillis, Optional<String> tap) {}

    private final Path directory;
    private final Saved saved;
    private final ProcessHandle handle;
    /** Absent for a process that an earlier agent started: its exit code is out of reach. */
    private final Optional<Process> child;

    private final BiConsumer<VmRun, String> onState;

    // Guarded by this.
    private String state = STARTING;
    private String message = "";
    private long term;
    private boolean ended;
    private Optional<Integer> exitCode = Optional.empty();
    private Optional<JsonNode> lastStatus = Optional.empty();

    /** @param onState called on the watch thread after each change of state */
    VmRun(
            Path directory,
            Saved saved,
            ProcessHandle handle,
            Optional<Process> child,
            BiConsumer<VmRun, String> onState) {
        this.directory = directory;
        this.saved = saved;
        this.handle = handle;
        this.child = child;
        this.onState = onState;
    }

    void watch() {
        Thread thread = new Thread(this::follow, "vm-watch-" + saved.spec().vmId());
        thread.setDaemon(true);
        thread.start();
    }

    VmSpec spec() {
        return saved.spec();
    }

    Saved saved() {
        return saved;
    }

    Path directory() {
        return directory;
    }

    Path socket() {
        return socket(directory);
    }

    Path console() {
        return console(directory);
    }

    static Path socket(Path directory) {
        return directory.resolve("vmm.sock");
    }

    static Path console(Path directory) {
        return directory.resolve("console.log");
    }

    /** There as long as the VM is known here. */
    static Path description(Path directory) {
        return directory.resolve("vm.json");
    }

    static Path log(Path directory) {
        return directory.resolve("vmm.log");
    }

    synchronized String state() {
        return state;
    }

    synchronized long term() {
        return term;
    }

    synchronized boolean ended() {
        return ended;
    }

    /** Whether a VM of this name may be started anew here. */
    synchronized boolean isOver() {
        return ended || FINAL.contains(state);
    }

    /** Runs a command of the vmm. */
    JsonNode call(String command, JsonNode arguments, long timeoutMs) {
        if (ended()) {
            throw new ControlException(ExitCode.FAILED, spec().vmId() + " has ended: " + endedBecause());
        }
        try {
            return ControlClient.once(socket(), command, arguments, timeoutMs);
        } catch (ControlClient.Refused e) {
            throw new ControlException(ExitCode.FAILED, e.getMessage(), e);
        } catch (IOException e) {
            throw new ControlException(
                    ExitCode.FAILED,
                    "the vmm of " + spec().vmId() + " does not do \"" + command + "\": " + e.getMessage(),
                    e);
        }
    }

    JsonNode call(String command, long timeoutMs) {
        return call(command, Json.MAPPER.createObjectNode(), timeoutMs);
    }

    /** What the vmm said when it was last asked. */
    synchronized Optional<JsonNode> lastStatus() {
        return lastStatus;
    }

    /** Asks the vmm, for a limited time; when it does not answer in it, what was last known stays. */
    void askStatus(long limitMs) {
        if (!ended()) {
            try {
                learn(ControlClient.once(socket(), "status", Json.MAPPER.createObjectNode(), limitMs));
            } catch (IOException | ControlClient.Refused e) {
                LOG.debug("{} does not say how it is: {}", spec().vmId(), e.getMessage());
            }
        }
    }

    /** The vmm's own status while it answers, else what was last known; never fails. */
    ObjectNode describe() {
        ObjectNode about = Json.MAPPER.createObjectNode();
        if (!ended()) {
            try {
                JsonNode fresh =
                        ControlClient.once(socket(), "status", Json.MAPPER.createObjectNode(), STATUS_LIMIT_MS);
                learn(fresh);
            } catch (IOException | ControlClient.Refused e) {
                if (!state().equals(STARTING)) {
                    about.put("unanswered", String.valueOf(e.getMessage()));
                }
            }
        }
        synchronized (this) {
            lastStatus.filter(JsonNode::isObject).ifPresent(status -> about.setAll((ObjectNode) status));
            about.put("vmId", spec().vmId());
            about.put("state", state);
            about.put("pid", saved.pid());
            about.put("mode", saved.mode().name());
            exitCode.ifPresent(code -> about.put("exitCode", code));
            if (!message.isEmpty()) {
                about.put("message", message);
            }
            about.set("spec", Json.MAPPER.valueToTree(spec()));
        }
        return about;
    }

    /**
     * Waits until the state fits or the VM is over.
     *
     * @return the state then; one that does not fit means the time is up or the VM is over
     */
    synchronized String await(Predicate<String> wanted, long timeoutMs) throws InterruptedException {
        long limitNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs);
        while (!wanted.test(state) && !isOver()) {
            long leftMs = TimeUnit.NANOSECONDS.toMillis(limitNs - System.nanoTime());
            if (leftMs <= 0) {
                break;
            }
            wait(leftMs);
        }
        return state;
    }

    /** Ends the process: asks, and kills when asking does not help. Returns when it is gone. */
    void end(long politeMs) throws InterruptedException {
        if (handle.isAlive()) {
            long askedNs = System.nanoTime();
            try {
                ControlClient.once(socket(), "stop", Json.MAPPER.createObjectNode(), politeMs);
            } catch (IOException | ControlClient.Refused e) {
                handle.destroy();
            }
            long askedForMs = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - askedNs);
            if (!waitForEnd(Math.max(POLITE_LEAST_MS, politeMs - askedForMs))) {
                handle.destroyForcibly();
                waitForEnd(5_000);
            }
        }
        synchronized (this) {
            long limitNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
            while (!ended && System.nanoTime() - limitNs < 0) {
                wait(100);
            }
        }
    }

    /** False when the process still lives after the limit. */
    synchronized boolean awaitEnd(long limitMs) throws InterruptedException {
        long limitNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(limitMs);
        while (!ended && System.nanoTime() - limitNs < 0) {
            wait(100);
        }
        return ended;
    }

    /** Why it ended, in one line. */
    synchronized String endedBecause() {
        return message.isEmpty() ? state : message;
    }

    static void save(Path directory, Saved saved) throws IOException {
        Path fresh = directory.resolve("vm.json.new");
        Files.write(fresh, Json.MAPPER.writeValueAsBytes(saved));
        Files.move(fresh, description(directory), StandardCopyOption.ATOMIC_MOVE);
    }

    /** The process that {@code saved} is about, unless it has gone and its number names another one now. */
    static Optional<ProcessHandle> stillRunning(Saved saved) {
        return ProcessHandle.of(saved.pid())
                .filter(ProcessHandle::isAlive)
                .filter(process -> startedAtMillis(process) == saved.startedAtMillis());
    }

    static long startedAtMillis(ProcessHandle process) {
        return process.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
    }

    private void follow() {
        try {
            while (handle.isAlive()) {
                try (ControlClient client = ControlClient.connect(socket())) {
                    learn(client.call("status", Json.MAPPER.createObjectNode(), STATUS_LIMIT_MS));
                    client.listen(this::onEvent, SILENCE_LIMIT_MS);
                } catch (IOException | ControlClient.Refused notYetOrNoMore) {
                    // Before it listens and after it stopped; the loop ends with the process.
                    waitForEnd(20);
                }
            }
            end();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void onEvent(String event, JsonNode data) {
        if (event.equals("state")) {
            learn(data);
        }
    }

    private void learn(JsonNode status) {
        String now = status.path("state").asText("");
        boolean changed;
        synchronized (this) {
            changed = !now.isEmpty() && !now.equals(state);
            if (status.has("vmId")) {
                lastStatus = Optional.of(status);
            }
            if (status.has("term")) {
                term = status.get("term").asLong();
            }
            if (status.has("state")) {
                // Each report says all: without a message the last one is over.
                message = status.path("message").asText("");
            }
            if (changed) {
                state = now;
            }
            notifyAll();
        }
        if (changed) {
            onState.accept(this, now);
        }
    }

    private void end() throws InterruptedException {
        Optional<Integer> code = Optional.empty();
        if (child.isPresent()) {
            code = Optional.of(child.get().waitFor());
        }
        String now;
        synchronized (this) {
            exitCode = code;
            boolean clean = code.map(c -> c == 0).orElse(FINAL.contains(state));
            if (!FINAL.contains(state)) {
                state = clean ? EXITED : FAILED;
            }
            if (!clean && message.isEmpty()) {
                message = code.map(VmRun::explain).orElse("the vmm process ended while no agent watched") + lastWords();
            }
            ended = true;
            now = state;
            notifyAll();
        }
        onState.accept(this, now);
    }

    /** A code above 128 is a signal's number plus 128, as the JDK reports it. */
    private static String explain(int code) {
        return code > 128
                ? "the vmm process was killed by signal " + (code - 128)
                : "the vmm process ended with exit code " + code;
    }

    private String lastWords() {
        try (RandomAccessFile file = new RandomAccessFile(log(directory).toFile(), "r")) {
            file.seek(Math.max(0, file.length() - LOG_TAIL_BYTES));
            byte[] tail = new byte[(int) Math.min(LOG_TAIL_BYTES, file.length())];
            file.readFully(tail);
            String[] lines = new String(tail, StandardCharsets.UTF_8).strip().split("\n");
            String line = lines[lines.length - 1].strip();
            return line.isEmpty() ? "; it logged nothing" : "; its last words: " + line;
        } catch (IOException e) {
            return "; its log " + log(directory) + " cannot be read";
        }
    }

    private boolean waitForEnd(long timeoutMs) throws InterruptedException {
        if (child.isPresent()) {
            return child.get().waitFor(timeoutMs, TimeUnit.MILLISECONDS);
        }
        try {
            handle.onExit().get(timeoutMs, TimeUnit.MILLISECONDS);
            return true;
        } catch (java.util.concurrent.TimeoutException e) {
            return false;
        } catch (java.util.concurrent.ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }
}
