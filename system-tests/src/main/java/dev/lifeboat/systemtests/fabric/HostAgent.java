// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.fabric;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.agent.VmSpec;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.vmm.Json;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/** The HTTPS API of one agent, as the harness reaches it: through the machine's forwarded port. */
public final class HostAgent {

    private static final long LIMIT_MS = 30_000;

    private final ApiClient client;
    private final String url;

    HostAgent(ApiClient client, int harnessPort) {
        this.client = client;
        url = "https://127.0.0.1:" + harnessPort;
    }

    public JsonNode health() {
        return client.get(url, "/v1/health", LIMIT_MS);
    }

    public JsonNode run(VmSpec spec) {
        return client.post(url, "/v1/vms", Json.MAPPER.valueToTree(spec), LIMIT_MS);
    }

    public JsonNode status(String vmId) {
        return client.get(url, "/v1/vms/" + vmId, LIMIT_MS);
    }

    public JsonNode events(long after) {
        return client.get(url, "/v1/events?from=" + after, LIMIT_MS);
    }

    public JsonNode evacuate(String vmId, String target, long deadlineMillis) {
        return client.post(
                url,
                "/v1/vms/" + vmId + "/evacuate",
                Json.MAPPER.createObjectNode().put("target", target).put("deadlineMillis", deadlineMillis),
                LIMIT_MS);
    }

    public JsonNode evacuation(String vmId) {
        return client.get(url, "/v1/vms/" + vmId + "/evacuation", LIMIT_MS);
    }

    public JsonNode forceEpoch(String vmId) {
        return client.post(url, "/v1/vms/" + vmId + "/epoch", Json.MAPPER.createObjectNode(), LIMIT_MS);
    }

    public JsonNode remove(String vmId) {
        return client.delete(url, "/v1/vms/" + vmId, LIMIT_MS);
    }

    /** All that the guest printed on its serial console. */
    public String console(String vmId) {
        return text("/v1/vms/" + vmId + "/console");
    }

    /** The log of the process that runs the VM. */
    public String log(String vmId) {
        return text("/v1/vms/" + vmId + "/log");
    }

    private String text(String path) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        long from = 0;
        while (true) {
            JsonNode piece = client.get(url, path + "?from=" + from, LIMIT_MS);
            bytes.writeBytes(Base64.getDecoder().decode(piece.path("base64").asText()));
            long next = piece.path("next").asLong();
            if (next <= from) {
                return bytes.toString(StandardCharsets.UTF_8);
            }
            from = next;
        }
    }
}
