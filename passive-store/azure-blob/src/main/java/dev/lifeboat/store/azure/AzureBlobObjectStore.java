// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store.azure;

import com.azure.core.http.jdk.httpclient.JdkHttpClientBuilder;
import com.azure.core.util.BinaryData;
import com.azure.core.util.Context;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.storage.blob.BlobContainerClient;
import com.azure.storage.blob.BlobContainerClientBuilder;
import com.azure.storage.blob.models.BlobItem;
import com.azure.storage.blob.models.BlobRange;
import com.azure.storage.blob.models.BlobRequestConditions;
import com.azure.storage.blob.models.BlobStorageException;
import com.azure.storage.blob.models.DownloadRetryOptions;
import com.azure.storage.blob.models.ListBlobsOptions;
import com.azure.storage.blob.options.BlockBlobSimpleUploadOptions;
import com.azure.storage.common.StorageSharedKeyCredential;
import com.azure.storage.common.policy.RequestRetryOptions;
import com.azure.storage.common.policy.RetryPolicyType;
import dev.lifeboat.store.DamagedObjectException;
import dev.lifeboat.store.KeyPrefix;
import dev.lifeboat.store.ObjectStore;
import dev.lifeboat.store.StoreException;
import dev.lifeboat.store.StoreUrl;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Objects as block blobs of a container, under a prefix. Put-if-absent is one Put Blob with {@code If-None-Match: *}.
 * Thread-safe; calls run on the caller's thread, with the JDK's HTTP client behind it.
 *
 * <p>The client library repeats a request that broke off, so "exists" may be the echo of an own success: callers read
 * back and compare, as with every back end. Blob leases are not used: whoever creates an owner record or a manifest is
 * decided by its creation, and an object that is never changed has nothing for a lease to guard.
 */
final class AzureBlobObjectStore implements ObjectStore {
    private static final String FORM = "azblob://account/container/prefix";

    /** Four tries of this, and the pauses between them, stay below 20 s. */
    private static final Duration SMALL_SILENCE = Duration.ofMillis(4500);

    /** Behind the 8 MiB of a segment a slow server may have to write them before it answers. */
    private static final Duration LARGE_SILENCE = Duration.ofSeconds(30);

    private static final Duration CALL = Duration.ofSeconds(120);
    private static final int LARGE_BYTES = 256 * 1024;
    private static final int TRIES = 4;
    private static final int LIST_PAGE = 1000;

    private final BlobContainerClient client;
    /** The same with patience, for calls that carry much. */
    private final BlobContainerClient bulk;

    private final KeyPrefix prefix;
    private final AzureFailures failures;
    private final String description;

    private AzureBlobObjectStore(
            BlobContainerClient client, BlobContainerClient bulk, KeyPrefix prefix, String description) {
        this.client = client;
        this.bulk = bulk;
        this.prefix = prefix;
        this.description = description;
        failures = new AzureFailures(description, client.getBlobContainerName());
    }

    static AzureBlobObjectStore open(String url, Optional<String> endpoint) {
        StoreUrl where = StoreUrl.parse(url, FORM);
        int end = where.path().indexOf('/');
        String container = end < 0 ? where.path() : where.path().substring(0, end);
        if (container.isEmpty()) {
            throw new StoreException("'" + url + "' names no container: use " + FORM);
        }
        KeyPrefix prefix = KeyPrefix.of(end < 0 ? "" : where.path().substring(end + 1));
        String account = address(where.authority(), endpoint);
        try {
            return new AzureBlobObjectStore(
                    container(account, where.authority(), container, SMALL_SILENCE),
                    container(account, where.authority(), container, LARGE_SILENCE),
                    prefix,
                    StoreUrl.describe(url, endpoint));
        } catch (IllegalArgumentException e) {
            throw new StoreException("cannot use '" + url + "': " + e.getMessage(), e);
        }
    }

    /** A server that is not Azure, such as Azurite, has the account in the path. */
    private static String address(String account, Optional<String> endpoint) {
        return endpoint.map(e -> StoreUrl.endpoint(e).toString().replaceAll("/+$", "") + "/" + account)
                .orElse("https://" + account + (account.contains(".") ? "" : ".blob.core.windows.net"));
    }

    private static BlobContainerClient container(String address, String account, String container, Duration silence) {
        BlobContainerClientBuilder builder = new BlobContainerClientBuilder()
                .endpoint(address)
                .containerName(container)
                .httpClient(new JdkHttpClientBuilder()
                        .connectionTimeout(Duration.ofSeconds(3))
                        .responseTimeout(silence)
                        .readTimeout(silence)
                        .writeTimeout(silence)
                        .build())
                .retryOptions(new RequestRetryOptions(
                        RetryPolicyType.EXPONENTIAL,
                        TRIES,
                        CALL.dividedBy(2),
                        Duration.ofMillis(50),
                        Duration.ofSeconds(1),
                        null));
        Optional<String> key = setting("AZURE_STORAGE_KEY");
        Optional<String> signature = setting("AZURE_STORAGE_SAS_TOKEN");
        if (key.isPresent()) {
            builder.credential(new StorageSharedKeyCredential(account.replaceAll("\\..*", ""), key.get()));
        } else if (signature.isPresent()) {
            builder.sasToken(signature.get());
        } else {
            builder.credential(new DefaultAzureCredentialBuilder().build());
        }
        return builder.buildClient();
    }

    /** From the environment, named as in Azure's own tools; a system property goes before it. */
    private static Optional<String> setting(String name) {
        return Optional.ofNullable(System.getProperty(name, System.getenv(name)));
    }

    @Override
    public void put(String key, ByteBuffer content) {
        String name = prefix.name(key);
        try {
            upload(name, content, new BlobRequestConditions());
        } catch (RuntimeException e) {
            throw failures.of("cannot write " + key, e);
        }
    }

    @Override
    public Put putIfAbsent(String key, ByteBuffer content) {
        String name = prefix.name(key);
        try {
            upload(name, content, new BlobRequestConditions().setIfNoneMatch("*"));
            return Put.CREATED;
        } catch (BlobStorageException e) {
            if (AzureFailures.isExisting(e)) {
                return Put.EXISTS;
            }
            throw failures.of("cannot create " + key, e);
        } catch (RuntimeException e) {
            throw failures.of("cannot create " + key, e);
        }
    }

    private void upload(String name, ByteBuffer content, BlobRequestConditions conditions) {
        clientFor(content.remaining())
                .getBlobClient(name)
                .getBlockBlobClient()
                .uploadWithResponse(
                        // From the buffer where it is; each of the library's tries reads it anew.
                        new BlockBlobSimpleUploadOptions(
                                        BinaryData.fromListByteBuffer(List.of(content.asReadOnlyBuffer())))
                                .setContentMd5(md5(content))
                                .setRequestConditions(conditions),
                        CALL,
                        Context.NONE);
    }

    /** What the service checks the content against before it stores it. */
    private static byte[] md5(ByteBuffer content) {
        try {
            MessageDigest digest = MessageDigest.getInstance("MD5");
            digest.update(content.duplicate());
            return digest.digest();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has MD5", e);
        }
    }

    @Override
    public Optional<ByteBuffer> get(String key) {
        String name = prefix.name(key);
        try {
            BinaryData content = client.getBlobClient(name)
                    .downloadContentWithResponse(retries(), null, CALL, Context.NONE)
                    .getValue();
            return Optional.of(ByteBuffer.wrap(content.toBytes()));
        } catch (BlobStorageException e) {
            if (AzureFailures.isMissingBlob(e)) {
                return Optional.empty();
            }
            throw failures.of("cannot read " + key, e);
        } catch (RuntimeException e) {
            throw failures.of("cannot read " + key, e);
        }
    }

    @Override
    public void read(String key, long offset, int length, ByteBuffer into) {
        String name = prefix.name(key);
        int start = into.position();
        ByteBuffer wanted = into.duplicate().limit(start + length);
        try {
            clientFor(length)
                    .getBlobClient(name)
                    .downloadStreamWithResponse(
                            new BufferOutput(wanted),
                            new BlobRange(offset, (long) length),
                            retries(),
                            null,
                            false,
                            CALL,
                            Context.NONE);
        } catch (BlobStorageException e) {
            if (AzureFailures.isMissingBlob(e)) {
                throw new DamagedObjectException("object " + key + " is missing in " + describe(), e);
            }
            if (e.getStatusCode() != 416) {
                throw failures.of("cannot read " + key, e);
            }
        } catch (RuntimeException e) {
            throw failures.of("cannot read " + key, e);
        }
        if (wanted.hasRemaining()) {
            throw new DamagedObjectException(
                    "object " + key + " in " + describe() + " is truncated: it ends before byte " + (offset + length));
        }
        into.position(start + length);
    }

    /** Of an answer that breaks off; the library goes on where it ended. */
    private static DownloadRetryOptions retries() {
        return new DownloadRetryOptions().setMaxRetryRequests(TRIES - 1);
    }

    @Override
    public List<Entry> entries(String start, int limit) {
        ListBlobsOptions options = new ListBlobsOptions()
                .setPrefix(prefix.text() + start)
                .setMaxResultsPerPage(Math.min(LIST_PAGE, limit));
        List<Entry> found = new ArrayList<>();
        try {
            for (BlobItem blob : client.listBlobs(options, CALL)) {
                if (found.size() == limit) {
                    break;
                }
                found.add(new Entry(
                        prefix.key(blob.getName()),
                        blob.getProperties().getContentLength(),
                        blob.getProperties().getLastModified().toInstant().toEpochMilli()));
            }
        } catch (RuntimeException e) {
            throw failures.of("cannot list " + start, e);
        }
        return found;
    }

    @Override
    public void delete(String key) {
        String name = prefix.name(key);
        try {
            client.getBlobClient(name).deleteIfExistsWithResponse(null, null, CALL, Context.NONE);
        } catch (RuntimeException e) {
            throw failures.of("cannot delete " + key, e);
        }
    }

    @Override
    public String describe() {
        return description;
    }

    @Override
    public void close() {
        // The JDK's HTTP client ends its connections and its thread when nothing refers to it any more.
    }

    private BlobContainerClient clientFor(int bytes) {
        return bytes > LARGE_BYTES ? bulk : client;
    }
}
