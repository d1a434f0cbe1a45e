// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import com.github.luben.zstd.ZstdCompressCtx;
import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import com.github.luben.zstd.util.Native;
import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * zstd for runs: one frame without its magic number (RFC 8878, section 3.1.1). That number is the same in every run, and
 * behind another one a decoder accepts the formats of old versions. One instance per thread.
 *
 * <p>Contexts are made at first use, because most processes meet no such run, and die with this object, as its owner's
 * direct buffers do.
 */
final class ZstdRuns {
    private static final Logger LOG = LoggerFactory.getLogger(ZstdRuns.class);
    /** The fastest of the regular levels: it is used while pages wait, not to archive them. */
    private static final int LEVEL = 1;

    private static final Cleaner CLEANER = Cleaner.create();

    private ZstdCompressCtx compressor;
    private ZstdDecompressCtx decompressor;

    /** The native library is unpacked into a temporary folder when it is first asked for. */
    private static final class Library {
        static final String PROBLEM = load();

        private static String load() {
            try {
                Native.load();
                return "";
            } catch (LinkageError e) {
                String problem = "the zstd library cannot be loaded; the folder for temporary files ("
                        + System.getProperty("java.io.tmpdir")
                        + ", changed by -DZstdTempFolder) must be writable and may not be mounted noexec: "
                        + e.getMessage();
                LOG.warn("Runs are compressed with LZ4 only: {}", problem);
                return problem;
            }
        }
    }

    /** Whether the native library is there; the first call loads it. */
    static boolean isAvailable() {
        return Library.PROBLEM.isEmpty();
    }

    /**
     * Compresses; {@link #isAvailable} must hold.
     *
     * @param into has room for the worst case, {@link #maxCompressedBytes}
     * @return the compressed length
     */
    int compress(ByteBuffer from, int at, int lengthBytes, ByteBuffer into) {
        if (compressor == null) {
            ZstdCompressCtx context =
                    new ZstdCompressCtx().setLevel(LEVEL).setMagicless(true).setChecksum(false);
            CLEANER.register(this, context::close);
            compressor = context;
        }
        return compressor.compressDirectByteBuffer(into, 0, into.capacity(), from, at, lengthBytes);
    }

    /** ZSTD_COMPRESSBOUND of zstd.h. */
    static int maxCompressedBytes(int lengthBytes) {
        int smallInputBytes = 128 << 10;
        return lengthBytes
                + (lengthBytes >> 8)
                + (lengthBytes < smallInputBytes ? smallInputBytes - lengthBytes >> 11 : 0);
    }

    /**
     * Decompresses the remaining bytes of {@code payload}, at most {@code lengthBytes} of them to {@code at}.
     *
     * @return the decompressed length
     * @throws StoreException when the payload is not valid, or longer
     */
    int decompress(ByteBuffer payload, ByteBuffer into, int at, int lengthBytes) {
        if (!isAvailable()) {
            throw new StoreException("a run cannot be read: " + Library.PROBLEM);
        }
        if (decompressor == null) {
            ZstdDecompressCtx context = new ZstdDecompressCtx().setMagicless(true);
            CLEANER.register(this, context::close);
            decompressor = context;
        }
        try {
            return decompressor.decompressDirectByteBuffer(
                    into, at, lengthBytes, payload, payload.position(), payload.remaining());
        } catch (ZstdException e) {
            throw new StoreException("damaged run: not a valid zstd frame of " + lengthBytes + " bytes", e);
        }
    }
}
