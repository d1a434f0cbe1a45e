// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import java.util.List;
import java.util.Optional;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.Filter;
import software.amazon.awssdk.services.ec2.model.NetworkInterface;

/** What EC2 says of network interfaces. Any thread. */
record Interfaces(Ec2Client ec2) {
    /** The one that an instance was made with. */
    NetworkInterface first(String instanceId) {
        return of(instanceId).stream()
                .filter(found -> found.attachment().deviceIndex() == 0)
                .findFirst()
                .orElseThrow(() -> new CloudException(
                        Kind.NOT_FOUND, "instance " + instanceId + " has no network interface: is it running?"));
    }

    List<NetworkInterface> of(String instanceId) {
        return list("see the network interfaces of " + instanceId, "attachment.instance-id", instanceId);
    }

    /** Anew. */
    NetworkInterface read(String interfaceId) {
        return list("see network interface " + interfaceId, "network-interface-id", interfaceId).stream()
                .findFirst()
                .orElseThrow(() -> new CloudException(
                        Kind.NOT_FOUND, "network interface " + interfaceId + " is gone: plan the move again"));
    }

    Optional<NetworkInterface> withAddress(String address, String vpc) {
        return AwsErrors.look(
                        AwsPermission.DESCRIBE_NETWORK_INTERFACES,
                        "see which network interface has " + address,
                        () -> ec2.describeNetworkInterfaces(request -> request.filters(
                                        filter("addresses.private-ip-address", address), filter("vpc-id", vpc)))
                                .networkInterfaces())
                .stream()
                .findFirst();
    }

    private List<NetworkInterface> list(String attempted, String filter, String value) {
        return AwsErrors.look(
                AwsPermission.DESCRIBE_NETWORK_INTERFACES,
                attempted,
                () -> ec2.describeNetworkInterfaces(request -> request.filters(filter(filter, value)))
                        .networkInterfaces());
    }

    static Filter filter(String name, String value) {
        return Filter.builder().name(name).values(value).build();
    }
}
