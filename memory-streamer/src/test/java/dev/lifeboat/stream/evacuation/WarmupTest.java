// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.stream.wire.TestFleet;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class WarmupTest {
    @Test
    void aWarmUpMovesATinyVmOverTlsWithinOneProcess(@TempDir Path directory) {
        assertThat(Warmup.run(new TestFleet(directory, "fleet").host("a"), "a", 30_000, 3))
                .isEqualTo(3);
    }
}
