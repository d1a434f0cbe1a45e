// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud;

/**
 * One place where a cloud announces the end of a host. {@link #watch} looks until its thread is interrupted: no error
 * ever stops it, each is told to the sink, for a service that is away now may have the notice next.
 */
public interface PreemptionSource {
    /** Unique among the sources of a process, such as {@code aws-spot-action}. */
    String name();

    void watch(SignalSink sink) throws InterruptedException;
}
