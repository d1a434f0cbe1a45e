// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.fabric;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.lifeboat.systemtests.machine.Machine;
import dev.lifeboat.systemtests.machine.MachineException;
import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;

/**
 * Who holds the plugs of the emulated data centre: puts disks into machines and takes them out, on the wish of the agents
 * ({@code ControllerVolumeMover}). Served by one daemon thread {@code volume-controller} on 127.0.0.1, one wish at a time.
 */
public final class VolumeController implements AutoCloseable {

    private final HttpServer server;
    private final ExecutorService thread;
    private final Supplier<Map<String, Machine>> hosts;
    private final Map<String, Path> disks = new ConcurrentHashMap<>();
    private final List<String> moves = new ArrayList<>();

    private VolumeController(HttpServer server, ExecutorService thread, Supplier<Map<String, Machine>> hosts) {
        this.server = server;
        this.thread = thread;
        this.hosts = hosts;
    }

    /** @param hosts machines that run, by their names */
    static VolumeController start(Supplier<Map<String, Machine>> hosts) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 16);
        ExecutorService thread = Executors.newSingleThreadExecutor(action -> {
            Thread made = new Thread(action, "volume-controller");
            made.setDaemon(true);
            return made;
        });
        VolumeController controller = new VolumeController(server, thread, hosts);
        server.setExecutor(thread);
        server.createContext("/", controller::handle);
        server.start();
        return controller;
    }

    int port() {
        return server.getAddress().getPort();
    }

    /** A disk that can be attached from now on. */
    public void add(String volume, Path disk) {
        disks.put(volume, disk);
    }

    /** What was plugged and unplugged, such as {@code unplug vol-1 host-a}, in order. */
    public List<String> moves() {
        synchronized (moves) {
            return List.copyOf(moves);
        }
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            JsonNode wish = Json.MAPPER.readTree(exchange.getRequestBody());
            String volume = wish.path("volume").asText();
            String serial = wish.path("serial").asText();
            String host = wish.path("host").asText();
            int status = 200;
            String answer = Json.MAPPER.writeValueAsString(
                    Json.MAPPER.createObjectNode().put("serial", serial));
            try {
                switch (exchange.getRequestURI().getPath()) {
                    case "/attach" -> attach(volume, serial, host);
                    case "/detach" -> detach(volume, serial, host);
                    case "/detach-elsewhere" -> {
                        for (String other : hosts.get().keySet()) {
                            if (!other.equals(host)) {
                                detach(volume, serial, other);
                            }
                        }
                    }
                    default -> throw new MachineException("unknown: " + exchange.getRequestURI());
                }
            } catch (IOException e) {
                status = 409;
                answer = String.valueOf(e.getMessage());
            }
            byte[] body = answer.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(status, body.length);
            exchange.getResponseBody().write(body);
        }
    }

    private void attach(String volume, String serial, String host) throws IOException {
        Path disk = disks.get(volume);
        Machine machine = hosts.get().get(host);
        if (disk == null || machine == null) {
            throw new MachineException("there is no volume " + volume + " or no host " + host);
        }
        for (Map.Entry<String, Machine> other : hosts.get().entrySet()) {
            if (!other.getKey().equals(host) && other.getValue().has(serial)) {
                throw new MachineException("volume " + volume + " is attached to " + other.getKey());
            }
        }
        if (!machine.has(serial)) {
            long startNs = System.nanoTime();
            machine.plug(disk, serial);
            note("plug", volume, host, startNs);
        }
    }

    private void detach(String volume, String serial, String host) throws IOException {
        Machine machine = hosts.get().get(host);
        if (machine != null && machine.has(serial)) {
            long startNs = System.nanoTime();
            machine.unplug(serial);
            note("unplug", volume, host, startNs);
        }
    }

    private void note(String what, String volume, String host, long startNs) {
        System.out.println(String.format(
                Locale.ROOT, "%s %s %s: %.2f s", what, volume, host, (System.nanoTime() - startNs) / 1e9));
        synchronized (moves) {
            moves.add(what + " " + volume + " " + host);
        }
    }

    @Override
    public void close() {
        server.stop(0);
        thread.shutdownNow();
    }
}
