// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.gateway;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.LogSetup;
import dev.lifeboat.control.http.ApiError;
import dev.lifeboat.control.http.ApiServer;
import dev.lifeboat.control.http.FleetTls;
import dev.lifeboat.net.NetworkException;
import dev.lifeboat.vmm.Json;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The gateway role: agents tell it by HTTPS where a guest runs, the kernel does the forwarding. It holds nothing that
 * the kernel does not hold too, so it may be restarted at any time.
 */
public final class Gateway implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Gateway.class);

    private final FlowTable flows;
    private final ApiServer server;
    private final String host;

    public Gateway(GatewayConfig config, FlowTable flows) {
        this.flows = flows;
        this.host = config.host();
        server = new ApiServer(config.listen(), FleetTls.read(config.tls()))
                .route("GET", "/v1/health", request -> health())
                .route("GET", "/v1/flows", request -> Json.MAPPER.valueToTree(flows.flows()))
                .route("POST", "/v1/flows", this::point)
                .route("DELETE", "/v1/flows/{mac}", this::drop)
                .route("POST", "/v1/hosts", this::admit);
    }

    /** Reads {@code gateway.json} and runs until the process is told to end. */
    public static void run(Path configFile) throws InterruptedException {
        LogSetup.informByDefault();
        GatewayConfig config;
        try {
            config = Json.readFile(configFile, GatewayConfig.class);
        } catch (IllegalArgumentException e) {
            throw new ControlException(ExitCode.USAGE, e.getMessage(), e);
        }
        try {
            Gateway gateway = new Gateway(config, new LinuxFlowTable(config));
            Runtime.getRuntime().addShutdownHook(new Thread(gateway::close, "gateway-shutdown"));
            gateway.start();
        } catch (NetworkException e) {
            throw new ControlException(ExitCode.MISSING, e.getMessage(), e);
        }
        Thread.currentThread().join();
    }

    public void start() {
        server.start();
        LOG.info("gateway {} listens on port {}", host, server.port());
    }

    public int port() {
        return server.port();
    }

    @Override
    public void close() {
        server.close();
        flows.close();
    }

    private ObjectNode health() {
        return Json.MAPPER
                .createObjectNode()
                .put("role", "gateway")
                .put("host", host)
                .put("atMillis", System.currentTimeMillis());
    }

    private ObjectNode point(ApiServer.Request request) {
        FlowWish wish = request.bodyAs(FlowWish.class);
        if (wish.mac() == null || wish.vtep() == null) {
            throw new ApiError(400, "a flow needs \"mac\" and \"vtep\"");
        }
        try {
            flows.point(wish.mac(), wish.vtep(), wish.term());
        } catch (NetworkException e) {
            throw new ApiError(409, e.getMessage());
        } catch (IllegalArgumentException e) {
            throw new ApiError(400, e.getMessage());
        }
        LOG.info("{} is at {} now (term {})", wish.mac(), wish.vtep(), wish.term());
        return Json.MAPPER.valueToTree(wish);
    }

    /** The controller says again and again which hosts there are: a restarted gateway knows only those of its file. */
    private ObjectNode admit(ApiServer.Request request) {
        HostsWish wish = request.bodyAs(HostsWish.class);
        if (wish.hosts() == null || Arrays.asList(wish.hosts().toArray()).contains(null)) {
            throw new ApiError(400, "\"hosts\" is missing");
        }
        try {
            flows.admit(wish.hosts());
        } catch (NetworkException e) {
            throw new ApiError(409, e.getMessage());
        }
        return health();
    }

    private ObjectNode drop(ApiServer.Request request) {
        try {
            flows.drop(request.variable("mac"));
        } catch (IllegalArgumentException e) {
            throw new ApiError(400, e.getMessage());
        }
        return Json.MAPPER
                .createObjectNode()
                .put("mac", request.variable("mac"))
                .put("removed", true);
    }

    record HostsWish(List<String> hosts) {}

    record FlowWish(String mac, String vtep, long term) {}
}
