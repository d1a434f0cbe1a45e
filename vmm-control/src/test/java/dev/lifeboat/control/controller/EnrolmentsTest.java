// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lifeboat.control.agent.AgentConfig;
import dev.lifeboat.control.agent.Enrolment;
import dev.lifeboat.control.agent.Events;
import dev.lifeboat.control.certs.FleetAuthority;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EnrolmentsTest {
    @TempDir
    Path directory;

    private final TestCloud cloud = new TestCloud();
    private EnrolmentTokens tokens;
    private TargetPlanner planner;
    private FleetAuthority authority;
    private Enrolments enrolments;
    private String token;
    private KeyPair pair;

    @BeforeEach
    void buyAHost() throws Exception {
        authority = FleetAuthority.openOrCreate(directory.resolve("tls"));
        tokens = EnrolmentTokens.open(directory.resolve("enrolment.key"));
        planner = new TargetPlanner(
                cloud,
                new JsonJournal<>(directory.resolve("hosts"), HostRecord.class),
                new PlannerSettings(
                        "fleet", 4, 9, 0, 0, 256, 1, 120_000, 40_000, 300_000, 600_000, 3, 3_600_000, Map.of()),
                cloud,
                Runnable::run,
                new Events(),
                host -> tokens.of(host.token()),
                instance -> false);
        enrolments = new Enrolments(
                tokens,
                planner,
                authority,
                config(),
                name -> List.of(new AgentConfig.Peer("a", "https://10.0.0.1:7443", Optional.of("10.0.0.1"))),
                cloud);
        planner.wish("web", new VmWish("a", 128, 1, null, null, "", true, false, null, null, null));
        token = cloud.purchases.values().iterator().next().userData();
        pair = newPair();
    }

    private ControllerConfig config() throws Exception {
        return new ControllerConfig(
                "gateway",
                "127.0.0.1:0",
                "https://10.0.0.254:7445",
                "127.0.0.1:0",
                "https://10.0.0.254:7446",
                new VmmConfig.Tls("ca", "crt", "key"),
                directory.resolve("tls").toString(),
                directory.toString(),
                "fleet",
                Optional.empty(),
                null,
                Optional.empty(),
                (com.fasterxml.jackson.databind.node.ObjectNode)
                        Json.MAPPER.readTree(
                                "{\"network\": {\"vni\": 7}, \"store\": {\"url\": \"s3://bucket/prefix\"}, \"runDirectory\": \"/run/x\"}"),
                List.of(),
                Optional.of(new AgentConfig.GatewayAt("https://10.0.0.254:7444", Optional.of("10.0.0.254"))),
                List.of());
    }

    private static KeyPair newPair() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(256);
        return generator.generateKeyPair();
    }

    private static Enrolment.Wish wish(String token, KeyPair pair) throws Exception {
        Signature signature = Signature.getInstance("SHA256withECDSA");
        signature.initSign(pair.getPrivate());
        signature.update(token.getBytes(StandardCharsets.UTF_8));
        return new Enrolment.Wish(token, pair.getPublic().getEncoded(), signature.sign());
    }

    private void assertRefused(Enrolment.Wish wish, String why) {
        assertThatThrownBy(() -> enrolments.enrol(wish, "10.0.1.1"))
                .isInstanceOfSatisfying(
                        ApiError.class, e -> assertThat(e.status()).isEqualTo(403))
                .hasMessageContaining(why);
    }

    @Test
    void aNewHostGetsACertificateForItsAddressAndAWholeConfiguration() throws Exception {
        Enrolment.Answer answer = enrolments.enrol(wish(token, pair), "192.0.2.9");
        X509Certificate certificate = (X509Certificate) CertificateFactory.getInstance("X.509")
                .generateCertificate(
                        new ByteArrayInputStream(answer.certificate().getBytes(StandardCharsets.US_ASCII)));
        assertThat(certificate.getPublicKey()).isEqualTo(pair.getPublic());
        assertThat(certificate.getSubjectX500Principal().getName()).isEqualTo("CN=" + answer.host());
        assertThat(certificate.getSubjectAlternativeNames()).anyMatch(name -> name.contains("10.0.1.1"));

        answer.config()
                .putObject("tls")
                .put("authority", "a")
                .put("certificate", "b")
                .put("key", "c");
        AgentConfig agent = Json.MAPPER.treeToValue(answer.config(), AgentConfig.class);
        assertThat(agent.host()).isEqualTo(answer.host());
        assertThat(agent.network().orElseThrow().underlayAddress()).isEqualTo("10.0.1.1");
        assertThat(agent.peers()).extracting(AgentConfig.Peer::host).containsExactly("a");
        assertThat(agent.controller()).contains("https://10.0.0.254:7445");
        assertThat(agent.gateway()).isPresent();
        assertThat(agent.store()).isPresent();
        assertThat(planner.allHosts()).singleElement().satisfies(host -> {
            assertThat(host.step()).isEqualTo(HostRecord.Step.ENROLLED);
            assertThat(host.url()).isEqualTo("https://10.0.1.1:7443");
        });
    }

    @Test
    void aTokenIsOfOneKeyAndALostAnswerIsGivenAgainToIt() throws Exception {
        enrolments.enrol(wish(token, pair), "10.0.1.1");
        assertThat(enrolments.enrol(wish(token, pair), "10.0.1.1").certificate())
                .startsWith("-----BEGIN CERTIFICATE-----");
        assertRefused(wish(token, newPair()), "was used by another key already");
    }

    @Test
    void aForgedTokenAndOneOfAnotherFleetAreRefused() throws Exception {
        String purchase = token.substring(0, token.lastIndexOf('.'));
        assertRefused(wish(purchase + "." + "0".repeat(64), pair), "not one of this fleet");
        assertRefused(wish("nonsense", pair), "not one of this fleet");
        EnrolmentTokens others = EnrolmentTokens.open(directory.resolve("others.key"));
        assertRefused(wish(others.of(purchase), pair), "not one of this fleet");
    }

    @Test
    void aTokenExpires() throws Exception {
        cloud.nowMillis += 600_001;
        assertRefused(wish(token, pair), "expired");
    }

    @Test
    void aTokenOfAHostThatWasGivenBackIsWorthNothing() throws Exception {
        cloud.preempt(cloud.standing().get(0).id());
        cloud.nowMillis += 10_000;
        planner.step();
        assertRefused(wish(token, pair), "its host is not wanted");
    }

    @Test
    void aStolenTokenWithoutTheKeyThatSignedIsRefused() throws Exception {
        Enrolment.Wish mixed = new Enrolment.Wish(
                token, newPair().getPublic().getEncoded(), wish(token, pair).proof());
        assertRefused(mixed, "not a signature of the token");
    }

    @Test
    void theSamePurchaseHasTheSameTokenAfterARestartAndTheKeyIsItsOwnersOnly() throws Exception {
        EnrolmentTokens again = EnrolmentTokens.open(directory.resolve("enrolment.key"));
        assertThat(again.of(token.substring(0, token.lastIndexOf('.')))).isEqualTo(token);
        assertThat(Files.getPosixFilePermissions(directory.resolve("enrolment.key")))
                .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    }
}
