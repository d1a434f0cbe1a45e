// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class AwsPolicyTest {
    @Test
    void theShippedPolicyIsTheOneThatTheCodeNeeds() throws Exception {
        Path shipped = Path.of("..", "..", "docs", "policies", "aws.json");
        Path made = Path.of("target", "aws.json");
        Files.writeString(made, AwsPolicy.document());

        assertThat(shipped)
                .as("copy vmm-control/cloud-aws/target/aws.json over it")
                .hasSameTextualContentAs(made);
    }

    @Test
    void everyPermissionIsThereOnceAndNoneIsAWildcard() {
        String policy = AwsPolicy.document();
        for (AwsPermission permission : AwsPermission.values()) {
            assertThat(policy).containsOnlyOnce('"' + permission.action() + '"');
        }
        assertThat(Arrays.stream(AwsPermission.values()).map(AwsPermission::action))
                .noneMatch(action -> action.contains("*"));
    }
}
