// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.stream.GuestMemory;

/** Random numbers for the guest (virtio 1.2, 5.4), from getrandom(2) straight into its memory. */
public final class VirtioRng extends QueueDevice {
    private static final int TYPE = 4;
    private static final int QUEUE_SIZE = 64;
    private static final int BATCH = 16;
    /** One request gets at most this much, which the specification allows; Linux asks for 64 bytes. */
    private static final int REQUEST_BYTES = 64 * 1024;

    private final IoVectors vectors;
    private final DescriptorChain chain = new DescriptorChain();
    private Activation activation;
    private VirtQueue queue;

    public VirtioRng(String name, GuestMemory memory) {
        super(name);
        vectors = new IoVectors(memory, QUEUE_SIZE);
    }

    @Override
    public int type() {
        return TYPE;
    }

    @Override
    public long features() {
        return 1L << VirtioMmioTransport.FEATURE_INDIRECT_DESC | 1L << VirtioMmioTransport.FEATURE_EVENT_IDX;
    }

    @Override
    public int queueCount() {
        return 1;
    }

    @Override
    public int queueMaxSize() {
        return QUEUE_SIZE;
    }

    @Override
    public int readConfig(int offset) {
        return 0;
    }

    @Override
    void start(Activation newActivation) {
        activation = newActivation;
        queue = newActivation.queues().get(0);
    }

    @Override
    boolean doWork() {
        int done = 0;
        while (done < BATCH) {
            vectors.clear();
            if (!queue.pop(vectors, chain)) {
                break;
            }
            queue.addUsed(chain.head, fill());
            done++;
        }
        if (queue.publish()) {
            activation.signals().usedBuffers();
        }
        return done == BATCH;
    }

    private long fill() {
        long filled = 0;
        for (int i = chain.firstWritable(); i < chain.end() && filled < REQUEST_BYTES; i++) {
            long wanted = Math.min(vectors.lengthBytes(i), REQUEST_BYTES - filled);
            long got = Libc.getrandom(vectors.hostAddress(i), wanted, 0);
            if (got < 0) {
                int errno = Libc.errno();
                if (errno != Errno.EINTR) {
                    throw new LinuxException("getrandom", wanted + " bytes", errno);
                }
                break;
            }
            filled += got;
            if (got < wanted) {
                break;
            }
        }
        vectors.markWritten(chain.firstWritable(), filled);
        return filled;
    }

    @Override
    int prepareToWait(PollSet polls) {
        return queue.enableNotifications() ? 0 : -1;
    }

    @Override
    void afterWait(PollSet polls) {
        queue.disableNotifications();
    }

    @Override
    void addDescriptors(PollSet polls) {
        // nothing but the queue
    }

    @Override
    void stop() {
        activation = null;
        queue = null;
    }

    @Override
    void closeDescriptors() {
        vectors.close();
    }

    @Override
    public VirtioRngState state() {
        return new VirtioRngState(VirtioRngState.VERSION);
    }

    @Override
    public void restore(VirtioDeviceState state) {
        if (!(state instanceof VirtioRngState)) {
            throw new DeviceException(name() + ": the saved device is no random number device: " + state);
        }
    }
}
