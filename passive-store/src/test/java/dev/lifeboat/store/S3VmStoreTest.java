// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.store.FaultProxy.Fault;
import java.io.IOException;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class S3VmStoreTest extends VmStoreSuite {
    private static final int PAGES = 64;
    private S3BackEnd s3;

    @Override
    BackEnd backEnd() throws IOException {
        s3 = new S3BackEnd("bucket");
        return s3;
    }

    @Override
    int histories() {
        return 15;
    }

    @Test
    void aClaimThatIsNeverAnsweredClearlyIsAnErrorAndNotAGuess() {
        s3.faults()
                .onUploads(IntStream.range(0, 100).mapToObj(i -> Fault.CONFLICT).toArray(Fault[]::new));
        assertThatThrownBy(() -> vm.owners().claim(record(1)))
                .isInstanceOf(UnclearOutcomeException.class)
                .hasMessageContaining("could not find out");
        assertThat(s3.server.objects).isEmpty();
    }

    @Test
    void epochsSurviveAServerThatFailsNowAndThen() {
        long seed = 77;
        Random random = new Random(seed);
        ModelVm model = new ModelVm(PAGES);
        Fault[] puts = {Fault.BUSY, Fault.CUT_BEFORE, Fault.CUT_AFTER_COMMIT, Fault.ERROR_AFTER_COMMIT, null};
        try (EpochWriter writer = vm.writer(claim(1), VmShape.ofMemory(PAGES))) {
            for (int epoch = 1; epoch <= 8; epoch++) {
                model.write(random, 30);
                Fault fault = puts[random.nextInt(puts.length)];
                if (fault != null) {
                    s3.faults().onUploads(fault);
                }
                model.append(writer);
                assertThat(model.commit(writer).epoch()).as("seed %d", seed).isEqualTo(epoch);
            }
        }
        s3.faults().onReads(Fault.BUSY, Fault.CUT_ANSWER, Fault.CUT_ANSWER);
        assertThat(ModelVm.restore(vm, vm.newestWhole().orElseThrow())).isEqualTo(model.memory);
        assertThat(s3.faults().faultsAreUsedUp()).isTrue();
    }
}
