// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.control.cloud.Cloud.Finding;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudProvider;
import dev.lifeboat.control.cloud.CloudSettings;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

class AwsCheckTest extends AwsCase {
    @Test
    void everyAbilityIsTriedAndNothingIsChanged() {
        List<Finding> findings = cloud.check();

        assertThat(findings)
                .allMatch(Finding::works)
                .extracting(Finding::advice)
                .containsOnly("");
        // A role shows when hosts are run; reading a queue would take messages from whom they are for.
        List<String> untried =
                List.of("iam:PassRole", "ec2:CreateTags", "sqs:ReceiveMessage", "sqs:DeleteMessage", "fis:TagResource");
        assertThat(findings)
                .extracting(Finding::permission)
                .containsExactlyInAnyOrderElementsOf(Arrays.stream(AwsPermission.values())
                        .map(AwsPermission::action)
                        .filter(action -> !untried.contains(action))
                        .toList());
        assertThat(fake.instances()).isEmpty();
        assertThat(fake.templatesLeft()).isZero();
    }

    @Test
    void aPermissionThatIsMissingIsNamedWithWhatItIsFor() {
        fake.deny("TerminateInstances");
        fake.deny("RunInstances");
        fake.deny("GetQueueAttributes");

        List<Finding> missing =
                cloud.check().stream().filter(finding -> !finding.works()).toList();

        assertThat(missing)
                .extracting(Finding::permission)
                .containsExactly("ec2:RunInstances", "ec2:TerminateInstances", "sqs:GetQueueAttributes");
        assertThat(missing).allMatch(finding -> finding.advice().contains("Allow " + finding.permission()));
    }

    @Test
    void warmingUpBuysNothing() {
        cloud.warmUp();

        assertThat(fake.instances()).isEmpty();
        assertThat(fake.templatesLeft()).isZero();
    }

    @Test
    void theProviderIsFoundAndSendsNothingWhenItOpens() {
        CloudProvider provider =
                ServiceLoader.load(CloudProvider.class).findFirst().orElseThrow();

        assertThat(provider.kind()).isEqualTo(CloudKind.AWS);
        provider.open(settings(Map.of(), Duration.ofSeconds(6))).close();
        assertThat(fake.requests()).isEmpty();
    }

    @Test
    void settingsThatAreNotEnoughNameTheMissingOne() {
        assertThat(wrong(settings(Map.of("queueUrl", "lifeboat-events"), Duration.ofSeconds(6))))
                .contains("queueUrl", "lifeboat-events");
        assertThat(wrong(new CloudSettings(
                        CloudKind.AWS, "", Optional.empty(), Optional.empty(), Map.of(), Duration.ofSeconds(6))))
                .contains("region");
        Map<String, String> options = new HashMap<>(Map.of("subnet", "subnet-1"));
        assertThat(wrong(new CloudSettings(
                        CloudKind.AWS,
                        "eu-central-1",
                        Optional.empty(),
                        Optional.empty(),
                        options,
                        Duration.ofSeconds(6))))
                .contains("subnet-1 has no zone");
        assertThatThrownBy(() -> AwsSettings.of(settings(Map.of(), Duration.ofSeconds(6)))
                        .subnetOf("eu-central-1c"))
                .hasMessageContaining("no subnet in eu-central-1c");
    }

    private static String wrong(CloudSettings settings) {
        CloudException refusal = refusal(() -> new AwsProvider().open(settings));
        assertThat(refusal.kind()).isEqualTo(Kind.INVALID);
        return refusal.getMessage();
    }
}
