// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.inside;

import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.vmm.CpuProfile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;

/** Guests that are paused, saved, and go on in a fresh VM. */
final class SaveCases {
    private static final String ROUNDS = "page-counter: rounds=(\\d+) wrong=(\\d+)";

    private final GuestFiles files;

    SaveCases(GuestFiles files) {
        this.files = files;
    }

    void pauseManyTimes() throws Exception {
        try (GuestMemory memory = new GuestMemory(256L << 20);
                TestGuest guest = TestGuest.boot(memory, files.source("counter:16"), 2)) {
            guest.await(ROUNDS, 0);
            long longestNs = 0;
            for (int i = 0; i < 100; i++) {
                long startNs = System.nanoTime();
                guest.vm().pause();
                longestNs = Math.max(longestNs, System.nanoTime() - startNs);
                guest.vm().resume();
            }
            System.out.println("monitor-test: longest of 100 pauses " + longestNs / 1000 + " us");
            goesOn(guest, guest.console().length());
        }
    }

    void counterGoesOn(int vcpus, int megabytes) throws Exception {
        try (GuestMemory memory = new GuestMemory((long) megabytes << 20)) {
            byte[] state;
            try (TestGuest guest = TestGuest.boot(memory, files.source("counter:64"), vcpus)) {
                guest.await(ROUNDS, 0);
                state = pauseAndSave(guest);
            }
            // Another memory with the same bytes: what is not in memory or state must not be needed.
            try (GuestMemory copy = copyOf(memory);
                    TestGuest guest = TestGuest.restore(copy, state, vcpus)) {
                goesOn(guest, 0);
            }
        }
    }

    void chain() throws Exception {
        try (GuestMemory memory = new GuestMemory(256L << 20)) {
            byte[] state;
            try (TestGuest guest = TestGuest.boot(memory, files.source("counter:32"), 2)) {
                guest.await(ROUNDS, 0);
                state = pauseAndSave(guest);
            }
            for (int move = 0; move < 4; move++) {
                try (TestGuest guest = TestGuest.restore(memory, state, 2)) {
                    goesOn(guest, 0);
                    state = pauseAndSave(guest);
                }
            }
        }
    }

    /**
     * It sees what its profile has and nothing newer, before and after; so the move asks for no more of the target either.
     *
     * @param newer features that the host has
     */
    void profile(CpuProfile profile, List<String> seen, List<String> newer) throws Exception {
        String host = Files.readString(Path.of("/proc/cpuinfo")).replace('\n', ' ');
        for (String word : newer) {
            Check.that(host.contains(" " + word + " "), "the host must have what the guest is not shown: " + word);
        }
        String ask = "grep -m1 ^flags /proc/cpuinfo; echo DO''NE";
        try (GuestMemory memory = new GuestMemory(256L << 20)) {
            byte[] state;
            String flags;
            try (TestGuest guest = TestGuest.boot(memory, files.shell(), 2, profile)) {
                guest.await("lifeboat-guest: shell", 0);
                guest.type(ask);
                flags = guest.await("flags\\s*:([^\\r\\n]*)[^$]*DONE", 0).group(1) + " ";
                state = pauseAndSave(guest);
            }
            for (String word : seen) {
                Check.that(flags.contains(" " + word + " "), word + " is of " + profile + ", seen are" + flags);
            }
            for (String word : newer) {
                Check.that(!flags.contains(" " + word + " "), word + " is not of " + profile + ", seen are" + flags);
            }
            try (TestGuest guest = TestGuest.restore(memory, state, 2)) {
                guest.type(ask);
                String after = guest.await("flags\\s*:([^\\r\\n]*)[^$]*DONE", 0).group(1) + " ";
                Check.that(after.equals(flags), "before the move it saw" + flags + ", after it" + after);
                noComplaints(guest);
            }
        }
    }

    /** The shell tells how many processors it sees and runs something on each, before and after. */
    void smpGoesOn(int vcpus) throws Exception {
        String onEach = "for c in 0 1 2 3; do taskset $((1<<c)) sh -c 'sleep 0.1; echo cpu'$c'-ok'; done; echo DO''NE";
        try (GuestMemory memory = new GuestMemory(512L << 20)) {
            byte[] state;
            try (TestGuest guest = TestGuest.boot(memory, files.shell(), vcpus)) {
                guest.await("lifeboat-guest: shell", 0);
                guest.type("grep -c ^processor /proc/cpuinfo | sed s/^/cpus=/");
                guest.await("cpus=" + vcpus, 0);
                guest.type(onEach);
                guest.await("cpu0-ok[^$]*cpu1-ok[^$]*cpu2-ok[^$]*cpu3-ok[^$]*DONE", 0);
                state = pauseAndSave(guest);
            }
            try (TestGuest guest = TestGuest.restore(memory, state, vcpus)) {
                guest.type(onEach);
                guest.await("cpu0-ok[^$]*cpu1-ok[^$]*cpu2-ok[^$]*cpu3-ok[^$]*DONE", 0);
                noComplaints(guest);
            }
        }
    }

    /** More than 3 GiB of RAM in use would be too much for an emulated host; that the guest has it all, and lives. */
    void aboveTheGap() throws Exception {
        long bytes = 5L << 30;
        try (GuestMemory memory = new GuestMemory(bytes)) {
            byte[] state;
            try (TestGuest guest = TestGuest.boot(memory, files.shell(), 2)) {
                guest.await("lifeboat-guest: shell", 0);
                guest.type("echo total=$(grep MemTotal /proc/meminfo | tr -dc 0-9)=");
                Matcher total = guest.await("total=(\\d+)=", 0);
                Check.that(Long.parseLong(total.group(1)) > 4_700_000, "the guest sees " + total.group(1) + " KiB");
                guest.type("mkdir -p /mnt; mount -t tmpfs t /mnt; dd if=/dev/zero of=/mnt/a bs=1M count=64 2>/dev/null;"
                        + " head -c 8000000 /dev/urandom >/mnt/b; md5sum </mnt/b; echo DO''NE");
                guest.await("[0-9a-f]{32}[^$]*DONE", 0);
                state = pauseAndSave(guest);
                long above = pagesInUseAbove(memory);
                Check.that(above > 1000, "only " + above + " pages above 4 GiB are in use");
                String sum = guest.await("([0-9a-f]{32})", 0).group(1);
                guest.close();
                try (TestGuest restored = TestGuest.restore(memory, state, 2)) {
                    restored.type("md5sum </mnt/b; echo DO''NE");
                    restored.await(sum + "[^$]*DONE", 0);
                    noComplaints(restored);
                }
            }
        }
    }

    private static long pagesInUseAbove(GuestMemory memory) {
        GuestMemory.Region high = memory.regions().get(1);
        long used = 0;
        for (long at = 0; at < high.lengthBytes(); at += GuestMemory.PAGE_BYTES) {
            if (memory.getLong(high.guestAddress() + at) != 0) {
                used++;
            }
        }
        return used;
    }

    /** Time stands still for five seconds between save and restore. */
    void wallClock() throws Exception {
        String ask = "echo at=$(date +%s)=$(cut -d. -f1 /proc/uptime)=";
        String answer = "at=(\\d+)=(\\d+)=";
        try (GuestMemory memory = new GuestMemory(256L << 20)) {
            byte[] state;
            long uptime;
            try (TestGuest guest = TestGuest.boot(memory, files.shell(), 2)) {
                guest.await("lifeboat-guest: shell", 0);
                guest.type(ask);
                Matcher before = guest.await(answer, 0);
                sameTime(before, "before the move");
                uptime = Long.parseLong(before.group(2));
                state = pauseAndSave(guest);
            }
            // Not a wait for something: this is the time that the move takes.
            Thread.sleep(5000);
            try (TestGuest guest = TestGuest.restore(memory, state, 2)) {
                guest.type(ask);
                Matcher after = guest.await(answer, 0);
                sameTime(after, "after the move");
                Check.that(
                        Long.parseLong(after.group(2)) >= uptime + 4,
                        "the guest's uptime went from " + uptime + " to " + after.group(2) + " s");
                guest.type("sleep 1; echo sl''ept");
                guest.await("slept", 0);
                noComplaints(guest);
            }
        }
    }

    private static void sameTime(Matcher answer, String when) {
        long difference = Instant.now().getEpochSecond() - Long.parseLong(answer.group(1));
        Check.that(difference >= -1 && difference <= 2, when + " the guest's wall clock is " + difference + " s late");
    }

    private static byte[] pauseAndSave(TestGuest guest) {
        long startNs = System.nanoTime();
        guest.vm().pause();
        long pausedNs = System.nanoTime();
        byte[] state = guest.vm().saveState();
        System.out.println("monitor-test: pause " + (pausedNs - startNs) / 1000 + " us, save "
                + (System.nanoTime() - pausedNs) / 1000 + " us, " + state.length + " bytes");
        return state;
    }

    private static void goesOn(TestGuest guest, int from) throws Exception {
        Matcher first = guest.await(ROUNDS, from);
        Matcher second = guest.await(ROUNDS, first.end());
        Check.that(first.group(2).equals("0") && second.group(2).equals("0"), "wrong pages: " + guest.console());
        Check.that(
                Long.parseLong(second.group(1)) > Long.parseLong(first.group(1)),
                "rounds stand still: " + guest.console());
        noComplaints(guest);
    }

    private static void noComplaints(TestGuest guest) {
        String console = guest.console();
        for (String word : new String[] {"lockup", "stall", "BUG", "Oops", "unstable", "call trace"}) {
            Check.that(!console.toLowerCase().contains(word.toLowerCase()), "the guest complains: " + console);
        }
    }

    private static GuestMemory copyOf(GuestMemory memory) {
        GuestMemory copy = new GuestMemory(memory.lengthBytes());
        byte[] page = new byte[GuestMemory.PAGE_BYTES];
        byte[] zero = new byte[GuestMemory.PAGE_BYTES];
        for (GuestMemory.Region region : memory.regions()) {
            for (long at = 0; at < region.lengthBytes(); at += GuestMemory.PAGE_BYTES) {
                memory.read(region.guestAddress() + at, page, 0, page.length);
                if (!Arrays.equals(page, zero)) {
                    copy.write(region.guestAddress() + at, page, 0, page.length);
                }
            }
        }
        return copy;
    }
}
