// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import dev.lifeboat.store.EpochManifest.SegmentRef;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fills segments and uploads them, a few at once, on {@code store-upload-*}. One thread calls it. Memory is bounded by
 * the builders, which are reused; who appends without a free one waits.
 *
 * <p>Small epochs get small segments, so that all uploads have something to do; and while none of them is free a segment
 * grows, because a larger one moves more bytes per request.
 */
final class SegmentUploads {
    private static final Logger LOG = LoggerFactory.getLogger(SegmentUploads.class);
    /** Segments per upload thread and epoch: enough that the last ones end at about the same time. */
    private static final int SEGMENTS_PER_THREAD = 4;

    private final SegmentObjects objects;
    private final StoreSettings settings;
    private final ExecutorService uploaders;
    private final BlockingQueue<SegmentBuilder> free;
    private final List<SegmentBuilder> builders = new ArrayList<>();
    private final List<Upload> uploads = new ArrayList<>();
    private SegmentBuilder current;
    private int targetBytes;
    private long sealedBytes;
    private long firstSealedNs;

    private record Upload(String key, Future<SegmentRef> done) {}

    SegmentUploads(SegmentObjects objects, StoreSettings settings, String vmId) {
        this.objects = objects;
        this.settings = settings;
        targetBytes = settings.minSegmentBytes();
        free = new ArrayBlockingQueue<>(settings.uploadThreads() + 1);
        for (int i = 0; i <= settings.uploadThreads(); i++) {
            SegmentBuilder builder = new SegmentBuilder(settings.minSegmentBytes(), settings.maxSegmentBytes());
            builders.add(builder);
            free.add(builder);
        }
        uploaders = StoreThreads.pool("store-upload-" + vmId, settings.uploadThreads());
    }

    /** Whether the next run begins a new segment; if so {@link #seal} is to be called first. */
    boolean isFull(int payloadBytes) {
        if (current == null || current.fits(payloadBytes, targetBytes)) {
            return false;
        }
        return !free.isEmpty() || !current.fits(payloadBytes, settings.maxSegmentBytes());
    }

    void append(int space, long firstPage, int pageCount, byte encoding, ByteBuffer payload, int crc32c) {
        if (current == null) {
            checkUploads();
            current = takeBuilder();
        }
        current.append(space, firstPage, pageCount, encoding, payload, crc32c);
    }

    private SegmentBuilder takeBuilder() {
        try {
            SegmentBuilder builder = free.poll(settings.waitLimitMs(), TimeUnit.MILLISECONDS);
            if (builder == null) {
                throw new StoreException("uploads to " + objects.describe() + " made no progress for "
                        + settings.waitLimitMs() + " ms: check the store and the network to it");
            }
            builder.reset();
            return builder;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StoreException("interrupted while waiting for uploads to " + objects.describe(), e);
        }
    }

    /** Tells of a failed upload at the next segment, not only at the commit. */
    private void checkUploads() {
        for (Upload upload : uploads) {
            if (upload.done().isDone()) {
                await(upload);
            }
        }
    }

    boolean isBuilding() {
        return current != null;
    }

    /** Bytes of this epoch's segments that are sealed. */
    long sealedBytes() {
        return sealedBytes;
    }

    /** Since the oldest segment of this epoch was sealed. */
    long ageMs() {
        return uploads.isEmpty() ? 0 : TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - firstSealedNs);
    }

    /** Uploads the segment that is being filled. */
    void seal(String key) {
        SegmentBuilder builder = current;
        current = null;
        if (uploads.isEmpty()) {
            firstSealedNs = System.nanoTime();
        }
        sealedBytes += builder.lengthBytes();
        try {
            uploads.add(new Upload(key, uploaders.submit(() -> upload(key, builder))));
        } catch (RejectedExecutionException e) {
            free.add(builder);
            throw new StoreException("the epoch writer for " + key + " is closed", e);
        }
    }

    private SegmentRef upload(String key, SegmentBuilder builder) {
        try {
            ByteBuffer content = builder.seal();
            objects.put(key, content);
            return new SegmentRef(key, content.limit(), builder.indexCrc32c(), builder.runs());
        } finally {
            free.add(builder);
        }
    }

    private SegmentRef await(Upload upload) {
        return StoreThreads.await(
                upload.done(),
                settings.waitLimitMs(),
                "the epoch cannot be committed: the upload of " + upload.key() + " to " + objects.describe());
    }

    /** All segments of this epoch, once they are durable. */
    List<SegmentRef> awaitAll() {
        List<SegmentRef> refs = new ArrayList<>();
        for (Upload upload : uploads) {
            refs.add(await(upload));
        }
        return refs;
    }

    /** The epoch is over, in one way or the other; the next one's segments get the size that suits this one. */
    void clear() {
        if (current != null) {
            free.add(current);
            current = null;
        }
        int segments = SEGMENTS_PER_THREAD * settings.uploadThreads();
        targetBytes = (int)
                Math.max(settings.minSegmentBytes(), Math.min(sealedBytes / segments, settings.maxSegmentBytes()));
        uploads.clear();
        sealedBytes = 0;
    }

    /** What deletes this epoch's segments, when its uploads are over; for another thread. */
    Runnable deletion(ObjectStore store) {
        List<Upload> garbage = List.copyOf(uploads);
        return () -> {
            for (Upload upload : garbage) {
                try {
                    await(upload);
                } catch (StoreException e) {
                    LOG.debug("abandoned {}", upload.key(), e);
                }
                store.delete(upload.key());
            }
        };
    }

    void shutdown() {
        uploaders.shutdown();
    }

    /** @return false when uploads are still running: their buffers are left to them */
    boolean release() throws InterruptedException {
        if (!uploaders.awaitTermination(settings.waitLimitMs(), TimeUnit.MILLISECONDS)) {
            return false;
        }
        builders.forEach(SegmentBuilder::release);
        return true;
    }
}
