// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.load;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Answers questions about the load, one connection at a time: {@code begin}, {@code report} and {@code finish},
 * each on a line, each answered by a {@link LoadReport} as JSON on a line. Thread {@code load-control}.
 */
final class LoadControl implements AutoCloseable {

    private static final long FINISH_SECONDS = 60;

    private final RedisLoad load;
    private final ServerSocket server;
    private final CountDownLatch lastQuestionAnswered = new CountDownLatch(1);

    private LoadControl(RedisLoad load, ServerSocket server) {
        this.load = load;
        this.server = server;
    }

    /** Port 0: nobody asks. */
    static LoadControl open(int port, RedisLoad load) throws IOException {
        if (port == 0) {
            return new LoadControl(load, null);
        }
        LoadControl control = new LoadControl(load, new ServerSocket(port));
        Thread thread = new Thread(control::serve, "load-control");
        thread.setDaemon(true);
        thread.start();
        return control;
    }

    private void serve() {
        while (!server.isClosed()) {
            try (Socket harness = server.accept()) {
                converse(harness);
            } catch (IOException e) {
                // A harness that goes away, or the end of the program: wait for the next connection, or leave.
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private void converse(Socket harness) throws IOException, InterruptedException {
        ObjectMapper json = new ObjectMapper();
        BufferedReader questions =
                new BufferedReader(new InputStreamReader(harness.getInputStream(), StandardCharsets.UTF_8));
        Writer answers = new OutputStreamWriter(harness.getOutputStream(), StandardCharsets.UTF_8);
        for (String question = questions.readLine(); question != null; question = questions.readLine()) {
            boolean finish = question.equals("finish");
            if (question.equals("begin")) {
                load.begin();
            }
            LoadReport report = finish ? load.finish(FINISH_SECONDS) : load.report();
            answers.write(json.writeValueAsString(report) + "\n");
            answers.flush();
            if (finish) {
                lastQuestionAnswered.countDown();
            }
        }
    }

    /** After the end: gives a harness that said {@code finish} the time to read the answer. */
    void awaitLastQuestion() {
        if (server == null) {
            return;
        }
        try {
            lastQuestionAnswered.await(FINISH_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() throws IOException {
        if (server != null) {
            server.close();
        }
    }
}
