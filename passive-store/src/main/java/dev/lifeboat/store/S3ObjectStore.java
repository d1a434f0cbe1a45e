// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import javax.xml.stream.XMLStreamException;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.exception.ApiCallAttemptTimeoutException;
import software.amazon.awssdk.core.exception.ApiCallTimeoutException;
import software.amazon.awssdk.core.exception.RetryableException;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.api.BackoffStrategy;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;

/**
 * Objects in an S3 bucket under a prefix. Only this class touches the AWS SDK, and it is loaded only for
 * {@code s3://} URLs: its classes cost a JVM start nothing on a directory store. Thread-safe.
 *
 * <p>The SDK repeats a conditional put by itself, so a 412 may be the echo of an own success; callers go through
 * {@link PutOnce}.
 */
final class S3ObjectStore implements ObjectStore {
    /**
     * Silence ends a small call: four tries of this, and the pauses between them, stay below 20 s. Time spent by our
     * own processor does not count (the first call loads a thousand classes, slowly on an emulated host).
     */
    private static final Duration SMALL_SILENCE = Duration.ofMillis(4500);

    /** Behind the 8 MiB of a segment a slow server may have to write them before it answers. */
    private static final Duration LARGE_SILENCE = Duration.ofSeconds(30);
    /** The last resort, for an answer that trickles. */
    private static final Duration ATTEMPT = Duration.ofSeconds(50);

    private static final Duration CALL = Duration.ofSeconds(120);
    private static final int LARGE_BYTES = 256 * 1024;
    private static final int LIST_PAGE = 1000;
    /** How the names of S3 Express One Zone's buckets end; the SDK signs for them with sessions it asks for itself. */
    private static final String DIRECTORY_BUCKET = "--x-s3";

    private final S3Client client;
    /** The same with patience, for calls that carry much. */
    private final S3Client bulk;

    private final String bucket;
    private final boolean directoryBucket;
    private final KeyPrefix prefix;
    private final String description;

    private S3ObjectStore(S3Client client, S3Client bulk, String bucket, KeyPrefix prefix, String description) {
        this.client = client;
        this.bulk = bulk;
        this.bucket = bucket;
        this.directoryBucket = bucket.endsWith(DIRECTORY_BUCKET);
        this.prefix = prefix;
        this.description = description;
    }

    static S3ObjectStore open(String url, Optional<String> endpoint, Optional<String> region) {
        StoreUrl where = StoreUrl.parse(url, "s3://bucket/prefix");
        KeyPrefix prefix = KeyPrefix.of(where.path());
        String description = StoreUrl.describe(url, endpoint);
        S3Client client = client(endpoint, region, SMALL_SILENCE);
        try {
            S3Client bulk = client(endpoint, region, LARGE_SILENCE);
            return new S3ObjectStore(client, bulk, where.authority(), prefix, description);
        } catch (StoreException e) {
            client.close();
            throw e;
        }
    }

    private static S3Client client(Optional<String> endpoint, Optional<String> region, Duration silence) {
        S3ClientBuilder builder = S3Client.builder()
                .httpClientBuilder(UrlConnectionHttpClient.builder()
                        .connectionTimeout(Duration.ofSeconds(3))
                        .socketTimeout(silence))
                .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
                .responseChecksumValidation(ResponseChecksumValidation.WHEN_REQUIRED)
                .serviceConfiguration(S3Configuration.builder()
                        .pathStyleAccessEnabled(endpoint.isPresent())
                        .chunkedEncodingEnabled(false)
                        .build())
                .overrideConfiguration(o -> o.apiCallTimeout(CALL)
                        .apiCallAttemptTimeout(ATTEMPT)
                        .retryStrategy(AwsRetryStrategy.standardRetryStrategy().toBuilder()
                                .maxAttempts(4)
                                // A listing, or a session, that broke off.
                                .retryOnExceptionOrCause(XMLStreamException.class)
                                .backoffStrategy(
                                        BackoffStrategy.exponentialDelay(Duration.ofMillis(50), Duration.ofSeconds(1)))
                                .throttlingBackoffStrategy(
                                        BackoffStrategy.exponentialDelay(Duration.ofMillis(200), Duration.ofSeconds(2)))
                                .build()));
        if (endpoint.isPresent()) {
            builder.endpointOverride(StoreUrl.endpoint(endpoint.get()));
            // Servers other than AWS ignore it, but a signature needs one.
            builder.region(Region.of(region.orElse("us-east-1")));
        } else {
            region.ifPresent(name -> builder.region(Region.of(name)));
        }
        try {
            return builder.build();
        } catch (SdkClientException e) {
            throw new StoreException("cannot use S3: " + e.getMessage() + "; give the bucket's region", e);
        }
    }

    @Override
    public void put(String key, ByteBuffer content) {
        try {
            clientFor(content.remaining()).putObject(putRequest(key, content).build(), body(content));
        } catch (SdkException e) {
            throw failure("cannot write " + key, e);
        }
    }

    @Override
    public Put putIfAbsent(String key, ByteBuffer content) {
        try {
            clientFor(content.remaining())
                    .putObject(putRequest(key, content).ifNoneMatch("*").build(), body(content));
            return Put.CREATED;
        } catch (S3Exception e) {
            if (e.statusCode() == 412) {
                return Put.EXISTS;
            }
            throw failure("cannot create " + key, e);
        } catch (SdkException e) {
            throw failure("cannot create " + key, e);
        }
    }

    private PutObjectRequest.Builder putRequest(String key, ByteBuffer content) {
        ByteBuffer crc = ByteBuffer.allocate(Integer.BYTES).putInt(0, RunCodec.crc32c(content));
        return PutObjectRequest.builder()
                .bucket(bucket)
                .key(prefix.name(key))
                .contentLength((long) content.remaining())
                .checksumCRC32C(Base64.getEncoder().encodeToString(crc.array()));
    }

    /** Streams from the buffer where it is; each of the SDK's tries begins anew. */
    private static RequestBody body(ByteBuffer content) {
        return RequestBody.fromContentProvider(
                () -> new BufferInputStream(content.duplicate()), content.remaining(), "application/octet-stream");
    }

    @Override
    public Optional<ByteBuffer> get(String key) {
        try {
            byte[] content = client.getObject(
                    r -> r.bucket(bucket).key(prefix.name(key)), (response, in) -> readAll(response, in));
            return Optional.of(ByteBuffer.wrap(content));
        } catch (S3Exception e) {
            if (isMissingKey(e)) {
                return Optional.empty();
            }
            throw failure("cannot read " + key, e);
        } catch (SdkException e) {
            throw failure("cannot read " + key, e);
        }
    }

    private static byte[] readAll(GetObjectResponse response, AbortableInputStream in) {
        try (ResponseInputStream<GetObjectResponse> body = new ResponseInputStream<>(response, in)) {
            byte[] content = body.readAllBytes();
            if (response.contentLength() != null && response.contentLength() != content.length) {
                throw new IOException("got " + content.length + " of " + response.contentLength() + " bytes");
            }
            return content;
        } catch (IOException e) {
            throw RetryableException.create("the answer broke off: " + e.getMessage(), e);
        }
    }

    @Override
    public void read(String key, long offset, int length, ByteBuffer into) {
        int start = into.position();
        try {
            clientFor(length)
                    .getObject(
                            r -> r.bucket(bucket)
                                    .key(prefix.name(key))
                                    .range("bytes=" + offset + "-" + (offset + length - 1)),
                            (response, in) -> {
                                readExactly(key, response, in, into.position(start), length);
                                return response;
                            });
        } catch (S3Exception e) {
            if (isMissingKey(e)) {
                throw new DamagedObjectException("object " + key + " is missing in " + describe(), e);
            }
            if (e.statusCode() == 416) {
                throw truncated(key, offset, length);
            }
            throw failure("cannot read " + key, e);
        } catch (SdkException e) {
            throw failure("cannot read " + key, e);
        }
        if (into.position() != start + length) {
            throw truncated(key, offset, length);
        }
    }

    /** Up to {@code length} bytes; fewer only when the server announced fewer, because the object ends there. */
    private void readExactly(String key, GetObjectResponse response, InputStream in, ByteBuffer into, int length) {
        int start = into.position();
        int limit = into.limit();
        into.limit(start + length);
        try (ReadableByteChannel channel = Channels.newChannel(in)) {
            while (into.hasRemaining() && channel.read(into) >= 0) {
                continue;
            }
        } catch (IOException e) {
            throw RetryableException.create("the answer for " + key + " broke off: " + e.getMessage(), e);
        } finally {
            into.limit(limit);
        }
        int got = into.position() - start;
        // The HTTP client of the JDK takes a connection that ends early for the end of the body.
        if (response.contentLength() != null && got < Math.min(length, response.contentLength())) {
            throw RetryableException.create(
                    "the answer for " + key + " broke off after " + got + " of " + response.contentLength() + " bytes");
        }
    }

    private DamagedObjectException truncated(String key, long offset, int length) {
        return new DamagedObjectException(
                "object " + key + " in " + describe() + " is truncated: it ends before byte " + (offset + length));
    }

    @Override
    public List<Entry> entries(String start, int limit) {
        try {
            return directoryBucket ? sortedEntries(start, limit) : pages(start, limit);
        } catch (SdkException e) {
            throw failure("cannot list " + start, e);
        }
    }

    /** A directory bucket takes only prefixes that end with a slash, and lists in no order. */
    private List<Entry> sortedEntries(String start, int limit) {
        return pages(start.substring(0, start.lastIndexOf('/') + 1), Integer.MAX_VALUE).stream()
                .filter(entry -> entry.key().startsWith(start))
                .sorted(Comparator.comparing(Entry::key))
                .limit(limit)
                .toList();
    }

    private List<Entry> pages(String start, int limit) {
        List<Entry> found = new ArrayList<>();
        String continuation = null;
        do {
            String token = continuation;
            ListObjectsV2Response page = client.listObjectsV2(r -> r.bucket(bucket)
                    .prefix(prefix.text() + start)
                    .maxKeys(Math.min(LIST_PAGE, limit - found.size()))
                    .continuationToken(token));
            for (S3Object object : page.contents()) {
                found.add(new Entry(
                        prefix.key(object.key()),
                        object.size(),
                        object.lastModified().toEpochMilli()));
            }
            continuation = Boolean.TRUE.equals(page.isTruncated()) ? page.nextContinuationToken() : null;
        } while (continuation != null && found.size() < limit);
        return found;
    }

    @Override
    public void delete(String key) {
        try {
            client.deleteObject(r -> r.bucket(bucket).key(prefix.name(key)));
        } catch (SdkException e) {
            throw failure("cannot delete " + key, e);
        }
    }

    @Override
    public String describe() {
        return description;
    }

    @Override
    public void close() {
        client.close();
        bulk.close();
    }

    private S3Client clientFor(int bytes) {
        return bytes > LARGE_BYTES ? bulk : client;
    }

    private static boolean isMissingKey(S3Exception e) {
        return e.statusCode() == 404 && !"NoSuchBucket".equals(code(e));
    }

    private static String code(S3Exception e) {
        return e.awsErrorDetails() == null
                ? ""
                : String.valueOf(e.awsErrorDetails().errorCode());
    }

    private StoreException failure(String attempt, SdkException e) {
        String where = attempt + " in " + describe() + ": ";
        if (e instanceof S3Exception answer) {
            return refusal(where, answer);
        }
        if (e instanceof ApiCallTimeoutException || e instanceof ApiCallAttemptTimeoutException) {
            return new UnclearOutcomeException(
                    where + "no answer in time; check the endpoint and the network to it", e);
        }
        if (String.valueOf(e.getMessage()).contains("credentials")) {
            return new StoreException(
                    where + "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a"
                            + " role",
                    e);
        }
        Throwable root = e;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return new UnclearOutcomeException(
                where + "the server cannot be reached (" + root + "); check the endpoint and the network to it", e);
    }

    private StoreException refusal(String where, S3Exception e) {
        String answer = e.statusCode() + " " + code(e);
        if ("NoSuchBucket".equals(code(e))) {
            return new StoreException(where + "there is no bucket '" + bucket + "'; create it or correct the URL", e);
        }
        return switch (e.statusCode()) {
            case 401, 403 ->
                new StoreException(
                        where + "access denied (" + answer + "); check the credentials (AWS_ACCESS_KEY_ID,"
                                + " AWS_SECRET_ACCESS_KEY or the role) and that they may read, write, list and delete"
                                + " here",
                        e);
            case 301, 307, 400 ->
                new StoreException(where + "refused (" + answer + "); check the region and the endpoint", e);
            case 409, 408, 429 -> new UnclearOutcomeException(where + "no clear answer (" + answer + ")", e);
            default ->
                e.statusCode() >= 500
                        ? new UnclearOutcomeException(
                                where + "the server fails (" + answer + "); check its state and try again", e)
                        : new StoreException(where + "refused (" + answer + ")", e);
        };
    }
}
