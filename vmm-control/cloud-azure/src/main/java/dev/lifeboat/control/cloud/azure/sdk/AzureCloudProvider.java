// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudProvider;
import dev.lifeboat.control.cloud.CloudSettings;

/** Opens {@code --cloud azure}; found by {@link java.util.ServiceLoader}. Any thread. */
public final class AzureCloudProvider implements CloudProvider {
    @Override
    public CloudKind kind() {
        return CloudKind.AZURE;
    }

    @Override
    public Cloud open(CloudSettings settings) {
        AzureSettings ours = AzureSettings.of(settings);
        return new AzureCloud(new Arm(ours));
    }
}
