// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.inside;

import dev.lifeboat.stream.GuestMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Descriptors, mappings of VMs and threads are gone after close of a running guest. */
final class LeakCase {
    private final GuestFiles files;

    LeakCase(GuestFiles files) {
        this.files = files;
    }

    void run() throws Exception {
        once();
        String before = inventory();
        for (int i = 0; i < 3; i++) {
            once();
        }
        String after = inventory();
        Check.that(before.equals(after), "before: " + before + ", after three VMs: " + after);
    }

    private void once() throws Exception {
        try (GuestMemory memory = new GuestMemory(256L << 20);
                TestGuest guest = TestGuest.boot(memory, files.talkative(), 2)) {
            // It runs and uses a device; how far its boot has come changes nothing here.
            guest.await("Linux version", 0);
            guest.vm().pause();
            guest.vm().saveState();
            guest.vm().resume();
        }
    }

    private static String inventory() throws IOException {
        long descriptors;
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            descriptors = open.count();
        }
        long mappings;
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            mappings = lines.filter(line -> line.contains("lifeboat-guest") || line.contains("kvm-vcpu"))
                    .count();
        }
        long threads = Thread.getAllStackTraces().keySet().stream()
                .filter(thread ->
                        thread.getName().startsWith("vcpu-") || thread.getName().equals("vm-end"))
                .count();
        return descriptors + " descriptors, " + mappings + " mappings, " + threads + " threads";
    }
}
