// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.vmm.device;

import dev.lifeboat.linux.EventFd;
import dev.lifeboat.stream.GuestMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The registers of one virtio device on the memory-mapped bus, version 2 (virtio 1.2, 4.2). Set-up runs on vCPU threads
 * under this object's lock; what happens per packet does not: the interrupt registers are atomic, and notifications
 * are eventfds that KVM signals itself.
 *
 * <p>A device that fails tells its driver with DEVICE_NEEDS_RESET and stays quiet until the driver resets it.
 */
public final class VirtioMmioTransport implements MmioDevice, VirtioDevice.Signals, AutoCloseable {
    /** How much of the bus a device takes: registers and configuration space. */
    public static final int LENGTH_BYTES = 0x200;

    /** Where the driver writes a queue's number; for KVM_IOEVENTFD with that number as datamatch, 4 bytes. */
    public static final int QUEUE_NOTIFY = 0x050;

    public static final int FEATURE_INDIRECT_DESC = 28;
    public static final int FEATURE_EVENT_IDX = 29;
    public static final int FEATURE_VERSION_1 = 32;

    private static final int MAGIC = 0x000;
    private static final int VERSION = 0x004;
    private static final int DEVICE_ID = 0x008;
    private static final int VENDOR_ID = 0x00c;
    private static final int DEVICE_FEATURES = 0x010;
    private static final int DEVICE_FEATURES_SELECT = 0x014;
    private static final int DRIVER_FEATURES = 0x020;
    private static final int DRIVER_FEATURES_SELECT = 0x024;
    private static final int QUEUE_SELECT = 0x030;
    private static final int QUEUE_SIZE_MAX = 0x034;
    private static final int QUEUE_SIZE = 0x038;
    private static final int QUEUE_READY = 0x044;
    private static final int INTERRUPT_STATUS = 0x060;
    private static final int INTERRUPT_ACK = 0x064;
    private static final int STATUS = 0x070;
    private static final int QUEUE_DESC_LOW = 0x080;
    private static final int QUEUE_DESC_HIGH = 0x084;
    private static final int QUEUE_DRIVER_LOW = 0x090;
    private static final int QUEUE_DRIVER_HIGH = 0x094;
    private static final int QUEUE_DEVICE_LOW = 0x0a0;
    private static final int QUEUE_DEVICE_HIGH = 0x0a4;
    private static final int SHM_FIRST = 0x0b0;
    private static final int SHM_LAST = 0x0bc;
    private static final int CONFIG_GENERATION = 0x0fc;
    private static final int CONFIG = 0x100;

    private static final int MAGIC_VALUE = 0x7472_6976; // "virt"
    private static final int VENDOR_VALUE = 0x4c46_4254; // "LFBT"; drivers ignore it

    private static final int STATUS_ACKNOWLEDGE = 1;
    private static final int STATUS_DRIVER = 2;
    private static final int STATUS_DRIVER_OK = 4;
    private static final int STATUS_FEATURES_OK = 8;
    private static final int STATUS_NEEDS_RESET = 0x40;
    private static final int STATUS_FAILED = 0x80;

    private static final int INTERRUPT_USED = 1;
    private static final int INTERRUPT_CONFIG = 2;

    private static final Logger LOG = LoggerFactory.getLogger(VirtioMmioTransport.class);

    /** What the driver wrote about a queue, before it is checked. */
    private static final class QueueRegisters {
        int size;
        boolean ready;
        long descriptors;
        long driver;
        long device;
    }

    private final VirtioDevice device;
    private final GuestMemory memory;
    private final InterruptLine interrupt;
    private final long offered;
    private final List<EventFd> notifications = new ArrayList<>();
    private final QueueRegisters[] registers;

    private final AtomicInteger status = new AtomicInteger();
    private final AtomicInteger interruptStatus = new AtomicInteger();
    private final AtomicInteger configGeneration = new AtomicInteger();

    private int deviceFeaturesSelect;
    private int driverFeaturesSelect;
    private int queueSelect;
    private long accepted;
    private List<VirtQueue> queues = List.of();
    private boolean kickDriverOnResume;

    /** Puts {@code device} on the bus; closing the transport closes the device. */
    public VirtioMmioTransport(VirtioDevice device, GuestMemory memory, InterruptLine interrupt) {
        this.device = device;
        this.memory = memory;
        this.interrupt = interrupt;
        offered = device.features() | 1L << FEATURE_VERSION_1;
        registers = new QueueRegisters[device.queueCount()];
        boolean complete = false;
        try {
            for (int i = 0; i < registers.length; i++) {
                registers[i] = new QueueRegisters();
                notifications.add(new EventFd());
            }
            complete = true;
        } finally {
            if (!complete) {
                notifications.forEach(EventFd::close);
            }
        }
    }

    public VirtioDevice device() {
        return device;
    }

    public int queueCount() {
        return registers.length;
    }

    /** Signalled when the driver notifies {@code queue}; for KVM_IOEVENTFD at {@link #QUEUE_NOTIFY}. */
    public EventFd notifyFd(int queue) {
        return notifications.get(queue);
    }

    @Override
    public long read(long offset, int lengthBytes) {
        if (offset >= CONFIG) {
            return readConfig((int) (offset - CONFIG), lengthBytes);
        }
        if (lengthBytes != 4) {
            return 0; // 4.2.2.2: the driver uses 32-bit aligned reads for all but the configuration space
        }
        switch ((int) offset) {
            case MAGIC:
                return MAGIC_VALUE;
            case VERSION:
                return 2;
            case DEVICE_ID:
                return device.type();
            case VENDOR_ID:
                return VENDOR_VALUE;
            case INTERRUPT_STATUS:
                return interruptStatus.get();
            case STATUS:
                return status.get();
            case CONFIG_GENERATION:
                return configGeneration.get() & 0xffff_ffffL;
            default:
                return offset >= SHM_FIRST && offset <= SHM_LAST ? 0xffff_ffffL : readSetUp((int) offset);
        }
    }

    private long readConfig(int offset, int lengthBytes) {
        long value = 0;
        for (int i = 0; i < lengthBytes; i++) {
            value |= (device.readConfig(offset + i) & 0xffL) << (8 * i);
        }
        return value;
    }

    private synchronized long readSetUp(int offset) {
        boolean exists = queueSelect >= 0 && queueSelect < registers.length;
        switch (offset) {
            case DEVICE_FEATURES:
                return featureWord(offered, deviceFeaturesSelect);
            case QUEUE_SIZE_MAX:
                return exists ? device.queueMaxSize() : 0;
            case QUEUE_READY:
                return exists && registers[queueSelect].ready ? 1 : 0;
            default:
                return 0;
        }
    }

    private static long featureWord(long features, int select) {
        return select == 0 || select == 1 ? features >>> (32 * select) & 0xffff_ffffL : 0;
    }

    @Override
    public void write(long offset, int lengthBytes, long value) {
        if (lengthBytes != 4 || offset >= CONFIG) {
            return; // no device here has a writable configuration field
        }
        switch ((int) offset) {
            case QUEUE_NOTIFY:
                // Only where there is no ioeventfd: in tests, and on a KVM that is asked to leave it out.
                if (value >= 0 && value < registers.length) {
                    notifications.get((int) value).signal();
                }
                break;
            case INTERRUPT_ACK:
                interruptStatus.getAndUpdate(old -> old & ~(int) value);
                break;
            default:
                writeSetUp((int) offset, (int) value);
                break;
        }
    }

    private synchronized void writeSetUp(int offset, int value) {
        switch (offset) {
            case DEVICE_FEATURES_SELECT:
                deviceFeaturesSelect = value;
                break;
            case DRIVER_FEATURES_SELECT:
                driverFeaturesSelect = value;
                break;
            case DRIVER_FEATURES:
                writeDriverFeatures(value & 0xffff_ffffL);
                break;
            case QUEUE_SELECT:
                queueSelect = value;
                break;
            case STATUS:
                writeStatus(value);
                break;
            default:
                writeQueue(offset, value);
                break;
        }
    }

    private void writeDriverFeatures(long value) {
        // Before DRIVER the device does not listen, after FEATURES_OK the choice is made (3.1.1).
        if ((status.get() & (STATUS_DRIVER | STATUS_FEATURES_OK)) != STATUS_DRIVER) {
            return;
        }
        if (driverFeaturesSelect == 0) {
            accepted = accepted & ~0xffff_ffffL | value;
        } else if (driverFeaturesSelect == 1) {
            accepted = accepted & 0xffff_ffffL | value << 32;
        }
    }

    private void writeQueue(int offset, int value) {
        boolean settingUp = (status.get() & (STATUS_FEATURES_OK | STATUS_DRIVER_OK)) == STATUS_FEATURES_OK;
        if (!settingUp || queueSelect < 0 || queueSelect >= registers.length) {
            return;
        }
        QueueRegisters queue = registers[queueSelect];
        switch (offset) {
            case QUEUE_SIZE:
                queue.size = value;
                break;
            case QUEUE_READY:
                queue.ready = (value & 1) != 0;
                break;
            case QUEUE_DESC_LOW:
                queue.descriptors = low(queue.descriptors, value);
                break;
            case QUEUE_DESC_HIGH:
                queue.descriptors = high(queue.descriptors, value);
                break;
            case QUEUE_DRIVER_LOW:
                queue.driver = low(queue.driver, value);
                break;
            case QUEUE_DRIVER_HIGH:
                queue.driver = high(queue.driver, value);
                break;
            case QUEUE_DEVICE_LOW:
                queue.device = low(queue.device, value);
                break;
            case QUEUE_DEVICE_HIGH:
                queue.device = high(queue.device, value);
                break;
            default:
                break;
        }
    }

    private static long low(long old, int value) {
        return old & ~0xffff_ffffL | value & 0xffff_ffffL;
    }

    private static long high(long old, int value) {
        return old & 0xffff_ffffL | (long) value << 32;
    }

    /** The driver adds one bit after the other, in the order of 3.1.1; anything else but 0 and FAILED is ignored. */
    private void writeStatus(int value) {
        int current = status.get() & ~STATUS_NEEDS_RESET;
        if (value == 0) {
            reset();
            return;
        }
        int wanted = value & ~STATUS_NEEDS_RESET;
        int added = wanted & ~current;
        if ((current & ~wanted) != 0) {
            LOG.warn(
                    "{}: the driver takes back status bits, 0x{} after 0x{}: ignored",
                    device.name(),
                    hex(wanted),
                    hex(current));
        } else if ((added & STATUS_FAILED) != 0) {
            LOG.warn("{}: the driver gave up on the device", device.name());
            setStatus(STATUS_FAILED);
        } else if (added == STATUS_ACKNOWLEDGE && current == 0) {
            setStatus(STATUS_ACKNOWLEDGE);
        } else if (added == STATUS_DRIVER && current == STATUS_ACKNOWLEDGE) {
            setStatus(STATUS_DRIVER);
        } else if (added == STATUS_FEATURES_OK && current == (STATUS_ACKNOWLEDGE | STATUS_DRIVER)) {
            acceptFeatures();
        } else if (added == STATUS_DRIVER_OK && current == (STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK)) {
            setStatus(STATUS_DRIVER_OK);
            activate(fromRegisters());
        } else if (added != 0) {
            LOG.warn(
                    "{}: the driver skips a step, status 0x{} after 0x{}: ignored",
                    device.name(),
                    hex(wanted),
                    hex(current));
        }
    }

    private static String hex(int value) {
        return Integer.toHexString(value);
    }

    private void setStatus(int bit) {
        status.getAndUpdate(old -> old | bit);
    }

    /** A driver reads FEATURES_OK back; when it is not there, the driver knows that its choice was refused. */
    private void acceptFeatures() {
        if ((accepted & ~offered) != 0) {
            LOG.warn(
                    "{}: the driver accepts features 0x{} that were not offered",
                    device.name(),
                    Long.toHexString(accepted & ~offered));
        } else if ((accepted & 1L << FEATURE_VERSION_1) == 0) {
            LOG.warn(
                    "{}: the driver is a legacy one, without VERSION_1; use a guest kernel newer than 4.0",
                    device.name());
        } else {
            setStatus(STATUS_FEATURES_OK);
        }
    }

    private void reset() {
        try {
            device.reset();
        } catch (DeviceException e) {
            needsReset(e.getMessage());
            return;
        }
        status.set(0);
        interruptStatus.set(0);
        accepted = 0;
        deviceFeaturesSelect = 0;
        driverFeaturesSelect = 0;
        queueSelect = 0;
        queues = List.of();
        for (int i = 0; i < registers.length; i++) {
            registers[i] = new QueueRegisters();
            notifications.get(i).drain();
        }
    }

    private List<VirtQueueState> fromRegisters() {
        List<VirtQueueState> setup = new ArrayList<>();
        for (QueueRegisters queue : registers) {
            setup.add(new VirtQueueState(
                    device.queueMaxSize(),
                    queue.size,
                    queue.ready,
                    queue.descriptors,
                    queue.driver,
                    queue.device,
                    0,
                    0));
        }
        return setup;
    }

    private void activate(List<VirtQueueState> setup) {
        try {
            List<VirtQueue> built = new ArrayList<>();
            for (VirtQueueState queue : setup) {
                built.add(new VirtQueue(memory, queue, accepted(FEATURE_EVENT_IDX), accepted(FEATURE_INDIRECT_DESC)));
            }
            device.activate(new VirtioDevice.Activation(accepted, built, List.copyOf(notifications), this));
            queues = List.copyOf(built);
        } catch (HostileQueueException e) {
            needsReset(e.getMessage());
        }
    }

    private boolean accepted(int featureBit) {
        return (accepted & 1L << featureBit) != 0;
    }

    @Override
    public void usedBuffers() {
        interruptStatus.getAndUpdate(old -> old | INTERRUPT_USED);
        interrupt.raise();
    }

    @Override
    public void configChanged() {
        configGeneration.getAndIncrement();
        interruptStatus.getAndUpdate(old -> old | INTERRUPT_CONFIG);
        interrupt.raise();
    }

    @Override
    public void needsReset(String reason) {
        LOG.warn("{}: stopped until the guest's driver resets it: {}", device.name(), reason);
        int old = status.getAndUpdate(now -> now | STATUS_NEEDS_RESET);
        if ((old & STATUS_DRIVER_OK) != 0) {
            configChanged(); // 2.1.2: a driver that is running is told
        }
    }

    /** Quiets the device; after the vCPUs are stopped, before {@link #state}. */
    public void pause() {
        device.pause();
    }

    /**
     * Lets the device go on, before the vCPUs do. The first time after {@link #restore} the driver gets an interrupt it
     * may not need: the one it was owed may have been between the eventfd and the local APIC when the source was saved.
     * The device looks at every queue for the same reason: a notification may have been in an eventfd.
     */
    public synchronized void resume() {
        device.resume();
        if (kickDriverOnResume) {
            kickDriverOnResume = false;
            usedBuffers();
        }
    }

    /**
     * The state of registers, queues and device. Order: vCPUs stopped, then {@link #pause}, then this. A running vCPU
     * could still write registers, a running device still moves its queues.
     */
    public synchronized VirtioMmioState state() {
        List<VirtQueueState> saved = queues.isEmpty()
                ? fromRegisters()
                : queues.stream().map(VirtQueue::state).toList();
        return new VirtioMmioState(
                VirtioMmioState.VERSION,
                device.type(),
                offered,
                accepted,
                deviceFeaturesSelect,
                driverFeaturesSelect,
                queueSelect,
                status.get(),
                configGeneration.get(),
                interruptStatus.get(),
                saved,
                device.state());
    }

    /**
     * Takes over a saved device; on a transport that was never used. Order: guest memory first (the rings are in it),
     * then this, which leaves the device paused, then irqfd and ioeventfd, then {@link #resume}, then the vCPUs.
     *
     * @throws DeviceException when this host's device cannot go on where the saved one stopped
     */
    public synchronized void restore(VirtioMmioState state) {
        if (state.deviceType() != device.type() || state.queues().size() != registers.length) {
            throw new DeviceException(
                    "%s has type %d with %d queues, the saved device type %d with %d: list the devices in the same order on both hosts"
                            .formatted(
                                    device.name(),
                                    device.type(),
                                    registers.length,
                                    state.deviceType(),
                                    state.queues().size()));
        }
        long missing = state.acceptedFeatures() & ~offered;
        if (missing != 0) {
            throw new DeviceException("%s lacks features 0x%x that the guest uses: run the same release on both hosts"
                    .formatted(device.name(), missing));
        }
        device.pause();
        device.restore(state.device());
        accepted = state.acceptedFeatures();
        deviceFeaturesSelect = state.deviceFeaturesSelect();
        driverFeaturesSelect = state.driverFeaturesSelect();
        queueSelect = state.queueSelect();
        status.set(state.status());
        configGeneration.set(state.configGeneration());
        interruptStatus.set(state.interruptStatus());
        for (int i = 0; i < registers.length; i++) {
            VirtQueueState queue = state.queues().get(i);
            if (queue.maxSize() != device.queueMaxSize()) {
                throw new DeviceException(
                        "%s has queues of %d, the saved device of %d: run the same release on both hosts"
                                .formatted(device.name(), device.queueMaxSize(), queue.maxSize()));
            }
            registers[i].size = queue.size();
            registers[i].ready = queue.ready();
            registers[i].descriptors = queue.descriptorAddress();
            registers[i].driver = queue.availableAddress();
            registers[i].device = queue.usedAddress();
        }
        if ((state.status() & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET)) == STATUS_DRIVER_OK) {
            activate(state.queues());
            kickDriverOnResume = true;
        }
    }

    /** Stops the device and closes it and the notification descriptors. Take the ioeventfds off KVM first. */
    @Override
    public synchronized void close() {
        device.close();
        notifications.forEach(EventFd::close);
    }
}
