// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.Errno;
import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.LinuxException;
import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.stream.GuestMemory;
import java.nio.charset.StandardCharsets;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A disk (virtio 1.2, 5.2) whose content is a {@link DiskImage}. Its thread does one request after the other: the kernel
 * moves data between the page cache and guest memory (preadv, pwritev), a flush is fdatasync(2). A request that fails is
 * answered with an I/O error and a log line; the VM goes on.
 */
public final class VirtioBlock extends QueueDevice {
    static final int TYPE = 2;
    static final int SECTOR_BYTES = 512;
    static final int FEATURE_SEG_MAX = 2;
    static final int FEATURE_RO = 5;
    static final int FEATURE_BLK_SIZE = 6;
    static final int FEATURE_FLUSH = 9;

    static final int REQUEST_IN = 0;
    static final int REQUEST_OUT = 1;
    static final int REQUEST_FLUSH = 4;
    static final int REQUEST_GET_ID = 8;
    static final int STATUS_OK = 0;
    static final int STATUS_IOERR = 1;
    static final int STATUS_UNSUPPORTED = 2;
    static final int ID_BYTES = 20;

    private static final int HEADER_BYTES = 16;
    private static final int QUEUE_SIZE = 256;
    /** Header and status take one descriptor each. */
    private static final int MAX_SEGMENTS = QUEUE_SIZE - 2;

    private static final int BATCH = 16;
    private static final int CONFIG_BYTES = 24;

    private static final Logger LOG = LoggerFactory.getLogger(VirtioBlock.class);

    private final GuestMemory memory;
    private final DiskImage disk;
    private final boolean ownsDisk;
    private final long capacitySectors;
    private final boolean readOnly;
    private final byte[] config = new byte[CONFIG_BYTES];
    private final IoVectors vectors;
    private final DescriptorChain chain = new DescriptorChain();
    /** A request header in, or an identity out. */
    private final long scratch = NativeMemory.allocate(32);

    private final byte[] id = new byte[ID_BYTES];

    private Activation activation;
    private VirtQueue queue;
    private long failures;
    /** Also at the start: what a VM that arrived wrote elsewhere and did not flush is in this file now. */
    private boolean unflushed = true;

    /**
     * Opens {@code path}; closing the device closes it.
     *
     * @param id up to 20 letters, what the guest finds in {@code /sys/block/vda/serial}
     * @throws DeviceException when it cannot be opened or is smaller than a sector
     */
    static VirtioBlock open(String name, GuestMemory memory, String path, boolean readOnly, String id) {
        return new VirtioBlock(name, memory, DiskImage.open(path, readOnly), true, id);
    }

    /** @param disk not owned: who opened it closes it, after the device */
    public VirtioBlock(String name, GuestMemory memory, DiskImage disk, String id) {
        this(name, memory, disk, false, id);
    }

    VirtioBlock(String name, GuestMemory memory, DiskImage disk, boolean ownsDisk, String id) {
        super(name);
        this.memory = memory;
        this.disk = disk;
        this.ownsDisk = ownsDisk;
        capacitySectors = disk.sizeBytes() / SECTOR_BYTES;
        readOnly = disk.readOnly();
        vectors = new IoVectors(memory, QUEUE_SIZE);
        byte[] letters = id.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(letters, 0, this.id, 0, Math.min(letters.length, ID_BYTES));
        little(0, capacitySectors, 8);
        little(12, MAX_SEGMENTS, 4);
        little(20, SECTOR_BYTES, 4);
    }

    private void little(int offset, long value, int lengthBytes) {
        for (int i = 0; i < lengthBytes; i++) {
            config[offset + i] = (byte) (value >>> 8 * i);
        }
    }

    @Override
    public int type() {
        return TYPE;
    }

    @Override
    public long features() {
        return 1L << FEATURE_SEG_MAX
                | 1L << FEATURE_BLK_SIZE
                | 1L << FEATURE_FLUSH
                | (readOnly ? 1L << FEATURE_RO : 0)
                | 1L << VirtioMmioTransport.FEATURE_INDIRECT_DESC
                | 1L << VirtioMmioTransport.FEATURE_EVENT_IDX;
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
        return offset < CONFIG_BYTES ? config[offset] & 0xff : 0;
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
            queue.addUsed(chain.head, serve());
            // One by one, so that a slow disk does not hold back the answers that are there.
            if (queue.publish()) {
                activation.signals().usedBuffers();
            }
            done++;
        }
        return done == BATCH;
    }

    /** Serves the chain and writes its status; returns how many bytes of it were written. */
    private long serve() {
        if (chain.readableBytes < HEADER_BYTES || chain.writableBytes < 1) {
            throw new HostileQueueException(
                    "a disk request with %d readable and %d writable bytes lacks header or status"
                            .formatted(chain.readableBytes, chain.writableBytes));
        }
        vectors.read(chain.first, scratch, HEADER_BYTES);
        int request = NativeMemory.getInt(scratch);
        long sector = NativeMemory.getLong(scratch + 8);
        vectors.trimFront(chain.first, HEADER_BYTES);
        long statusOffset = chain.writableBytes - 1;
        long statusAddress = lastWritableByte();
        long written = 0;
        int status;
        switch (request) {
            case REQUEST_IN:
                status = read(sector, statusOffset);
                written = status == STATUS_OK ? statusOffset : 0;
                break;
            case REQUEST_OUT:
                status = write(sector, chain.readableBytes - HEADER_BYTES);
                break;
            case REQUEST_FLUSH:
                status = flush();
                break;
            case REQUEST_GET_ID:
                written = Math.min(ID_BYTES, statusOffset);
                NativeMemory.copy(id, 0, scratch, ID_BYTES);
                vectors.write(chain.firstWritable(), scratch, written);
                status = STATUS_OK;
                break;
            default:
                status = STATUS_UNSUPPORTED;
                break;
        }
        memory.putByte(statusAddress, (byte) status);
        // 2.7.8.2: the used length counts from the front without gaps; the status is behind the whole data part.
        return written == statusOffset ? written + 1 : written;
    }

    private long lastWritableByte() {
        int last = chain.end() - 1;
        while (vectors.lengthBytes(last) == 0) {
            last--;
        }
        return vectors.guestAddress(last) + vectors.lengthBytes(last) - 1;
    }

    private int read(long sector, long lengthBytes) {
        if (!inside(sector, lengthBytes, "read")) {
            return STATUS_IOERR;
        }
        int end = chain.end();
        int first = chain.firstWritable();
        vectors.trimBack(first, end, 1);
        long offset = sector * SECTOR_BYTES;
        long left = lengthBytes;
        int status = STATUS_OK;
        while (left > 0) {
            long got = disk.preadv(vectors, first, end, offset, left);
            if (got < 0) {
                int errno = Libc.errno();
                if (errno == Errno.EINTR) {
                    continue;
                }
                status = failed("read", offset, left, Errno.describe(errno));
                break;
            }
            if (got == 0) {
                status = failed("read", offset, left, "the file has become shorter");
                break;
            }
            vectors.markWritten(first, got);
            vectors.trimFront(first, got);
            offset += got;
            left -= got;
        }
        return status;
    }

    private int write(long sector, long lengthBytes) {
        if (readOnly) {
            return failed("write", sector * SECTOR_BYTES, lengthBytes, "the disk is read-only");
        }
        if (!inside(sector, lengthBytes, "write")) {
            return STATUS_IOERR;
        }
        long offset = sector * SECTOR_BYTES;
        unflushed = true;
        try {
            disk.write(vectors, chain.first, chain.first + chain.readableCount, offset, lengthBytes);
            return STATUS_OK;
        } catch (LinuxException | DeviceException e) {
            return failed("write", offset, lengthBytes, e.getMessage());
        }
    }

    private boolean inside(long sector, long lengthBytes, String what) {
        long sectors = lengthBytes / SECTOR_BYTES;
        if (lengthBytes % SECTOR_BYTES == 0
                && sector >= 0
                && sectors <= capacitySectors
                && sector <= capacitySectors - sectors) {
            return true;
        }
        failed(
                what,
                sector,
                lengthBytes,
                "not whole sectors inside the disk of " + capacitySectors + " (sector, bytes)");
        return false;
    }

    private int flush() {
        if (!unflushed) {
            return STATUS_OK;
        }
        // Cleared first: after a failure the kernel has dropped the pages, a second fdatasync would claim success.
        unflushed = false;
        return disk.fdatasync() < 0 ? failed("flush", 0, 0, Errno.describe(Libc.errno())) : STATUS_OK;
    }

    /** Logs the first failure and then each time their number has doubled: a guest may retry for ever. */
    private int failed(String what, long offset, long lengthBytes, String why) {
        failures++;
        if (Long.bitCount(failures) == 1) {
            LOG.error(
                    "{}: {} of {} bytes at {} failed: {} (failure {})",
                    name(),
                    what,
                    lengthBytes,
                    offset,
                    why,
                    failures);
        }
        return STATUS_IOERR;
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
        NativeMemory.free(scratch);
        if (ownsDisk) {
            disk.close();
        }
    }

    @Override
    public VirtioBlockState state() {
        return new VirtioBlockState(VirtioBlockState.VERSION, capacitySectors, readOnly);
    }

    @Override
    public void restore(VirtioDeviceState state) {
        if (!(state instanceof VirtioBlockState saved)) {
            throw new DeviceException(name() + ": the saved device is no disk: " + state);
        }
        if (saved.capacitySectors() != capacitySectors || saved.readOnly() != readOnly) {
            throw new DeviceException("%s has %d sectors%s, the saved disk %d%s: give this host the same disk"
                    .formatted(
                            name(),
                            capacitySectors,
                            readOnly ? ", read-only" : "",
                            saved.capacitySectors(),
                            saved.readOnly() ? ", read-only" : ""));
        }
    }
}
