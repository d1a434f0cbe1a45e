// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.volume;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.nio.charset.StandardCharsets;

/**
 * Moves volumes by a controller that holds the rights, or the plugs: {@code POST URL/attach}, {@code /detach} and {@code
 * /detach-elsewhere} with {@code {"volume","serial","host"}}; status 200 says that it is done, any other body says why
 * not. Any thread.
 */
public final class ControllerVolumeMover implements VolumeMover {
    private static final int CONNECT_LIMIT_MS = 5_000;
    private static final int MAX_BODY_BYTES = 16_384;

    private final String url;
    private final String host;

    /** @param host this host's name in the fleet */
    public ControllerVolumeMover(String url, String host) {
        this.url = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
        this.host = host;
    }

    @Override
    public String attach(VmmConfig.Volume volume, long limitMs) {
        return call("attach", volume, limitMs).path("serial").asText(volume.serial());
    }

    @Override
    public void detach(VmmConfig.Volume volume, long limitMs) {
        call("detach", volume, limitMs);
    }

    @Override
    public void detachElsewhere(VmmConfig.Volume volume, long limitMs) {
        call("detach-elsewhere", volume, limitMs);
    }

    private JsonNode call(String what, VmmConfig.Volume volume, long limitMs) {
        ObjectNode wish = Json.MAPPER.createObjectNode();
        wish.put("volume", volume.id()).put("serial", volume.serial()).put("host", host);
        try {
            HttpURLConnection connection =
                    (HttpURLConnection) URI.create(url + "/" + what).toURL().openConnection(Proxy.NO_PROXY);
            try {
                connection.setConnectTimeout((int) Math.min(limitMs, CONNECT_LIMIT_MS));
                connection.setReadTimeout((int) Math.min(limitMs, Integer.MAX_VALUE));
                connection.setRequestMethod("POST");
                connection.setRequestProperty("Content-Type", "application/json");
                connection.setDoOutput(true);
                try (OutputStream body = connection.getOutputStream()) {
                    body.write(Json.MAPPER.writeValueAsBytes(wish));
                }
                if (connection.getResponseCode() != HttpURLConnection.HTTP_OK) {
                    throw new IOException(
                            "status " + connection.getResponseCode() + ": " + text(connection.getErrorStream()));
                }
                return Json.MAPPER.readTree(text(connection.getInputStream()));
            } finally {
                connection.disconnect();
            }
        } catch (IOException e) {
            throw new ControlException(
                    ExitCode.FAILED,
                    "cannot " + what + " volume " + volume.id() + " by the controller " + url + ": " + e.getMessage(),
                    e);
        }
    }

    private static String text(InputStream body) throws IOException {
        return body == null ? "" : new String(body.readNBytes(MAX_BODY_BYTES), StandardCharsets.UTF_8);
    }
}
