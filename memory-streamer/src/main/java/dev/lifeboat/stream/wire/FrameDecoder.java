// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.zip.CRC32C;

/**
 * Cuts the stream into frames and checks them (docs/protocol.md, "Frames"); event loop only. A length is believed
 * only up to its type's limit, so a hostile peer cannot make us allocate. Runs go straight to the receiver.
 */
final class FrameDecoder extends ByteToMessageDecoder {
    private final FrameReceiver receiver;
    private final BooleanSupplier deaf;
    private final CRC32C crc = new CRC32C();
    private boolean greeted;

    /** @param deaf true from the moment when what arrives does not matter any more */
    FrameDecoder(FrameReceiver receiver, BooleanSupplier deaf) {
        this.receiver = receiver;
        this.deaf = deaf;
    }

    @Override
    protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
        if (deaf.getAsBoolean()) {
            in.skipBytes(in.readableBytes());
            return;
        }
        if (in.readableBytes() < Wire.HEADER_BYTES) {
            return;
        }
        int start = in.readerIndex();
        FrameType type = FrameType.of(in.getUnsignedByte(start + 4));
        // A heartbeat may come first: the other side can take seconds to judge a HELLO.
        boolean first = type == FrameType.HELLO
                || type == FrameType.HELLO_OK
                || type == FrameType.ABORT
                || type == FrameType.HEARTBEAT;
        if (!greeted && !first) {
            throw new WireException("a " + type + " frame before any HELLO: the other side is broken or hostile");
        }
        int length = in.getInt(start);
        if (length < 0 || length > type.maxBodyBytes()) {
            throw new WireException("a " + type + " frame of " + (length & 0xffff_ffffL) + " bytes, more than "
                    + type.maxBodyBytes() + ": the other side is broken or hostile");
        }
        if (in.readableBytes() < Wire.HEADER_BYTES + length) {
            return;
        }
        ByteBuf body = in.slice(start + Wire.HEADER_BYTES, length);
        check(type, in.getInt(start + 5), body);
        in.skipBytes(Wire.HEADER_BYTES + length);
        greeted |= type != FrameType.HEARTBEAT;
        switch (type) {
            case HEARTBEAT -> {
                // Its arrival is its meaning.
            }
            case RUN -> run(body);
            case ETHERNET -> receiver.onEthernet(body);
            default -> receiver.onMessage(Message.read(type, body));
        }
    }

    private void check(FrameType type, int expected, ByteBuf body) {
        int checked =
                type == FrameType.RUN ? Math.min(body.readableBytes(), Wire.RUN_HEADER_BYTES) : body.readableBytes();
        if (checksum(type, body, body.readerIndex(), checked) != expected) {
            throw new WireException("the checksum of a " + type + " frame is wrong: the connection is damaged");
        }
    }

    private int checksum(FrameType type, ByteBuf bytes, int index, int length) {
        crc.reset();
        crc.update(type.code());
        crc.update(bytes.nioBuffer(index, length));
        return (int) crc.getValue();
    }

    private void run(ByteBuf body) {
        if (body.readableBytes() < Wire.RUN_HEADER_BYTES) {
            throw new WireException("a RUN frame of " + body.readableBytes() + " bytes is too short");
        }
        int space = body.readUnsignedByte();
        long firstPage = body.readLong();
        int pageCount = body.readUnsignedByte();
        byte encoding = body.readByte();
        int expected = body.readInt();
        if (!Wire.carries(encoding)) {
            throw new WireException("a run at page " + firstPage + " has encoding " + encoding
                    + ", which is not one of the protocol's: the other side is newer, broken or hostile");
        }
        crc.reset();
        crc.update(body.nioBuffer());
        if ((int) crc.getValue() != expected) {
            throw new WireException("the checksum of a run at page " + firstPage + " of space " + space
                    + " is wrong: the connection is damaged");
        }
        receiver.onRun(space, firstPage, pageCount, encoding, body);
    }
}
