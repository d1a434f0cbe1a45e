// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.agent;

import dev.lifeboat.vmm.CpuProfile;
import dev.lifeboat.vmm.VmmConfig;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A microVM as a user asks for it, and as peers hand it to each other. Host-independent but for the paths, which must
 * mean the same on every host the VM may live on.
 *
 * @param vmId {@code [a-z0-9][a-z0-9-]{0,62}}
 * @param memoryMiB at least 16
 * @param vcpus 1 to 16
 * @param kernel bzImage on the host that boots it
 * @param mac of the one network interface; empty for a VM without network
 * @param epochIntervalMs 0 switches streaming off
 * @param lifeboat the host it is evacuated to; empty for the agent's default, else any peer
 * @param storeKey names the key its epochs are encrypted with, on every host that runs it; the agent's unless set
 * @param owners absent: strict mode, owner records in the store
 * @param store its own, such as one on a volume that goes with it; the agent's unless set
 * @param hooks commands around its moves; absent: none
 * @param cpuProfile a {@link CpuProfile} by its word: the less of its host's processor it is shown, the more hosts it can
 *     move to; absent: all of it
 */
public record VmSpec(
        String vmId,
        int memoryMiB,
        int vcpus,
        String kernel,
        Optional<String> initrd,
        String commandLine,
        Optional<String> mac,
        List<VmmConfig.Disk> disks,
        int epochIntervalMs,
        Optional<String> lifeboat,
        Optional<String> storeKey,
        VmmConfig.Owners owners,
        Optional<VmmConfig.Store> store,
        VmHooks hooks,
        String cpuProfile) {
    public static final Pattern VM_ID = Pattern.compile("[a-z0-9][a-z0-9-]{0,62}");
    private static final int DEFAULT_EPOCH_INTERVAL_MS = 1_000;
    private static final Pattern MAC = Pattern.compile("[0-9a-f]{2}(:[0-9a-f]{2}){5}");

    public VmSpec {
        require(vmId != null && VM_ID.matcher(vmId).matches(), "\"vmId\" must match " + VM_ID + ", not " + vmId);
        require(memoryMiB >= 16, "\"memoryMiB\" must be 16 or more, not " + memoryMiB);
        require(vcpus >= 1 && vcpus <= 16, "\"vcpus\" must be 1 to 16, not " + vcpus);
        require(kernel != null && !kernel.isBlank(), "\"kernel\" is missing: the path of a bzImage");
        require(epochIntervalMs >= 0, "\"epochIntervalMs\" must be 0 (off) or more, not " + epochIntervalMs);
        require(
                mac == null || mac.isEmpty() || MAC.matcher(mac.get()).matches(),
                "\"mac\" must be like 52:54:00:12:34:56, in lower case");
        initrd = initrd == null ? Optional.empty() : initrd;
        commandLine = commandLine == null ? "" : commandLine;
        mac = mac == null ? Optional.empty() : mac;
        disks = disks == null ? List.of() : List.copyOf(disks);
        lifeboat = lifeboat == null ? Optional.empty() : lifeboat;
        storeKey = storeKey == null ? Optional.empty() : storeKey;
        owners = owners == null ? VmmConfig.Owners.IN_THE_STORE : owners;
        store = store == null ? Optional.empty() : store;
        if (store.isPresent()) {
            store.get().requireOwnersElsewhere(owners);
        }
        hooks = hooks == null ? VmHooks.NONE : hooks;
        cpuProfile = cpuProfile == null
                ? CpuProfile.HOST.word()
                : CpuProfile.named(cpuProfile).word();
    }

    /** In the agent's store, without hooks, with the host's processor. */
    public VmSpec(
            String vmId,
            int memoryMiB,
            int vcpus,
            String kernel,
            Optional<String> initrd,
            String commandLine,
            Optional<String> mac,
            List<VmmConfig.Disk> disks,
            int epochIntervalMs,
            Optional<String> lifeboat,
            Optional<String> storeKey,
            VmmConfig.Owners owners) {
        this(
                vmId,
                memoryMiB,
                vcpus,
                kernel,
                initrd,
                commandLine,
                mac,
                disks,
                epochIntervalMs,
                lifeboat,
                storeKey,
                owners,
                Optional.empty(),
                VmHooks.NONE,
                null);
    }

    /** Encrypted with the agent's key, if that has one; in strict mode, owner records in the store. */
    public VmSpec(
            String vmId,
            int memoryMiB,
            int vcpus,
            String kernel,
            Optional<String> initrd,
            String commandLine,
            Optional<String> mac,
            List<VmmConfig.Disk> disks,
            int epochIntervalMs,
            Optional<String> lifeboat) {
        this(
                vmId,
                memoryMiB,
                vcpus,
                kernel,
                initrd,
                commandLine,
                mac,
                disks,
                epochIntervalMs,
                lifeboat,
                Optional.empty(),
                VmmConfig.Owners.IN_THE_STORE);
    }

    /** The same with another store key, if one is given: on this host it may have another name than where it started. */
    VmSpec withStoreKey(Optional<String> given) {
        if (given.isEmpty()) {
            return this;
        }
        return new VmSpec(
                vmId,
                memoryMiB,
                vcpus,
                kernel,
                initrd,
                commandLine,
                mac,
                disks,
                epochIntervalMs,
                lifeboat,
                given,
                owners,
                store,
                hooks,
                cpuProfile);
    }

    public static int defaultEpochIntervalMs() {
        return DEFAULT_EPOCH_INTERVAL_MS;
    }

    /** The volume that goes where this VM goes. */
    Optional<VmmConfig.Volume> volume() {
        return store.flatMap(VmmConfig.Store::volume);
    }

    /** Where its epochs go, with its key. */
    Optional<VmmConfig.Store> store(Optional<VmmConfig.Store> ofTheAgent) {
        return store.or(() -> ofTheAgent).map(used -> used.withKey(storeKey));
    }

    private static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }
}
