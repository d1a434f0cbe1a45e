// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.cloudfakes.google.GoogleInstance;
import dev.lifeboat.control.cloud.Cloud.Finding;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudProvider;
import dev.lifeboat.control.cloud.CloudSettings;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

class GoogleCloudTest extends GoogleBench {
    @Test
    void theRoleInTheDocumentsIsTheListInTheCode() throws Exception {
        Path role = Path.of("../../docs/policies/gcp-role.yaml");
        assertThat(Files.readString(role)).isEqualTo(GooglePermission.role());
    }

    @Test
    void theCheckNamesWhatIsMissingAndChangesNothing() {
        fake.deny("compute.routes.create");
        List<Finding> findings = cloud.check();
        assertThat(findings).hasSize(GooglePermission.values().length);
        assertThat(findings.stream().filter(f -> !f.works())).singleElement().satisfies(f -> {
            assertThat(f.permission()).isEqualTo("compute.routes.create");
            assertThat(f.advice()).contains("compute.routes.create");
        });
        assertThat(fake.calls()).containsExactly("projects.testIamPermissions");
    }

    @Test
    void aRehearsalTakesTheInstanceAwayAsTheCloudWould() {
        List<String> gone = new ArrayList<>();
        fake.onTerminate((GoogleInstance i) -> gone.add(i.id()));
        fake.addInstance(ZONE, "host-a", "10.0.0.2", Map.of());
        cloud.rehearse("projects/proj/zones/" + ZONE + "/instances/host-a");
        assertThat(gone).containsExactly(ZONE + "/host-a");
    }

    @Test
    void theProviderIsFoundAndNamesTheSettingThatLacks() {
        CloudProvider provider = ServiceLoader.load(CloudProvider.class).stream()
                .map(ServiceLoader.Provider::get)
                .filter(p -> p.kind() == CloudKind.GOOGLE)
                .findFirst()
                .orElseThrow();
        CloudSettings lacking = new CloudSettings(
                CloudKind.GOOGLE, "europe-west3", Optional.of(ZONE), Optional.empty(), Map.of(), null);
        assertThatThrownBy(() -> provider.open(lacking))
                .isInstanceOf(CloudException.class)
                .hasMessageContaining("\"project\"");
    }

    @Test
    void warmingUpChangesNothing() {
        cloud.warmUp();
        assertThat(fake.calls()).containsExactlyInAnyOrder("zones.get", "instances.aggregatedList");
    }
}
