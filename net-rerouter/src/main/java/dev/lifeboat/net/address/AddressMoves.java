// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net.address;

import dev.lifeboat.net.NetworkException;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves addresses after their VMs, in steps that are written down before they are begun, so that a crash between any two
 * of them neither loses an address nor leaves it half moved. Any thread; calls are serialised, and each may take as long
 * as the cloud does: nobody who stands in a blackout may call.
 *
 * <p>Until the VM's ownership has changed, a failure takes back what was done; from then on there is only forward, because
 * the source cannot serve the address any more. Which of the two it is decides {@link #follow} against {@link #abandon},
 * and after a crash the {@link Owner}.
 */
public final class AddressMoves {
    private static final Logger LOG = LoggerFactory.getLogger(AddressMoves.class);
    /**
     * Looks at an unconfirmed move before the cloud is asked again: with one look a second this is longer than the
     * slowest way takes (a network interface, over a minute).
     */
    static final int LOOKS_BEFORE_REPEAT = 120;

    /** Who runs the VM of a record, as far as is known. */
    public enum Side {
        SOURCE,
        TARGET,
        UNKNOWN
    }

    /** Asked after a restart for moves that had not begun to go forward. */
    public interface Owner {
        Side of(MoveRecord record);
    }

    private final MoveLog log;
    private final AddressMover mover;
    private final DataPath dataPath;
    private final Map<String, MoveRecord> records = new HashMap<>();
    private final Map<String, Integer> looks = new HashMap<>();

    /** Reads the log; does nothing yet. {@link #recover} comes next. */
    public AddressMoves(MoveLog log, AddressMover mover, DataPath dataPath) {
        this.log = log;
        this.mover = mover;
        this.dataPath = dataPath;
        log.all().forEach(record -> records.put(record.id(), record));
    }

    /**
     * Ahead of the switch: lets the target accept the address where the cloud can do that.
     *
     * @throws NetworkException when it cannot; everything is as before then, or is being taken back by {@link #work}
     */
    public synchronized void prepare(String id, AddressWish wish) {
        MoveRecord known = records.get(id);
        if (known != null && known.isForward()) {
            throw new NetworkException(
                    "the address " + known.wish().address() + " of " + id + " is still on its way to "
                            + known.wish().to() + "; prepare the next move when it has arrived",
                    null);
        }
        if (known != null && !known.wish().equals(wish)) {
            put(known.at(MoveRecord.Step.UNDOING));
            takeBack(records.get(id));
        }
        MoveRecord record = new MoveRecord(id, wish, MoveRecord.Step.PREPARING, "");
        put(record);
        try {
            mover.plan(wish).prepare();
            put(record.at(MoveRecord.Step.PREPARED));
        } catch (RuntimeException e) {
            put(record.at(MoveRecord.Step.UNDOING));
            tryTakeBack(records.get(id));
            throw new NetworkException(
                    "cannot prepare " + wish.to() + " for the address " + wish.address() + ": " + e.getMessage(), e);
        }
    }

    /** The VM runs at the target now: the address follows. Returns after the first try; {@link #work} goes on. */
    public synchronized void follow(String id, AddressWish wish) {
        put(new MoveRecord(id, wish, MoveRecord.Step.MOVING, ""));
        looks.remove(id);
        tryForward(records.get(id));
    }

    /** The VM stays at the source. Nothing happens when the move goes forward already, or was never prepared. */
    public synchronized void abandon(String id) {
        MoveRecord record = records.get(id);
        if (record != null && !record.isForward()) {
            put(record.at(MoveRecord.Step.UNDOING));
            tryTakeBack(records.get(id));
        }
    }

    /** Once after a start: decides the direction of what a crash interrupted, and goes on with all of it. */
    public synchronized void recover(Owner owner) {
        for (MoveRecord record : open()) {
            if (record.step() == MoveRecord.Step.PREPARING || record.step() == MoveRecord.Step.PREPARED) {
                switch (owner.of(record)) {
                    case TARGET -> put(record.at(MoveRecord.Step.MOVING));
                    case SOURCE -> put(record.at(MoveRecord.Step.UNDOING));
                    // What is prepared harms nobody; it is followed or abandoned as soon as somebody knows.
                    case UNKNOWN -> LOG.info("the address of {} waits until it is known who runs it", record.id());
                }
            }
        }
        work();
    }

    /** One more try of all that is under way. To be called about once a second while {@link #open} names anything. */
    public synchronized void work() {
        for (MoveRecord record : open()) {
            if (record.step() == MoveRecord.Step.UNDOING) {
                tryTakeBack(record);
            } else if (record.isForward()) {
                tryForward(record);
            }
        }
    }

    /** What is not done yet, each with its problem if it has one. */
    public synchronized List<MoveRecord> open() {
        return records.values().stream()
                .sorted(Comparator.comparing(MoveRecord::id))
                .toList();
    }

    public synchronized Optional<MoveRecord> find(String id) {
        return Optional.ofNullable(records.get(id));
    }

    private void tryForward(MoveRecord record) {
        try {
            AddressMove move = mover.plan(record.wish());
            if (record.step() == MoveRecord.Step.MOVING) {
                move.prepare();
                move.move();
                record = record.at(MoveRecord.Step.CONFIRMING);
                put(record);
            }
            if (move.isMoved() && dataPath.leadsToTarget(record.wish())) {
                forget(record.id());
                LOG.info(
                        "the address {} is at {}",
                        record.wish().address(),
                        record.wish().to());
            } else if (looks.merge(record.id(), 1, Integer::sum) >= LOOKS_BEFORE_REPEAT) {
                looks.remove(record.id());
                put(record.at(MoveRecord.Step.MOVING)
                        .withProblem("the cloud has not delivered it after " + LOOKS_BEFORE_REPEAT
                                + " looks; it is asked again"));
            }
        } catch (RuntimeException e) {
            problem(record, e);
        }
    }

    private void tryTakeBack(MoveRecord record) {
        try {
            takeBack(record);
        } catch (RuntimeException e) {
            problem(record, e);
        }
    }

    private void takeBack(MoveRecord record) {
        mover.plan(record.wish()).undo();
        forget(record.id());
    }

    private void problem(MoveRecord record, RuntimeException e) {
        String why = String.valueOf(e.getMessage());
        if (!why.equals(record.problem())) {
            LOG.warn(
                    "the address {} of {} stays {} for now: {}",
                    record.wish().address(),
                    record.id(),
                    record.step(),
                    why);
            put(record.withProblem(why));
        }
    }

    private void put(MoveRecord record) {
        log.put(record);
        records.put(record.id(), record);
    }

    private void forget(String id) {
        log.remove(id);
        records.remove(id);
        looks.remove(id);
    }
}
