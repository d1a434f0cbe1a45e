// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.control.cloud.TargetMarket.Instance;
import dev.lifeboat.control.cloud.TargetMarket.Offer;
import dev.lifeboat.control.cloud.TargetMarket.PriceClass;
import dev.lifeboat.control.cloud.TargetMarket.Purchase;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.CreateFleetError;
import software.amazon.awssdk.services.ec2.model.CreateFleetInstance;
import software.amazon.awssdk.services.ec2.model.CreateFleetRequest;
import software.amazon.awssdk.services.ec2.model.CreateFleetResponse;
import software.amazon.awssdk.services.ec2.model.DefaultTargetCapacityType;
import software.amazon.awssdk.services.ec2.model.FleetLaunchTemplateConfigRequest;
import software.amazon.awssdk.services.ec2.model.FleetLaunchTemplateOverridesRequest;
import software.amazon.awssdk.services.ec2.model.FleetOnDemandAllocationStrategy;
import software.amazon.awssdk.services.ec2.model.FleetType;
import software.amazon.awssdk.services.ec2.model.LaunchTemplateHttpTokensState;
import software.amazon.awssdk.services.ec2.model.LaunchTemplateTagSpecificationRequest;
import software.amazon.awssdk.services.ec2.model.NestedVirtualizationSpecification;
import software.amazon.awssdk.services.ec2.model.RequestLaunchTemplateData;
import software.amazon.awssdk.services.ec2.model.ResourceType;
import software.amazon.awssdk.services.ec2.model.ShutdownBehavior;
import software.amazon.awssdk.services.ec2.model.SpotAllocationStrategy;
import software.amazon.awssdk.services.ec2.model.SpotInstanceInterruptionBehavior;

/**
 * Buys one host with CreateFleet of type instant: one call that tries all offers at once, where EC2 sees its capacity,
 * and answers with the instance or with each offer's error; RunInstances would need a call for each. The price is a
 * launch template, which lives for one purchase only: its user data holds a host's one-time token. Any thread.
 */
final class FleetPurchase {
    private static final Logger LOG = LoggerFactory.getLogger(FleetPurchase.class);

    private final AwsSettings settings;
    private final Ec2Client ec2;

    FleetPurchase(AwsSettings settings, Ec2Client ec2) {
        this.settings = settings;
        this.ec2 = ec2;
    }

    Instance buy(Purchase purchase) {
        RequestLaunchTemplateData data = host(purchase);
        String template = "lifeboat-" + purchase.token() + "-" + digest(data.toString() + purchase.userData());
        CreateFleetRequest fleet = fleet(purchase, template);
        createTemplate(purchase, template, data);
        CreateFleetResponse answer;
        try {
            answer = AwsErrors.change(
                    AwsPermission.CREATE_FLEET, "buy a host (" + words(purchase) + ")", () -> ec2.createFleet(fleet));
        } catch (CloudException e) {
            // A repetition needs the template again, and finds it by its name.
            if (e.kind() != Kind.UNCLEAR) {
                deleteTemplate(template);
            }
            throw e;
        }
        deleteTemplate(template);
        return bought(purchase, answer);
    }

    private RequestLaunchTemplateData host(Purchase purchase) {
        RequestLaunchTemplateData.Builder data = RequestLaunchTemplateData.builder()
                .imageId(settings.imageForHosts())
                .userData(Base64.getEncoder().encodeToString(purchase.userData().getBytes(StandardCharsets.UTF_8)))
                .cpuOptions(cpu -> cpu.nestedVirtualization(NestedVirtualizationSpecification.ENABLED))
                // One hop: guests must not reach the host's credentials.
                .metadataOptions(options -> options.httpTokens(LaunchTemplateHttpTokensState.REQUIRED)
                        .httpPutResponseHopLimit(1))
                .instanceInitiatedShutdownBehavior(ShutdownBehavior.TERMINATE)
                .tagSpecifications(LaunchTemplateTagSpecificationRequest.builder()
                        .resourceType(ResourceType.VOLUME)
                        .tags(AwsTags.of(purchase.fleet(), purchase.token()))
                        .build());
        if (!settings.securityGroups().isEmpty()) {
            data.securityGroupIds(settings.securityGroups());
        }
        settings.keyName().ifPresent(data::keyName);
        settings.instanceProfile()
                .ifPresent(profile -> data.iamInstanceProfile(iam -> {
                    if (profile.startsWith("arn:")) {
                        iam.arn(profile);
                    } else {
                        iam.name(profile);
                    }
                }));
        return data.build();
    }

    private CreateFleetRequest fleet(Purchase purchase, String template) {
        boolean spot = purchase.offers().get(0).priceClass() == PriceClass.SPOT;
        List<FleetLaunchTemplateOverridesRequest> overrides = new ArrayList<>();
        for (Offer offer : purchase.offers()) {
            overrides.add(FleetLaunchTemplateOverridesRequest.builder()
                    .instanceType(offer.size())
                    .subnetId(settings.subnetOf(offer.zone()))
                    .priority((double) overrides.size())
                    .build());
        }
        CreateFleetRequest.Builder fleet = CreateFleetRequest.builder()
                .type(FleetType.INSTANT)
                .clientToken(purchase.token())
                .launchTemplateConfigs(FleetLaunchTemplateConfigRequest.builder()
                        .launchTemplateSpecification(
                                spec -> spec.launchTemplateName(template).version("1"))
                        .overrides(overrides)
                        .build())
                .targetCapacitySpecification(target -> target.totalTargetCapacity(1)
                        .defaultTargetCapacityType(
                                spot ? DefaultTargetCapacityType.SPOT : DefaultTargetCapacityType.ON_DEMAND))
                .tagSpecifications(
                        AwsTags.on(ResourceType.FLEET, purchase.fleet(), purchase.token()),
                        AwsTags.on(ResourceType.INSTANCE, purchase.fleet(), purchase.token()));
        if (spot) {
            // By capacity first, which decides how long the host lives, and then in the order of the offers.
            fleet.spotOptions(
                    options -> options.allocationStrategy(SpotAllocationStrategy.CAPACITY_OPTIMIZED_PRIORITIZED)
                            .instanceInterruptionBehavior(SpotInstanceInterruptionBehavior.TERMINATE));
        } else {
            fleet.onDemandOptions(options -> options.allocationStrategy(FleetOnDemandAllocationStrategy.PRIORITIZED));
        }
        return fleet.build();
    }

    private void createTemplate(Purchase purchase, String template, RequestLaunchTemplateData data) {
        try {
            AwsErrors.change(
                    AwsPermission.CREATE_LAUNCH_TEMPLATE,
                    "create launch template " + template,
                    () -> ec2.createLaunchTemplate(request -> request.launchTemplateName(template)
                            .launchTemplateData(data)
                            .tagSpecifications(
                                    AwsTags.on(ResourceType.LAUNCH_TEMPLATE, purchase.fleet(), purchase.token()))));
        } catch (CloudException e) {
            // Left by an attempt that was cut off; the name has a digest of the content, and does the token's work.
            if (!AwsErrors.isCode(e, "InvalidLaunchTemplateName.AlreadyExistsException")) {
                throw e;
            }
        }
    }

    private void deleteTemplate(String template) {
        try {
            AwsErrors.change(
                    AwsPermission.DELETE_LAUNCH_TEMPLATE,
                    "delete launch template " + template,
                    () -> ec2.deleteLaunchTemplate(request -> request.launchTemplateName(template)));
        } catch (CloudException e) {
            // The host is bought or not, whatever becomes of its template.
            LOG.warn("a launch template is left behind, delete it by hand: {}", e.getMessage());
        }
    }

    /**
     * Deletes launch templates of the fleet that purchases have left which were cut off: each holds a host's user data. Those
     * of purchases under way are younger.
     */
    void sweepTemplates(String fleet, Instant before) {
        AwsErrors.look(
                        AwsPermission.DESCRIBE_LAUNCH_TEMPLATES,
                        "list the launch templates of fleet " + fleet,
                        () -> ec2
                                .describeLaunchTemplatesPaginator(
                                        request -> request.filters(AwsTags.filter(AwsTags.FLEET, fleet)))
                                .launchTemplates()
                                .stream()
                                .toList())
                .stream()
                .filter(template -> template.createTime().isBefore(before))
                .forEach(template -> deleteTemplate(template.launchTemplateName()));
    }

    private static Instance bought(Purchase purchase, CreateFleetResponse answer) {
        for (CreateFleetInstance made : answer.instances()) {
            if (made.hasInstanceIds() && !made.instanceIds().isEmpty()) {
                return new Instance(
                        made.instanceIds().get(0),
                        made.instanceTypeAsString(),
                        zone(purchase, made),
                        purchase.offers().get(0).priceClass(),
                        Instance.State.PENDING,
                        "",
                        purchase.token());
            }
        }
        throw none(purchase, answer.errors());
    }

    private static String zone(Purchase purchase, CreateFleetInstance made) {
        if (made.availabilityZone() != null) {
            return made.availabilityZone();
        }
        return purchase.offers().stream()
                .filter(offer -> offer.size().equals(made.instanceTypeAsString()))
                .map(Offer::zone)
                .findFirst()
                .orElse("");
    }

    /** What weighs most is what another purchase can mend least. */
    private static CloudException none(Purchase purchase, List<CreateFleetError> errors) {
        Kind kind = Kind.CAPACITY;
        String code = "";
        List<String> each = new ArrayList<>();
        for (CreateFleetError error : errors) {
            Kind found = AwsErrors.kind(String.valueOf(error.errorCode()));
            if (code.isEmpty() || weight(found) > weight(kind)) {
                kind = found;
                code = String.valueOf(error.errorCode());
            }
            each.add(place(error) + error.errorCode() + ", " + AwsErrors.oneLine(error.errorMessage()));
        }
        String said = each.isEmpty() ? "EC2 gave no instance and no reason" : String.join("; ", each);
        return new CloudException(
                kind,
                "cannot buy a host (" + words(purchase) + "): " + said + ". "
                        + AwsErrors.advice(kind, code, AwsPermission.RUN_INSTANCES));
    }

    private static int weight(Kind kind) {
        return switch (kind) {
            case DENIED -> 4;
            case INVALID, NOT_FOUND -> 3;
            case THROTTLED, UNAVAILABLE, UNCLEAR -> 2;
            case QUOTA -> 1;
            case CAPACITY -> 0;
        };
    }

    private static String place(CreateFleetError error) {
        if (error.launchTemplateAndOverrides() == null
                || error.launchTemplateAndOverrides().overrides() == null) {
            return "";
        }
        return error.launchTemplateAndOverrides().overrides().instanceTypeAsString() + " ";
    }

    private static String words(Purchase purchase) {
        Offer first = purchase.offers().get(0);
        int more = purchase.offers().size() - 1;
        return (first.priceClass() == PriceClass.SPOT ? "spot " : "on-demand ") + first.size() + " in " + first.zone()
                + (more == 0 ? "" : " or " + more + " other offers");
    }

    private static String digest(String text) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(hash, 0, 6);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
