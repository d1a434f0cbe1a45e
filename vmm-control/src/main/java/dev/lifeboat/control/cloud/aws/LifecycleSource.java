// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws;

import dev.lifeboat.control.cloud.Clocks;
import dev.lifeboat.control.cloud.LookingSource;
import dev.lifeboat.control.cloud.Signal;
import java.io.IOException;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The state that an Auto Scaling group wants for its instance: a group that shrinks or rebalances says so here only. Runs
 * on its thread {@code signal-aws-lifecycle}.
 */
final class LifecycleSource extends LookingSource {
    static final String NAME = "aws-lifecycle";
    static final String PATH = "/latest/meta-data/autoscaling/target-lifecycle-state";
    /** Without a lifecycle hook the group terminates at once; what is left is the time the system takes to go down. */
    private static final long ASSUMED_MS = 30_000;

    private static final Set<String> LEAVING = Set.of("Terminated", "Stopped", "Hibernated", "Standby", "Detached");

    private final Imds imds;
    private final Clocks clocks;

    LifecycleSource(Imds imds, Clocks clocks, long pollMs) {
        super(NAME, pollMs);
        this.imds = imds;
        this.clocks = clocks;
    }

    @Override
    protected List<Signal> look() throws IOException {
        String state = imds.get(PATH).map(answer -> answer.body()).orElse("InService");
        if (!LEAVING.contains(state)) {
            return List.of();
        }
        boolean ends = state.equals("Terminated") || state.equals("Stopped") || state.equals("Hibernated");
        return List.of(new Signal(
                NAME,
                "",
                state,
                ends ? Signal.Kind.NOTICE : Signal.Kind.HINT,
                ends ? "terminate" : state,
                ends ? OptionalLong.of(clocks.inMillis(ASSUMED_MS)) : OptionalLong.empty(),
                Signal.Confidence.MEDIUM,
                "the Auto Scaling group wants this instance " + state));
    }
}
