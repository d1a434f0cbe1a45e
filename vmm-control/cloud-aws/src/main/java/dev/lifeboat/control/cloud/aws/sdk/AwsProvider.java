// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudProvider;
import dev.lifeboat.control.cloud.CloudSettings;
import java.time.InstantSource;

/** Opens AWS. Any thread. */
public final class AwsProvider implements CloudProvider {
    @Override
    public CloudKind kind() {
        return CloudKind.AWS;
    }

    @Override
    public Cloud open(CloudSettings settings) {
        AwsSettings parsed = AwsSettings.of(settings);
        return new AwsCloud(parsed, AwsClients.open(parsed), InstantSource.system());
    }
}
