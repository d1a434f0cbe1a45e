// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.azure.core.management.SubResource;
import com.azure.resourcemanager.compute.fluent.models.VirtualMachineInner;
import com.azure.resourcemanager.compute.models.BillingProfile;
import com.azure.resourcemanager.compute.models.DeleteOptions;
import com.azure.resourcemanager.compute.models.DiskCreateOptionTypes;
import com.azure.resourcemanager.compute.models.DiskDeleteOptionTypes;
import com.azure.resourcemanager.compute.models.HardwareProfile;
import com.azure.resourcemanager.compute.models.ImageReference;
import com.azure.resourcemanager.compute.models.LinuxConfiguration;
import com.azure.resourcemanager.compute.models.NetworkApiVersion;
import com.azure.resourcemanager.compute.models.NetworkProfile;
import com.azure.resourcemanager.compute.models.OSDisk;
import com.azure.resourcemanager.compute.models.OSProfile;
import com.azure.resourcemanager.compute.models.SshConfiguration;
import com.azure.resourcemanager.compute.models.SshPublicKey;
import com.azure.resourcemanager.compute.models.StorageProfile;
import com.azure.resourcemanager.compute.models.VirtualMachineEvictionPolicyTypes;
import com.azure.resourcemanager.compute.models.VirtualMachineNetworkInterfaceConfiguration;
import com.azure.resourcemanager.compute.models.VirtualMachineNetworkInterfaceIpConfiguration;
import com.azure.resourcemanager.compute.models.VirtualMachinePriorityTypes;
import com.azure.resourcemanager.compute.models.VirtualMachineSizeTypes;
import dev.lifeboat.control.cloud.TargetMarket.Offer;
import dev.lifeboat.control.cloud.TargetMarket.PriceClass;
import dev.lifeboat.control.cloud.TargetMarket.Purchase;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/**
 * The request for a host. Interface and disk are described inside of it and go with it: one call makes all three, one
 * deletes them, and a crash in between leaves nothing behind.
 */
final class HostDocument {
    /** Of a spot host: whatever the regular price is, so that only capacity evicts. */
    private static final double NO_PRICE_LIMIT = -1;

    private HostDocument() {}

    static VirtualMachineInner of(AzureSettings settings, String name, Purchase purchase, Offer offer) {
        VirtualMachineInner host = new VirtualMachineInner()
                .withLocation(settings.location())
                .withTags(Tags.of(purchase.fleet(), purchase.token()))
                .withHardwareProfile(new HardwareProfile().withVmSize(VirtualMachineSizeTypes.fromString(offer.size())))
                .withStorageProfile(new StorageProfile()
                        .withImageReference(image(settings.image()))
                        .withOsDisk(new OSDisk()
                                .withCreateOption(DiskCreateOptionTypes.FROM_IMAGE)
                                .withDeleteOption(DiskDeleteOptionTypes.DELETE)))
                .withOsProfile(user(settings, name, purchase.userData()))
                .withNetworkProfile(network(settings, name, purchase));
        if (!offer.zone().isBlank()) {
            host.withZones(List.of(offer.zone()));
        }
        if (offer.priceClass() == PriceClass.SPOT) {
            host.withPriority(VirtualMachinePriorityTypes.SPOT)
                    .withEvictionPolicy(
                            settings.deallocateOnEviction()
                                    ? VirtualMachineEvictionPolicyTypes.DEALLOCATE
                                    : VirtualMachineEvictionPolicyTypes.DELETE)
                    .withBillingProfile(new BillingProfile().withMaxPrice(NO_PRICE_LIMIT));
        } else {
            host.withPriority(VirtualMachinePriorityTypes.REGULAR);
        }
        return host;
    }

    private static ImageReference image(String image) {
        if (image.startsWith("/")) {
            return new ImageReference().withId(image);
        }
        String[] parts = image.split(":");
        return new ImageReference()
                .withPublisher(parts[0])
                .withOffer(parts[1])
                .withSku(parts[2])
                .withVersion(parts[3]);
    }

    private static OSProfile user(AzureSettings settings, String name, String userData) {
        String user = settings.adminUser();
        SshPublicKey key = new SshPublicKey()
                .withPath("/home/" + user + "/.ssh/authorized_keys")
                .withKeyData(settings.sshPublicKey());
        return new OSProfile()
                .withComputerName(name)
                .withAdminUsername(user)
                .withCustomData(Base64.getEncoder().encodeToString(userData.getBytes(StandardCharsets.UTF_8)))
                .withLinuxConfiguration(new LinuxConfiguration()
                        .withDisablePasswordAuthentication(true)
                        .withSsh(new SshConfiguration().withPublicKeys(List.of(key))));
    }

    private static NetworkProfile network(AzureSettings settings, String name, Purchase purchase) {
        Optional<SubResource> group = settings.securityGroup().map(id -> new SubResource().withId(id));
        VirtualMachineNetworkInterfaceConfiguration card = new VirtualMachineNetworkInterfaceConfiguration()
                .withName(name)
                .withTags(Tags.of(purchase.fleet(), purchase.token()))
                .withPrimary(true)
                .withDeleteOption(DeleteOptions.DELETE)
                // Guests' addresses leave by it, and a route may point to it.
                .withEnableIpForwarding(true)
                .withIpConfigurations(List.of(new VirtualMachineNetworkInterfaceIpConfiguration()
                        .withName("ipconfig1")
                        .withPrimary(true)
                        .withSubnet(new SubResource().withId(settings.subnet()))));
        group.ifPresent(card::withNetworkSecurityGroup);
        return new NetworkProfile()
                .withNetworkApiVersion(NetworkApiVersion.TWO_ZERO_TWO_TWO_ONE_ONE_ZERO_ONE)
                .withNetworkInterfaceConfigurations(List.of(card));
    }
}
