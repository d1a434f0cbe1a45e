// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;

/** A file system that fails by a script: in the middle of a write, at an fsync of file or directory, or slowly. */
final class FaultyFiles implements FileOpener {
    /** What happens. */
    enum Fault {
        NONE,
        /** Half of the content is written. */
        DISK_FULL,
        FILE_SYNC,
        DIRECTORY_SYNC,
        SLOW
    }

    private volatile Fault fault = Fault.NONE;
    private volatile Trouble.Place place = Trouble.Place.SEGMENT;
    private volatile int times;
    private volatile boolean struck;

    synchronized void begin(Fault next, Trouble.Place at, int howOften) {
        fault = next;
        place = at;
        times = howOften;
        struck = false;
    }

    boolean hasStruck() {
        return struck;
    }

    /** Whether the fault happens to this object now. */
    private synchronized boolean strikes(Fault asked) {
        if (fault != asked || times == 0) {
            return false;
        }
        times--;
        struck = true;
        return true;
    }

    @Override
    public OpenFile createNew(Path path) throws IOException {
        OpenFile file = REAL.createNew(path);
        return new OpenFile() {
            private boolean meant;

            @Override
            public int write(ByteBuffer content) throws IOException {
                byte[] start = new byte[Math.min(8, content.remaining())];
                content.duplicate().get(start);
                if (new String(start, StandardCharsets.ISO_8859_1).equals(place.magic)) {
                    meant = true;
                    if (strikes(Fault.DISK_FULL)) {
                        file.write(content.duplicate().limit(content.position() + content.remaining() / 2));
                        throw new IOException("No space left on device");
                    }
                    if (strikes(Fault.SLOW)) {
                        LockSupport.parkNanos(FaultProxy.SLOW_MS * 1_000_000);
                    }
                }
                return file.write(content);
            }

            @Override
            public void force() throws IOException {
                if (meant && strikes(Fault.FILE_SYNC)) {
                    throw new IOException("Input/output error");
                }
                file.force();
            }

            @Override
            public void close() throws IOException {
                file.close();
            }
        };
    }

    @Override
    public void syncDirectory(Path directory) throws IOException {
        if (directory.toString().contains("/" + place.part) && strikes(Fault.DIRECTORY_SYNC)) {
            throw new IOException("Input/output error");
        }
        REAL.syncDirectory(directory);
    }
}
