// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.agent.AgentConfig;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudSettings;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * {@code controller.json}; docs/clouds.md shows one.
 *
 * @param host this machine's name in the fleet
 * @param listen {@code address:port} of the API for agents and commands (mutual TLS)
 * @param url under which agents reach that API
 * @param enrollListen {@code address:port} for new hosts, which have no certificate yet
 * @param enrollUrl under which new hosts reach it
 * @param authorityDirectory with {@code ca.crt} and {@code ca.key}, as {@code lifeboat certs} makes it
 * @param stateDirectory must survive a restart, and the machine
 * @param fleet tag of all that is bought
 * @param cloud absent: nothing is bought; hosts of one's own can enrol
 * @param program what new hosts run: a {@code .tar.gz}, or a directory with {@code lib}; absent when images have it
 * @param agent of the {@code agent.json} that new hosts get: whatever is not made up for each of them
 * @param hosts agents that are there without us
 * @param addresses of the cloud that follow VMs
 */
public record ControllerConfig(
        String host,
        String listen,
        String url,
        String enrollListen,
        String enrollUrl,
        VmmConfig.Tls tls,
        String authorityDirectory,
        String stateDirectory,
        String fleet,
        Optional<CloudSection> cloud,
        Limits limits,
        Optional<String> program,
        ObjectNode agent,
        List<FixedHost> hosts,
        Optional<AgentConfig.GatewayAt> gateway,
        List<VmAddress> addresses) {

    /** As {@link CloudSettings}, in JSON. */
    public record CloudSection(
            String kind,
            String region,
            Optional<String> zone,
            Optional<String> endpoint,
            Map<String, String> options,
            Optional<Long> callLimitMillis) {
        public CloudSettings settings() {
            CloudKind known = CloudKind.of(kind == null ? "" : kind)
                    .orElseThrow(() -> invalid("\"cloud.kind\" is aws, azure or gcp, not " + kind));
            if (region == null || region.isBlank()) {
                throw invalid("\"cloud.region\" is missing, such as eu-central-1");
            }
            try {
                return new CloudSettings(
                        known,
                        region,
                        zone,
                        endpoint == null ? Optional.empty() : endpoint.map(URI::create),
                        options,
                        callLimitMillis == null
                                ? null
                                : callLimitMillis.map(Duration::ofMillis).orElse(null));
            } catch (IllegalArgumentException e) {
                throw invalid("\"cloud.endpoint\" is no URL: " + e.getMessage());
            }
        }

        private static CloudException invalid(String message) {
            return new CloudException(CloudException.Kind.INVALID, message);
        }
    }

    /**
     * @param maxHosts 4 unless set
     * @param maxDollarsPerHour 2 unless set; of all bought hosts that are not stopped
     * @param spares hosts kept running and free; 0 unless set
     * @param stopped hosts kept stopped, with warm disks; 0 unless set
     * @param leastMemoryMiB of a bought host, so that VMs share it; 2048 unless set
     * @param leastVcpus 1 unless set
     * @param noticeMillis the cloud's usual one unless set
     * @param usableMillis the cloud's usual one unless set
     * @param idleMillis 10 minutes unless set
     * @param orphanMillis 15 minutes unless set
     * @param riskyMoves 3 unless set
     * @param riskyMoveMillis an hour unless set
     * @param prices of sizes whose price the cloud does not say
     */
    public record Limits(
            Optional<Integer> maxHosts,
            Optional<Double> maxDollarsPerHour,
            Optional<Integer> spares,
            Optional<Integer> stopped,
            Optional<Integer> leastMemoryMiB,
            Optional<Integer> leastVcpus,
            Optional<Long> noticeMillis,
            Optional<Long> usableMillis,
            Optional<Long> idleMillis,
            Optional<Long> orphanMillis,
            Optional<Integer> riskyMoves,
            Optional<Long> riskyMoveMillis,
            Map<String, Double> prices) {
        static final Limits NONE =
                new Limits(null, null, null, null, null, null, null, null, null, null, null, null, null);

        /** The usual limits, but for the number of hosts. */
        public static Limits atMost(int hosts) {
            return new Limits(
                    Optional.of(hosts), null, null, null, null, null, null, null, null, null, null, null, null);
        }

        public Limits {
            maxHosts = maxHosts == null ? Optional.empty() : maxHosts;
            maxDollarsPerHour = maxDollarsPerHour == null ? Optional.empty() : maxDollarsPerHour;
            spares = spares == null ? Optional.empty() : spares;
            stopped = stopped == null ? Optional.empty() : stopped;
            leastMemoryMiB = leastMemoryMiB == null ? Optional.empty() : leastMemoryMiB;
            leastVcpus = leastVcpus == null ? Optional.empty() : leastVcpus;
            noticeMillis = noticeMillis == null ? Optional.empty() : noticeMillis;
            usableMillis = usableMillis == null ? Optional.empty() : usableMillis;
            idleMillis = idleMillis == null ? Optional.empty() : idleMillis;
            orphanMillis = orphanMillis == null ? Optional.empty() : orphanMillis;
            riskyMoves = riskyMoves == null ? Optional.empty() : riskyMoves;
            riskyMoveMillis = riskyMoveMillis == null ? Optional.empty() : riskyMoveMillis;
            prices = prices == null ? Map.of() : Map.copyOf(prices);
            require(riskyMoves.orElse(1) > 0, "\"riskyMoves\" is 1 or more, not " + riskyMoves.orElse(0));
        }
    }

    /** @param instance the cloud's name of it, where addresses follow VMs */
    public record FixedHost(String host, String url, Optional<String> underlayAddress, Optional<String> instance) {
        public FixedHost {
            require(host != null && url != null, "each of \"hosts\" needs \"host\" and \"url\"");
            underlayAddress = underlayAddress == null ? Optional.empty() : underlayAddress;
            instance = instance == null ? Optional.empty() : instance;
        }
    }

    /**
     * @param way as in {@link dev.lifeboat.net.address.AddressWish}
     * @param probePort TCP port that answers at the address when it leads to the VM; absent: the cloud's word is enough
     */
    public record VmAddress(String vmId, String way, String address, Optional<Integer> probePort) {
        public VmAddress {
            require(
                    vmId != null && way != null && address != null,
                    "each of \"addresses\" needs \"vmId\", \"way\" and \"address\"");
            probePort = probePort == null ? Optional.empty() : probePort;
        }
    }

    public ControllerConfig {
        require(host != null, "\"host\" is missing: this machine's name in the fleet");
        require(listen != null, "\"listen\" is missing: ADDRESS:PORT of the API, such as 0.0.0.0:7445");
        require(url != null, "\"url\" is missing: where agents reach \"listen\", such as https://10.0.0.254:7445");
        require(enrollListen != null, "\"enrollListen\" is missing: ADDRESS:PORT for new hosts, such as 0.0.0.0:7446");
        require(enrollUrl != null, "\"enrollUrl\" is missing: where new hosts reach \"enrollListen\"");
        require(
                tls != null && tls.authority() != null && tls.certificate() != null && tls.key() != null,
                "\"tls\" needs \"authority\", \"certificate\" and \"key\"; make the files with: lifeboat certs");
        require(authorityDirectory != null, "\"authorityDirectory\" is missing: where ca.crt and ca.key are");
        require(stateDirectory != null, "\"stateDirectory\" is missing, such as /var/lib/lifeboat/controller");
        require(
                fleet != null && fleet.matches("[a-z0-9][a-z0-9-]{0,40}"),
                "\"fleet\" is missing, or not small letters, digits and hyphens");
        cloud = cloud == null ? Optional.empty() : cloud;
        limits = limits == null ? Limits.NONE : limits;
        program = program == null ? Optional.empty() : program;
        agent = agent == null ? Json.MAPPER.createObjectNode() : agent;
        hosts = hosts == null ? List.of() : List.copyOf(hosts);
        gateway = gateway == null ? Optional.empty() : gateway;
        addresses = addresses == null ? List.of() : List.copyOf(addresses);
    }

    PlannerSettings planner() {
        CloudKind kind = cloud.map(some -> some.settings().kind()).orElse(CloudKind.AWS);
        return new PlannerSettings(
                fleet,
                cloud.isPresent() ? limits.maxHosts().orElse(4) : 0,
                limits.maxDollarsPerHour().orElse(2.0),
                limits.spares().orElse(0),
                limits.stopped().orElse(0),
                limits.leastMemoryMiB().orElse(2_048),
                limits.leastVcpus().orElse(1),
                limits.noticeMillis().orElse(PlannerSettings.noticeMillis(kind)),
                limits.usableMillis().orElse(PlannerSettings.usableMillis(kind)),
                limits.idleMillis().orElse(600_000L),
                limits.orphanMillis().orElse(900_000L),
                limits.riskyMoves().orElse(3),
                limits.riskyMoveMillis().orElse(3_600_000L),
                limits.prices());
    }

    private static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }
}
