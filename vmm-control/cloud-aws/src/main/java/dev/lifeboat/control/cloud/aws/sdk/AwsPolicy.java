// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.cloud.aws.sdk.AwsPermission.Ability;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Locale;

/** Makes docs/policies/aws.json, the least that the code needs, out of {@link AwsPermission}. Any thread. */
final class AwsPolicy {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private AwsPolicy() {}

    static String document() {
        ObjectNode policy = JSON.createObjectNode();
        policy.put("Version", "2012-10-17");
        ArrayNode statements = policy.putArray("Statement");
        for (Ability ability : Ability.values()) {
            statement(statements.addObject(), ability);
        }
        try {
            return JSON.writeValueAsString(policy) + "\n";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void statement(ObjectNode statement, Ability ability) {
        statement.put("Sid", sid(ability));
        statement.put("Effect", "Allow");
        ArrayNode actions = statement.putArray("Action");
        ability.permissions().forEach(permission -> actions.add(permission.action()));
        statement.put("Resource", "*");
        switch (ability) {
            case TAG_WHAT_IS_CREATED ->
                condition(statement, "StringEquals", "ec2:CreateAction")
                        .add("CreateFleet")
                        .add("RunInstances")
                        .add("CreateLaunchTemplate")
                        .add("CreateVolume");
            case GIVE_HOSTS_THEIR_ROLE ->
                condition(statement, "StringEquals", "iam:PassedToService")
                        .add("ec2.amazonaws.com")
                        .add("fis.amazonaws.com");
            case RELEASE_WHAT_IS_TAGGED ->
                condition(statement, "StringLike", "aws:ResourceTag/" + AwsTags.FLEET)
                        .add("*");
            // Hosts and interfaces that others made take part in moves of volumes and addresses too.
            default -> {}
        }
    }

    private static ArrayNode condition(ObjectNode statement, String operator, String key) {
        return statement.putObject("Condition").putObject(operator).putArray(key);
    }

    private static String sid(Ability ability) {
        StringBuilder sid = new StringBuilder();
        for (String word : ability.name().split("_")) {
            sid.append(word.charAt(0)).append(word.substring(1).toLowerCase(Locale.ROOT));
        }
        return sid.toString();
    }
}
