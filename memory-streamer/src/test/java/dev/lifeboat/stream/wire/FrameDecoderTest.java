// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.RunCodec;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.DecoderException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FrameDecoderTest implements FrameReceiver {
    private final List<Byte> encodings = new ArrayList<>();
    private final EmbeddedChannel channel = new EmbeddedChannel(new FrameDecoder(this, () -> false));

    @Override
    public void onMessage(Message message) {}

    @Override
    public void onRun(int space, long firstPage, int pageCount, byte encoding, ByteBuf payload) {
        encodings.add(encoding);
    }

    @Override
    public void onClosed(WireException why) {}

    private void receive(byte encoding, int payloadBytes) {
        ByteBuffer payload = ByteBuffer.allocateDirect(payloadBytes);
        ByteBuf frame = Unpooled.directBuffer();
        new FrameEncoder().run(0, 7, 1, encoding, payload, RunCodec.crc32c(payload), frame);
        channel.writeInbound(frame);
    }

    @Test
    void runsInEncodingsOfTheStoreAloneAreRefusedEvenWhenTheyAreValid() {
        ByteBuf greeting = Unpooled.directBuffer();
        new FrameEncoder().message(new Message.HelloOk(1), greeting);
        channel.writeInbound(greeting);
        receive(RunCodec.ZERO, 0);
        receive(RunCodec.PLAIN, RunCodec.PAGE_BYTES);
        receive(RunCodec.LZ4, 100);
        assertThat(encodings).containsExactly(RunCodec.ZERO, RunCodec.PLAIN, RunCodec.LZ4);
        for (byte encoding : new byte[] {RunCodec.ZSTD, RunCodec.DELTA, 5, -1}) {
            assertThatThrownBy(() -> receive(encoding, 100))
                    .isInstanceOf(DecoderException.class)
                    .hasRootCauseInstanceOf(WireException.class)
                    .hasMessageContaining("a run at page 7 has encoding " + encoding);
        }
        assertThat(encodings).hasSize(3);
    }
}
