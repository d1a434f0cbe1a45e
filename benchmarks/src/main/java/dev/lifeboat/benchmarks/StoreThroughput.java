// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.benchmarks;

import com.sun.nio.file.ExtendedOpenOption;
import dev.lifeboat.store.DefaultVmStore;
import dev.lifeboat.store.EpochManifest;
import dev.lifeboat.store.EpochReader;
import dev.lifeboat.store.EpochWriter;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.ObjectStores;
import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.RunCodec;
import dev.lifeboat.store.VmShape;
import java.io.IOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Throughput of the store beside what the same medium does without it, in one run: epochs to a directory beside dd, fio and
 * plain files (with and without O_DIRECT), epochs to S3 beside plain uploads of the same bytes, restores, and the index of a
 * large guest. Prints one line for each; asserts nothing. Everything is random pages, which stay as they are, so that bytes
 * in are bytes out.
 */
public final class StoreThroughput {
    private static final int OBJECT_BYTES = 8 << 20;
    private static final int PARALLEL = 3;
    private static final int OBJECTS_IN_EPOCH = 8;
    /** The first is the warm-up of its clients. */
    private static final int REMOTE_ROUNDS = 4;

    private final int megabytes;
    private final ByteBuffer object =
            ByteBuffer.allocateDirect(OBJECT_BYTES + 4096).alignedSlice(4096);

    private StoreThroughput(int megabytes) {
        this.megabytes = megabytes;
        Random random = new Random(1);
        object.limit(OBJECT_BYTES);
        while (object.hasRemaining()) {
            object.putLong(random.nextLong());
        }
        object.flip();
    }

    /** Arguments: {@code dir DIRECTORY MEGABYTES}, {@code url URL ENDPOINT MEGABYTES} or {@code index GIGABYTES}. */
    public static void main(String[] args) throws Exception {
        switch (args.length == 0 ? "" : args[0]) {
            case "dir" -> new StoreThroughput(Integer.parseInt(args[2])).directory(Path.of(args[1]));
            case "url" -> new StoreThroughput(Integer.parseInt(args[3])).remote(args[1], args[2]);
            case "index" -> index(Integer.parseInt(args[1]));
            default -> {
                System.err.println("usage: StoreThroughput dir DIRECTORY MB | url URL ENDPOINT MB | index GB");
                System.exit(2);
            }
        }
    }

    private void directory(Path directory) throws Exception {
        Path work = Files.createTempDirectory(directory, "lifeboat-throughput-");
        try {
            for (int round = 1; round <= 2; round++) {
                System.out.println("round " + round + ", " + megabytes + " MB in files of 8 MB, each fsynced");
                external(work, "dd, one after the other", dd(work));
                external(work, "fio, 3 jobs", fio(work));
                files(work, "plain files, 3 threads");
                files(work, "plain files with O_DIRECT, 3 threads", ExtendedOpenOption.DIRECT);
                Path root = Files.createDirectory(work.resolve("store"));
                try (ObjectStore store = ObjectStores.open("dir:" + root, Optional.empty(), Optional.empty())) {
                    store(store);
                }
                clear(work);
            }
        } finally {
            clear(work);
            Files.delete(work);
        }
    }

    private void remote(String url, String endpoint) throws Exception {
        URI where = URI.create(url);
        String prefix = where.getPath().substring(1) + "/plain/";
        try (ObjectStore store = ObjectStores.open(url, Optional.of(endpoint), Optional.empty())) {
            for (int round = 1; round <= REMOTE_ROUNDS; round++) {
                System.out.println("round " + round + ", " + megabytes + " MB");
                for (PlainS3 client : PlainS3.all(URI.create(endpoint), where.getHost())) {
                    try (client) {
                        report("plain 8 MB: " + client.name(), parallel(n -> {
                            client.upload().put(prefix + n, object.duplicate());
                            return null;
                        }));
                    }
                    clear(store);
                }
                uploads(store);
                store(store);
            }
        }
    }

    /** The same bytes as whole objects, through the same client, as many at once. */
    private void uploads(ObjectStore store) throws Exception {
        report("plain 8 MB: the store's client", parallel(n -> {
            store.put("plain/" + n, object.duplicate());
            return null;
        }));
        clear(store);
    }

    private static void clear(ObjectStore store) {
        for (String key : store.list("plain/", Integer.MAX_VALUE)) {
            store.delete(key);
        }
    }

    private void store(ObjectStore store) {
        String id = "vm-" + UUID.randomUUID().toString().substring(0, 8);
        DefaultVmStore vm = new DefaultVmStore(store, id);
        OwnerRecord owner = owner(id);
        vm.owners().claim(owner);
        int runs = megabytes * 16;
        ByteBuffer run = object.duplicate();
        EpochManifest manifest = null;
        long start = System.nanoTime();
        int epochs = 0;
        try (EpochWriter writer = vm.writer(owner, VmShape.ofMemory(16L * runs))) {
            for (int i = 0; i < runs; i++) {
                int at = i * RunCodec.MAX_RUN_BYTES % OBJECT_BYTES;
                run.limit(at + RunCodec.MAX_RUN_BYTES).position(at);
                writer.append(VmShape.MEMORY, 16L * i, 16, RunCodec.PLAIN, run, RunCodec.crc32c(run));
                if ((i + 1) % (128 * OBJECTS_IN_EPOCH) == 0 || i + 1 == runs) {
                    manifest = writer.commit("{}", new byte[100], System.currentTimeMillis());
                    epochs++;
                }
            }
        }
        report("epochs (" + epochs + " commits)", System.nanoTime() - start);
        start = System.nanoTime();
        vm.restore(manifest, VmShape.MEMORY, (first, count, content) -> {});
        report("restore", System.nanoTime() - start);
        for (String key : store.list("vm/" + id + "/", Integer.MAX_VALUE)) {
            store.delete(key);
        }
    }

    private void files(Path work, String what, OpenOption... more) throws Exception {
        Path folder = Files.createDirectory(work.resolve("files"));
        List<OpenOption> options = new ArrayList<>(List.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE));
        options.addAll(List.of(more));
        long ns;
        try {
            ns = parallel(n -> {
                try (FileChannel file = FileChannel.open(folder.resolve("f" + n), options.toArray(OpenOption[]::new))) {
                    ByteBuffer rest = object.duplicate();
                    while (rest.hasRemaining()) {
                        file.write(rest);
                    }
                    file.force(true);
                }
                try (FileChannel names = FileChannel.open(folder, StandardOpenOption.READ)) {
                    names.force(true);
                }
                return null;
            });
        } catch (ExecutionException e) {
            System.out.printf("%-42s not possible here: %s%n", what, e.getCause());
            return;
        } finally {
            clear(folder);
            Files.delete(folder);
        }
        report(what, ns);
    }

    /** One object. */
    @FunctionalInterface
    private interface Write {
        Void write(int n) throws Exception;
    }

    private long parallel(Write write) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(PARALLEL);
        try {
            long start = System.nanoTime();
            List<Future<Void>> done = new ArrayList<>();
            for (int i = 0; i < megabytes / 8; i++) {
                int n = i;
                done.add(threads.submit(() -> write.write(n)));
            }
            for (Future<Void> one : done) {
                one.get(120, TimeUnit.SECONDS);
            }
            return System.nanoTime() - start;
        } finally {
            threads.shutdownNow();
        }
    }

    private List<String> dd(Path work) {
        return List.of(
                "sh",
                "-c",
                "i=0; while [ $i -lt " + megabytes / 8 + " ]; do dd if=/dev/zero of=" + work
                        + "/dd$i bs=8M count=1 conv=fsync status=none; i=$((i+1)); done");
    }

    private List<String> fio(Path work) {
        return List.of(
                "fio",
                "--name=lifeboat",
                "--directory=" + work,
                "--rw=write",
                "--bs=8M",
                "--ioengine=psync",
                "--numjobs=" + PARALLEL,
                "--nrfiles=" + megabytes / 8 / PARALLEL,
                "--filesize=8M",
                "--fsync=1",
                "--file_service_type=sequential",
                "--group_reporting",
                "--output-format=terse");
    }

    private void external(Path work, String what, List<String> command) throws Exception {
        long start = System.nanoTime();
        Process process;
        try {
            process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
        } catch (IOException e) {
            System.out.printf("%-42s not here: %s%n", what, e.getMessage());
            return;
        }
        int exit = process.waitFor();
        long ns = System.nanoTime() - start;
        if (exit == 0) {
            report(what, ns);
        } else {
            System.out.printf("%-42s failed with %d%n", what, exit);
        }
        clear(work);
    }

    private void report(String what, long ns) {
        System.out.printf("%-42s %7.0f MB/s%n", what, megabytes * 1048576.0 / 1e6 / (ns / 1e9));
    }

    private static void clear(Path directory) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                if (Files.isDirectory(file)) {
                    clear(file);
                }
                Files.delete(file);
            }
        }
    }

    /** Every run of the guest once, in another order, so that nothing can be told from its neighbour. */
    private static void index(int gigabytes) throws IOException {
        Path root = Files.createTempDirectory("lifeboat-index-");
        int runs = gigabytes << 14;
        try (ObjectStore store = ObjectStores.open("dir:" + root, Optional.empty(), Optional.empty())) {
            DefaultVmStore vm = new DefaultVmStore(store, "big");
            OwnerRecord owner = owner("big");
            vm.owners().claim(owner);
            ByteBuffer pages = ByteBuffer.allocateDirect(RunCodec.MAX_RUN_BYTES);
            ByteBuffer payload = ByteBuffer.allocateDirect(2 * RunCodec.MAX_RUN_BYTES);
            EpochManifest manifest;
            try (EpochWriter writer = vm.writer(owner, VmShape.ofMemory(16L * runs))) {
                RunCodec codec = new RunCodec();
                for (int i = 0; i < runs; i++) {
                    // An odd factor visits each of a power of two once; for other sizes the order stays plain.
                    int run = Integer.bitCount(runs) == 1 ? (int) (i * 40_503L & runs - 1) : i;
                    pages.clear();
                    for (int page = 0; page < 16; page++) {
                        pages.putInt(page * RunCodec.PAGE_BYTES, i * 16 + page + 1);
                    }
                    byte encoding = codec.encode(pages, payload.clear());
                    payload.flip();
                    writer.append(VmShape.MEMORY, 16L * run, 16, encoding, payload, RunCodec.crc32c(payload));
                }
                manifest = writer.commit("{}", new byte[100], System.currentTimeMillis());
            }
            for (int round = 1; round <= 5; round++) {
                System.gc();
                long heap = usedHeap();
                long direct = direct();
                long start = System.nanoTime();
                try (EpochReader reader = vm.open(manifest)) {
                    long ns = System.nanoTime() - start;
                    System.gc();
                    System.out.printf(
                            "index of %d GiB, %d runs in %d segments: %d ms, heap %d kB, direct buffers %d kB (epoch %d)%n",
                            gigabytes,
                            runs,
                            manifest.segments().size(),
                            ns / 1_000_000,
                            (usedHeap() - heap) / 1024,
                            (direct() - direct) / 1024,
                            reader.manifest().epoch());
                }
            }
        } finally {
            clear(root);
            Files.delete(root);
        }
    }

    private static long usedHeap() {
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private static long direct() {
        return ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
                .filter(pool -> pool.getName().equals("direct"))
                .mapToLong(BufferPoolMXBean::getMemoryUsed)
                .sum();
    }

    private static OwnerRecord owner(String id) {
        return new OwnerRecord(
                OwnerRecord.VERSION, id, 1, "benchmark", UUID.randomUUID().toString(), System.currentTimeMillis());
    }
}
