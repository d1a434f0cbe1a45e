// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/** Writes frames into buffers. One instance per thread. */
final class FrameEncoder {
    private final CRC32C crc = new CRC32C();

    void message(Message message, ByteBuf into) {
        int start = begin(message.type(), into);
        message.writeTo(into);
        end(message.type(), into, start, into.writerIndex() - start - Wire.HEADER_BYTES);
    }

    void heartbeat(ByteBuf into) {
        end(FrameType.HEARTBEAT, into, begin(FrameType.HEARTBEAT, into), 0);
    }

    void ethernet(ByteBuffer frame, ByteBuf into) {
        int start = begin(FrameType.ETHERNET, into);
        into.writeBytes(frame);
        end(FrameType.ETHERNET, into, start, into.writerIndex() - start - Wire.HEADER_BYTES);
    }

    void run(
            int space,
            long firstPage,
            int pageCount,
            byte encoding,
            ByteBuffer payload,
            int payloadCrc32c,
            ByteBuf into) {
        int start = begin(FrameType.RUN, into);
        into.writeByte(space)
                .writeLong(firstPage)
                .writeByte(pageCount)
                .writeByte(encoding)
                .writeInt(payloadCrc32c);
        into.writeBytes(payload);
        end(FrameType.RUN, into, start, Wire.RUN_HEADER_BYTES);
    }

    private static int begin(FrameType type, ByteBuf into) {
        int start = into.writerIndex();
        into.writeInt(0).writeByte(type.code()).writeInt(0);
        return start;
    }

    private void end(FrameType type, ByteBuf into, int start, int checkedBytes) {
        int length = into.writerIndex() - start - Wire.HEADER_BYTES;
        if (length > type.maxBodyBytes()) {
            throw new WireException("a " + type + " of " + length + " bytes is more than the protocol carries");
        }
        into.setInt(start, length);
        crc.reset();
        crc.update(type.code());
        crc.update(into.internalNioBuffer(start + Wire.HEADER_BYTES, checkedBytes));
        into.setInt(start + 5, (int) crc.getValue());
    }
}
