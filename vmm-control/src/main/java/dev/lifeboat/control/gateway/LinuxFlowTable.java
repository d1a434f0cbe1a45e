// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.gateway;

import dev.lifeboat.control.Fabrics;
import dev.lifeboat.net.Flow;
import dev.lifeboat.net.GatewayForwarding;
import dev.lifeboat.net.MacAddress;
import java.util.Map;
import java.util.TreeMap;

/** {@link FlowTable} in the kernel's bridge and VXLAN. */
final class LinuxFlowTable implements FlowTable {
    private final GatewayForwarding forwarding = GatewayForwarding.open();

    LinuxFlowTable(GatewayConfig config) {
        forwarding.ensureFabric(Fabrics.config(config.network(), config.hosts(), config.clientInterfaces()));
    }

    @Override
    public void point(String mac, String vtep, long term) {
        forwarding.pointFlow(MacAddress.parse(mac), Fabrics.address(vtep), term);
    }

    @Override
    public void drop(String mac) {
        forwarding.dropFlow(MacAddress.parse(mac));
    }

    @Override
    public Map<String, String> flows() {
        Map<String, String> flows = new TreeMap<>();
        for (Flow flow : forwarding.flows()) {
            flows.put(flow.mac().toString(), flow.vtep().getHostAddress());
        }
        return flows;
    }

    @Override
    public void close() {
        forwarding.close();
    }
}
