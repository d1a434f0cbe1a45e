// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.cloudfakes.google.FakeGoogle;
import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudSettings;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A fake whose clock is fast, and the cloud upon it. Every call that a test makes must be in the list of permissions. */
abstract class GoogleBench {
    static final String ZONE = "europe-west3-a";
    static final String OTHER_ZONE = "europe-west3-b";

    /** Nine seconds of the fake are not quite half a second of a test. */
    private static final int HASTE = 20;

    FakeGoogle fake;
    Cloud cloud;

    @BeforeEach
    void start() throws IOException {
        Instant begin = Instant.now();
        long beginNs = System.nanoTime();
        InstantSource clock = () -> begin.plusNanos((System.nanoTime() - beginNs) * HASTE);
        fake = new FakeGoogle("proj", clock);
        cloud = open(Duration.ofSeconds(20));
    }

    Cloud open(Duration callLimit) {
        Map<String, String> options = new HashMap<>();
        options.put("project", "proj");
        options.put("zones", ZONE + "," + OTHER_ZONE);
        options.put("image", "projects/debian-cloud/global/images/family/debian-12");
        options.put("subnet", "default");
        options.put("minCpuPlatform", "Intel Ice Lake");
        options.put("serviceAccount", "hosts@proj.iam.gserviceaccount.com");
        return new GoogleCloudProvider()
                .open(new CloudSettings(
                        CloudKind.GOOGLE,
                        "europe-west3",
                        Optional.of(ZONE),
                        Optional.of(URI.create(fake.url())),
                        options,
                        callLimit));
    }

    @AfterEach
    void everyCallIsInTheListOfPermissions() {
        try {
            Set<String> listed = new HashSet<>(Set.of("projects.testIamPermissions"));
            Arrays.stream(GooglePermission.values()).forEach(p -> listed.addAll(p.calls()));
            assertThat(listed).containsAll(fake.calls());
            assertThat(fake.faultsLeft()).isZero();
        } finally {
            cloud.close();
            fake.close();
        }
    }
}
