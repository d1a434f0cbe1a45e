// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpServer;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.store.BaseImages;
import dev.lifeboat.store.DefaultVmStore;
import dev.lifeboat.store.EpochWriter;
import dev.lifeboat.store.KeyWrapper;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.ObjectStores;
import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.RetentionPolicy;
import dev.lifeboat.store.RunCodec;
import dev.lifeboat.store.StoreSettings;
import dev.lifeboat.store.VmShape;
import dev.lifeboat.vmm.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

@Timeout(60)
@Isolated("it reads what the process prints")
class StoreCommandTest {
    private static final int PAGES = 8;
    /** The writer keeps every epoch. */
    private static final StoreSettings KEEPS_ALL = new StoreSettings(
            1 << 20, 16 << 20, 2, 2, new RetentionPolicy(10, 3_600_000), false, 2, 60_000, 60_000, 30_000);

    @TempDir
    Path directory;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private PrintStream realOut;
    private PrintStream realErr;
    private String url;

    @BeforeEach
    void capture() {
        realOut = System.out;
        realErr = System.err;
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        url = "dir:" + directory.resolve("store");
    }

    @AfterEach
    void release() {
        System.setOut(realOut);
        System.setErr(realErr);
    }

    /** Epochs whose pages hold their number. */
    private void commit(String vmId, int epochs, Optional<KeyWrapper> key) {
        try (ObjectStore objects = ObjectStores.open(url, Optional.empty(), Optional.empty())) {
            DefaultVmStore vm = new DefaultVmStore(objects, vmId, KEEPS_ALL, key);
            OwnerRecord owner = new OwnerRecord(OwnerRecord.VERSION, vmId, 1, "host-a", "nonce", 1);
            vm.owners().claim(owner);
            ByteBuffer pages = ByteBuffer.allocateDirect(PAGES * RunCodec.PAGE_BYTES);
            try (EpochWriter writer = vm.writer(owner, VmShape.ofMemory(PAGES))) {
                for (int epoch = 1; epoch <= epochs; epoch++) {
                    for (int page = 0; page < PAGES; page++) {
                        pages.put(page * RunCodec.PAGE_BYTES, (byte) epoch);
                    }
                    writer.append(0, 0, PAGES, RunCodec.PLAIN, pages.duplicate(), RunCodec.crc32c(pages));
                    writer.commit("{}", new byte[0], System.currentTimeMillis());
                }
            }
        }
    }

    private String keyFile(String name) throws IOException {
        Path file = directory.resolve(name);
        Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(file, name.repeat(32).substring(0, 32));
        return "file:" + file;
    }

    private JsonNode json(String... arguments) throws IOException {
        out.reset();
        assertThat(Main.run(arguments)).as(errors()).isZero();
        return Json.MAPPER.readTree(out.toString(StandardCharsets.UTF_8));
    }

    @Test
    void vmsAreListedAndShown() throws IOException {
        commit("web", 2, Optional.empty());
        JsonNode overview = json("store", "ls", "--store", url, "--json");
        assertThat(overview.at("/vms/0/vmId").asText()).isEqualTo("web");
        assertThat(overview.at("/vms/0/newestWhole").asLong()).isEqualTo(2);
        assertThat(overview.at("/vms/0/owner/host").asText()).isEqualTo("host-a");
        JsonNode vm = json("store", "show", "web", "--store", url, "--json");
        assertThat(vm.at("/memoryBytes").asLong()).isEqualTo(PAGES * 4096L);
        assertThat(vm.get("epochs")).hasSize(2);
        assertThat(vm.at("/liveShare").asDouble()).isPositive();
        out.reset();
        assertThat(Main.run("store", "ls", "--store", url)).isZero();
        assertThat(Main.run("store", "show", "web", "--segments", "--store", url))
                .isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("host-a (term 1)")
                .contains("vm/web/seg/");
    }

    @Test
    void verifyNamesDamageAndWhatItCostsWithExitCode1() throws IOException {
        commit("web", 1, Optional.empty());
        assertThat(Main.run("store", "verify", "--all", "--store", url)).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("nothing damaged");
        Path segment;
        try (var found = Files.list(directory.resolve("store/vm/web/seg"))) {
            segment = found.findFirst().orElseThrow();
        }
        byte[] bytes = Files.readAllBytes(segment);
        bytes[100] ^= 1;
        Files.write(segment, bytes);
        out.reset();
        assertThat(Main.run("store", "verify", "web", "--store", url)).isEqualTo(ExitCode.FAILED);
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("vm/web/seg/" + segment.getFileName())
                .contains("costs epoch 1: memory page 0 to 7")
                .contains("newest epoch that restores: none");
        out.reset();
        assertThat(Main.run("store", "verify", "web", "--json", "--store", url)).isEqualTo(ExitCode.FAILED);
        JsonNode reports = Json.MAPPER.readTree(out.toString(StandardCharsets.UTF_8));
        assertThat(reports.at("/0/damages/0/costs/0/lost/0/count").asInt()).isEqualTo(8);
    }

    @Test
    void gcDeletesBaseImagesThatNoEpochNeedsWhenTheyAreOldEnough() throws IOException {
        Path image = Files.write(directory.resolve("image"), new byte[] {1, 2, 3});
        try (ObjectStore objects = ObjectStores.open(url, Optional.empty(), Optional.empty())) {
            new BaseImages(objects).publish(BaseImages.idOf(image), image);
        }
        JsonNode young = json("store", "gc", "--base-images", "--store", url, "--json");
        assertThat(young.get("copies")).isEmpty();
        assertThat(young.get("notes").get(0).asText()).contains("may just be starting");
        JsonNode dry = json("store", "gc", "--base-images", "--grace", "0", "--dry-run", "--store", url, "--json");
        assertThat(dry.get("copies")).hasSize(1);
        assertThat(json("store", "gc", "--base-images", "--grace", "0", "--store", url, "--json"))
                .isEqualTo(dry);
        assertThat(json("store", "gc", "--base-images", "--grace", "0", "--store", url, "--json")
                        .get("copies"))
                .isEmpty();
        assertThat(Main.run("store", "gc", "web", "--base-images", "--store", url))
                .isEqualTo(ExitCode.USAGE);
    }

    @Test
    void gcKeepsWhatIsAskedForAndADryRunKeepsAll() throws IOException {
        commit("web", 3, Optional.empty());
        JsonNode dry = json("store", "gc", "web", "--keep-last", "1", "--dry-run", "--store", url, "--json");
        assertThat(dry.at("/0/epochs")).hasSize(2);
        assertThat(json("store", "show", "web", "--store", url, "--json").get("epochs"))
                .hasSize(3);
        json("store", "gc", "--all", "--keep-last", "1", "--grace", "0", "--store", url, "--json");
        assertThat(json("store", "show", "web", "--store", url, "--json").get("epochs"))
                .hasSize(1);
        assertThat(Main.run("store", "verify", "web", "--store", url)).isZero();
        assertThat(Main.run("store", "gc", "web", "--keep-for", "soon", "--store", url))
                .isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("--keep-for soon is no time");
        assertThat(Main.run("store", "gc", "web", "--keep-last", "0", "--store", url))
                .isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("at least one epoch");
        assertThat(Main.run("store", "gc", "--store", url)).isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("which VM?");
    }

    @Test
    void anEpochIsExportedAndNoFileIsWrittenOver() throws IOException {
        commit("web", 2, Optional.empty());
        Path memory = directory.resolve("memory");
        JsonNode result =
                json("store", "export", "web", "--epoch", "1", "--memory", memory.toString(), "--store", url, "--json");
        assertThat(result.at("/images/0/lengthBytes").asLong()).isEqualTo(PAGES * 4096L);
        assertThat(Files.size(memory)).isEqualTo(PAGES * 4096L);
        assertThat(Files.readAllBytes(memory)[4096]).isEqualTo((byte) 1);
        assertThat(Main.run("store", "export", "web", "--memory", memory.toString(), "--store", url))
                .isEqualTo(ExitCode.FAILED);
        assertOneLineSaying(memory + " is there already");
        assertThat(Main.run("store", "export", "web", "--epoch", "9", "--memory", memory + "2", "--store", url))
                .isEqualTo(ExitCode.NOT_FOUND);
        assertOneLineSaying("no epoch 9");
        assertThat(Main.run("store", "export", "web", "--store", url)).isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("--memory FILE");
    }

    @Test
    void anEncryptedVmNeedsItsKeyWhereContentsAreReadOnly() throws IOException {
        String key = keyFile("key");
        String wrong = keyFile("wrong");
        commit("secret", 2, Optional.of(KeyWrapper.open(key)));
        assertThat(json("store", "ls", "--store", url, "--json")
                        .at("/vms/0/encrypted")
                        .asBoolean())
                .isTrue();
        assertThat(json("store", "verify", "secret", "--store", url, "--json")
                        .at("/0/contentsRead")
                        .asBoolean())
                .isFalse();
        assertThat(json("store", "verify", "secret", "--store-key", key, "--store", url, "--json")
                        .at("/0/contentsRead")
                        .asBoolean())
                .isTrue();
        json("store", "gc", "secret", "--keep-last", "1", "--store", url, "--json");
        String memory = directory.resolve("memory").toString();
        assertThat(Main.run("store", "export", "secret", "--memory", memory, "--store", url))
                .isEqualTo(ExitCode.FAILED);
        assertOneLineSaying("is encrypted and no key is given");
        assertThat(Main.run("store", "export", "secret", "--memory", memory, "--store-key", wrong, "--store", url))
                .isEqualTo(ExitCode.FAILED);
        assertOneLineSaying("is not the key that VM secret is encrypted with");
        assertThat(Main.run("store", "verify", "secret", "--store-key", wrong, "--store", url))
                .isEqualTo(ExitCode.FAILED);
        assertOneLineSaying("is not the key that VM secret is encrypted with");
        json("store", "export", "secret", "--memory", memory, "--store-key", key, "--store", url, "--json");
        assertThat(Main.run("store", "ls", "--store-key", "vault:x", "--store", url))
                .isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("names no store key");
    }

    @Test
    void storesThatCannotBeAreOneLineEach() throws IOException {
        assertThat(Main.run("store", "ls")).isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("which store?");
        assertThat(Main.run("store", "ls", "--store", "ftp://x")).isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("'ftp://x' is no store");
        assertThat(Main.run("store", "ls", "--store", "dir:relative")).isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("whole path");
        assertThat(Main.run("store", "ls", "--store", url)).isEqualTo(ExitCode.USAGE);
        assertOneLineSaying("no such directory");
        assertThat(directory.resolve("store")).doesNotExist();
        Files.createDirectory(directory.resolve("store"));
        assertThat(Main.run("store", "show", "nobody", "--store", url)).isEqualTo(ExitCode.NOT_FOUND);
        assertOneLineSaying("nothing of VM nobody");
        assertThat(Main.run("store", "show", "NO", "--store", url)).isEqualTo(ExitCode.FAILED);
        assertOneLineSaying("is no VM id");
        assertThat(Main.run("store")).isEqualTo(ExitCode.USAGE);
    }

    @Test
    void foreignObjectsAreNamedAndLeftAlone() throws IOException {
        commit("web", 1, Optional.empty());
        Path foreign = directory.resolve("store/vm/web/notes.txt");
        Files.writeString(foreign, "mine");
        Files.createDirectories(directory.resolve("store/vm/Not a VM"));
        Files.writeString(directory.resolve("store/vm/Not a VM/x"), "mine");
        assertThat(json("store", "ls", "--store", url, "--json")
                        .at("/foreign/0")
                        .asText())
                .isEqualTo("vm/Not a VM/x");
        assertThat(json("store", "show", "web", "--store", url, "--json")
                        .at("/unknown/0")
                        .asText())
                .isEqualTo("vm/web/notes.txt");
        json("store", "gc", "--all", "--keep-last", "1", "--grace", "0", "--store", url, "--json");
        assertThat(foreign).hasContent("mine");
        assertThat(Main.run("store", "verify", "--all", "--store", url)).isZero();
    }

    @Test
    void aBucketThatIsMissingOrForbiddenIsOneLine() throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 4);
        server.createContext("/", exchange -> {
            boolean missing = exchange.getRequestURI().getPath().startsWith("/missing");
            byte[] body = ("<?xml version=\"1.0\"?><Error><Code>" + (missing ? "NoSuchBucket" : "AccessDenied")
                            + "</Code></Error>")
                    .getBytes(StandardCharsets.US_ASCII);
            exchange.getRequestBody().readAllBytes();
            exchange.getResponseHeaders().set("Content-Type", "application/xml");
            exchange.sendResponseHeaders(missing ? 404 : 403, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        System.setProperty("aws.accessKeyId", "test-access-key");
        System.setProperty("aws.secretAccessKey", "test-secret-key");
        try {
            String endpoint = "http://127.0.0.1:" + server.getAddress().getPort();
            for (String command : new String[] {"verify", "gc"}) {
                assertThat(onS3(command, "missing", endpoint)).isEqualTo(ExitCode.FAILED);
                assertOneLineSaying("there is no bucket 'missing'");
                assertThat(onS3(command, "closed", endpoint)).isEqualTo(ExitCode.FAILED);
                assertOneLineSaying("access denied");
            }
        } finally {
            System.clearProperty("aws.accessKeyId");
            System.clearProperty("aws.secretAccessKey");
            server.stop(0);
        }
    }

    private static int onS3(String command, String bucket, String endpoint) {
        return Main.run(
                "store",
                command,
                "--all",
                "--store",
                "s3://" + bucket,
                "--endpoint",
                endpoint,
                "--region",
                "us-east-1");
    }

    private String errors() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private void assertOneLineSaying(String text) {
        assertThat(errors()).contains(text).startsWith("lifeboat: ").doesNotContain("\tat ");
        assertThat(errors().strip().lines()).hasSize(1);
        err.reset();
    }
}
