// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.regions.PartitionMetadata;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.InstanceLifecycleType;
import software.amazon.awssdk.services.ec2.model.Reservation;

/**
 * Lets EC2 interrupt a spot instance as it would for its own reasons: rebalance recommendation, notice, and the end two
 * minutes later. An experiment of Fault Injection Service for this one instance; its template is deleted afterwards, which
 * ends no experiment. Caller's thread.
 */
final class Rehearsal {
    private static final Logger LOG = LoggerFactory.getLogger(Rehearsal.class);
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final String ACTION = "aws:ec2:send-spot-instance-interruptions";
    /** From the notice to the end: what EC2 itself gives, and the least that FIS takes. */
    private static final String WARNING = "PT2M";

    private static final Set<String> NOT_YET = Set.of("pending", "initiating", "running");

    private final AwsSettings settings;
    private final Ec2Client ec2;
    private final FaultInjection faults;
    private final AwsWait wait;

    Rehearsal(AwsSettings settings, AwsClients clients, AwsWait wait) {
        this.settings = settings;
        ec2 = clients.ec2();
        faults = clients.faults();
        this.wait = wait;
    }

    /** Returns when the interruption is under way. */
    void interrupt(String instanceId) {
        String role = settings.fisRole()
                .orElseThrow(() -> new CloudException(
                        Kind.INVALID,
                        "cannot rehearse the interruption of " + instanceId
                                + ": the aws settings lack \"fisRole\", the ARN of"
                                + " the role that Fault Injection Service takes on; it must be allowed"
                                + " ec2:SendSpotInstanceInterruptions and ec2:DescribeInstances (docs/clouds.md)"));
        ObjectNode wanted = template(arn(instanceId), role);
        String attempted = "rehearse the interruption of " + instanceId;
        String template = AwsErrors.change(
                AwsPermission.CREATE_EXPERIMENT_TEMPLATE, attempted, () -> faults.createTemplate(wanted));
        try {
            run(template, attempted);
        } finally {
            delete(template);
        }
    }

    private void run(String template, String attempted) {
        ObjectNode start = JSON.createObjectNode();
        start.put("clientToken", UUID.randomUUID().toString()).put("experimentTemplateId", template);
        start.putObject("tags").put(AwsTags.FLEET, "rehearsal");
        String experiment =
                AwsErrors.change(AwsPermission.START_EXPERIMENT, attempted, () -> faults.startExperiment(start));
        Optional<JsonNode> end = wait.until(() -> Optional.of(
                        AwsErrors.look(AwsPermission.GET_EXPERIMENT, attempted, () -> faults.state(experiment)))
                .filter(state -> !NOT_YET.contains(state.path("status").asText())));
        // One that still runs after the limit has found its instance.
        end.filter(state -> !state.path("status").asText().equals("completed")).ifPresent(state -> {
            throw new CloudException(
                    Kind.INVALID,
                    "cannot " + attempted + ": experiment " + experiment + " is "
                            + state.path("status").asText() + ", "
                            + AwsErrors.oneLine(state.path("reason").asText()));
        });
    }

    private void delete(String template) {
        try {
            AwsErrors.change(AwsPermission.DELETE_EXPERIMENT_TEMPLATE, "delete experiment template " + template, () -> {
                faults.deleteTemplate(template);
                return template;
            });
        } catch (CloudException e) {
            // It costs nothing and does nothing by itself; what matters is what the experiment came to.
            LOG.warn("{}", e.getMessage());
        }
    }

    private String arn(String instanceId) {
        Reservation reservation = AwsErrors.look(
                        AwsPermission.DESCRIBE_INSTANCES,
                        "look at instance " + instanceId,
                        () -> ec2.describeInstances(r -> r.instanceIds(instanceId)))
                .reservations()
                .stream()
                .findFirst()
                .orElseThrow(() -> new CloudException(Kind.NOT_FOUND, "there is no instance " + instanceId));
        if (reservation.instances().get(0).instanceLifecycle() != InstanceLifecycleType.SPOT) {
            throw new CloudException(
                    Kind.INVALID, instanceId + " is no spot instance, so EC2 never interrupts it: name one that is");
        }
        Region region = Region.of(settings.region());
        return "arn:" + PartitionMetadata.of(region).id() + ":ec2:" + region.id() + ":" + reservation.ownerId()
                + ":instance/" + instanceId;
    }

    private static ObjectNode template(String instanceArn, String role) {
        ObjectNode template = JSON.createObjectNode();
        template.put("clientToken", UUID.randomUUID().toString())
                .put("description", "Lifeboat rehearses the interruption of one host")
                .put("roleArn", role);
        ObjectNode target = template.putObject("targets").putObject("host");
        target.put("resourceType", "aws:ec2:spot-instance").put("selectionMode", "ALL");
        target.putArray("resourceArns").add(instanceArn);
        ObjectNode action = template.putObject("actions").putObject("interrupt");
        action.put("actionId", ACTION);
        action.putObject("parameters").put("durationBeforeInterruption", WARNING);
        action.putObject("targets").put("SpotInstances", "host");
        template.putArray("stopConditions").addObject().put("source", "none");
        template.putObject("tags").put(AwsTags.FLEET, "rehearsal");
        return template;
    }
}
