// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.vmm.ControlSocket;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Optional;

/**
 * A process that behaves towards the agent as a vmm does, without any VM. Words in the VM's command line tell it to
 * misbehave: {@code die-at-start}, {@code slow-start}, {@code evacuation-fails-to=HOST}, {@code die-when-asked-to-evacuate},
 * {@code evacuation-takes=MS}, {@code lag=PAGES}, {@code release-fails}, {@code take-fails-on=HOST}. It ends by itself after a
 * minute, or as many seconds as {@link #LIFE_SECONDS} says, whatever happens to the test. On the console of one that has
 * arrived stands when its first byte came, in nanoseconds of {@link System#nanoTime}, which all processes share.
 */
public final class FakeVmm {
    /** A system property. */
    public static final String LIFE_SECONDS = "lifeboat.fake-vmm.seconds";

    public static final String FIRST_BYTE = "first byte at ";

    private final VmmConfig config;
    private ControlSocket socket;
    private String state = "STARTING";
    private String message = "";
    private int receivePort;
    private long term = 1;
    private boolean storeIsHere;
    /** Of {@code take-fails-on}: the first one only. */
    private boolean takeHasFailed;

    private FakeVmm(VmmConfig config) {
        this.config = config;
    }

    public static void main(String[] arguments) throws Exception {
        String config = arguments[1];
        if (arguments[0].equals("--spare")) {
            config = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).readLine();
            if (config == null) {
                return;
            }
            System.out.println("was a spare");
        }
        new FakeVmm(Json.readFile(Path.of(config), VmmConfig.class)).run();
    }

    private void run() throws Exception {
        Thread limit = new Thread(
                () -> {
                    try {
                        Thread.sleep(1_000L * Integer.getInteger(LIFE_SECONDS, 60));
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    Runtime.getRuntime().halt(99);
                },
                "limit");
        limit.setDaemon(true);
        limit.start();
        if (told("die-at-start")) {
            System.err.println("the kernel is truncated: 12 bytes; copy it again");
            System.exit(3);
        }
        Files.writeString(Path.of(config.consoleLog()), "hello from " + config.vmId() + " on " + config.host() + "\n");
        storeIsHere = config.mode() != VmmConfig.Mode.RECEIVE;
        socket = ControlSocket.open(
                Path.of(config.controlSocket()),
                Map.of(
                        "status",
                        arguments -> status(),
                        "evacuate",
                        this::evacuate,
                        "release-store",
                        arguments -> release(),
                        "take-store",
                        arguments -> take(),
                        "rate",
                        this::rate,
                        "stop",
                        arguments -> exitSoon("EXITED", 0),
                        "console-input",
                        this::typed));
        if (config.mode() == VmmConfig.Mode.RECEIVE) {
            receive();
        } else {
            if (told("slow-start")) {
                Thread.sleep(2_000);
            }
            set("RUNNING");
        }
        Thread.currentThread().join();
    }

    private void receive() throws IOException {
        try (ServerSocket server = new ServerSocket(
                0, 1, InetAddress.getByName(config.receive().orElseThrow().address()))) {
            receivePort = server.getLocalPort();
            set("RECEIVING");
            try (Socket source = server.accept()) {
                term = source.getInputStream().read() + 1;
                print(FIRST_BYTE + System.nanoTime() + "\n");
                source.getOutputStream().write(1);
            }
        }
        set("RUNNING");
    }

    private JsonNode rate(JsonNode order) {
        print("rate raised: " + order.get("raised").asBoolean() + "\n");
        return status();
    }

    private JsonNode evacuate(JsonNode order) {
        if (told("die-when-asked-to-evacuate")) {
            Runtime.getRuntime().halt(7);
        }
        set("EVACUATING");
        try {
            Thread.sleep(number("evacuation-takes=").orElse(0L));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (told("evacuation-fails-to=" + order.get("target").asText())) {
            set("RUNNING");
            throw new IllegalStateException(
                    "connection to " + order.get("target").asText() + " was reset");
        }
        try (Socket target =
                new Socket(order.get("address").asText(), order.get("port").asInt())) {
            target.getOutputStream().write((int) term);
            if (target.getInputStream().read() != 1) {
                throw new IOException("no answer");
            }
        } catch (IOException e) {
            set("RUNNING");
            throw new IllegalStateException(e.getMessage(), e);
        }
        set("HANDED_OVER");
        exitSoon("HANDED_OVER", 0);
        return Json.MAPPER
                .createObjectNode()
                .put("blackoutMs", 5)
                .put("bytesAfterNotice", 4096)
                .put("storeWasHere", storeIsHere);
    }

    private JsonNode release() {
        if (told("release-fails")) {
            throw new IllegalStateException("no epoch was committed: the disk is full");
        }
        return storeIsHere(false);
    }

    private JsonNode take() {
        if (told("take-fails-on=" + config.host()) && !takeHasFailed) {
            takeHasFailed = true;
            throw new IllegalStateException("the store is damaged");
        }
        return storeIsHere(true);
    }

    private synchronized JsonNode storeIsHere(boolean here) {
        storeIsHere = here;
        return status();
    }

    private JsonNode typed(JsonNode input) {
        try {
            print("typed: " + new String(input.get("base64").binaryValue(), StandardCharsets.UTF_8));
            return Json.MAPPER.createObjectNode();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private void print(String text) {
        try {
            Files.writeString(Path.of(config.consoleLog()), text, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private JsonNode exitSoon(String last, int code) {
        Thread thread = new Thread(
                () -> {
                    try {
                        // Long enough for the answer to go out.
                        Thread.sleep(100);
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    set(last);
                    socket.close();
                    Runtime.getRuntime().halt(code);
                },
                "exit");
        thread.start();
        return Json.MAPPER.createObjectNode();
    }

    private synchronized void set(String now) {
        state = now;
        socket.publish("state", status());
    }

    private synchronized ObjectNode status() {
        ObjectNode status = Json.MAPPER.createObjectNode();
        status.put("vmId", config.vmId()).put("state", state).put("term", term).put("epoch", 4);
        status.put("storeIsHere", storeIsHere);
        number("lag=").ifPresent(pages -> status.put("lagPages", pages));
        if (receivePort != 0) {
            status.put("receivePort", receivePort);
        }
        Optional.of(message).filter(text -> !text.isEmpty()).ifPresent(text -> status.put("message", text));
        return status;
    }

    private Optional<Long> number(String word) {
        for (String one : config.commandLine().split(" ")) {
            if (one.startsWith(word)) {
                return Optional.of(Long.parseLong(one.substring(word.length())));
            }
        }
        return Optional.empty();
    }

    private boolean told(String word) {
        return (" " + config.commandLine() + " ").contains(" " + word + " ");
    }
}
