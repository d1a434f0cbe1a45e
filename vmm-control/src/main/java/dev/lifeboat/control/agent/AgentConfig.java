// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import dev.lifeboat.control.NetworkConfig;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.CloudProbe;
import dev.lifeboat.control.cloud.MetadataHttp;
import dev.lifeboat.vmm.VmmConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * {@code agent.json}; docs/operations.md shows one.
 *
 * @param host this host's name in the fleet
 * @param listen {@code address:port} of the HTTPS API
 * @param address where peers reach this host's receiving {@code vmm} processes; the network's underlay address unless set
 * @param peers hosts that can take VMs
 * @param network absent: VMs without network only
 * @param store absent: no streaming, no restore
 * @param imdsBaseUrl the older form of {@code cloud: aws} with a {@code metadataBaseUrl}
 * @param imdsPollMillis {@value #DEFAULT_IMDS_POLL_MILLIS} unless set. AWS advises 5 s or less between looks, its own
 *     termination handler takes 2 s; a notice gives 108 s in the worst case seen, and each second waited is one second
 *     less to move in, while one local request a second costs nothing
 * @param runDirectory of this agent: one directory a VM; must survive a restart of the agent, not of the machine
 * @param defaultLifeboat the peer that VMs without a wish of their own are evacuated to
 * @param vmmJvmFlags added to the agent's own JVM flags when it starts a {@code vmm}
 * @param volumeController URL of who attaches volumes to hosts, see {@code ControllerVolumeMover}; absent: volumes are
 *     attached by hand and stay where they are
 * @param spareVmm whether a {@code vmm} process is kept ready for the next VM; true unless set
 * @param controller URL of the controller; absent: peers are those of this file, and nothing is bought
 * @param cloud aws, azure, gcp, or {@value #NO_CLOUD} for a host that listens to no cloud; found out unless set
 * @param metadataBaseUrl of the cloud's metadata service; {@value CloudProbe#METADATA_URL} unless set
 * @param metadataOptions what only one cloud has, docs/signals.md lists them
 * @param rulesFile what to do on which signal, read again when it changes; the default rules unless set
 */
public record AgentConfig(
        String host,
        String listen,
        Optional<String> address,
        VmmConfig.Tls tls,
        List<Peer> peers,
        Optional<GatewayAt> gateway,
        Optional<NetworkConfig> network,
        Optional<VmmConfig.Store> store,
        Optional<String> imdsBaseUrl,
        Optional<Integer> imdsPollMillis,
        String runDirectory,
        Optional<String> defaultLifeboat,
        List<String> vmmJvmFlags,
        Optional<Boolean> spareVmm,
        Optional<String> volumeController,
        Optional<String> controller,
        Optional<String> cloud,
        Optional<String> metadataBaseUrl,
        Map<String, String> metadataOptions,
        Optional<String> rulesFile) {
    public static final String NO_CLOUD = "none";
    public static final int DEFAULT_IMDS_POLL_MILLIS = 1_000;

    /** Listens to EC2's metadata service when {@code imdsBaseUrl} is there, and to no cloud when it is not. */
    public AgentConfig(
            String host,
            String listen,
            Optional<String> address,
            VmmConfig.Tls tls,
            List<Peer> peers,
            Optional<GatewayAt> gateway,
            Optional<NetworkConfig> network,
            Optional<VmmConfig.Store> store,
            Optional<String> imdsBaseUrl,
            Optional<Integer> imdsPollMillis,
            String runDirectory,
            Optional<String> defaultLifeboat,
            List<String> vmmJvmFlags,
            Optional<Boolean> spareVmm) {
        this(
                host,
                listen,
                address,
                tls,
                peers,
                gateway,
                network,
                store,
                imdsBaseUrl,
                imdsPollMillis,
                runDirectory,
                defaultLifeboat,
                vmmJvmFlags,
                spareVmm,
                Optional.empty(),
                Optional.empty(),
                imdsBaseUrl.isPresent() ? Optional.empty() : Optional.of(NO_CLOUD),
                Optional.empty(),
                Map.of(),
                Optional.empty());
    }

    /** Another host: its agent's URL and the address of its tunnels. */
    public record Peer(String host, String url, Optional<String> underlayAddress) {
        public Peer {
            require(host != null && url != null, "a peer needs \"host\" and \"url\"");
            underlayAddress = underlayAddress == null ? Optional.empty() : underlayAddress;
        }
    }

    /** The gateway's URL and the address of its tunnels. */
    public record GatewayAt(String url, Optional<String> underlayAddress) {
        public GatewayAt {
            require(url != null, "the gateway needs \"url\"");
            underlayAddress = underlayAddress == null ? Optional.empty() : underlayAddress;
        }
    }

    public AgentConfig {
        require(host != null, "\"host\" is missing: this host's name in the fleet");
        require(listen != null, "\"listen\" is missing: ADDRESS:PORT of the HTTPS API, such as 0.0.0.0:7443");
        require(
                tls != null && tls.authority() != null && tls.certificate() != null && tls.key() != null,
                "\"tls\" needs \"authority\", \"certificate\" and \"key\"; make the files with: lifeboat certs");
        require(runDirectory != null, "\"runDirectory\" is missing, such as /run/lifeboat");
        address = address == null ? Optional.empty() : address;
        peers = peers == null ? List.of() : List.copyOf(peers);
        gateway = gateway == null ? Optional.empty() : gateway;
        network = network == null ? Optional.empty() : network;
        store = store == null ? Optional.empty() : store;
        imdsBaseUrl = imdsBaseUrl == null ? Optional.empty() : imdsBaseUrl;
        imdsPollMillis = imdsPollMillis == null ? Optional.empty() : imdsPollMillis;
        defaultLifeboat = defaultLifeboat == null ? Optional.empty() : defaultLifeboat;
        vmmJvmFlags = vmmJvmFlags == null ? List.of() : List.copyOf(vmmJvmFlags);
        spareVmm = spareVmm == null ? Optional.empty() : spareVmm;
        volumeController = volumeController == null ? Optional.empty() : volumeController;
        require(
                store.flatMap(VmmConfig.Store::volume).isEmpty(),
                "the \"store\" of agent.json is on a volume, which goes where its VM goes and so serves one VM: put it into"
                        + " that VM's description instead");
        controller = controller == null ? Optional.empty() : controller;
        cloud = cloud == null ? Optional.empty() : cloud;
        metadataBaseUrl = metadataBaseUrl == null ? Optional.empty() : metadataBaseUrl;
        metadataOptions = metadataOptions == null ? Map.of() : Map.copyOf(metadataOptions);
        rulesFile = rulesFile == null ? Optional.empty() : rulesFile;
        require(
                cloud.isEmpty()
                        || cloud.get().equals(NO_CLOUD)
                        || CloudKind.of(cloud.get()).isPresent(),
                "\"cloud\" must be aws, azure, gcp or none, not " + cloud.orElse(""));
        require(
                imdsBaseUrl.isEmpty() || (cloud.isEmpty() && metadataBaseUrl.isEmpty()),
                "\"imdsBaseUrl\" is the older form of \"cloud\": \"aws\" with \"metadataBaseUrl\": use one of them");
        for (Optional<String> url : List.of(imdsBaseUrl, metadataBaseUrl)) {
            url.ifPresent(MetadataHttp::new);
        }
        int poll = imdsPollMillis.orElse(DEFAULT_IMDS_POLL_MILLIS);
        require(poll >= 100, "\"imdsPollMillis\" must be 100 or more, not " + poll);
        if (defaultLifeboat.isPresent()) {
            String wanted = defaultLifeboat.get();
            require(
                    peers.stream().anyMatch(peer -> peer.host().equals(wanted)),
                    "\"defaultLifeboat\": no peer is named " + wanted);
        }
    }

    /** The address of this host for peers' {@code vmm} processes. */
    public String receiveAddress() {
        return address.or(() -> network.map(NetworkConfig::underlayAddress))
                .orElseGet(() -> listen.substring(0, listen.lastIndexOf(':')));
    }

    /** For processes that may be in another working directory. */
    VmmConfig.Tls absoluteTls() {
        return new VmmConfig.Tls(absolute(tls.authority()), absolute(tls.certificate()), absolute(tls.key()));
    }

    private static String absolute(String path) {
        return Path.of(path).toAbsolutePath().toString();
    }

    /** The same, but for what a command line says about the cloud. */
    AgentConfig listeningTo(Optional<String> otherCloud, Optional<String> otherUrl) {
        if (otherCloud.isEmpty() && otherUrl.isEmpty()) {
            return this;
        }
        Optional<String> here = imdsBaseUrl.isPresent() ? Optional.of(CloudKind.AWS.word()) : cloud;
        return new AgentConfig(
                host,
                listen,
                address,
                tls,
                peers,
                gateway,
                network,
                store,
                Optional.empty(),
                imdsPollMillis,
                runDirectory,
                defaultLifeboat,
                vmmJvmFlags,
                spareVmm,
                volumeController,
                controller,
                otherCloud.or(() -> here),
                otherUrl.or(() -> imdsBaseUrl).or(() -> metadataBaseUrl),
                metadataOptions,
                rulesFile);
    }

    /** The cloud that is named here, in either form. */
    Optional<CloudKind> namedCloud() {
        return imdsBaseUrl.isPresent() ? Optional.of(CloudKind.AWS) : cloud.flatMap(CloudKind::of);
    }

    boolean listensToNoCloud() {
        return cloud.map(NO_CLOUD::equals).orElse(false);
    }

    String metadataUrl() {
        return imdsBaseUrl.or(() -> metadataBaseUrl).orElse(CloudProbe.METADATA_URL);
    }

    private static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }
}
