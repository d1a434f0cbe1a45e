// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import java.util.Arrays;
import java.util.List;

/**
 * Every call that the code can make, with the permission it needs and what it is for: the one list that
 * docs/policies/aws.json is made of. A permission that no call is named after is one that AWS asks for on the way.
 */
enum AwsPermission {
    DESCRIBE_INSTANCE_TYPES("ec2:DescribeInstanceTypes", Ability.FIND_SIZES),
    DESCRIBE_INSTANCE_TYPE_OFFERINGS("ec2:DescribeInstanceTypeOfferings", Ability.FIND_SIZES),
    DESCRIBE_AVAILABILITY_ZONES("ec2:DescribeAvailabilityZones", Ability.FIND_SIZES),
    DESCRIBE_SPOT_PRICE_HISTORY("ec2:DescribeSpotPriceHistory", Ability.FIND_SIZES),
    GET_SPOT_PLACEMENT_SCORES("ec2:GetSpotPlacementScores", Ability.FIND_SIZES),

    CREATE_LAUNCH_TEMPLATE("ec2:CreateLaunchTemplate", Ability.BUY_HOSTS),
    DESCRIBE_LAUNCH_TEMPLATES("ec2:DescribeLaunchTemplates", Ability.BUY_HOSTS),
    CREATE_FLEET("ec2:CreateFleet", Ability.BUY_HOSTS),
    RUN_INSTANCES("ec2:RunInstances", Ability.BUY_HOSTS),
    DESCRIBE_INSTANCES("ec2:DescribeInstances", Ability.BUY_HOSTS),
    CREATE_TAGS("ec2:CreateTags", Ability.TAG_WHAT_IS_CREATED),
    PASS_ROLE("iam:PassRole", Ability.GIVE_HOSTS_THEIR_ROLE),

    DELETE_LAUNCH_TEMPLATE("ec2:DeleteLaunchTemplate", Ability.RELEASE_WHAT_IS_TAGGED),
    TERMINATE_INSTANCES("ec2:TerminateInstances", Ability.RELEASE_WHAT_IS_TAGGED),
    STOP_INSTANCES("ec2:StopInstances", Ability.RELEASE_WHAT_IS_TAGGED),
    START_INSTANCES("ec2:StartInstances", Ability.RELEASE_WHAT_IS_TAGGED),
    DELETE_VOLUME("ec2:DeleteVolume", Ability.RELEASE_WHAT_IS_TAGGED),

    CREATE_VOLUME("ec2:CreateVolume", Ability.MOVE_VOLUMES),
    DESCRIBE_VOLUMES("ec2:DescribeVolumes", Ability.MOVE_VOLUMES),
    ATTACH_VOLUME("ec2:AttachVolume", Ability.MOVE_VOLUMES),
    DETACH_VOLUME("ec2:DetachVolume", Ability.MOVE_VOLUMES),

    DESCRIBE_NETWORK_INTERFACES("ec2:DescribeNetworkInterfaces", Ability.MOVE_ADDRESSES),
    ASSIGN_PRIVATE_IP_ADDRESSES("ec2:AssignPrivateIpAddresses", Ability.MOVE_ADDRESSES),
    UNASSIGN_PRIVATE_IP_ADDRESSES("ec2:UnassignPrivateIpAddresses", Ability.MOVE_ADDRESSES),
    DESCRIBE_ROUTE_TABLES("ec2:DescribeRouteTables", Ability.MOVE_ADDRESSES),
    REPLACE_ROUTE("ec2:ReplaceRoute", Ability.MOVE_ADDRESSES),
    MODIFY_NETWORK_INTERFACE_ATTRIBUTE("ec2:ModifyNetworkInterfaceAttribute", Ability.MOVE_ADDRESSES),
    DESCRIBE_ADDRESSES("ec2:DescribeAddresses", Ability.MOVE_ADDRESSES),
    ASSOCIATE_ADDRESS("ec2:AssociateAddress", Ability.MOVE_ADDRESSES),
    ATTACH_NETWORK_INTERFACE("ec2:AttachNetworkInterface", Ability.MOVE_ADDRESSES),
    DETACH_NETWORK_INTERFACE("ec2:DetachNetworkInterface", Ability.MOVE_ADDRESSES),

    GET_QUEUE_ATTRIBUTES("sqs:GetQueueAttributes", Ability.HEAR_EVENTS),
    RECEIVE_MESSAGE("sqs:ReceiveMessage", Ability.HEAR_EVENTS),
    DELETE_MESSAGE("sqs:DeleteMessage", Ability.HEAR_EVENTS),

    CREATE_EXPERIMENT_TEMPLATE("fis:CreateExperimentTemplate", Ability.REHEARSE),
    START_EXPERIMENT("fis:StartExperiment", Ability.REHEARSE),
    GET_EXPERIMENT("fis:GetExperiment", Ability.REHEARSE),
    DELETE_EXPERIMENT_TEMPLATE("fis:DeleteExperimentTemplate", Ability.REHEARSE),
    TAG_RESOURCE("fis:TagResource", Ability.REHEARSE);

    /** What a group of permissions is for; a statement of the policy each. */
    enum Ability {
        FIND_SIZES("find sizes, prices and placement scores"),
        BUY_HOSTS("buy spot and on-demand hosts"),
        TAG_WHAT_IS_CREATED("tag what is created, and nothing else"),
        GIVE_HOSTS_THEIR_ROLE("give hosts their instance profile"),
        RELEASE_WHAT_IS_TAGGED("stop, start and release hosts, and delete volumes, of a fleet"),
        MOVE_VOLUMES("create, attach and detach volumes"),
        MOVE_ADDRESSES("move addresses and routes"),
        HEAR_EVENTS("hear events through a queue"),
        REHEARSE("let the cloud interrupt a host, as a rehearsal");

        private final String words;

        Ability(String words) {
            this.words = words;
        }

        String words() {
            return words;
        }

        List<AwsPermission> permissions() {
            return Arrays.stream(AwsPermission.values())
                    .filter(permission -> permission.ability == this)
                    .toList();
        }
    }

    private final String action;
    private final Ability ability;

    AwsPermission(String action, Ability ability) {
        this.action = action;
        this.ability = ability;
    }

    /** As policies name it. */
    String action() {
        return action;
    }

    Ability ability() {
        return ability;
    }

    /** As the API names the call. */
    String call() {
        return action.substring(action.indexOf(':') + 1);
    }
}
