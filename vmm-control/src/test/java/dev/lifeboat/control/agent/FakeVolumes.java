// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.volume.HostDisks;
import dev.lifeboat.control.volume.HostVolumes;
import dev.lifeboat.control.volume.VolumeMover;
import dev.lifeboat.vmm.VmmConfig;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A data centre's volumes, each attached to one host at most and mounted only where it is attached; what breaks these rules
 * fails as it would there. Steps fail when told so.
 */
final class FakeVolumes {
    /** What was done, such as {@code attach a}. */
    private final List<String> steps = new ArrayList<>();

    /** Steps that fail, and how often they still do. */
    private final Map<String, Integer> failures = new HashMap<>();

    private final Map<String, String> attachedTo = new HashMap<>();
    private final Set<String> mounted = new HashSet<>();

    synchronized void fail(String step, int times) {
        failures.put(step, times);
    }

    synchronized List<String> steps() {
        return List.copyOf(steps);
    }

    synchronized Optional<String> holder(String volumeId) {
        return Optional.ofNullable(attachedTo.get(volumeId));
    }

    synchronized boolean isMounted(String volumeId, String host) {
        return mounted.contains(volumeId + " " + host);
    }

    HostVolumes on(String host) {
        return new HostVolumes(Optional.of(new Mover(host)), new Disks(host));
    }

    private void step(String what) {
        int left = failures.merge(what, -1, Integer::sum);
        if (left >= 0) {
            steps.add(what + " fails");
            throw new ControlException(ExitCode.FAILED, what + " does not work");
        }
        steps.add(what);
    }

    private final class Mover implements VolumeMover {
        private final String host;

        Mover(String host) {
            this.host = host;
        }

        @Override
        public String attach(VmmConfig.Volume volume, long limitMs) {
            synchronized (FakeVolumes.this) {
                String holder = attachedTo.getOrDefault(volume.id(), host);
                if (!holder.equals(host)) {
                    throw new ControlException(ExitCode.FAILED, volume.id() + " is attached to " + holder);
                }
                step("attach " + host);
                attachedTo.put(volume.id(), host);
                return volume.serial();
            }
        }

        @Override
        public void detach(VmmConfig.Volume volume, long limitMs) {
            synchronized (FakeVolumes.this) {
                if (!host.equals(attachedTo.get(volume.id()))) {
                    return;
                }
                if (mounted.contains(volume.id() + " " + host)) {
                    throw new AssertionError("a mounted volume is detached");
                }
                step("detach " + host);
                attachedTo.remove(volume.id());
            }
        }

        @Override
        public void detachElsewhere(VmmConfig.Volume volume, long limitMs) {
            synchronized (FakeVolumes.this) {
                String holder = attachedTo.get(volume.id());
                if (holder != null && !holder.equals(host)) {
                    step("fence " + holder);
                    attachedTo.remove(volume.id());
                    mounted.remove(volume.id() + " " + holder);
                }
            }
        }
    }

    private final class Disks implements HostDisks {
        private final String host;

        Disks(String host) {
            this.host = host;
        }

        @Override
        public boolean isMounted(VmmConfig.Volume volume) {
            return FakeVolumes.this.isMounted(volume.id(), host);
        }

        @Override
        public void mount(VmmConfig.Volume volume, String serial, boolean mayFormat, long limitMs) {
            synchronized (FakeVolumes.this) {
                if (!host.equals(attachedTo.get(volume.id()))) {
                    throw new AssertionError("a volume is mounted that is not attached");
                }
                step("mount " + host);
                mounted.add(volume.id() + " " + host);
            }
        }

        @Override
        public void unmount(VmmConfig.Volume volume, long limitMs) {
            synchronized (FakeVolumes.this) {
                if (mounted.contains(volume.id() + " " + host)) {
                    step("unmount " + host);
                    mounted.remove(volume.id() + " " + host);
                }
            }
        }
    }
}
