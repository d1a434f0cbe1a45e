// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.Fault;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.control.cloud.TargetMarket.Offer;
import dev.lifeboat.control.cloud.TargetMarket.PriceClass;
import dev.lifeboat.control.cloud.TargetMarket.Purchase;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

class RehearsalTest extends AwsCase {
    private final List<String> interrupted = new CopyOnWriteArrayList<>();

    private String spotHost() {
        fake.onInterrupt(instance -> interrupted.add(instance.id()));
        return buy(PriceClass.SPOT);
    }

    private String buy(PriceClass price) {
        Offer offer = new Offer("m8i.large", ZONE_A, price, 0, 0);
        return cloud.market()
                .acquire(new Purchase("rehearsal-" + price, FLEET, List.of(offer), "#!/bin/sh\n"))
                .id();
    }

    private static Predicate<FakeRequest> to(String method, String path) {
        return request -> request.method().equals(method) && request.path().equals(path);
    }

    @Test
    void theCloudInterruptsThatInstanceAndNothingIsLeft() throws Exception {
        String host = spotHost();

        cloud.rehearse(host);

        assertThat(interrupted).containsExactly(host);
        assertThat(fake.experimentTemplatesLeft()).isZero();
        JsonNode template = new ObjectMapper()
                .readTree(
                        fake.requests(to("POST", "/experimentTemplates")).get(0).body());
        assertThat(template.path("roleArn").asText()).isEqualTo(FIS_ROLE);
        assertThat(template.at("/targets/host/resourceArns/0").asText())
                .isEqualTo("arn:aws:ec2:eu-central-1:123456789012:instance/" + host);
        assertThat(template.at("/actions/interrupt/parameters/durationBeforeInterruption")
                        .asText())
                .isEqualTo("PT2M");
    }

    @Test
    void anAnswerThatIsLostInterruptsOnceOnly() {
        String host = spotHost();
        fake.failNext(to("POST", "/experimentTemplates"), Fault.lostAnswer());
        fake.failNext(to("POST", "/experiments"), Fault.lostAnswer());
        fake.failNext(to("POST", "/experiments"), Fault.status(FakeAnswer.empty(503)));

        cloud.rehearse(host);

        assertThat(interrupted).containsExactly(host);
        assertThat(fake.experimentTemplatesLeft()).isZero();
    }

    @Test
    void whatCannotBeInterruptedIsRefusedInWords() {
        String onDemand = buy(PriceClass.ON_DEMAND);
        assertThat(refusal(() -> cloud.rehearse(onDemand)).getMessage()).contains("is no spot instance");
        assertThat(refusal(() -> cloud.rehearse("i-00000000000000bad")).kind()).isEqualTo(Kind.NOT_FOUND);
        String host = spotHost();
        try (AwsCloud without = open(Map.of("fisRole", ""), Duration.ofSeconds(6))) {
            assertThat(refusal(() -> without.rehearse(host)).getMessage())
                    .contains("fisRole", "ec2:SendSpotInstanceInterruptions");
        }
        try (AwsCloud wrong = open(Map.of("fisRole", "lifeboat-rehearsal"), Duration.ofSeconds(6))) {
            CloudException refusal = refusal(() -> wrong.rehearse(host));
            assertThat(refusal.kind()).isEqualTo(Kind.INVALID);
            assertThat(refusal.getMessage()).contains("ValidationException", "roleArn");
        }
        assertThat(interrupted).isEmpty();
    }

    @Test
    void aPermissionThatIsMissingIsNamedAndTheTemplateGoes() {
        String host = spotHost();
        fake.deny("StartExperiment");
        CloudException refusal = refusal(() -> cloud.rehearse(host));
        assertThat(refusal.kind()).isEqualTo(Kind.DENIED);
        assertThat(refusal.getMessage()).contains("Allow fis:StartExperiment");
        assertThat(fake.experimentTemplatesLeft()).isZero();
    }

    @Test
    void anExperimentThatFailsSaysWhy() {
        String host = spotHost();
        fake.launchTakes(Duration.ofMinutes(1), Duration.ZERO);
        assertThat(refusal(() -> cloud.rehearse(host)).getMessage())
                .contains("failed", "Target resolution returned empty set");
        assertThat(interrupted).isEmpty();
    }
}
