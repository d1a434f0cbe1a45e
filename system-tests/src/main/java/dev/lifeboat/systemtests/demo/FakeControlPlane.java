// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.demo;

import dev.lifeboat.cloudfakes.HttpFake;
import dev.lifeboat.cloudfakes.aws.AwsFake;
import dev.lifeboat.cloudfakes.azure.AzureFake;
import dev.lifeboat.cloudfakes.google.FakeGoogle;
import dev.lifeboat.control.controller.ControllerConfig;
import java.io.IOException;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** The control plane of one of the clouds, as far as the demo is concerned: it launches an instance with its user data. */
final class FakeControlPlane implements AutoCloseable {
    private final HttpFake fake;
    private final String kind;
    private final String region;
    private final Optional<String> zone;
    private final Map<String, String> options;

    private FakeControlPlane(
            HttpFake fake, String kind, String region, Optional<String> zone, Map<String, String> options) {
        this.fake = fake;
        this.kind = kind;
        this.region = region;
        this.zone = zone;
        this.options = options;
    }

    /**
     * @param kind {@code aws}, {@code azure} or {@code gcp}
     * @param address that the first instance gets
     * @param onLaunch told its user data, on a thread of the fake, which must not be held up
     */
    static FakeControlPlane start(String kind, String address, Consumer<String> onLaunch) throws IOException {
        InstantSource clock = InstantSource.system();
        return switch (kind) {
            case "aws" -> aws(new AwsFake(clock), address, onLaunch);
            case "azure" -> azure(new AzureFake(clock), address, onLaunch);
            case "gcp" -> google(new FakeGoogle("lifeboat-demo", clock), address, onLaunch);
            default -> throw new IllegalArgumentException("no control plane of a cloud named " + kind);
        };
    }

    private static FakeControlPlane aws(AwsFake fake, String address, Consumer<String> onLaunch) {
        fake.addresses(List.of(address));
        fake.onLaunch(instance -> {
            if (instance.state().equals("pending") || instance.state().equals("running")) {
                onLaunch.accept(instance.userData());
            }
        });
        return new FakeControlPlane(
                fake,
                "aws",
                AwsFake.REGION,
                Optional.of("eu-central-1a"),
                Map.of(
                        "image", "ami-0123456789abcdef0",
                        "subnet", "eu-central-1a=subnet-0123456789abcde0a",
                        "securityGroups", "sg-0123456789abcdef0",
                        "instanceProfile", "lifeboat-host"));
    }

    private static FakeControlPlane azure(AzureFake fake, String address, Consumer<String> onLaunch) {
        fake.addresses(List.of(address));
        fake.onLaunch(instance -> onLaunch.accept(instance.userData()));
        return new FakeControlPlane(
                fake,
                "azure",
                AzureFake.LOCATION,
                Optional.empty(),
                Map.of(
                        "subscription", AzureFake.SUBSCRIPTION,
                        "resourceGroup", AzureFake.GROUP,
                        "subnet", AzureFake.SUBNET,
                        "image", "Debian:debian-12:12-gen2:latest",
                        "sshPublicKey", "ssh-ed25519 AAAA"));
    }

    private static FakeControlPlane google(FakeGoogle fake, String address, Consumer<String> onLaunch) {
        fake.addresses(List.of(address));
        fake.onLaunch(instance -> onLaunch.accept(instance.userData()));
        return new FakeControlPlane(
                fake,
                "gcp",
                "europe-west3",
                Optional.of("europe-west3-a"),
                Map.of(
                        "project", "lifeboat-demo",
                        "zones", "europe-west3-a",
                        "image", "projects/debian-cloud/global/images/family/debian-12",
                        "subnet", "default",
                        "minCpuPlatform", "Intel Ice Lake",
                        "serviceAccount", "hosts@lifeboat-demo.iam.gserviceaccount.com"));
    }

    /** How a controller gets there. */
    ControllerConfig.CloudSection section() {
        return new ControllerConfig.CloudSection(
                kind, region, zone, Optional.of(fake.url()), options, Optional.empty());
    }

    @Override
    public void close() {
        fake.close();
    }
}
