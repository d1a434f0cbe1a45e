// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.volume;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.control.http.ApiError;
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
 * /detach-elsewhere} with a {@link Wish}; status 200 and an {@link Answer} say that it is done, any other body says why not.
 * With {@code https} it is one of the fleet, such as the fleet's controller, and both sides show their certificates. Any
 * thread.
 */
public final class ControllerVolumeMover implements VolumeMover {
    private static final int CONNECT_LIMIT_MS = 5_000;
    private static final int MAX_BODY_BYTES = 16_384;
    private static final String NOWHERE = "/nowhere";

    private final String url;
    private final String host;
    private final ApiClient fleet;

    /**
     * @param volume the cloud's name of it
     * @param serial that the VM's description gives
     * @param host that wishes to have it or to give it away, by its name in the fleet
     */
    public record Wish(String volume, String serial, String host) {
        public Wish {
            if (volume == null || host == null) {
                throw new IllegalArgumentException("a wish for a volume needs \"volume\" and \"host\"");
            }
            serial = serial == null ? volume : serial;
        }

        /** For a mover, which does not ask where it is mounted. */
        public VmmConfig.Volume asVolume() {
            return new VmmConfig.Volume(volume, serial, NOWHERE, null, false);
        }
    }

    /** @param serial that the disk shows on the host */
    public record Answer(String serial) {}

    /**
     * @param host this host's name in the fleet
     * @param fleet for a URL with {@code https}
     */
    public ControllerVolumeMover(String url, String host, ApiClient fleet) {
        this.url = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
        this.host = host;
        this.fleet = fleet;
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
        JsonNode wish = Json.MAPPER.valueToTree(new Wish(volume.id(), volume.serial(), host));
        try {
            if (url.startsWith("https:")) {
                return fleet.post(url, "/" + what, wish, limitMs);
            }
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
        } catch (IOException | ApiError | ControlException e) {
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
