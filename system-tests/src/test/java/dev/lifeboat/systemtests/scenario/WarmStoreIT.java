// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.systemtests.load.LoadReport;
import java.util.Locale;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** With the store warm, a move costs what the guest wrote lately, whatever memory it has. */
@ExtendWith(SharedFabric.class)
@OnRealKvm
final class WarmStoreIT {

    private static final int OPERATIONS_PER_SECOND = 60;
    private static final int KEYS = 300;
    /** Twice written and read: from then on the guest writes over what it has written before. */
    private static final int WARM_OPERATIONS = 4 * KEYS;

    private static final int EPOCHS_BEFORE_A_MOVE = 3;

    @Test
    void bytesAfterTheNoticeDoNotDependOnTheMemoryOfTheGuest() throws Exception {
        long small = bytesAfterNotice("small", 22, 512);
        long large = bytesAfterNotice("large", 23, 2048);
        System.out.println(String.format(
                Locale.ROOT,
                "bytes after the notice under the same load: %d for a guest of 512 MiB, %d for one of 2 GiB",
                small,
                large));
        assertThat((double) Math.abs(large - small)).isLessThan(0.2 * Math.min(small, large));
    }

    /** The median of three moves to and fro: one move ends anywhere between two epochs. */
    private static long bytesAfterNotice(String vm, int number, int memoryMib) throws Exception {
        try (ScenarioVms vms = new ScenarioVms(SharedFabric.get())) {
            vms.start("host-a", ScenarioVms.redis(vm, number, memoryMib));
            vms.awaitConsole("host-a", vm, "lifeboat-redis: ready");
            vms.startLoad(number, OPERATIONS_PER_SECOND, KEYS);
            vms.awaitOperations(WARM_OPERATIONS);
            long[] bytes = new long[3];
            String from = "host-a";
            String to = "host-b";
            for (int move = 0; move < bytes.length; move++) {
                vms.awaitEpochs(from, vm, EPOCHS_BEFORE_A_MOVE);
                bytes[move] = vms.move(vm, from, to).path("bytesAfterNotice").asLong(-1);
                String back = from;
                from = to;
                to = back;
            }
            LoadReport load = vms.finishLoad();
            assertThat(load.errors()).as(load.firstError()).isZero();
            assertThat(load.lostWrites()).isZero();
            return LongStream.of(bytes).sorted().toArray()[1];
        }
    }
}
