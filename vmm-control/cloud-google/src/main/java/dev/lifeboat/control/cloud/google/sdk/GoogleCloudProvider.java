// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudProvider;
import dev.lifeboat.control.cloud.CloudSettings;

/** Google Cloud, by the SDK of Compute Engine; see {@link GoogleSettings} for the options. Any thread. */
public final class GoogleCloudProvider implements CloudProvider {
    @Override
    public CloudKind kind() {
        return CloudKind.GOOGLE;
    }

    @Override
    public Cloud open(CloudSettings settings) {
        return new GoogleCloud(GoogleSettings.of(settings));
    }
}
