// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.agent.AgentConfig;
import dev.lifeboat.control.agent.Enrolment;
import dev.lifeboat.control.certs.FleetAuthority;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.vmm.Json;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Lets new hosts into the fleet: a token that is genuine, of a host that is wanted, in time and unused gets a certificate
 * for the host's address, and the host's configuration. The same key may show its token again, for an answer can be lost;
 * another key may not. On the threads of the enrolment server, one at a time.
 */
final class Enrolments {
    private static final int AGENT_PORT = 7443;

    private final EnrolmentTokens tokens;
    private final TargetPlanner planner;
    private final FleetAuthority authority;
    private final ControllerConfig config;
    private final Function<String, List<AgentConfig.Peer>> peers;
    private final InstantSource clock;

    /** @param peers for a host by its name */
    Enrolments(
            EnrolmentTokens tokens,
            TargetPlanner planner,
            FleetAuthority authority,
            ControllerConfig config,
            Function<String, List<AgentConfig.Peer>> peers,
            InstantSource clock) {
        this.tokens = tokens;
        this.planner = planner;
        this.authority = authority;
        this.config = config;
        this.peers = peers;
        this.clock = clock;
    }

    /** @param remote address that the request came from */
    synchronized Enrolment.Answer enrol(Enrolment.Wish wish, String remote) {
        if (wish.token() == null || wish.publicKey() == null || wish.proof() == null) {
            throw new ApiError(400, "an enrolment needs \"token\", \"publicKey\" and \"proof\"");
        }
        HostRecord host = tokens.purchase(wish.token())
                .flatMap(planner::byToken)
                .orElseThrow(() -> new ApiError(403, "the token is not one of this fleet, or its host is not wanted"));
        PublicKey key = Enrolment.verify(wish);
        String fingerprint = fingerprint(key);
        if (host.step() == HostRecord.Step.RELEASING) {
            throw new ApiError(403, "host " + host.name() + " is not wanted any more");
        }
        if (host.enrolledKey().filter(used -> !used.equals(fingerprint)).isPresent()) {
            throw new ApiError(403, "the token of host " + host.name() + " was used by another key already");
        }
        if (clock.millis() > host.enrolUntilMillis()) {
            throw new ApiError(
                    403,
                    "the token of host " + host.name() + " expired " + (clock.millis() - host.enrolUntilMillis())
                            + " ms ago");
        }
        // The cloud's word where there is one: the request may come through a translation of addresses.
        String address = host.cloudAddress().isEmpty() ? remote : host.cloudAddress();
        String url = "https://" + (address.contains(":") ? "[" + address + "]" : address) + ":" + port();
        String certificate = authority.sign(
                host.name(), Stream.of(address, remote).distinct().toList(), key);
        // Written down before it is answered: a crash in between costs the host a second request, with the same key.
        planner.enrolled(host.token(), fingerprint, url, address);
        return new Enrolment.Answer(host.name(), certificate, agentJson(host.name(), address));
    }

    private ObjectNode agentJson(String name, String address) {
        ObjectNode agent = config.agent().deepCopy();
        agent.put("host", name);
        if (!agent.has("listen")) {
            agent.put("listen", "0.0.0.0:" + AGENT_PORT);
        }
        agent.put("address", address);
        agent.put("controller", config.url());
        if (config.cloud().isPresent() && !agent.has("volumeController")) {
            agent.put("volumeController", config.url() + ControllerApi.VOLUMES);
        }
        ArrayNode known = agent.putArray("peers");
        peers.apply(name).forEach(peer -> known.add(Json.MAPPER.valueToTree(peer)));
        config.gateway().ifPresent(gateway -> agent.set("gateway", Json.MAPPER.valueToTree(gateway)));
        if (agent.get("network") instanceof ObjectNode network) {
            network.put("underlayAddress", address);
        }
        return agent;
    }

    private int port() {
        String listen = config.agent().path("listen").asText("0.0.0.0:" + AGENT_PORT);
        return Integer.parseInt(listen.substring(listen.lastIndexOf(':') + 1));
    }

    private static String fingerprint(PublicKey key) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(key.getEncoded()));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("SHA-256 is in every JDK", e);
        }
    }
}
