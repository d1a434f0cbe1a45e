// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.cloudfakes.aws;

import dev.lifeboat.cloudfakes.FakeAnswer;
import dev.lifeboat.cloudfakes.FakeRequest;
import dev.lifeboat.cloudfakes.HttpFake;
import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/**
 * EC2, SQS and Fault Injection Service of one account in one region, {@value #REGION}: strict about what is sent, late with what it promises, and
 * out of capacity on demand. Time is its clock's. Served by threads {@code aws-fake-N}; all state is guarded by this.
 */
public final class AwsFake extends HttpFake {
    public static final String REGION = "eu-central-1";
    public static final String API_VERSION = "2016-11-15";

    private static final Pattern AUTHORIZATION = Pattern.compile("AWS4-HMAC-SHA256 Credential=[^/]+/\\d{8}/" + REGION
            + "/(ec2|sqs|fis)/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=[0-9a-f]{64}");
    private static final Set<String> SIGNED = Set.of("host", "x-amz-date");

    private final FakeHosts hosts;
    private final FakeVolumes volumes;
    private final FakeNetwork network;
    private final FakeQueue queue;
    private final FakeExperiments experiments;
    private final Map<String, String> denied = new ConcurrentHashMap<>();
    private final List<String> calls = new ArrayList<>();

    public AwsFake(InstantSource clock) throws IOException {
        // The SDK repeats a refused call when the Date of the refusal is far from its own clock, which nobody can
        // script.
        super("aws-fake", clock, InstantSource.system());
        network = new FakeNetwork(clock);
        hosts = new FakeHosts(clock, network);
        volumes = new FakeVolumes(clock, hosts);
        queue = new FakeQueue(clock);
        experiments = new FakeExperiments(hosts);
    }

    /** Told of each instance that begins or ends to exist, on the thread of the request. */
    public synchronized void onLaunch(Consumer<FakeInstance> launched) {
        hosts.launched = launched;
    }

    public synchronized void onTerminate(Consumer<FakeInstance> terminated) {
        hosts.terminated = terminated;
    }

    /** Told of each instance that an experiment interrupts, on the thread of the request. */
    public synchronized void onInterrupt(Consumer<FakeInstance> interrupted) {
        experiments.interrupted = interrupted;
    }

    /** Experiment templates that nobody has deleted. */
    public synchronized int experimentTemplatesLeft() {
        return experiments.templates();
    }

    /** One that is there already, running. */
    public synchronized FakeInstance addInstance(String size, String zone, String address, Map<String, String> tags) {
        return hosts.add(size, zone, address, tags);
    }

    public synchronized List<FakeInstance> instances() {
        return hosts.all();
    }

    /** Actions so far, in order, such as {@code CreateFleet}. */
    public synchronized List<String> calls() {
        return List.copyOf(calls);
    }

    /** The fields of every call of an action. */
    public List<Ec2Form> forms(String action) {
        return requests().stream()
                .map(request -> Ec2Form.of(request.body()))
                .filter(form -> form.action().equals(action))
                .toList();
    }

    /**
     * @param pendingFor from launch to running
     * @param unknownFor from launch until it can be described
     */
    public synchronized void launchTakes(Duration pendingFor, Duration unknownFor) {
        hosts.pendingFor = pendingFor;
        hosts.unknownFor = unknownFor;
    }

    /** Offers of this size, or {@code *}, fail with the code until it is called again with an empty one. */
    public synchronized void refuse(String size, String code) {
        hosts.refused.remove(size);
        if (!code.isEmpty()) {
            hosts.refused.put(size, code);
        }
    }

    /** Launch templates that nobody has deleted. */
    public synchronized int templatesLeft() {
        return hosts.templates();
    }

    /** Without the permission for an action, such as {@code CreateFleet}. */
    public void deny(String action) {
        denied.put(action, "");
    }

    public synchronized void volumesTake(Duration attaching, Duration detaching) {
        volumes.attaching = attaching;
        volumes.detaching = detaching;
    }

    /** The address, and the range of a route to the interface of an instance, in a table that is made when missing. */
    public synchronized void addRoute(String table, String range, String instanceId) {
        network.addRoute(table, range, network.first(instanceId).id);
    }

    public synchronized void addSecondary(String instanceId, String address) {
        network.first(instanceId).addresses.add(address);
    }

    public synchronized void addPrefix(String instanceId, String prefix) {
        network.first(instanceId).prefixes.add(prefix);
    }

    /** @param refusedInOneCall whether a prefix has to be taken before it is given */
    public synchronized void prefixesMoveInTwoCalls(boolean refusedInOneCall) {
        network.prefixesMoveInTwoCalls = refusedInOneCall;
    }

    public synchronized void addElasticAddress(String publicAddress, String instanceId) {
        network.addElastic(publicAddress, network.first(instanceId));
    }

    /** A further interface of an instance; returns its id. */
    public synchronized String addInterface(String instanceId, String address) {
        return network.addFurther(hosts.get(instanceId), address).id;
    }

    /** A message for the queue's next reader. */
    public synchronized void sendMessage(String body) {
        queue.send(body);
    }

    /** The next instances get these addresses, before the fake makes up its own. */
    public synchronized void addresses(List<String> next) {
        hosts.nextAddresses.addAll(next);
    }

    /** Messages that nobody has deleted. */
    public synchronized int messagesLeft() {
        return queue.size();
    }

    public String queueUrl() {
        return url() + "/123456789012/lifeboat-events";
    }

    @Override
    protected FakeAnswer answer(FakeRequest request) throws InterruptedException {
        String experiment = FakeExperiments.action(request);
        if (!experiment.isEmpty()) {
            try {
                authenticate(request, "fis");
                return experimentAnswer(experiment, request);
            } catch (AwsFault e) {
                return FakeExperiments.error(e);
            }
        }
        boolean ofQueue = request.header("x-amz-target").isPresent();
        try {
            authenticate(request, ofQueue ? "sqs" : "ec2");
            return ofQueue ? queueAnswer(request) : ec2Answer(request);
        } catch (AwsFault e) {
            return ofQueue ? FakeQueue.error(e) : error(e);
        }
    }

    private static void authenticate(FakeRequest request, String service) {
        String authorization = request.header("authorization").orElse("");
        var match = AUTHORIZATION.matcher(authorization);
        if (!match.matches()
                || !match.group(1).equals(service)
                || !Set.of(match.group(2).split(";")).containsAll(SIGNED)
                || request.header("x-amz-date").isEmpty()) {
            throw new AwsFault(401, "AuthFailure", "AWS was not able to validate the provided access credentials");
        }
    }

    private FakeAnswer queueAnswer(FakeRequest request) throws InterruptedException {
        String action = request.header("x-amz-target").orElse("").replace("AmazonSQS.", "");
        synchronized (this) {
            calls.add(action);
        }
        allow(action);
        if (!request.header("content-type").orElse("").startsWith("application/x-amz-json-1.0")) {
            throw new AwsFault(400, "InvalidRequest", "the content type of SQS is application/x-amz-json-1.0");
        }
        if (action.equals("ReceiveMessage")) {
            // In slices, so that a test that has sent all it wants need not wait for the whole poll.
            for (int slice = 0; slice < 5; slice++) {
                synchronized (this) {
                    if (queue.hasVisible()) {
                        break;
                    }
                }
                Thread.sleep(20);
            }
        }
        synchronized (this) {
            return queue.answer(action, request.body(), queueUrl());
        }
    }

    private synchronized FakeAnswer experimentAnswer(String action, FakeRequest request) {
        calls.add(action);
        if (denied.containsKey(action)) {
            throw new AwsFault(403, "AccessDeniedException", "not authorized to perform: fis:" + action);
        }
        return experiments.answer(action, request);
    }

    private synchronized FakeAnswer ec2Answer(FakeRequest request) {
        if (!request.method().equals("POST")
                || !request.header("content-type").orElse("").startsWith("application/x-www-form-urlencoded")) {
            throw new AwsFault(400, "InvalidRequest", "EC2's query protocol is a form that is posted");
        }
        Ec2Form form = Ec2Form.of(request.body());
        if (!form.require("Version").equals(API_VERSION)) {
            throw new AwsFault(400, "InvalidParameterValue", "no such version: " + form.require("Version"));
        }
        String action = form.action();
        calls.add(action);
        allow(action);
        if (form.is("DryRun")) {
            throw new AwsFault(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.");
        }
        Xml body = new Xml();
        boolean known = hosts.answer(action, form, body)
                || volumes.answer(action, form, body)
                || network.answer(action, form, body);
        if (!known) {
            throw new AwsFault(400, "InvalidAction", "The action " + action + " is not valid for this web service.");
        }
        String root = action + "Response";
        return xml(
                200,
                "<" + root + " xmlns=\"http://ec2.amazonaws.com/doc/" + API_VERSION + "/\">"
                        + "<requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId>" + body + "</" + root + ">");
    }

    private void allow(String action) {
        if (denied.containsKey(action)) {
            throw new AwsFault(
                    403, "UnauthorizedOperation", "You are not authorized to perform this operation: " + action);
        }
    }

    /** An error as EC2 sends it, for {@link #failNext}. */
    public static FakeAnswer error(int status, String code, String message) {
        return error(new AwsFault(status, code, message));
    }

    private static FakeAnswer error(AwsFault fault) {
        String body = new Xml()
                .in(
                        "Response",
                        response -> response.in(
                                        "Errors",
                                        errors -> errors.in(
                                                "Error",
                                                error -> error.value("Code", fault.code())
                                                        .value("Message", fault.getMessage())))
                                .value("RequestID", "ea966190-f9aa-478e-9ede-example"))
                .toString();
        return xml(fault.status(), body);
    }

    private static FakeAnswer xml(int status, String body) {
        return FakeAnswer.of(status, "text/xml;charset=UTF-8", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + body);
    }
}
