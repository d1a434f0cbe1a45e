// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;

/** Makes the small, named thread pools of the store. */
final class StoreThreads {
    /** More tasks than this never wait at once; who submits is held back before (buffers, permits). */
    private static final int QUEUE = 4096;

    private StoreThreads() {}

    /**
     * The result of a task.
     *
     * @param attempt what the task does, for messages
     */
    static <T> T await(Future<T> task, long limitMs, String attempt) {
        try {
            return task.get(limitMs, TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof StoreException known) {
                throw known;
            }
            throw new StoreException(attempt + " failed: " + e.getCause(), e.getCause());
        } catch (TimeoutException e) {
            throw new StoreException(attempt + " takes longer than " + limitMs + " ms", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StoreException(attempt + " was interrupted", e);
        }
    }

    static ExecutorService pool(String name, int threads) {
        AtomicInteger number = new AtomicInteger();
        ThreadFactory factory = task -> {
            Thread thread = new Thread(task, name + "-" + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        };
        return new ThreadPoolExecutor(threads, threads, 0, TimeUnit.SECONDS, new ArrayBlockingQueue<>(QUEUE), factory);
    }
}
