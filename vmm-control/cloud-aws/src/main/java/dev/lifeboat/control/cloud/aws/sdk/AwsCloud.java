// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.TargetMarket;
import dev.lifeboat.control.cloud.Volumes;
import dev.lifeboat.net.address.AddressMover;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;

/** One account in one region of AWS. Any thread; {@link #close} ends the background look at placement scores. */
final class AwsCloud implements Cloud {
    private static final Duration LOOK_EVERY = Duration.ofSeconds(1);

    private final AwsSettings settings;
    private final AwsClients clients;
    private final AwsWait wait;
    private final PlacementScores scores;
    private final AwsMarket market;
    private final AwsVolumes volumes;
    private final AwsAddresses addresses;
    private final List<PreemptionSource> sources;

    AwsCloud(AwsSettings settings, AwsClients clients, InstantSource clock) {
        // A volume or an interface takes longer than a call: three times as long is a minute.
        this(
                settings,
                clients,
                clock,
                new AwsWait(LOOK_EVERY, settings.callLimit().multipliedBy(3)));
    }

    AwsCloud(AwsSettings settings, AwsClients clients, InstantSource clock, AwsWait wait) {
        this.settings = settings;
        this.clients = clients;
        this.wait = wait;
        scores = new PlacementScores(clients.ec2(), settings.region());
        market = new AwsMarket(settings, clients.ec2(), scores, clock, wait);
        volumes = new AwsVolumes(clients.ec2(), wait);
        addresses = new AwsAddresses(clients.ec2(), wait);
        sources = settings.queueUrl()
                .<List<PreemptionSource>>map(
                        queue -> List.of(new QueueSource(clients.sqs(), queue.toString(), clock, System::nanoTime)))
                .orElse(List.of());
    }

    @Override
    public CloudKind kind() {
        return CloudKind.AWS;
    }

    @Override
    public TargetMarket market() {
        return market;
    }

    @Override
    public Volumes volumes() {
        return volumes;
    }

    @Override
    public AddressMover addresses() {
        return addresses;
    }

    @Override
    public List<PreemptionSource> sources() {
        return sources;
    }

    @Override
    public void rehearse(String instanceId) {
        new Rehearsal(settings, clients, wait).interrupt(instanceId);
    }

    @Override
    public List<Finding> check() {
        return new AwsCheck(settings, clients).all();
    }

    @Override
    public void warmUp() {
        market.warmUp();
        // Loads what a purchase needs, and what reads an error; what it finds is check()'s matter.
        new AwsCheck(settings, clients).buying();
    }

    @Override
    public void close() {
        scores.close();
        clients.close();
    }
}
