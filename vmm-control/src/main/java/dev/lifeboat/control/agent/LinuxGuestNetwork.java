// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import dev.lifeboat.control.Fabrics;
import dev.lifeboat.net.Announcer;
import dev.lifeboat.net.FabricConfig;
import dev.lifeboat.net.HostNetwork;
import dev.lifeboat.net.MacAddress;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@link GuestNetwork} by the kernel's bridge and VXLAN. */
final class LinuxGuestNetwork implements GuestNetwork {
    private static final Logger LOG = LoggerFactory.getLogger(LinuxGuestNetwork.class);

    private final HostNetwork network = HostNetwork.open();
    private final FabricConfig fabric;
    /** Opened once: sockets and thread are there before the blackout needs them. */
    private Optional<Announcer> announcer = Optional.empty();

    LinuxGuestNetwork(AgentConfig config) {
        List<String> gateways = config.gateway()
                .flatMap(AgentConfig.GatewayAt::underlayAddress)
                .map(List::of)
                .orElse(List.of());
        fabric = Fabrics.config(config.network().orElseThrow(), gateways, List.of());
    }

    @Override
    public synchronized void ensureFabric() {
        network.ensureFabric(fabric);
        announcer.ifPresent(Announcer::close);
        announcer = Optional.of(network.announcer());
    }

    @Override
    public void createTap(String tap, String mac) {
        network.createTap(tap, MacAddress.parse(mac));
    }

    @Override
    public void receiveBroadcasts(String tap, boolean on) {
        network.receiveBroadcasts(tap, on);
    }

    @Override
    public void removeTap(String tap) {
        network.removeTap(tap);
    }

    @Override
    public synchronized void announce(String mac) {
        announcer
                .orElseThrow(() -> new IllegalStateException("ensureFabric comes first"))
                .announce(MacAddress.parse(mac), Optional.empty())
                .whenComplete((rounds, failure) -> {
                    if (failure != null && !(failure instanceof CancellationException)) {
                        LOG.warn("announcing {} again failed: {}", mac, failure.getMessage());
                    }
                });
    }

    @Override
    public synchronized void close() {
        announcer.ifPresent(Announcer::close);
        network.close();
    }
}
