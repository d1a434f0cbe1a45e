// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.net;

import java.io.IOException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A learning Ethernet switch in user space whose links can be made slow, narrow, lossy, one-way or dead while it runs,
 * and whose ports can be recorded. It needs no privilege and leaves nothing on the user's machine.
 *
 * <p>One thread, {@code frame-switch}, owns every port, link and recorder; the public methods queue a command to it and
 * wait for the result.
 */
public final class FrameSwitch implements AutoCloseable {

    private static final long COMMAND_LIMIT_SECONDS = 10;
    private static final long MAX_RECORDING_BYTES = 256L << 20;

    private final Path directory;
    private final Selector selector;
    private final Thread thread;
    private final ConcurrentLinkedQueue<FutureTask<?>> commands = new ConcurrentLinkedQueue<>();
    private final Map<String, SwitchPort> ports = new LinkedHashMap<>();
    private final Map<Long, SwitchPort> learned = new HashMap<>();
    private final PriorityQueue<Flight> flights = new PriorityQueue<>();
    private final long epochMicrosAtStart = System.currentTimeMillis() * 1000;
    private final long nanosAtStart = System.nanoTime();
    private long flightNumber;
    private volatile boolean closing;
    private volatile Exception failure;

    /** A frame on its way to a port. Frames with the same arrival keep their order. */
    private record Flight(long arrivalNs, long number, SwitchPort to, byte[] frame) implements Comparable<Flight> {
        @Override
        public int compareTo(Flight other) {
            int byTime = Long.compare(arrivalNs, other.arrivalNs);
            return byTime != 0 ? byTime : Long.compare(number, other.number);
        }
    }

    private FrameSwitch(Path directory) throws IOException {
        this.directory = directory;
        selector = Selector.open();
        thread = new Thread(this::run, "frame-switch");
        thread.setDaemon(true);
    }

    /** A switch whose sockets and recordings live in {@code directory}, which must have a short path. */
    public static FrameSwitch open(Path directory) throws IOException {
        Files.createDirectories(directory);
        FrameSwitch frameSwitch = new FrameSwitch(directory);
        frameSwitch.thread.start();
        return frameSwitch;
    }

    public SwitchPort addPort(String name) throws IOException {
        return command(() -> {
            if (ports.containsKey(name)) {
                throw new IOException("the switch already has a port " + name);
            }
            SwitchPort port = new SwitchPort(name, directory.resolve(name + ".sock"), selector);
            port.register();
            ports.put(name, port);
            return port;
        });
    }

    /** One direction. A half-open path is one direction blocked. */
    public void setConditions(SwitchPort from, SwitchPort to, LinkConditions conditions) throws IOException {
        command(() -> {
            from.linkTo(to).setConditions(conditions);
            return null;
        });
    }

    /** Both directions between a port and every other one. */
    public void setConditions(SwitchPort port, LinkConditions conditions) throws IOException {
        command(() -> {
            for (SwitchPort other : ports.values()) {
                port.linkTo(other).setConditions(conditions);
                other.linkTo(port).setConditions(conditions);
            }
            return null;
        });
    }

    /** Nothing passes between the two sides, in either direction, until {@link #heal}. */
    public void partition(Collection<SwitchPort> oneSide, Collection<SwitchPort> otherSide) throws IOException {
        command(() -> {
            for (SwitchPort one : oneSide) {
                for (SwitchPort other : otherSide) {
                    one.linkTo(other).setConditions(LinkConditions.BLOCKED);
                    other.linkTo(one).setConditions(LinkConditions.BLOCKED);
                }
            }
            return null;
        });
    }

    /** Every link is clear and every cable plugged in again. */
    public void heal() throws IOException {
        command(() -> {
            for (SwitchPort from : ports.values()) {
                from.setUnplugged(false);
                for (SwitchPort to : ports.values()) {
                    from.linkTo(to).setConditions(LinkConditions.CLEAR);
                }
            }
            return null;
        });
    }

    /** Pulls the cable, or plugs it in again. Frames already on their way to the port are lost with it. */
    public void setPlugged(SwitchPort port, boolean plugged) throws IOException {
        command(() -> {
            port.setUnplugged(!plugged);
            return null;
        });
    }

    /** Records what the machine at the port sends and gets, from now on, in {@code directory/NAME.pcap}. */
    public Path record(SwitchPort port) throws IOException {
        return record(port, MAX_RECORDING_BYTES);
    }

    Path record(SwitchPort port, long maxBytes) throws IOException {
        Path file = directory.resolve(port.name() + ".pcap");
        command(() -> {
            if (port.recorder() != null) {
                throw new IOException("port " + port.name() + " is already recorded in " + file);
            }
            port.setRecorder(new PcapWriter(file, maxBytes));
            return null;
        });
        return file;
    }

    /** Brings recordings up to date on disk and says how many frames did not fit into the one of this port. */
    public long flushRecording(SwitchPort port) throws IOException {
        return command(() -> {
            port.recorder().flush();
            return port.recorder().omittedFrames();
        });
    }

    public boolean isConnected(SwitchPort port) throws IOException {
        return command(port::isConnected);
    }

    /** One line per port, for a failure report. */
    public List<String> describe() throws IOException {
        return command(() -> {
            List<String> lines = new ArrayList<>();
            for (SwitchPort port : ports.values()) {
                lines.add(port.name() + ": connected=" + port.isConnected() + " from-machine=" + port.receivedFrames
                        + " to-machine=" + port.sentFrames + " overflowed=" + port.overflowedFrames);
            }
            return lines;
        });
    }

    private <T> T command(Callable<T> action) throws IOException {
        FutureTask<T> task = new FutureTask<>(action);
        commands.add(task);
        selector.wakeup();
        try {
            if (failure != null || closing) {
                throw new IOException("the switch is closed", failure);
            }
            return task.get(COMMAND_LIMIT_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException io) {
                throw io;
            }
            throw new IOException("switch command failed: " + e.getCause().getMessage(), e.getCause());
        } catch (TimeoutException e) {
            throw new IOException("the switch did not answer in " + COMMAND_LIMIT_SECONDS + " s", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for the switch", e);
        }
    }

    private void run() {
        try {
            while (!closing) {
                select();
                for (FutureTask<?> task = commands.poll(); task != null; task = commands.poll()) {
                    task.run();
                }
                for (SelectionKey key : selector.selectedKeys()) {
                    serve(key);
                }
                selector.selectedKeys().clear();
                deliver();
                for (SwitchPort port : ports.values()) {
                    port.flush();
                }
            }
        } catch (IOException | RuntimeException e) {
            failure = e;
        } finally {
            for (SwitchPort port : ports.values()) {
                try {
                    port.close();
                } catch (IOException e) {
                    failure = e;
                }
            }
        }
    }

    private void select() throws IOException {
        Flight next = flights.peek();
        if (next == null) {
            selector.select(1000);
            return;
        }
        long waitNs = next.arrivalNs() - System.nanoTime();
        if (waitNs <= 0) {
            selector.selectNow();
        } else {
            // The selector counts milliseconds: round up, so that the loop sleeps instead of spinning.
            selector.select(waitNs / 1_000_000 + 1);
        }
    }

    private void serve(SelectionKey key) throws IOException {
        SwitchPort port = (SwitchPort) key.attachment();
        if (!key.isValid()) {
            return;
        }
        if (key.isAcceptable()) {
            port.accept();
        } else if (key.isReadable()) {
            port.read(frame -> forward(port, frame));
        }
    }

    private void forward(SwitchPort from, byte[] frame) {
        recordFrame(from, frame);
        if (from.isUnplugged()) {
            return;
        }
        long source = address(frame, 6);
        long target = address(frame, 0);
        if ((source & GROUP_BIT) == 0) {
            learned.put(source, from);
        }
        SwitchPort known = (target & GROUP_BIT) == 0 ? learned.get(target) : null;
        if (known != null) {
            if (known != from) {
                launch(from, known, frame);
            }
            return;
        }
        for (SwitchPort port : ports.values()) {
            if (port != from) {
                launch(from, port, frame);
            }
        }
    }

    /** First bit on the wire of a group address: the lowest bit of the first byte. */
    private static final long GROUP_BIT = 1L << 40;

    private static long address(byte[] frame, int offset) {
        long value = 0;
        for (int i = 0; i < 6; i++) {
            value = value << 8 | frame[offset + i] & 0xff;
        }
        return value;
    }

    private void launch(SwitchPort from, SwitchPort to, byte[] frame) {
        long nowNs = System.nanoTime();
        long arrivalNs = from.linkTo(to).arrivalNs(nowNs, frame.length);
        if (arrivalNs != Link.LOST) {
            flights.add(new Flight(arrivalNs, flightNumber++, to, frame));
        }
    }

    private void deliver() {
        while (!flights.isEmpty() && flights.peek().arrivalNs() - System.nanoTime() <= 0) {
            Flight flight = flights.poll();
            SwitchPort to = flight.to();
            if (!to.isUnplugged() && to.isConnected()) {
                recordFrame(to, flight.frame());
                to.send(flight.frame());
            }
        }
    }

    private void recordFrame(SwitchPort port, byte[] frame) {
        if (port.recorder() == null) {
            return;
        }
        try {
            port.recorder().write(epochMicrosAtStart + (System.nanoTime() - nanosAtStart) / 1000, frame);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException("recording of port " + port.name() + " cannot be written", e);
        }
    }

    @Override
    public void close() throws IOException {
        closing = true;
        selector.wakeup();
        try {
            thread.join(TimeUnit.SECONDS.toMillis(COMMAND_LIMIT_SECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        selector.close();
        if (failure != null) {
            throw new IOException("the switch failed: " + failure.getMessage(), failure);
        }
    }
}
