// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import dev.lifeboat.linux.LinuxException;
import java.net.Inet4Address;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Tells the network that a guest is here now: reverse ARP, and gratuitous ARP when its IPv4 address is known, several
 * times with growing gaps, because a lost one has no other remedy. The first goes out on the caller's thread, the
 * repetitions on the thread {@code lifeboat-announcer}.
 *
 * <p>The frames leave by the bridge's uplinks, not by the bridge itself: by the bridge the guest would receive its own
 * address as the source of a stranger's frame.
 */
public final class Announcer implements AutoCloseable {
    // The first three within the blackout's order of magnitude, then spread over 1.5 s; QEMU's defaults (50 ms growing
    // by 100 ms, five rounds; qapi/net.json AnnounceParameters) have the same reach.
    static final List<Long> DELAYS_MS = List.of(0L, 50L, 150L, 350L, 750L, 1_500L);

    private final List<PacketSocket> sockets;
    private final ScheduledExecutorService scheduler;
    private final Set<CompletableFuture<Integer>> pending = ConcurrentHashMap.newKeySet();

    private Announcer(List<PacketSocket> sockets) {
        this.sockets = sockets;
        this.scheduler = Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "lifeboat-announcer");
            thread.setDaemon(true);
            return thread;
        });
    }

    static Announcer open(List<Integer> interfaceIndexes) {
        List<PacketSocket> sockets = new ArrayList<>();
        try {
            for (int index : interfaceIndexes) {
                sockets.add(PacketSocket.open(index));
            }
            return new Announcer(List.copyOf(sockets));
        } catch (LinuxException e) {
            sockets.forEach(PacketSocket::close);
            throw new NetworkException("open a packet socket for announcements", e);
        }
    }

    /**
     * Announces the guest. Returns after the first round.
     *
     * @return the number of rounds sent, once the last is out; fails when a repetition failed
     * @throws NetworkException when the first round cannot be sent
     */
    public CompletableFuture<Integer> announce(MacAddress guestMac, Optional<Inet4Address> guestAddress) {
        List<byte[]> frames = new ArrayList<>();
        frames.add(AnnouncementFrames.reverseArp(guestMac.requireStation()));
        guestAddress.ifPresent(address -> frames.add(AnnouncementFrames.gratuitousArp(guestMac, address)));
        sendRound(guestMac, frames);
        CompletableFuture<Integer> done = new CompletableFuture<>();
        pending.add(done);
        done.whenComplete((sent, failure) -> pending.remove(done));
        for (int round = 1; round < DELAYS_MS.size(); round++) {
            int sent = round + 1;
            scheduler.schedule(
                    () -> {
                        try {
                            sendRound(guestMac, frames);
                            if (sent == DELAYS_MS.size()) {
                                done.complete(sent);
                            }
                        } catch (RuntimeException e) {
                            done.completeExceptionally(e);
                        }
                    },
                    DELAYS_MS.get(round),
                    TimeUnit.MILLISECONDS);
        }
        return done;
    }

    private void sendRound(MacAddress mac, List<byte[]> frames) {
        try {
            for (PacketSocket socket : sockets) {
                frames.forEach(socket::send);
            }
        } catch (LinuxException e) {
            throw new NetworkException("announce " + mac, e);
        }
    }

    /** Stops the repetitions that are still due and cancels their futures. */
    @Override
    public void close() {
        scheduler.shutdownNow();
        List.copyOf(pending).forEach(done -> done.cancel(false));
        sockets.forEach(PacketSocket::close);
    }
}
