// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control;

import java.util.Optional;

/**
 * One machine's part of the fabric, in {@code agent.json} and {@code gateway.json}. What is left out is
 * {@code dev.lifeboat.net}'s default.
 *
 * @param underlayAddress this machine's address that tunnels and migration use
 * @param vni VXLAN network number, equal in the whole fleet
 */
public record NetworkConfig(
        String underlayAddress,
        int vni,
        Optional<String> bridge,
        Optional<String> vxlan,
        Optional<Integer> port,
        Optional<Integer> mtuBytes) {
    public NetworkConfig {
        if (underlayAddress == null || underlayAddress.isBlank()) {
            throw new IllegalArgumentException("\"network.underlayAddress\" is missing");
        }
        bridge = bridge == null ? Optional.empty() : bridge;
        vxlan = vxlan == null ? Optional.empty() : vxlan;
        port = port == null ? Optional.empty() : port;
        mtuBytes = mtuBytes == null ? Optional.empty() : mtuBytes;
    }
}
