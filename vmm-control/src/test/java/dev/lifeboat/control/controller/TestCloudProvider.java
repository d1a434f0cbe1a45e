// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudProvider;
import dev.lifeboat.control.cloud.CloudSettings;

/** A {@link TestCloud} under the name of AWS, for commands; it knows one region, and fails as its options say. */
public final class TestCloudProvider implements CloudProvider {
    @Override
    public CloudKind kind() {
        return CloudKind.AWS;
    }

    @Override
    public Cloud open(CloudSettings settings) {
        settings.require("subnet", "where hosts get their addresses");
        if (!settings.region().equals("eu-central-1")) {
            throw new CloudException(
                    CloudException.Kind.INVALID, "there is no region " + settings.region() + "; see cloud.region");
        }
        TestCloud cloud = new TestCloud();
        if (settings.options().containsKey("expired")) {
            cloud.fail("offers", CloudException.Kind.DENIED, "the credentials have expired; renew them");
            cloud.fail("rehearse", CloudException.Kind.DENIED, "the credentials have expired; renew them");
        }
        cloud.addStranger("fleet", "");
        return cloud;
    }
}
