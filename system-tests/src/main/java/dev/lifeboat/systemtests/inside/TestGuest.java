// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.inside;

import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.vmm.BootSource;
import dev.lifeboat.vmm.CpuProfile;
import dev.lifeboat.vmm.MicroVm;
import dev.lifeboat.vmm.MicroVmConfig;
import dev.lifeboat.vmm.VmStatus;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One guest of a test: its VM, what it printed, how it ended. Waits have limits and show the console when they fail. */
final class TestGuest implements AutoCloseable {
    private static final long LIMIT_NS = TimeUnit.SECONDS.toNanos(60);

    private final StringBuilder console = new StringBuilder();
    private final CompletableFuture<VmStatus> end = new CompletableFuture<>();
    private int ends;
    private final int vcpus;
    private final CpuProfile cpuProfile;
    private MicroVm vm;

    private TestGuest(int vcpus, CpuProfile cpuProfile) {
        this.vcpus = vcpus;
        this.cpuProfile = cpuProfile;
    }

    static TestGuest boot(GuestMemory memory, BootSource source, int vcpus) {
        return boot(memory, source, vcpus, CpuProfile.HOST);
    }

    static TestGuest boot(GuestMemory memory, BootSource source, int vcpus, CpuProfile cpuProfile) {
        TestGuest guest = new TestGuest(vcpus, cpuProfile);
        guest.vm = MicroVm.boot(memory, source, guest.config());
        guest.vm.start();
        return guest;
    }

    static TestGuest restore(GuestMemory memory, byte[] state, int vcpus) {
        TestGuest guest = new TestGuest(vcpus, CpuProfile.HOST);
        guest.vm = MicroVm.restore(memory, state, guest.config());
        guest.vm.start();
        return guest;
    }

    private MicroVmConfig config() {
        return new MicroVmConfig(vcpus, cpuProfile, List.of(), List.of(), this::print, this::ended);
    }

    private void print(int value) {
        synchronized (console) {
            console.append((char) value);
            console.notifyAll();
        }
    }

    private synchronized void ended(VmStatus status) {
        ends++;
        end.complete(status);
    }

    MicroVm vm() {
        return vm;
    }

    String console() {
        synchronized (console) {
            return console.toString();
        }
    }

    /** Waits for the first match after position {@code from}; returns it. */
    Matcher await(String regex, int from) throws InterruptedException {
        Pattern pattern = Pattern.compile(regex);
        long deadlineNs = System.nanoTime() + LIMIT_NS;
        synchronized (console) {
            while (true) {
                Matcher matcher = pattern.matcher(console.toString());
                if (matcher.find(from)) {
                    return matcher;
                }
                long leftNs = deadlineNs - System.nanoTime();
                if (leftNs <= 0 || vm.status().ended()) {
                    throw new AssertionError("no \"" + regex + "\" after position " + from + ", VM " + vm.status()
                            + "; the console: " + console.substring(Math.max(0, console.length() - 8000)));
                }
                TimeUnit.NANOSECONDS.timedWait(console, Math.min(leftNs, 200_000_000L));
            }
        }
    }

    Matcher awaitNext(String regex) throws InterruptedException {
        return await(regex, console().length());
    }

    void type(String line) {
        byte[] bytes = (line + "\n").getBytes(StandardCharsets.US_ASCII);
        if (vm.consoleInput(bytes) != bytes.length) {
            throw new AssertionError("the guest's console takes no input");
        }
    }

    VmStatus awaitEnd() throws Exception {
        try {
            return end.get(LIMIT_NS, TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new AssertionError("the VM did not end, it is " + vm.status() + "; the console: " + console(), e);
        }
    }

    synchronized int ends() {
        return ends;
    }

    @Override
    public void close() {
        vm.close();
    }
}
