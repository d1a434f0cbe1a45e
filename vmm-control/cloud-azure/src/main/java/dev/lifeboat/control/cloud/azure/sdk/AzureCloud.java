// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.azure.core.util.BinaryData;
import com.azure.core.util.Context;
import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.TargetMarket;
import dev.lifeboat.control.cloud.TargetMarket.Offer;
import dev.lifeboat.control.cloud.TargetMarket.PriceClass;
import dev.lifeboat.control.cloud.TargetMarket.Purchase;
import dev.lifeboat.control.cloud.Volumes;
import dev.lifeboat.net.address.AddressMover;
import java.util.List;

/** One resource group of one subscription. Any thread. */
final class AzureCloud implements Cloud {
    private final Arm arm;
    private final AzureMarket market;
    private final AzureVolumes volumes;
    private final Interfaces interfaces;
    private final AzureAddresses addresses;

    AzureCloud(Arm arm) {
        this.arm = arm;
        market = new AzureMarket(arm);
        volumes = new AzureVolumes(arm, market);
        interfaces = new Interfaces(arm, market);
        addresses = new AzureAddresses(arm, interfaces);
    }

    @Override
    public CloudKind kind() {
        return CloudKind.AZURE;
    }

    @Override
    public TargetMarket market() {
        return market;
    }

    @Override
    public Volumes volumes() {
        return volumes;
    }

    @Override
    public AddressMover addresses() {
        return addresses;
    }

    /** None: Azure announces evictions to the host itself, by scheduled events. */
    @Override
    public List<PreemptionSource> sources() {
        return List.of();
    }

    @Override
    public void rehearse(String instanceId) {
        arm.begin(
                Permission.REHEARSE,
                "simulate an eviction of VM " + instanceId,
                () -> arm.compute()
                        .getVirtualMachines()
                        .simulateEvictionWithResponse(arm.settings().group(), instanceId, Context.NONE));
    }

    @Override
    public List<Finding> check() {
        return new AzureCheck(arm).run();
    }

    @Override
    public void warmUp() {
        // A machine that is not there: connection, token, answers and refusals, all in one small call.
        market.bought("warm-up");
        arm.find(
                Permission.READ_INTERFACE,
                "read interface lb-warm-up",
                () -> arm.network()
                        .getNetworkInterfaces()
                        .getByResourceGroup(arm.settings().group(), "lb-warm-up"));
        // And the classes of the largest request, without sending it.
        Offer offer = new Offer("Standard_D2s_v5", "1", PriceClass.SPOT, 0, 0);
        Purchase purchase = new Purchase("warm-up", "warm-up", List.of(offer), "#");
        BinaryData.fromObject(HostDocument.of(arm.settings(), "lb-warm-up", purchase, offer))
                .getLength();
    }

    /** Nothing to close: the JDK's client ends with its last user. */
    @Override
    public void close() {}
}
