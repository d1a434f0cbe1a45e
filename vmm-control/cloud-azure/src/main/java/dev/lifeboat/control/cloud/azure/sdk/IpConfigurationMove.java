// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.azure.resourcemanager.network.fluent.models.NetworkInterfaceInner;
import com.azure.resourcemanager.network.fluent.models.NetworkInterfaceIpConfigurationInner;
import com.azure.resourcemanager.network.fluent.models.SubnetInner;
import com.azure.resourcemanager.network.models.IpAllocationMethod;
import com.azure.resourcemanager.network.models.IpVersion;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressWish;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A second address that leaves one interface and enters another. Azure lets no two interfaces have it, so that it is
 * nowhere for the time of one call: the source's tunnel carries the guest meanwhile. One thread at a time.
 */
final class IpConfigurationMove implements AddressMove {
    private final Interfaces interfaces;
    private final AddressWish wish;
    private final String fromId;
    private final String toId;
    private final String subnetId;

    private IpConfigurationMove(Interfaces interfaces, AddressWish wish, String fromId, String toId, String subnetId) {
        this.interfaces = interfaces;
        this.wish = wish;
        this.fromId = fromId;
        this.toId = toId;
        this.subnetId = subnetId;
    }

    static IpConfigurationMove plan(Interfaces interfaces, AddressWish wish) {
        String fromId = interfaces.of(wish.from());
        String toId = interfaces.of(wish.to());
        NetworkInterfaceInner from = interfaces.read(fromId);
        NetworkInterfaceInner to = interfaces.read(toId);
        for (NetworkInterfaceInner card : List.of(from, to)) {
            if (wish.address().equals(Interfaces.primary(card).privateIpAddress())) {
                throw AzureAddresses.cannot(
                        wish, "it is the first address of " + card.name() + ", and only further ones move", null);
            }
        }
        String source = Interfaces.primary(from).subnet().id();
        String target = Interfaces.primary(to).subnet().id();
        if (!source.equalsIgnoreCase(target)) {
            throw AzureAddresses.cannot(
                    wish, "the hosts are in different subnets (" + source + ", " + target + "); use a route", null);
        }
        // Neither has it after a crash between the two calls: it is on its way, and the plan holds.
        return new IpConfigurationMove(interfaces, wish, fromId, toId, source);
    }

    @Override
    public AddressWish wish() {
        return wish;
    }

    @Override
    public void prepare() {
        // The target cannot take it while the source has it.
    }

    @Override
    public void move() {
        remove(fromId);
        add(toId);
    }

    @Override
    public boolean isMoved() {
        return holds(interfaces.read(toId)).isPresent()
                && holds(interfaces.read(fromId)).isEmpty();
    }

    @Override
    public void undo() {
        remove(toId);
        add(fromId);
    }

    private Optional<NetworkInterfaceIpConfigurationInner> holds(NetworkInterfaceInner card) {
        return card.ipConfigurations().stream()
                .filter(ip -> wish.address().equals(ip.privateIpAddress()))
                .findFirst();
    }

    private void remove(String cardId) {
        interfaces.change(cardId, "take " + wish.address() + " from interface " + Arm.name(cardId), card -> {
            Optional<NetworkInterfaceIpConfigurationInner> there = holds(card);
            there.ifPresent(ip -> {
                List<NetworkInterfaceIpConfigurationInner> rest = new ArrayList<>(card.ipConfigurations());
                rest.remove(ip);
                card.withIpConfigurations(rest);
            });
            return there.isPresent();
        });
    }

    private void add(String cardId) {
        interfaces.change(cardId, "give " + wish.address() + " to interface " + Arm.name(cardId), card -> {
            if (holds(card).isPresent()) {
                return false;
            }
            List<NetworkInterfaceIpConfigurationInner> more = new ArrayList<>(card.ipConfigurations());
            more.add(new NetworkInterfaceIpConfigurationInner()
                    .withName("lifeboat-" + wish.address().replaceAll("[^0-9a-fA-F]", "-"))
                    .withPrimary(false)
                    .withPrivateIpAddress(wish.address())
                    .withPrivateIpAllocationMethod(IpAllocationMethod.STATIC)
                    .withPrivateIpAddressVersion(wish.address().contains(":") ? IpVersion.IPV6 : IpVersion.IPV4)
                    .withSubnet(new SubnetInner().withId(subnetId)));
            card.withIpConfigurations(more);
            return true;
        });
    }
}
