// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.cloudfakes.azure.AzureFake;
import dev.lifeboat.control.cloud.Cloud.Finding;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudProvider;
import dev.lifeboat.control.cloud.CloudSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

class AzureCheckTest extends AzureTest {
    @Test
    void everythingWorksForWhoMayDoEverythingAndNothingIsChanged() {
        assertThat(cloud.check()).isNotEmpty().allMatch(Finding::works);
        assertThat(fake.requests(request -> !request.method().equals("GET"))).isEmpty();
        assertThat(fake.calls()).as("one list and the quotas").hasSize(2);
    }

    @Test
    void aMissingPermissionIsFoundWithoutTryingIt() {
        fake.deny("Microsoft.Compute/virtualMachines/write");

        assertThat(cloud.check())
                .filteredOn(finding -> !finding.works())
                .singleElement()
                .satisfies(finding -> {
                    assertThat(finding.permission()).isEqualTo("Microsoft.Compute/virtualMachines/write");
                    assertThat(finding.ability()).isEqualTo("buy, stop and release hosts");
                    assertThat(finding.advice()).contains("docs/policies/azure-role.json", "resource group lifeboat");
                });
    }

    @Test
    void whoMayNotEvenLookIsToldSoOnce() {
        fake.deny("Microsoft.Authorization/permissions/read");

        assertThat(cloud.check())
                .filteredOn(finding -> !finding.works())
                .extracting(Finding::permission)
                .containsExactly("Microsoft.Authorization/permissions/read");
    }

    @Test
    void aSpotQuotaOfNothingIsFound() {
        fake.quota(0, 100);

        assertThat(cloud.check())
                .filteredOn(finding -> !finding.works())
                .singleElement()
                .satisfies(finding -> assertThat(finding.ability()).isEqualTo("cores for spot hosts: 0 of 0 left"));
    }

    @Test
    void wildcardsAndExceptionsOfRolesAreUnderstood() throws IOException {
        String roles = "{'value':[{'actions':['Microsoft.Compute/*/read'],'notActions':['Microsoft.Compute/disks/*']},"
                + "{'actions':['microsoft.network/loadBalancers/read'],'notActions':[]}]}";

        assertThat(AzureCheck.allows(json(roles), "Microsoft.Compute/virtualMachines/read"))
                .isTrue();
        assertThat(AzureCheck.allows(json(roles), "Microsoft.Compute/disks/read"))
                .isFalse();
        assertThat(AzureCheck.allows(json(roles), "Microsoft.Compute/virtualMachines/write"))
                .isFalse();
        assertThat(AzureCheck.allows(json(roles), "Microsoft.Network/loadBalancers/read"))
                .isTrue();
    }

    @Test
    void theRoleInTheDocumentsIsTheOneThatTheCodeNeeds() throws IOException {
        Path file = Path.of("../../docs/policies/azure-role.json");

        assertThat(Files.readString(file)).isEqualTo(RoleDocument.text());
        assertThat(Arrays.stream(Permission.values()).map(Permission::action)).doesNotHaveDuplicates();
    }

    @Test
    void theProviderIsFoundAsAService() {
        assertThat(ServiceLoader.load(CloudProvider.class).stream()
                        .map(each -> each.get().kind()))
                .containsExactly(CloudKind.AZURE);
    }

    @Test
    void warmingUpIsForReadingOnly() {
        cloud.warmUp();

        assertThat(fake.requests())
                .isNotEmpty()
                .allMatch(request -> request.method().equals("GET"));
    }

    @Test
    void everySettingThatIsMissingOrWrongIsNamed() {
        for (String option : new String[] {"subscription", "resourceGroup", "subnet", "image", "sshPublicKey"}) {
            Map<String, String> options = options();
            options.remove(option);
            assertThatThrownBy(() -> open(options)).hasMessageContaining("\"" + option + "\"");
        }
        assertRefused("image", "debian", "neither publisher:offer:sku:version");
        assertRefused("subnet", "hosts", "full id");
        assertRefused("pollMs", "soon", "not a number");
        assertRefused("pollMs", "1", "from 10 to 60000");
        assertRefused("evictionPolicy", "Keep", "one of Delete, Deallocate");
    }

    private static void assertRefused(String option, String value, String why) {
        Map<String, String> options = options();
        options.put(option, value);
        assertThatThrownBy(() -> open(options))
                .isInstanceOf(CloudException.class)
                .hasMessageContaining("\"" + option + "\"")
                .hasMessageContaining(why);
    }

    private static void open(Map<String, String> options) {
        new AzureCloudProvider()
                .open(new CloudSettings(
                        CloudKind.AZURE,
                        AzureFake.LOCATION,
                        Optional.empty(),
                        Optional.empty(),
                        options,
                        Duration.ofSeconds(1)))
                .close();
    }

    @Test
    void aSubscriptionOrGroupThatIsNotThereIsSaid() {
        cloud = open(Duration.ofSeconds(5), "resourceGroup", "elsewhere");

        assertThatThrownBy(() -> cloud.market().acquire(purchase("t-1", SPOT_V5)))
                .isInstanceOfSatisfying(
                        CloudException.class, e -> assertThat(e.kind()).isEqualTo(CloudException.Kind.NOT_FOUND))
                .hasMessageContaining("elsewhere");
    }
}
