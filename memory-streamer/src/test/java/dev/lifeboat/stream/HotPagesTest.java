// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class HotPagesTest {
    private final HotPages hot = new HotPages(64);
    private final ByteBuffer page = ByteBuffer.allocateDirect(GuestMemory.PAGE_BYTES);

    private void sendFull(long number, int content) {
        page.putInt(0, content);
        hot.fullSent(0, number, page, 0);
    }

    private int kept(long number) {
        int slot = hot.find(0, number);
        if (slot == HotPages.NONE) {
            return -1;
        }
        ByteBuffer copy = hot.copy(slot);
        return copy.getInt(copy.position());
    }

    @Test
    void aPageIsKeptFromTheSecondTimeItIsSent() {
        sendFull(5, 1);
        assertThat(kept(5)).isEqualTo(-1);
        sendFull(5, 2);
        assertThat(kept(5)).isEqualTo(2);
        assertThat(hot.find(1, 5)).as("the same page of a disk").isEqualTo(HotPages.NONE);
    }

    /** I2. */
    @Test
    void anEpochGivenUpNeverLeavesACopyThatTheStoreDoesNotHold() {
        sendFull(1, 10);
        sendFull(1, 11);
        hot.epochEnded(true);
        hot.deltaSent(hot.find(0, 1));
        sendFull(2, 20);
        sendFull(2, 21);
        sendFull(1, 12);
        assertThat(kept(1)).isEqualTo(12);
        assertThat(kept(2)).isEqualTo(21);
        hot.epochEnded(false);
        assertThat(kept(1)).as("overwritten by the epoch").isEqualTo(-1);
        assertThat(kept(2)).as("made by the epoch").isEqualTo(-1);
    }

    /** I2: a copy that the epoch used and did not replace is still what the store holds. */
    @Test
    void aCopyFromBeforeOutlivesAnEpochGivenUp() {
        sendFull(1, 10);
        sendFull(1, 11);
        hot.epochEnded(true);
        hot.deltaSent(hot.find(0, 1));
        hot.epochEnded(false);
        hot.epochEnded(false);
        assertThat(kept(1)).isEqualTo(11);
    }

    @Test
    void anotherWriterKnowsNothing() {
        sendFull(1, 10);
        sendFull(1, 11);
        hot.epochEnded(true);
        hot.forgetAll();
        assertThat(kept(1)).isEqualTo(-1);
    }

    @Test
    void aPageThatBecomesZeroIsNotKept() {
        sendFull(3, 1);
        sendFull(3, 2);
        hot.zeroSent(0, 0, 16);
        assertThat(kept(3)).isEqualTo(-1);
    }

    @Test
    void aPageWhoseDeltasAreNeverShortEnoughIsNotKept() {
        sendFull(3, 1);
        sendFull(3, 2);
        assertThat(kept(3)).isEqualTo(2);
        // No delta since: what it is sent for again is that it was too long.
        sendFull(3, 3);
        assertThat(kept(3)).isEqualTo(-1);
        sendFull(3, 4);
        assertThat(kept(3)).isEqualTo(-1);
    }

    @Test
    void usefulPagesOutliveAFloodOfOthers() {
        for (int page = 0; page < 16; page++) {
            sendFull(page, page);
            sendFull(page, page);
        }
        for (int flood = 1_000; flood < 1_400; flood++) {
            for (int page = 0; page < 16; page++) {
                int slot = hot.find(0, page);
                if (slot != HotPages.NONE) {
                    hot.deltaSent(slot);
                }
            }
            sendFull(flood, flood);
            sendFull(flood, flood);
        }
        int left = 0;
        for (int page = 0; page < 16; page++) {
            left += kept(page) == page ? 1 : 0;
        }
        assertThat(left).isGreaterThanOrEqualTo(12);
    }
}
