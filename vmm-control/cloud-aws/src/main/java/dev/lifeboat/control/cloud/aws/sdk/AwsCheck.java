// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.cloud.Cloud.Finding;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.LocationType;
import software.amazon.awssdk.services.ec2.model.NestedVirtualizationSpecification;
import software.amazon.awssdk.services.ec2.model.RunInstancesRequest;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;

/**
 * Tries every call, reads for real and changes as EC2's dry runs: with names of things that do not exist, so that not even
 * a service that forgets the dry run would change anything. iam:PassRole shows in RunInstances. Caller's thread.
 */
final class AwsCheck {
    private static final String INSTANCE = "i-00000000000000000";
    private static final String VOLUME = "vol-00000000000000000";
    private static final String INTERFACE = "eni-00000000000000000";
    private static final String TABLE = "rtb-00000000000000000";
    private static final String ALLOCATION = "eipalloc-00000000000000000";
    private static final String ATTACHMENT = "eni-attach-00000000000000000";
    /** For documentation, RFC 5737. */
    private static final String ADDRESS = "192.0.2.1";

    private static final String TEMPLATE = "EXT000000000000000";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final AwsSettings settings;
    private final AwsClients clients;
    private final Ec2Client ec2;
    private final List<Finding> findings = new ArrayList<>();

    AwsCheck(AwsSettings settings, AwsClients clients) {
        this.settings = settings;
        this.clients = clients;
        ec2 = clients.ec2();
    }

    List<Finding> all() {
        sizes();
        buying();
        releasing();
        volumes();
        addresses();
        events();
        rehearsing();
        return List.copyOf(findings);
    }

    private void sizes() {
        attempt(AwsPermission.DESCRIBE_INSTANCE_TYPES, () -> ec2.describeInstanceTypes(r -> r.maxResults(5)));
        attempt(
                AwsPermission.DESCRIBE_INSTANCE_TYPE_OFFERINGS,
                () -> ec2.describeInstanceTypeOfferings(
                        r -> r.locationType(LocationType.AVAILABILITY_ZONE).maxResults(5)));
        attempt(AwsPermission.DESCRIBE_AVAILABILITY_ZONES, () -> ec2.describeAvailabilityZones());
        attempt(AwsPermission.DESCRIBE_SPOT_PRICE_HISTORY, () -> ec2.describeSpotPriceHistory(r -> r.maxResults(5)));
        attempt(
                AwsPermission.GET_SPOT_PLACEMENT_SCORES,
                () -> ec2.getSpotPlacementScores(r -> r.dryRun(true)
                        .instanceTypes("m8i.large", "c8i.large", "r8i.large")
                        .targetCapacity(1)
                        .regionNames(settings.region())));
    }

    void buying() {
        attempt(AwsPermission.DESCRIBE_INSTANCES, () -> ec2.describeInstances(r -> r.maxResults(5)));
        attempt(
                AwsPermission.CREATE_LAUNCH_TEMPLATE,
                () -> ec2.createLaunchTemplate(r -> r.dryRun(true)
                        .launchTemplateName("lifeboat-check")
                        .launchTemplateData(
                                data -> data.imageId(settings.image().orElse("ami-00000000000000000")))));
        attempt(AwsPermission.DESCRIBE_LAUNCH_TEMPLATES, () -> ec2.describeLaunchTemplates(r -> r.maxResults(5)));
        attempt(
                AwsPermission.CREATE_FLEET,
                () -> ec2.createFleet(r -> r.dryRun(true)
                        .type("instant")
                        .clientToken("lifeboat-check")
                        .launchTemplateConfigs(config -> config.launchTemplateSpecification(spec ->
                                spec.launchTemplateName("lifeboat-check").version("1")))
                        .targetCapacitySpecification(
                                target -> target.totalTargetCapacity(1).defaultTargetCapacityType("spot"))));
        attempt(AwsPermission.RUN_INSTANCES, () -> ec2.runInstances(host()));
    }

    private RunInstancesRequest host() {
        RunInstancesRequest.Builder host = RunInstancesRequest.builder()
                .dryRun(true)
                .clientToken("lifeboat-check")
                .minCount(1)
                .maxCount(1)
                .instanceType("m8i.large")
                .imageId(settings.image().orElse("ami-00000000000000000"))
                .cpuOptions(cpu -> cpu.nestedVirtualization(NestedVirtualizationSpecification.ENABLED));
        settings.subnets().values().stream().sorted().findFirst().ifPresent(host::subnetId);
        settings.instanceProfile()
                .ifPresent(profile -> host.iamInstanceProfile(iam -> {
                    if (profile.startsWith("arn:")) {
                        iam.arn(profile);
                    } else {
                        iam.name(profile);
                    }
                }));
        return host.build();
    }

    private void releasing() {
        attempt(
                AwsPermission.DELETE_LAUNCH_TEMPLATE,
                () -> ec2.deleteLaunchTemplate(r -> r.dryRun(true).launchTemplateName("lifeboat-check")));
        attempt(
                AwsPermission.TERMINATE_INSTANCES,
                () -> ec2.terminateInstances(r -> r.dryRun(true).instanceIds(INSTANCE)));
        attempt(
                AwsPermission.STOP_INSTANCES,
                () -> ec2.stopInstances(r -> r.dryRun(true).instanceIds(INSTANCE)));
        attempt(
                AwsPermission.START_INSTANCES,
                () -> ec2.startInstances(r -> r.dryRun(true).instanceIds(INSTANCE)));
        attempt(
                AwsPermission.DELETE_VOLUME,
                () -> ec2.deleteVolume(r -> r.dryRun(true).volumeId(VOLUME)));
    }

    private void volumes() {
        attempt(
                AwsPermission.CREATE_VOLUME,
                () -> ec2.createVolume(r -> r.dryRun(true)
                        .clientToken("lifeboat-check")
                        .availabilityZone(settings.zone().orElse(settings.region() + "a"))
                        .size(1)));
        attempt(AwsPermission.DESCRIBE_VOLUMES, () -> ec2.describeVolumes(r -> r.maxResults(5)));
        attempt(
                AwsPermission.ATTACH_VOLUME,
                () -> ec2.attachVolume(r ->
                        r.dryRun(true).volumeId(VOLUME).instanceId(INSTANCE).device("/dev/sdf")));
        attempt(
                AwsPermission.DETACH_VOLUME,
                () -> ec2.detachVolume(r -> r.dryRun(true).volumeId(VOLUME).instanceId(INSTANCE)));
    }

    private void addresses() {
        attempt(AwsPermission.DESCRIBE_NETWORK_INTERFACES, () -> ec2.describeNetworkInterfaces(r -> r.maxResults(5)));
        attempt(AwsPermission.DESCRIBE_ROUTE_TABLES, () -> ec2.describeRouteTables(r -> r.maxResults(5)));
        attempt(AwsPermission.DESCRIBE_ADDRESSES, () -> ec2.describeAddresses());
        // These two calls have no dry run: an interface that does not exist takes its place.
        attempt(
                AwsPermission.ASSIGN_PRIVATE_IP_ADDRESSES,
                () -> ec2.assignPrivateIpAddresses(
                        r -> r.networkInterfaceId(INTERFACE).privateIpAddresses(ADDRESS)));
        attempt(
                AwsPermission.UNASSIGN_PRIVATE_IP_ADDRESSES,
                () -> ec2.unassignPrivateIpAddresses(
                        r -> r.networkInterfaceId(INTERFACE).privateIpAddresses(ADDRESS)));
        attempt(
                AwsPermission.REPLACE_ROUTE,
                () -> ec2.replaceRoute(r -> r.dryRun(true)
                        .routeTableId(TABLE)
                        .destinationCidrBlock(ADDRESS + "/32")
                        .networkInterfaceId(INTERFACE)));
        attempt(
                AwsPermission.MODIFY_NETWORK_INTERFACE_ATTRIBUTE,
                () -> ec2.modifyNetworkInterfaceAttribute(r ->
                        r.dryRun(true).networkInterfaceId(INTERFACE).sourceDestCheck(value -> value.value(false))));
        attempt(
                AwsPermission.ASSOCIATE_ADDRESS,
                () -> ec2.associateAddress(
                        r -> r.dryRun(true).allocationId(ALLOCATION).networkInterfaceId(INTERFACE)));
        attempt(
                AwsPermission.ATTACH_NETWORK_INTERFACE,
                () -> ec2.attachNetworkInterface(r -> r.dryRun(true)
                        .networkInterfaceId(INTERFACE)
                        .instanceId(INSTANCE)
                        .deviceIndex(1)));
        attempt(
                AwsPermission.DETACH_NETWORK_INTERFACE,
                () -> ec2.detachNetworkInterface(r -> r.dryRun(true).attachmentId(ATTACHMENT)));
    }

    private void events() {
        settings.queueUrl()
                .ifPresent(queue -> attempt(
                        AwsPermission.GET_QUEUE_ATTRIBUTES,
                        () -> clients.sqs()
                                .getQueueAttributes(r -> r.queueUrl(queue.toString())
                                        .attributeNames(QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES))));
    }

    /** With names of what does not exist, and a template without content, which none can be made of. */
    private void rehearsing() {
        if (settings.fisRole().isEmpty()) {
            return;
        }
        FaultInjection faults = clients.faults();
        ObjectNode nothing = JSON.createObjectNode();
        attempt(AwsPermission.CREATE_EXPERIMENT_TEMPLATE, () -> faults.createTemplate(nothing));
        attempt(
                AwsPermission.START_EXPERIMENT,
                () -> faults.startExperiment(JSON.createObjectNode()
                        .put("clientToken", "lifeboat-check")
                        .put("experimentTemplateId", TEMPLATE)));
        attempt(AwsPermission.GET_EXPERIMENT, () -> faults.state("EXP000000000000000"));
        attempt(AwsPermission.DELETE_EXPERIMENT_TEMPLATE, () -> {
            faults.deleteTemplate(TEMPLATE);
            return TEMPLATE;
        });
    }

    private void attempt(AwsPermission permission, Supplier<?> call) {
        try {
            AwsErrors.look(permission, "try " + permission.call(), call::get);
            findings.add(works(permission));
        } catch (CloudException e) {
            findings.add(isThere(permission, e) ? works(permission) : missing(permission, e));
        }
    }

    /** A dry run that would have worked is an error as well, and so is a thing that does not exist: both are no refusal. */
    private static boolean isThere(AwsPermission permission, CloudException e) {
        if (AwsErrors.isCode(e, "DryRunOperation")) {
            return true;
        }
        boolean madeUp =
                permission.ability() != AwsPermission.Ability.HEAR_EVENTS && permission != AwsPermission.RUN_INSTANCES;
        return madeUp && (e.kind() == Kind.NOT_FOUND || e.kind() == Kind.INVALID);
    }

    private static Finding works(AwsPermission permission) {
        return new Finding(permission.ability().words(), permission.action(), true, "");
    }

    private static Finding missing(AwsPermission permission, CloudException e) {
        return new Finding(permission.ability().words(), permission.action(), false, e.getMessage());
    }
}
