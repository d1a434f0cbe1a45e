// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.net;

import dev.lifeboat.linux.LinuxException;
import java.net.InetAddress;
import java.util.List;

/** A main class: can this process make a namespace with a fabric and a tap in it? Exit code 0, or 1 and the reason. */
public final class NetworkProbe {
    private NetworkProbe() {}

    public static void main(String[] arguments) throws Exception {
        try (TestNamespace namespace = new TestNamespace("probe");
                HostNetwork host = namespace.call(HostNetwork::open)) {
            host.ensureFabric(FabricConfig.host(1, InetAddress.getByName("127.0.0.1"), List.of()));
            namespace.call(() -> {
                host.createTap("probe0", MacAddress.parse("52:54:00:00:00:01"));
                return null;
            });
        } catch (LinuxException | NetworkException e) {
            System.out.println(e.getMessage());
            System.exit(1);
        }
    }
}
