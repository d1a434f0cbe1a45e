// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import dev.lifeboat.linux.Libc;
import dev.lifeboat.linux.NativeMemory;
import dev.lifeboat.linux.net.PersistentTap;
import dev.lifeboat.linux.net.Tap;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A guest whose TCP stack is a namespace and whose network card is a pair of taps: the thread {@code guest-pump} moves
 * frames, offload headers included, between the tap on the host's bridge and the one inside, as a monitor does.
 * {@link #pause} stops it: the host's tap then holds what arrives. {@link #attach} takes another host's tap.
 */
final class TestGuest implements AutoCloseable {
    static final String NIC = "eth0";

    private static final int FRAME_BYTES = 70_000;
    private static final short POLLIN = 1;
    private static final int POLL_MS = 20;

    final TestNamespace namespace;
    final MacAddress mac;
    /** TCP segments with RST and ICMP "unreachable" messages that passed, either way. */
    final AtomicInteger refusals = new AtomicInteger();

    final AtomicInteger framesIn = new AtomicInteger();
    final AtomicInteger ownFramesIn = new AtomicInteger();

    private final Tap inside;
    private final long buffer = NativeMemory.allocate(FRAME_BYTES);
    private final long poll = NativeMemory.allocate(16);
    private final Thread pump;
    private Optional<Tap> outside = Optional.empty();
    private boolean running;
    private boolean closed;

    TestGuest(MacAddress mac, String address) throws Exception {
        this.mac = mac;
        namespace = new TestNamespace("guest");
        inside = namespace.call(() -> {
            PersistentTap.create(NIC);
            return new Tap(NIC);
        });
        inside.setOffloads(true, true, true);
        namespace.links().setAddress(namespace.links().find(NIC).orElseThrow(), mac);
        namespace.links().setMtu(namespace.links().find(NIC).orElseThrow(), FabricConfig.DEFAULT_MTU_BYTES);
        namespace.links().setUp(namespace.links().find(NIC).orElseThrow());
        namespace.address(NIC, address, 24);
        pump = new Thread(this::pump, "guest-pump");
        pump.setDaemon(true);
        pump.start();
    }

    /** Lets the guest run on {@code tap}, which it closes at the end; the former one is handed back, still open. */
    synchronized Optional<Tap> attach(Tap tap) {
        Optional<Tap> former = outside;
        outside = Optional.of(tap);
        tap.setOffloads(true, true, true);
        return former;
    }

    synchronized void resume() {
        running = true;
    }

    /** After this returns no frame is read from the host's tap. */
    synchronized void pause() {
        running = false;
    }

    /** Moves up to {@code limit} frames that another host's tap still holds into the guest. */
    synchronized int drain(Tap old, int limit) {
        int moved = 0;
        while (moved < limit && moveOne(old.fd(), inside.fd(), true)) {
            moved++;
        }
        return moved;
    }

    private void pump() {
        boolean goOn = true;
        while (goOn) {
            synchronized (this) {
                goOn = !closed;
                if (running && outside.isPresent()) {
                    int burst = 0;
                    while (burst++ < 256
                            && (moveOne(outside.get().fd(), inside.fd(), true)
                                    | moveOne(inside.fd(), outside.get().fd(), false))) {}
                }
            }
            await();
        }
    }

    private void await() {
        NativeMemory.putInt(poll, inside.fd());
        NativeMemory.putInt(poll + 4, POLLIN);
        NativeMemory.putInt(poll + 8, outside.map(Tap::fd).orElse(-1));
        NativeMemory.putInt(poll + 12, POLLIN);
        Libc.poll(poll, 2, POLL_MS);
    }

    private boolean moveOne(int from, int to, boolean inbound) {
        long length = Libc.read(from, buffer, FRAME_BYTES);
        if (length <= 0) {
            return false;
        }
        inspect(buffer + Tap.VNET_HEADER_BYTES, inbound);
        Libc.check(Libc.write(to, buffer, length), "write", length + " bytes to a tap");
        return true;
    }

    private void inspect(long frame, boolean inbound) {
        if (inbound) {
            framesIn.incrementAndGet();
            byte[] source = new byte[MacAddress.LENGTH_BYTES];
            NativeMemory.copy(frame + MacAddress.LENGTH_BYTES, source, 0, source.length);
            if (MacAddress.of(source).equals(mac)) {
                ownFramesIn.incrementAndGet();
            }
        }
        if (Short.reverseBytes(NativeMemory.getShort(frame + 12)) != 0x0800) {
            return;
        }
        long ip = frame + 14;
        long payload = ip + (NativeMemory.getByte(ip) & 0xf) * 4L;
        int protocol = NativeMemory.getByte(ip + 9);
        boolean reset = protocol == 6 && (NativeMemory.getByte(payload + 13) & 4) != 0;
        boolean unreachable = protocol == 1 && NativeMemory.getByte(payload) == 3;
        if (reset || unreachable) {
            refusals.incrementAndGet();
        }
    }

    @Override
    public void close() throws Exception {
        synchronized (this) {
            closed = true;
        }
        pump.join(5_000);
        inside.close();
        outside.ifPresent(Tap::close);
        namespace.close();
        NativeMemory.free(buffer);
        NativeMemory.free(poll);
    }
}
