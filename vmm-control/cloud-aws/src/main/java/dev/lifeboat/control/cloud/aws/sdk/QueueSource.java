// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.aws.sdk;

import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.SignalSink;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.Message;

/**
 * EC2's events of a whole account, which a rule of EventBridge puts into a queue: what hosts themselves may not live to
 * tell. One thread watches, the caller's. A message is deleted once it is reported; one that cannot be understood is
 * deleted with a warning, for it would come back for days.
 */
final class QueueSource implements PreemptionSource {
    static final String NAME = "aws-eventbridge";

    private static final Logger LOG = LoggerFactory.getLogger(QueueSource.class);
    /** An interrupt is seen between two looks only: longer ones would make a controller's end slow. */
    private static final int LOOK_SECONDS = 5;
    /** Far longer than a report takes; after it another controller gets the message. */
    private static final int HIDDEN_SECONDS = 60;

    private static final int MOST_MESSAGES = 10;
    private static final long FIRST_PAUSE_MS = 500;
    private static final long LONGEST_PAUSE_MS = 30_000;

    private final SqsClient sqs;
    private final String queue;
    private final InstanceEvents events;

    QueueSource(SqsClient sqs, String queue, InstantSource clock, LongSupplier nanoTime) {
        this.sqs = sqs;
        this.queue = queue;
        events = new InstanceEvents(NAME, clock, nanoTime);
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public void watch(SignalSink sink) throws InterruptedException {
        long pauseMs = FIRST_PAUSE_MS;
        while (!Thread.currentThread().isInterrupted()) {
            try {
                look(sink);
                pauseMs = FIRST_PAUSE_MS;
            } catch (CloudException e) {
                if (Thread.interrupted()) {
                    break;
                }
                sink.failed(NAME, e.getMessage());
                Thread.sleep(pauseMs / 2 + ThreadLocalRandom.current().nextLong(pauseMs / 2 + 1));
                pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
            }
        }
        throw new InterruptedException("the watch of " + queue + " was ended");
    }

    private void look(SignalSink sink) {
        List<Message> messages = AwsErrors.look(
                AwsPermission.RECEIVE_MESSAGE,
                "look into the queue " + queue,
                () -> sqs.receiveMessage(request -> request.queueUrl(queue)
                                .waitTimeSeconds(LOOK_SECONDS)
                                .visibilityTimeout(HIDDEN_SECONDS)
                                .maxNumberOfMessages(MOST_MESSAGES))
                        .messages());
        messages.forEach(message -> take(message.body()));
        sink.standing(NAME, events.standing());
        messages.forEach(message -> delete(message.receiptHandle()));
    }

    private void take(String body) {
        Optional<String> wrong = events.take(body);
        wrong.ifPresent(why -> LOG.warn("a message in {} is dropped: {}; see the EventBridge rule", queue, why));
    }

    private void delete(String receipt) {
        AwsErrors.change(
                AwsPermission.DELETE_MESSAGE,
                "delete a message from the queue " + queue,
                () -> sqs.deleteMessage(request -> request.queueUrl(queue).receiptHandle(receipt)));
    }
}
