// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.azure.core.http.HttpMethod;
import com.azure.core.util.Context;
import com.azure.resourcemanager.compute.fluent.models.UsageInner;
import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.cloud.Cloud.Finding;
import dev.lifeboat.control.cloud.CloudException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What the credentials allow, by Azure's own list of the caller's permissions: nothing is tried, so that nothing can
 * change. Any thread.
 */
final class AzureCheck {
    private static final String PERMISSIONS_API = "2022-04-01";
    /** The smallest size that a host can have. */
    private static final int LEAST_CORES = 2;

    private final Arm arm;

    AzureCheck(Arm arm) {
        this.arm = arm;
    }

    List<Finding> run() {
        List<Finding> findings = new ArrayList<>();
        Map<String, Optional<JsonNode>> byGroup = new HashMap<>();
        for (Permission permission : Permission.values()) {
            if (permission.action().startsWith("Microsoft.Compute/skus/")
                    || permission.action().startsWith("Microsoft.Compute/locations/")) {
                // They are asked at the level of the subscription, which has no such list; the quota below is one of
                // them.
                continue;
            }
            String scope = scope(permission);
            Optional<JsonNode> granted = byGroup.computeIfAbsent(scope, group -> permissions(group, findings));
            granted.ifPresent(list -> findings.add(finding(permission, allows(list, permission.action()), scope)));
        }
        quota(findings);
        return findings;
    }

    /** The resource group that a permission must hold for. */
    private String scope(Permission permission) {
        return switch (permission) {
            case USE_SUBNET -> Arm.group(arm.settings().subnet());
            case USE_SECURITY_GROUP ->
                arm.settings()
                        .securityGroup()
                        .map(Arm::group)
                        .orElse(arm.settings().group());
            case READ_ROUTES, WRITE_ROUTE, READ_BALANCERS, JOIN_POOL ->
                arm.settings().networkGroup();
            default -> arm.settings().group();
        };
    }

    private Optional<JsonNode> permissions(String group, List<Finding> findings) {
        String path = "subscriptions/" + arm.settings().subscription() + "/resourceGroups/" + group
                + "/providers/Microsoft.Authorization/permissions?api-version=" + PERMISSIONS_API;
        try {
            return Optional.of(arm.raw(
                    Permission.READ_SELF,
                    "list own permissions in resource group " + group,
                    HttpMethod.GET,
                    path,
                    Optional.empty()));
        } catch (CloudException e) {
            findings.add(new Finding(
                    Permission.READ_SELF.ability().words(), Permission.READ_SELF.action(), false, e.getMessage()));
            return Optional.empty();
        }
    }

    private static Finding finding(Permission permission, boolean works, String group) {
        String advice = works
                ? ""
                : "assign the role of docs/policies/azure-role.json to the agents' identity in resource group " + group
                        + "; " + permission.action() + " is for " + permission.calls();
        return new Finding(permission.ability().words(), permission.action(), works, advice);
    }

    /** A role grants what its actions match and its notActions do not; any role is enough. */
    static boolean allows(JsonNode list, String action) {
        for (JsonNode role : list.path("value")) {
            if (matches(role.path("actions"), action) && !matches(role.path("notActions"), action)) {
                return true;
            }
        }
        return false;
    }

    private static boolean matches(JsonNode patterns, String action) {
        for (JsonNode each : patterns) {
            String regex = Pattern.quote(each.asText()).replace("*", "\\E.*\\Q");
            if (Pattern.compile(regex, Pattern.CASE_INSENSITIVE).matcher(action).matches()) {
                return true;
            }
        }
        return false;
    }

    private void quota(List<Finding> findings) {
        String location = arm.settings().location();
        Permission permission = Permission.READ_QUOTA;
        try {
            List<UsageInner> all = arm.read(
                    permission,
                    "read quotas of " + location,
                    () -> arm.compute().getUsages().list(location, Context.NONE).stream()
                            .toList());
            for (UsageInner usage : all) {
                String name = usage.name().value();
                if (name.equals("lowPriorityCores") || name.equals("cores")) {
                    long left = usage.limit() - usage.currentValue();
                    String ability = (name.equals("cores") ? "cores for regular hosts" : "cores for spot hosts") + ": "
                            + left + " of " + usage.limit() + " left";
                    boolean enough = left >= LEAST_CORES;
                    findings.add(new Finding(
                            ability,
                            permission.action(),
                            enough,
                            enough ? "" : "ask for more " + name + " in " + location + " under Usage + quotas"));
                }
            }
        } catch (CloudException e) {
            findings.add(new Finding(permission.ability().words(), permission.action(), false, e.getMessage()));
        }
    }
}
