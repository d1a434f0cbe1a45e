// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.load;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/** The harness's side of {@link LoadControl}; a connection for each question. */
public final class LoadClient {

    private static final ObjectMapper JSON = new ObjectMapper();

    private final int port;

    /** {@code port} on 127.0.0.1 that leads to the load's control port. */
    public LoadClient(int port) {
        this.port = port;
    }

    public LoadReport report() throws IOException {
        return ask("report", Duration.ofSeconds(10));
    }

    /** Lets a load that was started with {@code --hold} connect. */
    public void begin() throws IOException {
        ask("begin", Duration.ofSeconds(10));
    }

    /** Ends the load and has every acknowledged write read once more. */
    public LoadReport finish() throws IOException {
        LoadReport last = ask("finish", Duration.ofSeconds(70));
        if (!last.verified()) {
            throw new IOException("the load client did not finish its last look at the keys: " + last);
        }
        return last;
    }

    private LoadReport ask(String question, Duration limit) throws IOException {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 5_000);
            socket.setSoTimeout((int) limit.toMillis());
            socket.getOutputStream().write((question + "\n").getBytes(StandardCharsets.UTF_8));
            String answer = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8))
                    .readLine();
            if (answer == null) {
                throw new EOFException("the load client closed the connection; it has not started, or it has ended");
            }
            return JSON.readValue(answer, LoadReport.class);
        }
    }
}
