// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net.address;

/**
 * What is written down of one address move before the cloud is asked for its next step.
 *
 * @param id of what the address belongs to, such as a VM; one move at a time for each
 * @param step that may have been begun
 * @param problem why the step did not succeed the last time it was tried; empty when it was not tried or did
 */
public record MoveRecord(String id, AddressWish wish, Step step, String problem) {
    public enum Step {
        /** The source has the address; the target may know of it. */
        PREPARING,
        /** The target is ready to take it, should the VM come. */
        PREPARED,
        /** The VM has left the source: the address follows, whatever it takes. */
        MOVING,
        /** The cloud has been asked; it has not been seen to be true yet. */
        CONFIRMING,
        /** The VM stays: what was prepared is taken back. */
        UNDOING
    }

    public MoveRecord {
        problem = problem == null ? "" : problem;
    }

    MoveRecord at(Step next) {
        return new MoveRecord(id, wish, next, "");
    }

    MoveRecord withProblem(String why) {
        return new MoveRecord(id, wish, step, why);
    }

    boolean isForward() {
        return step == Step.MOVING || step == Step.CONFIRMING;
    }
}
