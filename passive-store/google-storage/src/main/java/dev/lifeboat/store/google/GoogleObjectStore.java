// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.google;

import com.google.api.client.http.HttpRequestInitializer;
import com.google.api.client.http.HttpResponse;
import com.google.api.client.http.HttpTransport;
import com.google.api.client.http.javanet.NetHttpTransport;
import com.google.api.client.json.gson.GsonFactory;
import com.google.api.services.storage.Storage;
import com.google.api.services.storage.model.Objects;
import com.google.api.services.storage.model.StorageObject;
import dev.lifeboat.store.DamagedObjectException;
import dev.lifeboat.store.KeyPrefix;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.RunCodec;
import dev.lifeboat.store.StoreException;
import dev.lifeboat.store.StoreUrl;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/**
 * Objects in a bucket of Google Cloud Storage under a prefix, by its JSON interface. Put-if-absent is an upload with the
 * precondition that the object has no generation. Thread-safe; calls run on the caller's thread.
 */
final class GoogleObjectStore implements ObjectStore {
    /** Four tries of this, and the pauses between them, stay below 20 s. */
    private static final int SMALL_SILENCE_MS = 4500;

    /** Behind the 8 MiB of a segment a slow server may have to write them before it answers. */
    private static final int LARGE_SILENCE_MS = 30_000;

    private static final int CONNECT_MS = 3000;
    private static final int LARGE_BYTES = 256 * 1024;
    private static final int LIST_PAGE = 1000;

    /** {@code ifGenerationMatch} of an object that does not exist. */
    private static final long ABSENT = 0;

    private final HttpTransport transport;
    private final Storage client;
    /** The same with patience, for calls that carry much. */
    private final Storage bulk;

    private final String bucket;
    private final KeyPrefix prefix;
    private final GoogleFailures failures;
    private final String description;

    private GoogleObjectStore(
            Optional<String> endpoint,
            HttpRequestInitializer credentials,
            String bucket,
            KeyPrefix prefix,
            String description) {
        transport = new NetHttpTransport();
        client = client(endpoint, credentials, SMALL_SILENCE_MS);
        bulk = client(endpoint, credentials, LARGE_SILENCE_MS);
        this.bucket = bucket;
        this.prefix = prefix;
        this.description = description;
        failures = new GoogleFailures(description, bucket);
    }

    static GoogleObjectStore open(String url, Optional<String> endpoint, HttpRequestInitializer credentials) {
        StoreUrl where = StoreUrl.parse(url, "gs://bucket/prefix");
        return new GoogleObjectStore(
                endpoint.map(e -> StoreUrl.endpoint(e).toString().replaceAll("/+$", "")),
                credentials,
                where.authority(),
                KeyPrefix.of(where.path()),
                StoreUrl.describe(url, endpoint));
    }

    private Storage client(Optional<String> endpoint, HttpRequestInitializer credentials, int silenceMs) {
        Storage.Builder builder = new Storage.Builder(transport, GsonFactory.getDefaultInstance(), request -> {
                    credentials.initialize(request);
                    request.setConnectTimeout(CONNECT_MS);
                    request.setReadTimeout(silenceMs);
                    request.setWriteTimeout(silenceMs);
                    request.setSuppressUserAgentSuffix(true);
                })
                .setApplicationName("lifeboat");
        endpoint.ifPresent(address -> builder.setRootUrl(address + "/"));
        return builder.build();
    }

    @Override
    public void put(String key, ByteBuffer content) {
        String name = prefix.name(key);
        try {
            Tries.of(() -> insert(name, content).execute());
        } catch (IOException e) {
            throw failures.of("cannot write " + key, e);
        }
    }

    @Override
    public Put putIfAbsent(String key, ByteBuffer content) {
        String name = prefix.name(key);
        try {
            Tries.of(() -> insert(name, content).setIfGenerationMatch(ABSENT).execute());
            return Put.CREATED;
        } catch (IOException e) {
            if (GoogleFailures.is(e, 412)) {
                return Put.EXISTS;
            }
            throw failures.of("cannot create " + key, e);
        }
    }

    /** For one try: an upload cannot be executed twice. */
    private Storage.Objects.Insert insert(String name, ByteBuffer content) throws IOException {
        // The service checks the content against it before it stores it.
        ByteBuffer crc = ByteBuffer.allocate(Integer.BYTES).putInt(0, RunCodec.crc32c(content));
        StorageObject object =
                new StorageObject().setName(name).setCrc32c(Base64.getEncoder().encodeToString(crc.array()));
        Storage.Objects.Insert insert =
                clientFor(content.remaining()).objects().insert(bucket, object, new BufferContent(content));
        insert.setFields("generation").setDisableGZipContent(true);
        insert.getMediaHttpUploader().setDirectUploadEnabled(true).setDisableGZipContent(true);
        return insert;
    }

    @Override
    public Optional<ByteBuffer> get(String key) {
        String name = prefix.name(key);
        try {
            return Optional.of(Tries.of(() -> {
                try (InputStream in = client.objects().get(bucket, name).executeMediaAsInputStream()) {
                    return ByteBuffer.wrap(in.readAllBytes());
                }
            }));
        } catch (IOException e) {
            if (GoogleFailures.isMissingObject(e)) {
                return Optional.empty();
            }
            throw failures.of("cannot read " + key, e);
        }
    }

    @Override
    public void read(String key, long offset, int length, ByteBuffer into) {
        String name = prefix.name(key);
        int start = into.position();
        ByteBuffer wanted = into.duplicate();
        try {
            Tries.of(() -> {
                readRange(name, offset, wanted.limit(start + length).position(start));
                return null;
            });
        } catch (IOException e) {
            if (GoogleFailures.isMissingObject(e)) {
                throw new DamagedObjectException("object " + key + " is missing in " + describe(), e);
            }
            if (!GoogleFailures.is(e, 416)) {
                throw failures.of("cannot read " + key, e);
            }
        }
        if (wanted.hasRemaining()) {
            throw new DamagedObjectException(
                    "object " + key + " in " + describe() + " is truncated: it ends before byte " + (offset + length));
        }
        into.position(start + length);
    }

    private void readRange(String name, long offset, ByteBuffer into) throws IOException {
        Storage.Objects.Get get = clientFor(into.remaining()).objects().get(bucket, name);
        get.getRequestHeaders().setRange("bytes=" + offset + "-" + (offset + into.remaining() - 1));
        int wanted = into.remaining();
        HttpResponse response = get.executeMedia();
        try (ReadableByteChannel in = Channels.newChannel(response.getContent())) {
            while (into.hasRemaining() && in.read(into) >= 0) {
                continue;
            }
        } finally {
            response.disconnect();
        }
        Long announced = response.getHeaders().getContentLength();
        int got = wanted - into.remaining();
        if (announced != null && got < Math.min(wanted, announced)) {
            throw new EOFException("the answer broke off after " + got + " of " + announced + " bytes");
        }
    }

    @Override
    public List<Entry> entries(String start, int limit) {
        List<Entry> found = new ArrayList<>();
        String next = null;
        try {
            do {
                Storage.Objects.List list = client.objects()
                        .list(bucket)
                        .setPrefix(prefix.text() + start)
                        .setMaxResults((long) Math.min(LIST_PAGE, limit - found.size()))
                        .setPageToken(next)
                        .setFields("items(name,size,updated),nextPageToken");
                Objects page = Tries.of(list::execute);
                for (StorageObject object : page.getItems() == null ? List.<StorageObject>of() : page.getItems()) {
                    found.add(new Entry(
                            prefix.key(object.getName()),
                            object.getSize().longValueExact(),
                            object.getUpdated().getValue()));
                }
                next = page.getNextPageToken();
            } while (next != null && found.size() < limit);
        } catch (IOException e) {
            throw failures.of("cannot list " + start, e);
        }
        return found;
    }

    @Override
    public void delete(String key) {
        String name = prefix.name(key);
        try {
            Tries.of(() -> client.objects().delete(bucket, name).execute());
        } catch (IOException e) {
            if (!GoogleFailures.isMissingObject(e)) {
                throw failures.of("cannot delete " + key, e);
            }
        }
    }

    @Override
    public String describe() {
        return description;
    }

    @Override
    public void close() {
        try {
            transport.shutdown();
        } catch (IOException e) {
            throw new StoreException("cannot close " + description + ": " + e.getMessage(), e);
        }
    }

    private Storage clientFor(int bytes) {
        return bytes > LARGE_BYTES ? bulk : client;
    }
}
