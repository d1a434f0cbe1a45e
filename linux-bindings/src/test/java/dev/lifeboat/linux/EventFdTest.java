// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class EventFdTest {
    @Test
    void severalSignalsAreDrainedAtOnce() {
        try (EventFd event = new EventFd()) {
            assertThat(event.drain()).isFalse();
            event.signal();
            event.signal();
            assertThat(event.drain()).isTrue();
            assertThat(event.drain()).isFalse();
        }
    }

    @Test
    void awaitEndsWithTheSignalOrTheTimeLimit() throws InterruptedException {
        try (EventFd event = new EventFd()) {
            assertThat(event.await(0)).isFalse();
            CountDownLatch woken = new CountDownLatch(1);
            Thread sleeper = new Thread(
                    () -> {
                        if (event.await(10_000)) {
                            woken.countDown();
                        }
                    },
                    "eventfd-sleeper");
            sleeper.start();
            event.signal();
            assertThat(woken.await(5, TimeUnit.SECONDS)).isTrue();
            sleeper.join();
        }
    }

    @Test
    void closingTwiceClosesOnce() {
        EventFd event = new EventFd();
        event.close();
        event.close();
        assertThat(event.fd()).isEqualTo(-1);
    }
}
