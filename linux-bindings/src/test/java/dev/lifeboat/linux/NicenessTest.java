// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class NicenessTest {
    /** proc(5), /proc/PID/stat: the 19th field, the 17th after the name. */
    private static int niceness(int threadId) throws Exception {
        String stat = Files.readString(Path.of("/proc/self/task/" + threadId + "/stat"));
        return Integer.parseInt(stat.substring(stat.lastIndexOf(')') + 2).split(" ")[16]);
    }

    @Test
    void aThreadYieldsAlone() throws Exception {
        CompletableFuture<int[]> seen = new CompletableFuture<>();
        int mine = niceness(Libc.gettid());
        Thread thread = new Thread(() -> {
            try {
                assertThat(Niceness.ofThisThread(19)).isTrue();
                seen.complete(new int[] {niceness(Libc.gettid())});
            } catch (Throwable e) {
                seen.completeExceptionally(e);
            }
        });
        thread.start();
        assertThat(seen.get(10, TimeUnit.SECONDS)).containsExactly(19);
        assertThat(niceness(Libc.gettid())).isEqualTo(mine);
    }
}
