// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.gateway;

import dev.lifeboat.control.NetworkConfig;
import dev.lifeboat.vmm.VmmConfig;
import java.util.List;

/**
 * {@code gateway.json}; docs/operations.md shows one.
 *
 * @param host this machine's name in the fleet
 * @param listen {@code address:port} of the HTTPS API
 * @param hosts underlay addresses of all hosts
 * @param clientInterfaces existing interfaces towards the clients, which become ports of the bridge
 */
public record GatewayConfig(
        String host,
        String listen,
        VmmConfig.Tls tls,
        NetworkConfig network,
        List<String> hosts,
        List<String> clientInterfaces) {
    public GatewayConfig {
        require(host != null, "\"host\" is missing: this machine's name in the fleet");
        require(listen != null, "\"listen\" is missing: ADDRESS:PORT of the HTTPS API, such as 0.0.0.0:7444");
        require(
                tls != null && tls.authority() != null && tls.certificate() != null && tls.key() != null,
                "\"tls\" needs \"authority\", \"certificate\" and \"key\"; make the files with: lifeboat certs");
        require(network != null, "\"network\" is missing");
        hosts = hosts == null ? List.of() : List.copyOf(hosts);
        clientInterfaces = clientInterfaces == null ? List.of() : List.copyOf(clientInterfaces);
    }

    private static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }
}
