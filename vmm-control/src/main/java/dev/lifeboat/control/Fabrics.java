// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control;

import dev.lifeboat.net.FabricConfig;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;

/** From the configuration files' network section to the one of {@code dev.lifeboat.net}. */
public final class Fabrics {
    private Fabrics() {}

    /**
     * @param floodTo underlay addresses that get broadcasts
     * @param ports interfaces towards clients
     */
    public static FabricConfig config(NetworkConfig network, List<String> floodTo, List<String> ports) {
        try {
            return new FabricConfig(
                    network.bridge().orElse(FabricConfig.DEFAULT_BRIDGE),
                    network.vxlan().orElse(FabricConfig.DEFAULT_VXLAN),
                    network.vni(),
                    network.port().orElse(FabricConfig.DEFAULT_PORT),
                    address(network.underlayAddress()),
                    floodTo.stream().map(Fabrics::address).toList(),
                    ports,
                    network.mtuBytes().orElse(FabricConfig.DEFAULT_MTU_BYTES));
        } catch (IllegalArgumentException e) {
            throw new ControlException(ExitCode.USAGE, "\"network\": " + e.getMessage(), e);
        }
    }

    /** Numeric addresses only: a name server's answer must not decide where a guest's frames go. */
    public static InetAddress address(String text) {
        if (!text.matches("[0-9a-fA-F:.]+")) {
            throw new ControlException(ExitCode.USAGE, "\"" + text + "\" is not a numeric IP address");
        }
        try {
            return InetAddress.getByName(text);
        } catch (UnknownHostException e) {
            throw new ControlException(ExitCode.USAGE, "\"" + text + "\" is not an IP address", e);
        }
    }
}
