// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.gateway;

import dev.lifeboat.control.Fabrics;
import dev.lifeboat.net.Flow;
import dev.lifeboat.net.GatewayForwarding;
import dev.lifeboat.net.MacAddress;
import java.net.InetAddress;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** {@link FlowTable} in the kernel's bridge and VXLAN. */
final class LinuxFlowTable implements FlowTable {
    private final GatewayForwarding forwarding = GatewayForwarding.open();
    private final List<String> configured;

    LinuxFlowTable(GatewayConfig config) {
        configured = config.hosts();
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
    public synchronized void admit(List<String> vteps) {
        Set<InetAddress> wanted = Stream.concat(configured.stream(), vteps.stream())
                .map(Fabrics::address)
                .collect(Collectors.toSet());
        Set<InetAddress> there = new HashSet<>(forwarding.hosts());
        wanted.stream().filter(vtep -> !there.contains(vtep)).forEach(forwarding::addHost);
        there.stream().filter(vtep -> !wanted.contains(vtep)).forEach(forwarding::removeHost);
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
