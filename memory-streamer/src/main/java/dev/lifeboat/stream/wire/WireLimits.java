// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

/**
 * Time limits of a connection (invariant I9).
 *
 * @param connectMs to connect, and again for the TLS handshake
 * @param silenceMs a peer not heard of for so long is gone; heartbeats go out four times as often
 */
public record WireLimits(int connectMs, int silenceMs) {
    /** An emulated host under load may stand still for a second or two. */
    public static WireLimits defaults() {
        return new WireLimits(10_000, 6_000);
    }
}
