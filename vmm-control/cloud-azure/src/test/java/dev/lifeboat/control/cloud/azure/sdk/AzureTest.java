// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.azure.AzureFake;
import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudSettings;
import dev.lifeboat.control.cloud.TargetMarket.Offer;
import dev.lifeboat.control.cloud.TargetMarket.PriceClass;
import dev.lifeboat.control.cloud.TargetMarket.Purchase;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A cloud on a fake; after each test, whatever it called must be among the permissions that are documented. */
abstract class AzureTest {
    static final String FLEET = "blue";
    static final Offer SPOT_V5 = new Offer("Standard_D4s_v5", "1", PriceClass.SPOT, 9, 0);
    static final Offer SPOT_V4 = new Offer("Standard_D4s_v4", "1", PriceClass.SPOT, 6, 0);
    static final Offer REGULAR_V5 = new Offer("Standard_D4s_v5", "1", PriceClass.ON_DEMAND, 0, 0);
    static final Predicate<FakeRequest> PUT_HOST =
            request -> request.method().equals("PUT") && request.path().contains("/virtualMachines/");

    private static final ObjectMapper JSON = new ObjectMapper();

    AzureFake fake;
    Cloud cloud;

    @BeforeEach
    void start() throws IOException {
        fake = new AzureFake(new TickingClock(Duration.ofSeconds(1)));
        cloud = open(Duration.ofSeconds(20));
    }

    @AfterEach
    void everyCallIsDocumentedAndEveryFaultWasMet() {
        List<String> documented =
                Arrays.stream(Permission.values()).map(Permission::action).toList();
        assertThat(documented).containsAll(fake.calls());
        assertThat(fake.faultsLeft()).as("faults that met no request").isZero();
        cloud.close();
        fake.close();
    }

    Cloud open(Duration callLimit, String... more) {
        Map<String, String> options = options();
        for (int i = 0; i < more.length; i += 2) {
            options.put(more[i], more[i + 1]);
        }
        return new AzureCloudProvider()
                .open(new CloudSettings(
                        CloudKind.AZURE,
                        AzureFake.LOCATION,
                        Optional.empty(),
                        Optional.of(URI.create(fake.url())),
                        options,
                        callLimit));
    }

    static Map<String, String> options() {
        return new TreeMap<>(Map.of(
                "subscription",
                AzureFake.SUBSCRIPTION,
                "resourceGroup",
                AzureFake.GROUP,
                "subnet",
                AzureFake.SUBNET,
                "image",
                "Debian:debian-12:12-gen2:latest",
                "sshPublicKey",
                "ssh-ed25519 AAAA",
                "pollMs",
                "10"));
    }

    static Purchase purchase(String token, Offer... offers) {
        return new Purchase(token, FLEET, List.of(offers), "#!/bin/sh\necho boots\n");
    }

    static JsonNode json(FakeRequest request) throws IOException {
        return JSON.readTree(request.body());
    }

    static JsonNode json(String text) throws IOException {
        return JSON.readTree(text.replace('\'', '"'));
    }
}
