// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;

/**
 * Writes what the guest prints to a file. vCPU threads put bytes into a ring of {@value #RING_BYTES}; the thread {@code
 * console} writes them out, so that a slow disk never holds up a vCPU. When a guest prints faster than the file takes,
 * bytes are dropped and a line says how many.
 */
final class Console implements IntConsumer, AutoCloseable {
    private static final int RING_BYTES = 1 << 16;
    private static final long FLUSH_MS = 20;

    private final FileChannel file;
    private final byte[] ring = new byte[RING_BYTES];
    private final Thread thread = new Thread(this::write, "console");
    // Guarded by this.
    private long written;
    private long read;
    private long dropped;
    private boolean closed;

    Console(Path path) {
        try {
            file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new VmmException("cannot write the console log " + path + ": " + e.getMessage(), e);
        }
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public synchronized void accept(int value) {
        if (written - read == RING_BYTES) {
            dropped++;
            return;
        }
        ring[(int) (written++ % RING_BYTES)] = (byte) value;
        if (written - read == RING_BYTES / 2) {
            notifyAll();
        }
    }

    private void write() {
        ByteBuffer batch = ByteBuffer.allocate(RING_BYTES + 64);
        try {
            while (take(batch)) {
                batch.flip();
                while (batch.hasRemaining()) {
                    file.write(batch);
                }
                batch.clear();
            }
        } catch (IOException e) {
            // A full disk costs the log, never the guest: bytes are dropped from now on.
            System.err.println("the console log is given up: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Waits a little for bytes and takes them; false when closed and empty. */
    private synchronized boolean take(ByteBuffer batch) throws InterruptedException {
        if (written == read && !closed) {
            wait(TimeUnit.SECONDS.toMillis(1));
        } else if (!closed) {
            wait(FLUSH_MS);
        }
        while (read < written) {
            batch.put(ring[(int) (read++ % RING_BYTES)]);
        }
        if (dropped > 0) {
            batch.put(("\n[" + dropped + " bytes dropped]\n").getBytes(java.nio.charset.StandardCharsets.US_ASCII));
            dropped = 0;
        }
        return !closed || batch.position() > 0;
    }

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        try {
            thread.join(TimeUnit.SECONDS.toMillis(2));
            file.close();
        } catch (IOException e) {
            throw new VmmException("the console log cannot be closed: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
