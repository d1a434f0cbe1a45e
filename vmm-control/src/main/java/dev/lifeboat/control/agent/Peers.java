// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import dev.lifeboat.vmm.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The hosts that can take VMs: those of {@code agent.json}, and those that the controller names, which come and go. The
 * latter are kept in the run directory, for the agent may be restarted while the controller is away. Any thread.
 */
final class Peers {
    private static final Logger LOG = LoggerFactory.getLogger(Peers.class);

    private final AgentConfig config;
    private final Path file;
    private List<AgentConfig.Peer> named = List.of();

    private record Saved(List<AgentConfig.Peer> peers) {}

    Peers(AgentConfig config) {
        this.config = config;
        file = Path.of(config.runDirectory(), "peers.json").toAbsolutePath();
        if (config.controller().isPresent() && Files.exists(file)) {
            try {
                named = List.copyOf(Json.readFile(file, Saved.class).peers());
            } catch (IllegalArgumentException | NullPointerException e) {
                // The controller says it again within seconds.
                LOG.warn("the peers of the last run are not known: {}", e.getMessage());
            }
        }
    }

    /** @return whether anything is new */
    synchronized boolean name(List<AgentConfig.Peer> peers) {
        if (peers.equals(named)) {
            return false;
        }
        named = List.copyOf(peers);
        try {
            Path fresh = file.resolveSibling("peers.json.new");
            Files.createDirectories(file.getParent());
            Files.write(fresh, Json.MAPPER.writeValueAsBytes(new Saved(named)));
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            LOG.warn("cannot keep the peers in {} for a restart: {}", file, e.getMessage());
        }
        return true;
    }

    synchronized List<AgentConfig.Peer> all() {
        List<AgentConfig.Peer> all = new ArrayList<>(config.peers());
        for (AgentConfig.Peer peer : named) {
            boolean known = peer.host().equals(config.host())
                    || config.peers().stream().anyMatch(other -> other.host().equals(peer.host()));
            if (!known) {
                all.add(peer);
            }
        }
        return all;
    }

    Optional<AgentConfig.Peer> find(String host) {
        return all().stream().filter(peer -> peer.host().equals(host)).findFirst();
    }
}
