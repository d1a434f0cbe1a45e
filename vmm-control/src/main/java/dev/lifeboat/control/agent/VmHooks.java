// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import java.util.List;
import java.util.Optional;

/**
 * Commands around a VM's moves, run by agents as their own user, with {@code LIFEBOAT_VM}, {@code LIFEBOAT_SOURCE}, {@code
 * LIFEBOAT_TARGET} and {@code LIFEBOAT_DEADLINE_MS} (what is left) in the environment.
 *
 * @param gate on a host that is to restore or receive the VM, before it starts to: must succeed (is its licence free?), or
 *     the next target is tried, and the source goes on
 * @param beforeMove on the source, before the first attempt; its failure is told and stops nothing
 * @param afterMove on the target, when the VM runs there; its failure is told
 */
public record VmHooks(Optional<Hook> gate, Optional<Hook> beforeMove, Optional<Hook> afterMove) {
    public static final VmHooks NONE = new VmHooks(Optional.empty(), Optional.empty(), Optional.empty());

    public VmHooks {
        gate = gate == null ? Optional.empty() : gate;
        beforeMove = beforeMove == null ? Optional.empty() : beforeMove;
        afterMove = afterMove == null ? Optional.empty() : afterMove;
    }

    /**
     * @param command program and arguments; no shell
     * @param limitMillis 10 s unless set, at most a minute: it is time that the evacuation does not have
     */
    public record Hook(List<String> command, Optional<Long> limitMillis) {
        private static final long DEFAULT_LIMIT_MS = 10_000;
        private static final long MOST_MS = 60_000;

        public Hook {
            if (command == null || command.isEmpty()) {
                throw new IllegalArgumentException("a hook needs a \"command\": [\"/path/of/program\", \"argument\"]");
            }
            command = List.copyOf(command);
            limitMillis = limitMillis == null ? Optional.empty() : limitMillis;
            long limit = limitMillis.orElse(DEFAULT_LIMIT_MS);
            if (limit < 1 || limit > MOST_MS) {
                throw new IllegalArgumentException(
                        "a hook's \"limitMillis\" must be 1 to " + MOST_MS + ", not " + limit);
            }
        }

        long limitMs() {
            return limitMillis.orElse(DEFAULT_LIMIT_MS);
        }
    }
}
