// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.aws;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/** Fault Injection Service, as far as it interrupts spot instances. Guarded by its {@link AwsFake}. */
final class FakeExperiments {
    static final String ACCOUNT = "123456789012";

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String CONTENT = "application/json";
    private static final Pattern ROLE = Pattern.compile("arn:aws:iam::\\d{12}:role/[\\w+=,.@/-]+");
    private static final Pattern INSTANCE =
            Pattern.compile("arn:aws:ec2:" + AwsFake.REGION + ":" + ACCOUNT + ":instance/(i-[0-9a-f]+)");
    private static final Pattern MINUTES = Pattern.compile("PT([2-9]|1[0-5])M");
    private static final String ACTION = "aws:ec2:send-spot-instance-interruptions";

    private final FakeHosts hosts;
    private final Map<String, String> templates = new TreeMap<>();
    /** Reasons of those that failed; empty for those that go well. */
    private final Map<String, String> experiments = new TreeMap<>();

    private final Map<String, Integer> looks = new HashMap<>();
    private final Map<String, String> tokens = new HashMap<>();
    private int number;
    Consumer<FakeInstance> interrupted = instance -> {};

    FakeExperiments(FakeHosts hosts) {
        this.hosts = hosts;
    }

    int templates() {
        return templates.size();
    }

    /** As the API names it; empty when it is none of this service. */
    static String action(FakeRequest request) {
        String path = request.path();
        if (path.startsWith("/experimentTemplates")) {
            return request.method().equals("DELETE") ? "DeleteExperimentTemplate" : "CreateExperimentTemplate";
        } else if (path.startsWith("/experiments")) {
            return request.method().equals("GET") ? "GetExperiment" : "StartExperiment";
        }
        return "";
    }

    FakeAnswer answer(String action, FakeRequest request) {
        String last = request.path().substring(request.path().lastIndexOf('/') + 1);
        return switch (action) {
            case "CreateExperimentTemplate" -> create(parse(request));
            case "DeleteExperimentTemplate" -> delete(last);
            case "StartExperiment" -> start(parse(request));
            default -> look(last);
        };
    }

    private FakeAnswer create(JsonNode wanted) {
        require(!wanted.path("description").asText().isEmpty(), "description");
        require(ROLE.matcher(wanted.path("roleArn").asText()).matches(), "roleArn");
        require(wanted.path("stopConditions").path(0).path("source").asText().equals("none"), "stopConditions");
        JsonNode action = wanted.path("actions").path("interrupt");
        require(action.path("actionId").asText().equals(ACTION), "actionId");
        require(
                MINUTES.matcher(action.path("parameters")
                                .path("durationBeforeInterruption")
                                .asText())
                        .matches(),
                "durationBeforeInterruption");
        JsonNode target = wanted.path("targets")
                .path(action.path("targets").path("SpotInstances").asText());
        require(target.path("resourceType").asText().equals("aws:ec2:spot-instance"), "resourceType");
        require(target.path("selectionMode").asText().equals("ALL"), "selectionMode");
        var arn = INSTANCE.matcher(target.path("resourceArns").path(0).asText());
        require(arn.matches(), "resourceArns");
        String instance = arn.group(1);
        String id = tokens.computeIfAbsent(token(wanted), token -> {
            String made = id("EXT");
            templates.put(made, instance);
            return made;
        });
        return answer("experimentTemplate", JSON.createObjectNode().put("id", id));
    }

    private FakeAnswer delete(String id) {
        if (templates.remove(id) == null) {
            throw notFound("Experiment template", id);
        }
        return answer("experimentTemplate", JSON.createObjectNode().put("id", id));
    }

    private FakeAnswer start(JsonNode wanted) {
        String template = wanted.path("experimentTemplateId").asText();
        if (!templates.containsKey(template)) {
            throw notFound("Experiment template", template);
        }
        String id = tokens.computeIfAbsent(token(wanted), token -> {
            String made = id("EXP");
            FakeInstance target = hosts.all().stream()
                    .filter(instance -> instance.id().equals(templates.get(template)))
                    .findFirst()
                    .orElseThrow();
            boolean found = target.spot() && target.state().equals("running");
            experiments.put(made, found ? "" : "Target resolution returned empty set for target: host");
            if (found) {
                interrupted.accept(target);
            }
            return made;
        });
        return answer("experiment", state(id, "initiating", ""));
    }

    private FakeAnswer look(String id) {
        if (!experiments.containsKey(id)) {
            throw notFound("Experiment", id);
        }
        String reason = experiments.get(id);
        int look = looks.merge(id, 1, Integer::sum);
        String end = reason.isEmpty() ? "completed" : "failed";
        return answer("experiment", state(id, look == 1 ? "initiating" : look == 2 ? "running" : end, reason));
    }

    private static ObjectNode state(String id, String status, String reason) {
        ObjectNode experiment = JSON.createObjectNode().put("id", id);
        experiment.putObject("state").put("status", status).put("reason", reason);
        return experiment;
    }

    private String id(String kind) {
        number++;
        return kind + String.format("%015d", number);
    }

    private static String token(JsonNode wanted) {
        String token = wanted.path("clientToken").asText();
        require(!token.isEmpty(), "clientToken");
        return token;
    }

    private static void require(boolean right, String field) {
        if (!right) {
            throw new AwsFault(400, "ValidationException", field + " is missing or wrong");
        }
    }

    private static AwsFault notFound(String what, String id) {
        return new AwsFault(404, "ResourceNotFoundException", what + " with id " + id + " does not exist.");
    }

    private static JsonNode parse(FakeRequest request) {
        if (!request.header("content-type").orElse("").equals(CONTENT)) {
            throw new AwsFault(415, "ValidationException", "the content type is " + CONTENT);
        }
        try {
            return JSON.readTree(request.body());
        } catch (JsonProcessingException e) {
            throw new AwsFault(400, "SerializationException", "no JSON");
        }
    }

    private static FakeAnswer answer(String name, ObjectNode content) {
        ObjectNode answer = JSON.createObjectNode();
        answer.set(name, content);
        return FakeAnswer.of(200, CONTENT, answer.toString());
    }

    static FakeAnswer error(AwsFault fault) {
        ObjectNode body = JSON.createObjectNode().put("message", fault.getMessage());
        return new FakeAnswer(
                fault.status(),
                Map.of(
                        "Content-Type",
                        CONTENT,
                        "x-amzn-ErrorType",
                        fault.code() + ":http://internal.amazon.com/coral/"),
                body.toString());
    }
}
