// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

import java.util.List;

/** Where a {@link PreemptionSource} reports to. Any thread. */
public interface SignalSink {
    /** Everything that the source knows to stand right now; what is missing since the last call is withdrawn. */
    void standing(String source, List<Signal> signals);

    /** The source could not look, and goes on trying. */
    void failed(String source, String why);
}
