// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.linux;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How much of a processor a thread yields to others, -20 (little) to 19 (nearly all): setpriority(2). On Linux it is a
 * property of the thread; new threads have that of their maker. Any thread.
 */
public final class Niceness {
    private static final int PRIO_PROCESS = 0;

    private Niceness() {}

    /** Of the calling thread; false when the process may not (below the present value it needs CAP_SYS_NICE). */
    public static boolean ofThisThread(int niceness) {
        return Libc.setpriority(PRIO_PROCESS, 0, niceness) == 0;
    }

    /** Of all threads that the process has now; false when one could not be changed. */
    public static boolean ofThisProcess(int niceness) {
        boolean all = true;
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path thread : threads) {
                int id = Integer.parseInt(thread.getFileName().toString());
                // One that has ended meanwhile has nothing to be changed.
                all &= Libc.setpriority(PRIO_PROCESS, id, niceness) == 0 || Libc.errno() == Errno.ESRCH;
            }
        } catch (IOException e) {
            return false;
        }
        return all;
    }
}
