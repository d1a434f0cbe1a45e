// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.aws;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.cloudfakes.FakeAnswer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** A queue of SQS: what is received and not deleted comes back. Guarded by its {@link AwsFake}. */
final class FakeQueue {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String CONTENT = "application/x-amz-json-1.0";

    private static final class Message {
        final String id;
        final String body;
        String receipt = "";
        Instant visible = Instant.MIN;

        Message(String id, String body) {
            this.id = id;
            this.body = body;
        }
    }

    private final InstantSource clock;
    private final List<Message> messages = new ArrayList<>();
    private int number;

    FakeQueue(InstantSource clock) {
        this.clock = clock;
    }

    void send(String body) {
        number++;
        messages.add(new Message("5fea7756-0ea4-451a-a703-" + String.format("%012d", number), body));
    }

    int size() {
        return messages.size();
    }

    boolean hasVisible() {
        return messages.stream().anyMatch(this::isVisible);
    }

    private boolean isVisible(Message message) {
        return !clock.instant().isBefore(message.visible);
    }

    FakeAnswer answer(String action, String body, String queueUrl) {
        JsonNode request = parse(body);
        if (!request.path("QueueUrl").asText().equals(queueUrl)) {
            throw new AwsFault(400, "com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.");
        }
        ObjectNode answer = JSON.createObjectNode();
        switch (action) {
            case "ReceiveMessage" -> receive(request, answer);
            case "DeleteMessage" ->
                messages.removeIf(message ->
                        message.receipt.equals(request.path("ReceiptHandle").asText()));
            case "GetQueueAttributes" ->
                answer.putObject("Attributes").put("ApproximateNumberOfMessages", "" + messages.size());
            default -> throw new AwsFault(400, "InvalidAction", action + " is not one that is played here");
        }
        return FakeAnswer.of(200, CONTENT, answer.toString());
    }

    private void receive(JsonNode request, ObjectNode answer) {
        if (request.path("VisibilityTimeout").asInt() <= 0
                || request.path("WaitTimeSeconds").asInt() <= 0) {
            throw new AwsFault(400, "InvalidParameterValue", "a long poll that hides what it takes is wanted");
        }
        int most = request.path("MaxNumberOfMessages").asInt(1);
        ArrayNode found = JSON.createArrayNode();
        for (Message message : messages) {
            if (found.size() < most && isVisible(message)) {
                number++;
                message.receipt = "receipt-" + number;
                message.visible = clock.instant()
                        .plusSeconds(request.path("VisibilityTimeout").asInt());
                found.addObject()
                        .put("MessageId", message.id)
                        .put("ReceiptHandle", message.receipt)
                        .put("MD5OfBody", md5(message.body))
                        .put("Body", message.body);
            }
        }
        if (!found.isEmpty()) {
            answer.set("Messages", found);
        }
    }

    static FakeAnswer error(AwsFault fault) {
        ObjectNode error = JSON.createObjectNode().put("__type", fault.code()).put("message", fault.getMessage());
        return new FakeAnswer(fault.status(), Map.of("Content-Type", CONTENT), error.toString());
    }

    private static JsonNode parse(String body) {
        try {
            return JSON.readTree(body);
        } catch (JsonProcessingException e) {
            throw new AwsFault(400, "SerializationException", "no JSON");
        }
    }

    private static String md5(String body) {
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("MD5").digest(body.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has MD5", e);
        }
    }
}
