// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.systemtests.load.LoadReport;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** With the store warm, a move costs what the guest wrote lately, whatever memory it has. */
@ExtendWith(SharedFabric.class)
@OnRealKvm
final class WarmStoreIT {

    private static final int OPERATIONS_PER_SECOND = 60;
    private static final int KEYS = 300;
    /** Every key has been written and read: from then on the guest writes over what it has written before. */
    private static final int WARM_OPERATIONS = 2 * KEYS;

    private static final int EPOCHS_BEFORE_A_MOVE = 2;
    private static final List<String> TARGETS = List.of("host-b", "host-a", "host-b");

    @Test
    void bytesAfterTheNoticeDoNotDependOnTheMemoryOfTheGuest() throws Exception {
        try (ScenarioVms vms = new ScenarioVms(SharedFabric.get())) {
            long small = bytesAfterNotice(vms, "small", 22, 512);
            long large = bytesAfterNotice(vms, "large", 23, 2048);
            System.out.println(String.format(
                    Locale.ROOT,
                    "bytes after the notice under the same load: %d for a guest of 512 MiB, %d for one of 2 GiB",
                    small,
                    large));
            assertThat((double) Math.abs(large - small)).isLessThan(0.2 * Math.min(small, large));
        }
    }

    /** The mean of several moves: one ends anywhere between two epochs, and with a round more or less. */
    private static long bytesAfterNotice(ScenarioVms vms, String vm, int number, int memoryMib) throws Exception {
        String host = "host-a";
        vms.start(host, ScenarioVms.redis(vm, number, memoryMib));
        vms.awaitConsole(host, vm, "lifeboat-redis: ready");
        vms.startLoad(number, OPERATIONS_PER_SECOND, KEYS);
        vms.awaitOperations(WARM_OPERATIONS);
        long sum = 0;
        for (String target : TARGETS) {
            vms.awaitEpochs(host, vm, EPOCHS_BEFORE_A_MOVE);
            long bytes = vms.move(vm, host, target).path("bytesAfterNotice").asLong(-1);
            assertThat(bytes).isPositive();
            sum += bytes;
            host = target;
        }
        LoadReport load = vms.finishLoad();
        vms.remove(host, vm);
        assertThat(load.errors()).as(load.firstError()).isZero();
        assertThat(load.lostWrites()).isZero();
        return sum / TARGETS.size();
    }
}
