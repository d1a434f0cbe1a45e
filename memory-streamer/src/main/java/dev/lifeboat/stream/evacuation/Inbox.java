// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.stream.evacuation;

import dev.lifeboat.stream.StreamException;
import dev.lifeboat.stream.wire.FrameReceiver;
import dev.lifeboat.stream.wire.Message;
import dev.lifeboat.stream.wire.PeerAbortedException;
import dev.lifeboat.stream.wire.WireException;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Messages of one connection, from its event loop to the one thread that runs the evacuation. Bounded: the protocol
 * never has more than a few under way. After the end of the connection the messages before it can still be taken.
 */
class Inbox implements FrameReceiver {
    private static final int BOUND = 64;

    private final ArrayDeque<Message> messages = new ArrayDeque<>();
    private StreamException ended;

    @Override
    public void onMessage(Message message) {
        if (message instanceof Message.Abort abort) {
            end(new PeerAbortedException(abort.reason()));
            return;
        }
        synchronized (messages) {
            if (messages.size() == BOUND) {
                throw new WireException("the other side sends messages that nobody asked for");
            }
            messages.add(message);
            messages.notifyAll();
        }
    }

    @Override
    public void onClosed(WireException why) {
        end(why);
    }

    /** Ends every wait with this; the first reason stays. */
    void end(StreamException why) {
        synchronized (messages) {
            if (ended == null) {
                ended = why;
            }
            messages.notifyAll();
        }
    }

    /**
     * The next message, which must be of this type.
     *
     * @param waitingFor completes "the other host did not ..."
     * @throws StreamException when the connection ended, the peer gave up, or the time is over
     */
    <T extends Message> T await(Class<T> type, long limitMs, String waitingFor) {
        Optional<Message> message = poll(limitMs);
        if (message.isEmpty()) {
            throw new WireException("the other host did not " + waitingFor + " within " + limitMs + " ms");
        }
        if (!type.isInstance(message.get())) {
            throw new WireException(
                    "the other side sent " + message.get().type() + " where " + type.getSimpleName() + " was expected");
        }
        return type.cast(message.get());
    }

    /** The next message if there is one in time. */
    Optional<Message> poll(long limitMs) {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(limitMs);
        synchronized (messages) {
            while (messages.isEmpty()) {
                if (ended != null) {
                    throw ended;
                }
                long leftMs = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime() + 999_999);
                if (leftMs <= 0) {
                    return Optional.empty();
                }
                try {
                    messages.wait(leftMs);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new StreamException("interrupted while waiting for the other host", e);
                }
            }
            return Optional.of(messages.poll());
        }
    }
}
