// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.inside;

import dev.lifeboat.stream.DirtyLog;
import dev.lifeboat.stream.GuestMemory;
import dev.lifeboat.stream.PageBitmap;
import dev.lifeboat.vmm.CpuProfile;
import dev.lifeboat.vmm.boot.BootLayout;
import dev.lifeboat.vmm.boot.LinuxBoot;
import dev.lifeboat.vmm.device.PortDevice;
import dev.lifeboat.vmm.kvm.Hypervisor;
import dev.lifeboat.vmm.kvm.KvmMachine;
import java.time.Clock;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * A guest of a few instructions writes pages that we choose, below and above the gap, in two phases; each harvest must
 * report all of its phase, and none of the other.
 */
final class DirtyLogCase {
    private static final int PORT = 0x700;
    private static final long CODE = 0x1_0000;
    private static final long LIST = 0x1_8000;
    private static final long GO = 0x1_9000;
    private static final long LARGE_PAGE = 0x83;

    /**
     * <pre>
     *   mov rbx, LIST
     * next: mov rax, [rbx]; add rbx, 8; test rax, rax; jz phase
     *   inc qword [rax]; jmp next
     * phase: mov dx, PORT; out dx, al
     * wait: pause; cmp dword [GO], 0; je wait
     *   mov dword [GO], 0; jmp next
     * </pre>
     */
    private static final int[] PROGRAM = {
        0x48,
        0xc7,
        0xc3,
        0x00,
        0x80,
        0x01,
        0x00, // 00 mov rbx, 0x18000
        0x48,
        0x8b,
        0x03, // 07 mov rax, [rbx]
        0x48,
        0x83,
        0xc3,
        0x08, // 0a add rbx, 8
        0x48,
        0x85,
        0xc0, // 0e test rax, rax
        0x74,
        0x05, // 11 jz 0x18
        0x48,
        0xff,
        0x00, // 13 inc qword [rax]
        0xeb,
        0xef, // 16 jmp 0x07
        0x66,
        0xba,
        0x00,
        0x07, // 18 mov dx, 0x700
        0xee, // 1c out dx, al
        0xf3,
        0x90, // 1d pause
        0x83,
        0x3c,
        0x25,
        0x00,
        0x90,
        0x01,
        0x00,
        0x00, // 1f cmp dword [0x19000], 0
        0x74,
        0xf4, // 27 je 0x1d
        0xc7,
        0x04,
        0x25,
        0x00,
        0x90,
        0x01,
        0x00,
        0x00,
        0x00,
        0x00,
        0x00, // 29 mov dword [0x19000], 0
        0xeb,
        0xd1 // 34 jmp 0x07
    };

    void run() throws Exception {
        long[] first = {0x20_0000, 0x40_3000, GuestMemory.GAP_START - 4096, GuestMemory.GAP_END + 0x5000};
        long[] second = {0x20_1000, 0x1000_0000, GuestMemory.GAP_END, GuestMemory.GAP_END + (1L << 29)};
        Semaphore phases = new Semaphore(0);
        try (GuestMemory memory = new GuestMemory(5L << 30);
                Hypervisor hypervisor = Hypervisor.open();
                KvmMachine machine = new KvmMachine(hypervisor, memory, 1, Clock.systemUTC())) {
            machine.addPorts(PORT, 1, new Signal(phases));
            fill(memory, first, second);
            machine.prepareBoot(new LinuxBoot.Entry(CODE, 0), CpuProfile.HOST);
            DirtyLog log = machine.dirtyLog();
            log.start();
            PageBitmap before = new PageBitmap(memory.pages());
            log.harvest(before);
            // What a VM got from the store or from its source must not count as written by it.
            Check.that(before.count() == 0, before.count() + " pages are reported of a guest that has not run yet");

            machine.start(status -> {
                throw new AssertionError("the guest ended: " + status);
            });
            machine.run();
            await(phases);
            machine.park();
            check(memory, log, first, second);
            machine.run();
            memory.putInt(GO, 1);
            await(phases);
            machine.park();
            check(memory, log, second, first);
        }
    }

    /** As for a guest that boots: the log comes on after it has written, and knows what is written from then on. */
    void runWithALateLog() throws Exception {
        long[] first = {0x20_0000, 0x40_3000, 0x1000_0000};
        long[] second = {0x20_1000, 0x40_3000, 0x1000_1000, 0x2000_0000};
        Semaphore phases = new Semaphore(0);
        try (GuestMemory memory = new GuestMemory(1L << 30);
                Hypervisor hypervisor = Hypervisor.open();
                KvmMachine machine = new KvmMachine(hypervisor, memory, 1, Clock.systemUTC())) {
            machine.addPorts(PORT, 1, new Signal(phases));
            fill(memory, first, second);
            machine.prepareBoot(new LinuxBoot.Entry(CODE, 0), CpuProfile.HOST);
            DirtyLog log = machine.dirtyLog();
            machine.start(status -> {
                throw new AssertionError("the guest ended: " + status);
            });
            machine.run();
            await(phases);
            // The guest runs, and waits: as when the first epoch comes.
            log.start();
            memory.putInt(GO, 1);
            await(phases);
            machine.park();
            check(memory, log, second, new long[] {0x20_0000, 0x1000_0000});
        }
    }

    private static void fill(GuestMemory memory, long[] first, long[] second) {
        for (int i = 0; i < PROGRAM.length; i++) {
            memory.putByte(CODE + i, (byte) PROGRAM[i]);
        }
        long at = LIST;
        for (long[] list : new long[][] {first, second}) {
            for (long address : list) {
                memory.putLong(at, address);
                at += 8;
            }
            at += 8; // a zero ends a phase
        }
        // Five GiB mapped to themselves by 2 MiB pages; the directories of 1 GiB and up are at 0xc000 to 0xffff.
        memory.putLong(BootLayout.PML4, BootLayout.PDPT | 3);
        for (int gigabyte = 0; gigabyte < 5; gigabyte++) {
            long directory = BootLayout.PAGE_DIRECTORY + gigabyte * 4096L;
            memory.putLong(BootLayout.PDPT + 8L * gigabyte, directory | 3);
            for (int i = 0; i < 512; i++) {
                memory.putLong(directory + 8L * i, (long) gigabyte << 30 | (long) i << 21 | LARGE_PAGE);
            }
        }
    }

    private static void check(GuestMemory memory, DirtyLog log, long[] written, long[] notWritten) {
        PageBitmap found = new PageBitmap(memory.pages());
        log.harvest(found);
        for (long address : written) {
            Check.that(
                    found.get(page(memory, address)), "0x" + Long.toHexString(address) + " was written, not reported");
        }
        for (long address : notWritten) {
            Check.that(
                    !found.get(page(memory, address)), "0x" + Long.toHexString(address) + " was reported, not written");
        }
        // Code, list, flag and page tables may be reported too; nothing near all of memory.
        Check.that(found.count() < 64, found.count() + " pages are reported");
    }

    private static long page(GuestMemory memory, long address) {
        for (GuestMemory.Region region : memory.regions()) {
            if (address >= region.guestAddress() && address < region.guestAddress() + region.lengthBytes()) {
                return region.firstPage() + (address - region.guestAddress()) / GuestMemory.PAGE_BYTES;
            }
        }
        throw new IllegalArgumentException("not RAM: " + address);
    }

    private static void await(Semaphore phases) throws InterruptedException {
        Check.that(phases.tryAcquire(20, TimeUnit.SECONDS), "the guest did not come to its next phase");
    }

    /** Released on the vCPU thread at each write. */
    private record Signal(Semaphore phases) implements PortDevice {
        @Override
        public int read(int port) {
            return 0xff;
        }

        @Override
        public void write(int port, int value) {
            phases.release();
        }
    }
}
