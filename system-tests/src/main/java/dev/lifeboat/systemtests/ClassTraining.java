// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.lifeboat.control.certs.FleetAuthority;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiServer;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.linux.Libc;
import dev.lifeboat.store.DefaultVmStore;
import dev.lifeboat.store.EpochManifest;
import dev.lifeboat.store.EpochWriter;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.ObjectStores;
import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.RunCodec;
import dev.lifeboat.store.VmShape;
import dev.lifeboat.stream.evacuation.Warmup;
import dev.lifeboat.stream.wire.WireSecurity;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.jar.JarFile;
import java.util.stream.Collectors;

/**
 * Loads, natively and on loopback, the classes that the roles use in an emulated host, so that {@code guest-images/make
 * host --train} can keep them in a class archive: a JVM on a software processor spends most of its start on loading
 * classes. Nothing depends on what this does but speed.
 */
public final class ClassTraining {
    private ClassTraining() {}

    /** No arguments; ends with 0 when every step worked. */
    public static void main(String[] arguments) throws Exception {
        Path directory = Files.createTempDirectory("lifeboat-training");
        Libc.getpid();
        loadOwnClasses();
        VmmConfig.Tls tls = FleetAuthority.openOrCreate(directory).issue("trainee", List.of("127.0.0.1"));
        WireSecurity security =
                WireSecurity.tls(Path.of(tls.authority()), Path.of(tls.certificate()), Path.of(tls.key()));
        Warmup.run(security, "trainee", 1_000, 1);
        callApi(tls);
        useS3();
        configuration();
        try (var files = Files.walk(directory)) {
            for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
        System.exit(0);
    }

    private static void loadOwnClasses() throws IOException {
        for (String element : System.getProperty("java.class.path").split(File.pathSeparator)) {
            if (!element.endsWith(".jar")) {
                continue;
            }
            try (JarFile jar = new JarFile(element)) {
                for (String name : jar.stream().map(entry -> entry.getName()).toList()) {
                    if (name.startsWith("dev/lifeboat/") && name.endsWith(".class") && !name.contains("-info")) {
                        load(name.replace('/', '.').substring(0, name.length() - ".class".length()));
                    }
                }
            }
        }
    }

    private static void load(String name) {
        try {
            Class.forName(name, false, ClassTraining.class.getClassLoader());
        } catch (ClassNotFoundException | LinkageError e) {
            System.err.println("not trained: " + name + ": " + e);
        }
    }

    private static void callApi(VmmConfig.Tls files) {
        FleetTls tls = FleetTls.read(files);
        try (ApiServer server = new ApiServer("127.0.0.1:0", tls)) {
            server.route("POST", "/v1/echo/{name}", request -> request.body());
            server.start();
            JsonNode body = Json.MAPPER.createObjectNode().put("a", 1);
            new ApiClient(tls).post("https://127.0.0.1:" + server.port(), "/v1/echo/x", body, 10_000);
        }
    }

    /** A VM's life against a server that knows just enough S3 for it. */
    private static void useS3() throws IOException {
        System.setProperty("aws.accessKeyId", "training");
        System.setProperty("aws.secretAccessKey", "training");
        Map<String, byte[]> objects = new ConcurrentSkipListMap<>();
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> answer(exchange, objects));
        server.start();
        try (ObjectStore store = ObjectStores.open(
                "s3://bucket/training",
                Optional.of("http://127.0.0.1:" + server.getAddress().getPort()),
                Optional.of("us-east-1"))) {
            DefaultVmStore vm = new DefaultVmStore(store, "trainee");
            vm.owners().newest();
            OwnerRecord owner = new OwnerRecord(OwnerRecord.VERSION, "trainee", 1, "here", "nonce", 0);
            vm.owners().claim(owner);
            try (EpochWriter writer = vm.writer(owner, VmShape.ofMemory(64))) {
                ByteBuffer page = ByteBuffer.allocateDirect(RunCodec.PAGE_BYTES);
                page.put(0, (byte) 1);
                ByteBuffer payload = ByteBuffer.allocateDirect(2 * RunCodec.PAGE_BYTES);
                byte encoding = new RunCodec().encode(page, payload);
                payload.flip();
                writer.append(VmShape.MEMORY, 0, 1, encoding, payload, RunCodec.crc32c(payload));
                EpochManifest manifest = writer.commit("{}", new byte[10], 0);
                vm.newestWhole();
                vm.restore(manifest, (first, count, content) -> {});
            }
        } finally {
            server.stop(0);
        }
    }

    private static void answer(HttpExchange exchange, Map<String, byte[]> objects) throws IOException {
        String key = exchange.getRequestURI().getPath();
        String query = String.valueOf(exchange.getRequestURI().getQuery());
        byte[] request = exchange.getRequestBody().readAllBytes();
        byte[] body = new byte[0];
        int status = 200;
        switch (exchange.getRequestMethod()) {
            case "PUT" -> objects.put(key, request);
            case "DELETE" -> status = 204;
            default -> {
                if (query.contains("list-type")) {
                    body = list(objects, query).getBytes(StandardCharsets.UTF_8);
                    exchange.getResponseHeaders().add("Content-Type", "application/xml");
                } else if (objects.containsKey(key)) {
                    body = objects.get(key);
                    String range = exchange.getRequestHeaders().getFirst("Range");
                    if (range != null) {
                        String[] ends = range.substring("bytes=".length()).split("-");
                        int from = Integer.parseInt(ends[0]);
                        int to = ends.length > 1 ? Integer.parseInt(ends[1]) + 1 : body.length;
                        body = Arrays.copyOfRange(body, from, Math.min(to, body.length));
                        status = 206;
                    }
                } else {
                    status = 404;
                }
            }
        }
        exchange.getResponseHeaders().add("ETag", "\"training\"");
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.getResponseHeaders().add("Content-Length", String.valueOf(body.length));
            exchange.sendResponseHeaders(status, -1);
        } else {
            exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
            exchange.getResponseBody().write(body);
        }
        exchange.close();
    }

    private static String list(Map<String, byte[]> objects, String query) {
        String prefix = Arrays.stream(query.split("&"))
                .filter(part -> part.startsWith("prefix="))
                .map(part -> part.substring("prefix=".length()))
                .findFirst()
                .orElse("");
        String contents = objects.entrySet().stream()
                .filter(entry -> entry.getKey().startsWith("/bucket/" + prefix))
                .map(entry -> "<Contents><Key>" + entry.getKey().substring("/bucket/".length()) + "</Key><Size>"
                        + entry.getValue().length
                        + "</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>")
                .collect(Collectors.joining());
        return "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>" + contents
                + "<IsTruncated>false</IsTruncated></ListBucketResult>";
    }

    private static void configuration() throws IOException {
        Json.MAPPER.readValue(
                Json.MAPPER.writeValueAsBytes(new VmmConfig.Store("dir:/x", Optional.empty(), Optional.empty())),
                VmmConfig.Store.class);
        Json.MAPPER.constructType(VmmConfig.class);
        Json.MAPPER.canDeserialize(Json.MAPPER.constructType(VmmConfig.class));
    }
}
