// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.lease;

import dev.lifeboat.store.OwnerRecord;
import dev.lifeboat.store.OwnerRegistry;
import dev.lifeboat.store.StoreException;
import dev.lifeboat.stream.LiveVm;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one host's lease on one VM, and the guest still while there is none (docs/protocol.md, "Ownership"). Two threads:
 * {@code lease-renew-VM} asks the registry, and may hang there; {@code lease-watch-VM} stops the guest when the time is over
 * and lets it go on when it comes back. Its methods may be called from any thread.
 */
public final class LeaseKeeper implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LeaseKeeper.class);
    /** A quarter of what a lease lasts here: three renewals may fail before the guest stands still. */
    private static final int RENEWALS_PER_LEASE = 4;

    private static final int RETRIES_PER_LEASE = 20;
    /** A vCPU that does not come out is asked again after so long. */
    private static final long STOP_AGAIN_MS = 50;

    private final LeaseTerms terms;
    private final OwnerRegistry owners;
    private final String vmId;
    private final Lease lease;
    private final LeasedVm vm;
    private final Consumer<OwnerRecord> onLost;
    private final Thread renewer;
    private final Thread watch;

    // Guarded by this.
    private boolean started;
    private boolean closed;
    private boolean stopFailed;
    /** Counts what the threads should look at. */
    private long changes;

    /**
     * @param vm paused
     * @param firstStart what lets the guest run for the first time
     * @param onLost hears who owns the VM now, when another host has followed; the guest stands still by then
     */
    public LeaseKeeper(
            LeaseTerms terms,
            OwnerRegistry owners,
            String vmId,
            LiveVm vm,
            Runnable firstStart,
            Consumer<OwnerRecord> onLost) {
        this.terms = terms;
        this.owners = owners;
        this.vmId = vmId;
        this.onLost = onLost;
        lease = new Lease(terms);
        this.vm = new LeasedVm(vm, firstStart, () -> lease.mayRun(System.nanoTime()));
        renewer = new Thread(this::renew, "lease-renew-" + vmId);
        watch = new Thread(this::watch, "lease-watch-" + vmId);
        renewer.setDaemon(true);
        watch.setDaemon(true);
    }

    /** The VM behind the lease: everybody but this class uses it instead of the one given. */
    public LiveVm vm() {
        return vm;
    }

    public LeaseTerms terms() {
        return terms;
    }

    public LeaseState state() {
        return lease.state(System.nanoTime());
    }

    /** {@code record} with the length of this host's leases. */
    public OwnerRecord withLease(OwnerRecord record) {
        return record.withLeaseMillis(terms.leaseMillis());
    }

    /**
     * This host created the record.
     *
     * @param startedNs {@link System#nanoTime} before the first try to
     */
    public void take(OwnerRecord record, long startedNs) {
        lease.take(record.term(), startedNs);
        changed();
    }

    /**
     * The source of an evacuation gave its right to this host.
     *
     * @param readyNs {@link System#nanoTime} before READY was sent
     * @return whether any of it is left
     */
    public boolean grant(long readyNs, long grantMillis) {
        lease.grant(readyNs, TimeUnit.MILLISECONDS.toNanos(grantMillis));
        changed();
        return lease.mayRun(System.nanoTime());
    }

    /**
     * Gives the right to run away; from now on the guest does not run here unless this host wins the next term.
     *
     * @return the milliseconds that are left of it; empty when they are too few for another host to begin with, and then
     *     the right stays here
     */
    public OptionalLong give() {
        OptionalLong left = lease.give(System.nanoTime(), terms.holderNs() / RENEWALS_PER_LEASE);
        changed();
        return left.isPresent()
                ? OptionalLong.of(TimeUnit.NANOSECONDS.toMillis(left.getAsLong()))
                : OptionalLong.empty();
    }

    /** After {@link #give}: waits until nobody can run the guest by that right. At most a lease. */
    public void awaitGivenOver() {
        long leftNs;
        while ((leftNs = lease.givenLeftNs(System.nanoTime())) > 0) {
            try {
                TimeUnit.NANOSECONDS.sleep(leftNs);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new StoreException("interrupted while waiting for the end of a given lease of VM " + vmId, e);
            }
        }
    }

    /** Another host owns the VM: the guest stands still on return. */
    public void lose() {
        lease.lose();
        vm.enforce();
        changed();
    }

    private synchronized void changed() {
        if (!started && !closed) {
            started = true;
            renewer.start();
            watch.start();
        }
        changes++;
        notifyAll();
    }

    private synchronized long changes() {
        return changes;
    }

    /** Unless something changed since {@code seen}; returns false at the end. */
    private synchronized boolean rest(long nanos, long seen) {
        try {
            if (!closed && nanos > 0 && changes == seen) {
                TimeUnit.NANOSECONDS.timedWait(this, nanos);
            }
        } catch (InterruptedException e) {
            closed = true;
        }
        return !closed;
    }

    private synchronized boolean isClosed() {
        return closed;
    }

    private void renew() {
        boolean failing = false;
        while (!isClosed()) {
            long startedNs = System.nanoTime();
            long nextNs = startedNs + terms.holderNs() / RENEWALS_PER_LEASE;
            Optional<Lease.Renewal> renewal = lease.begin(startedNs);
            if (renewal.isPresent()) {
                try {
                    ask(renewal.get());
                    if (failing) {
                        failing = false;
                        LOG.info("The lease of VM {} is renewed again", vmId);
                    }
                } catch (StoreException e) {
                    nextNs = System.nanoTime() + terms.holderNs() / RETRIES_PER_LEASE;
                    if (!failing) {
                        failing = true;
                        LOG.warn(
                                "The lease of VM {} cannot be renewed; its guest will stand still in {} ms: {}",
                                vmId,
                                TimeUnit.NANOSECONDS.toMillis(lease.leftNs(System.nanoTime())),
                                e.getMessage());
                    }
                }
            }
            pauseUntil(nextNs, renewal);
        }
    }

    /** Until then, or until there is another right than the one just asked for. */
    private void pauseUntil(long nextNs, Optional<Lease.Renewal> asked) {
        long seen;
        do {
            seen = changes();
            Optional<Long> right = lease.begin(System.nanoTime()).map(Lease.Renewal::generation);
            if (nextNs - System.nanoTime() <= 0
                    || right.isPresent() && !right.equals(asked.map(Lease.Renewal::generation))) {
                return;
            }
        } while (rest(nextNs - System.nanoTime(), seen));
    }

    private void ask(Lease.Renewal renewal) {
        Optional<OwnerRecord> follower = owners.of(renewal.term() + 1);
        if (follower.isEmpty()) {
            lease.renewed(renewal);
            changed();
        } else if (lease.followed(renewal)) {
            LOG.error(
                    "VM {} is no longer this host's: {} owns term {}",
                    vmId,
                    follower.get().host(),
                    follower.get().term());
            changed();
            stop();
            onLost.accept(follower.get());
        }
    }

    private void watch() {
        boolean expired = false;
        long seen;
        do {
            seen = changes();
            stop();
            LeaseState now = state();
            if (expired != (now == LeaseState.EXPIRED)) {
                expired = !expired;
                LOG.warn(
                        expired
                                ? "The lease of VM {} is over: its guest stands still until the registry answers"
                                : "The guest of VM {} is no longer held back by its lease",
                        vmId);
            }
        } while (rest(restNs(), seen));
    }

    private void stop() {
        try {
            vm.enforce();
            stopFailed(false);
        } catch (RuntimeException e) {
            LOG.error("The guest of VM {} could not be stopped or started by its lease; trying on", vmId, e);
            stopFailed(true);
        }
    }

    private synchronized void stopFailed(boolean now) {
        stopFailed = now;
    }

    private synchronized long restNs() {
        if (stopFailed) {
            return TimeUnit.MILLISECONDS.toNanos(STOP_AGAIN_MS);
        }
        long leftNs = lease.leftNs(System.nanoTime());
        return leftNs > 0 ? leftNs : TimeUnit.MILLISECONDS.toNanos(terms.leaseMillis());
    }

    /** Ends the threads; the guest is not touched and may not run longer than the lease lasts: stop it before. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        // A thread that hangs in the registry ends with the process.
    }
}
