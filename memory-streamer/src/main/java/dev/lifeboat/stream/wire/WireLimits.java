// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.wire;

/**
 * Time limits of a connection (invariant I9).
 *
 * @param connectMs to connect
 * @param handshakeMs for the TLS handshake; the first one of a process loads classes and checks certificates slowly
 * @param silenceMs a peer not heard of for so long after the handshake is gone; heartbeats go out four times as often
 */
public record WireLimits(int connectMs, int handshakeMs, int silenceMs) {
    /** An emulated host under load may stand still for a second or two. */
    public static WireLimits defaults() {
        return new WireLimits(10_000, 20_000, 6_000);
    }
}
