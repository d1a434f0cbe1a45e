// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.agent.Events;
import dev.lifeboat.net.NetworkException;
import dev.lifeboat.net.address.AddressMoves;
import dev.lifeboat.net.address.AddressWish;
import dev.lifeboat.net.address.MoveLog;
import dev.lifeboat.net.address.MoveRecord;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * Lets addresses of the cloud follow their VMs: remembers where each VM was seen to run, prepares its target ahead, and
 * starts the move when the VM is seen elsewhere, which is after the switch and never inside of it. On the controller's
 * thread {@code addresses}.
 */
final class AddressBook {
    private static final long PREPARE_RETRY_MS = 10_000;

    /** Where a VM ran last, as the journal has it. */
    record Place(String vmId, String host, String instance, long term) {}

    private final List<ControllerConfig.VmAddress> addresses;
    private final JsonJournal<Place> journal;
    private final AddressMoves moves;
    private final Function<String, Optional<String>> instances;
    private final Function<String, TargetView> targets;
    private final Events events;
    private final Map<String, Place> places = new HashMap<>();
    private final Map<String, Long> retryAtNs = new HashMap<>();
    private Set<String> open = new HashSet<>();

    /**
     * @param instances the cloud's name of a host
     * @param targets of VMs
     */
    AddressBook(
            List<ControllerConfig.VmAddress> addresses,
            JsonJournal<Place> journal,
            AddressMoves moves,
            Function<String, Optional<String>> instances,
            Function<String, TargetView> targets,
            Events events) {
        this.addresses = addresses;
        this.journal = journal;
        this.moves = moves;
        this.instances = instances;
        this.targets = targets;
        this.events = events;
        journal.all().forEach(place -> places.put(place.vmId(), place));
    }

    /** The journal's records behind {@link AddressMoves}. */
    static MoveLog log(JsonJournal<MoveRecord> journal) {
        return new MoveLog() {
            @Override
            public void put(MoveRecord record) {
                journal.put(record.id(), record);
            }

            @Override
            public void remove(String id) {
                journal.remove(id);
            }

            @Override
            public List<MoveRecord> all() {
                return journal.all();
            }
        };
    }

    /** Goes on with what a restart interrupted. Who runs the VMs is not known before they are seen. */
    void recover() {
        moves.recover(record -> AddressMoves.Side.UNKNOWN);
    }

    /** A VM runs on a host, as its agent says. An older term than the known one is a late message. */
    void seen(String vmId, String host, long term) {
        Optional<ControllerConfig.VmAddress> address =
                addresses.stream().filter(one -> one.vmId().equals(vmId)).findFirst();
        Optional<String> instance = instances.apply(host);
        if (address.isEmpty() || instance.isEmpty()) {
            return;
        }
        Place known = places.get(vmId);
        Place now = new Place(vmId, host, instance.get(), term);
        if (known == null) {
            put(now);
        } else if (term > known.term() && !known.instance().equals(now.instance())) {
            AddressWish wish = wish(address.get(), known.instance(), now.instance());
            events.add("address-follows", vmId, wish.address() + " to " + host);
            moves.follow(vmId, wish);
            // After the move is in the journal: a crash before this line starts the same move again.
            put(now);
        } else if (term > known.term()) {
            put(now);
        }
    }

    /** Prepares for the targets of now, and goes on with what is under way. About once a second. */
    void step() {
        for (ControllerConfig.VmAddress address : addresses) {
            Place place = places.get(address.vmId());
            if (place != null) {
                prepare(address, place);
            }
        }
        moves.work();
        Set<String> still = new HashSet<>();
        for (MoveRecord record : moves.open()) {
            if (record.step() == MoveRecord.Step.MOVING || record.step() == MoveRecord.Step.CONFIRMING) {
                still.add(record.id());
            }
        }
        open.removeAll(still);
        open.forEach(vmId -> events.add("address-moved", vmId, "seen at its new host"));
        open = still;
    }

    List<MoveRecord> open() {
        return moves.open();
    }

    private void prepare(ControllerConfig.VmAddress address, Place place) {
        String vmId = address.vmId();
        TargetView target = targets.apply(vmId);
        Optional<AddressWish> wanted = target.state() == TargetView.State.READY
                ? instances
                        .apply(target.host())
                        .filter(instance -> !instance.equals(place.instance()))
                        .map(instance -> wish(address, place.instance(), instance))
                : Optional.empty();
        Optional<MoveRecord> record = moves.find(vmId);
        boolean done = record.isPresent()
                && record.get().step() != MoveRecord.Step.PREPARING
                && wanted.map(record.get().wish()::equals).orElse(false);
        boolean forward = record.isPresent()
                && (record.get().step() == MoveRecord.Step.MOVING
                        || record.get().step() == MoveRecord.Step.CONFIRMING);
        if (done || forward) {
            return;
        }
        if (wanted.isEmpty()) {
            // A target that is silent for a moment is the likeliest to be it a moment later.
            boolean over = target.state() == TargetView.State.LOST || target.state() == TargetView.State.PLANNED;
            if (record.isPresent() && over) {
                moves.abandon(vmId);
            }
            return;
        }
        Long retryAt = retryAtNs.get(vmId);
        if (retryAt != null && System.nanoTime() - retryAt < 0) {
            return;
        }
        try {
            moves.prepare(vmId, wanted.get());
            retryAtNs.remove(vmId);
        } catch (NetworkException e) {
            retryAtNs.put(vmId, System.nanoTime() + PREPARE_RETRY_MS * 1_000_000);
            events.add("address-failed", vmId, e.getMessage());
        }
    }

    private void put(Place place) {
        journal.put(place.vmId(), place);
        places.put(place.vmId(), place);
    }

    private static AddressWish wish(ControllerConfig.VmAddress address, String from, String to) {
        return new AddressWish(address.way(), address.address(), from, to);
    }
}
