// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class I8042Test {
    private final AtomicInteger resets = new AtomicInteger();
    private final I8042 controller = new I8042(resets::incrementAndGet);

    @Test
    void pulsingTheResetLineResets() {
        controller.write(4, 0xfe);
        assertThat(resets).hasValue(1);
    }

    @Test
    void otherCommandsAndDataDoNot() {
        controller.write(4, 0xaa);
        controller.write(0, 0xfe);
        assertThat(resets).hasValue(0);
    }

    @Test
    void theDriverGivesUpAfterItsFlushAndRebootDoesNotWait() {
        assertThat(controller.read(4) & 1).as("output full").isOne();
        assertThat(controller.read(4) & 2).as("input full").isZero();
    }
}
