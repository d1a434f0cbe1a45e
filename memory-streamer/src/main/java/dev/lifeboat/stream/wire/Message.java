// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import dev.lifeboat.store.OwnerRecord;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The control messages of the protocol; runs and Ethernet frames do not become objects. */
public sealed interface Message {
    FrameType type();

    void writeTo(ByteBuf body);

    record Hello(HelloInfo info) implements Message {
        @Override
        public FrameType type() {
            return FrameType.HELLO;
        }

        @Override
        public void writeTo(ByteBuf body) {
            body.writeInt(Wire.MAGIC).writeInt(info.version());
            text(body, info.vmId());
            body.writeLong(info.term()).writeLong(info.memoryBytes());
            body.writeByte(info.diskBlocks().size());
            info.diskBlocks().forEach(body::writeLong);
            text(body, info.hostName());
            text(body, info.cpuCompatibilityKey());
            text(body, info.vmDescription());
            body.writeLong(info.newestEpoch());
        }
    }

    /** @param hydratesFrom the HELLO's epoch, or 0: the store does not help, send everything */
    record HelloOk(long hydratesFrom) implements Message {
        @Override
        public FrameType type() {
            return FrameType.HELLO_OK;
        }

        @Override
        public void writeTo(ByteBuf body) {
            body.writeLong(hydratesFrom);
        }
    }

    record RoundEnd(int round) implements Message {
        @Override
        public FrameType type() {
            return FrameType.ROUND_END;
        }

        @Override
        public void writeTo(ByteBuf body) {
            body.writeInt(round);
        }
    }

    /** Everything before ROUND_END is in the target's memory. */
    record RoundAck(int round) implements Message {
        @Override
        public FrameType type() {
            return FrameType.ROUND_ACK;
        }

        @Override
        public void writeTo(ByteBuf body) {
            body.writeInt(round);
        }
    }

    /** The store's part of memory is there. */
    record Hydrated(long pages, long bytesRead, long millis) implements Message {
        @Override
        public FrameType type() {
            return FrameType.HYDRATED;
        }

        @Override
        public void writeTo(ByteBuf body) {
            body.writeLong(pages).writeLong(bytesRead).writeLong(millis);
        }
    }

    /** @param memoryHash of the paused source, when {@code hashed}: the target refuses to go on with another one */
    record State(byte[] state, boolean hashed, long memoryHash) implements Message {
        @Override
        public FrameType type() {
            return FrameType.STATE;
        }

        @Override
        public void writeTo(ByteBuf body) {
            body.writeBoolean(hashed).writeLong(memoryHash).writeBytes(state);
        }
    }

    /** The target has applied all and built the VM; it needs nothing but the ownership. */
    record Ready(long applyMicros, long buildMicros) implements Message {
        @Override
        public FrameType type() {
            return FrameType.READY;
        }

        @Override
        public void writeTo(ByteBuf body) {
            body.writeLong(applyMicros).writeLong(buildMicros);
        }
    }

    /**
     * From here on the target may claim the term.
     *
     * @param grantMillis in lease mode what is left of the source's right, which the target now has: it may let the guest run
     *     before its claim is answered. 0: it may not
     */
    record Switch(long term, long grantMillis) implements Message {
        @Override
        public FrameType type() {
            return FrameType.SWITCH;
        }

        @Override
        public void writeTo(ByteBuf body) {
            body.writeLong(term).writeLong(grantMillis);
        }
    }

    /** The target owns the VM and has resumed it. */
    record Committed(OwnerRecord owner, long claimMicros, long resumeMicros, boolean ranBefore) implements Message {
        @Override
        public FrameType type() {
            return FrameType.COMMITTED;
        }

        @Override
        public void writeTo(ByteBuf body) {
            body.writeInt(owner.version());
            text(body, owner.vmId());
            body.writeLong(owner.term());
            text(body, owner.host());
            text(body, owner.nonce());
            body.writeLong(owner.createdAtMillis()).writeLong(owner.leaseMillis());
            body.writeLong(claimMicros).writeLong(resumeMicros).writeBoolean(ranBefore);
        }
    }

    record Abort(String reason) implements Message {
        private static final int MAX_CHARS = 1000;

        @Override
        public FrameType type() {
            return FrameType.ABORT;
        }

        @Override
        public void writeTo(ByteBuf body) {
            text(body, reason.length() > MAX_CHARS ? reason.substring(0, MAX_CHARS) : reason);
        }
    }

    /**
     * The last message of each side.
     *
     * @param memoryHash of memory at the switch, when {@code hashed}
     */
    record Bye(boolean hashed, long memoryHash) implements Message {
        @Override
        public FrameType type() {
            return FrameType.BYE;
        }

        @Override
        public void writeTo(ByteBuf body) {
            body.writeBoolean(hashed).writeLong(memoryHash);
        }
    }

    /** Reads one body. Whatever it holds, this ends in a message or an exception, and allocates no more than it read. */
    static Message read(FrameType type, ByteBuf body) {
        try {
            Message message = parse(type, body);
            if (body.isReadable()) {
                throw new WireException(body.readableBytes() + " bytes too many in a " + type + " frame");
            }
            return message;
        } catch (IndexOutOfBoundsException e) {
            throw new WireException("a " + type + " frame is too short", e);
        }
    }

    private static Message parse(FrameType type, ByteBuf body) {
        return switch (type) {
            case HELLO -> hello(body);
            case HELLO_OK -> new HelloOk(body.readLong());
            case ROUND_END -> new RoundEnd(body.readInt());
            case ROUND_ACK -> new RoundAck(body.readInt());
            case HYDRATED -> new Hydrated(body.readLong(), body.readLong(), body.readLong());
            case STATE -> {
                boolean hashed = body.readBoolean();
                long hash = body.readLong();
                byte[] state = new byte[body.readableBytes()];
                body.readBytes(state);
                yield new State(state, hashed, hash);
            }
            case READY -> new Ready(body.readLong(), body.readLong());
            case SWITCH -> new Switch(body.readLong(), body.readLong());
            case COMMITTED ->
                new Committed(
                        new OwnerRecord(
                                body.readInt(),
                                text(body),
                                body.readLong(),
                                text(body),
                                text(body),
                                body.readLong(),
                                body.readLong()),
                        body.readLong(),
                        body.readLong(),
                        body.readBoolean());
            case ABORT -> new Abort(text(body));
            case BYE -> new Bye(body.readBoolean(), body.readLong());
            case RUN, ETHERNET, HEARTBEAT -> throw new IllegalArgumentException(type + " is not a control message");
        };
    }

    private static Message hello(ByteBuf body) {
        if (body.readInt() != Wire.MAGIC) {
            throw new WireException("the other side does not speak the Lifeboat migration protocol");
        }
        int version = body.readInt();
        if (version != Wire.VERSION) {
            throw new WireException("the source speaks version " + version + " of the migration protocol, this host "
                    + Wire.VERSION + ": run the same Lifeboat version on both hosts");
        }
        return new Hello(new HelloInfo(
                version,
                text(body),
                body.readLong(),
                body.readLong(),
                disks(body),
                text(body),
                text(body),
                text(body),
                body.readLong()));
    }

    private static List<Long> disks(ByteBuf body) {
        int count = body.readUnsignedByte();
        if (count > Wire.MAX_DISKS) {
            throw new WireException("a VM with " + count + " disks: the other side is broken or hostile");
        }
        List<Long> blocks = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            blocks.add(body.readLong());
        }
        return blocks;
    }

    private static void text(ByteBuf body, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        body.writeInt(bytes.length).writeBytes(bytes);
    }

    private static String text(ByteBuf body) {
        int length = body.readInt();
        if (length < 0 || length > body.readableBytes()) {
            throw new WireException("a text of " + length + " bytes in a frame with " + body.readableBytes() + " left");
        }
        return body.readCharSequence(length, StandardCharsets.UTF_8).toString();
    }
}
