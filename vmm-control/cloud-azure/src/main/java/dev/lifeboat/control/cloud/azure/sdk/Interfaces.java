// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.azure.resourcemanager.network.fluent.models.NetworkInterfaceInner;
import com.azure.resourcemanager.network.fluent.models.NetworkInterfaceIpConfigurationInner;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import java.util.function.Predicate;

/**
 * Network interfaces of instances, changed as a whole: read, altered, written under the etag that was read, and once more
 * from the start when somebody else was faster. Any thread.
 */
final class Interfaces {
    private static final int MAX_TRIES = 5;
    private static final int PRECONDITION_FAILED = 412;

    private final Arm arm;
    private final AzureMarket market;

    Interfaces(Arm arm, AzureMarket market) {
        this.arm = arm;
        this.market = market;
    }

    /** The full id of the interface that the instance's own address is on. */
    String of(String instanceId) {
        return market.machine(instanceId)
                .flatMap(AzureMarket::primaryInterface)
                .orElseThrow(() -> new CloudException(
                        Kind.NOT_FOUND, "azure: no VM " + instanceId + " with an interface; it was deleted"));
    }

    NetworkInterfaceInner read(String id) {
        return arm.read(
                Permission.READ_INTERFACE,
                "read interface " + Arm.name(id),
                () -> arm.network().getNetworkInterfaces().getByResourceGroup(Arm.group(id), Arm.name(id)));
    }

    static NetworkInterfaceIpConfigurationInner primary(NetworkInterfaceInner card) {
        return card.ipConfigurations().stream()
                .filter(ip -> Boolean.TRUE.equals(ip.primary()))
                .findFirst()
                .orElseGet(() -> card.ipConfigurations().get(0));
    }

    /** @param alteration whether it has altered anything; nothing is written unless it has */
    void change(String id, String attempted, Predicate<NetworkInterfaceInner> alteration) {
        for (int attempt = 1; ; attempt++) {
            NetworkInterfaceInner card = read(id);
            if (!alteration.test(card)) {
                return;
            }
            try {
                arm.change(
                        Permission.BUY_INTERFACE,
                        attempted,
                        () -> arm.network()
                                .getNetworkInterfaces()
                                .beginCreateOrUpdate(Arm.group(id), Arm.name(id), card, Arm.ifMatch(card.etag())));
                return;
            } catch (CloudException e) {
                // Also the SDK's repetition of a request whose answer was lost meets its own new etag here.
                if (AzureFailures.status(e) != PRECONDITION_FAILED || attempt == MAX_TRIES) {
                    throw e;
                }
                arm.pause(attempted);
            }
        }
    }
}
