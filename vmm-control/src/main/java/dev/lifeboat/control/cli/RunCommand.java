// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.agent.VmHooks;
import dev.lifeboat.control.agent.VmSpec;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code lifeboat run}. */
@Command(name = "run", description = "Starts a microVM and waits until it runs.", mixinStandardHelpOptions = true)
final class RunCommand implements Callable<Integer> {
    @Mixin
    ClientOptions options;

    @Parameters(paramLabel = "VM", description = "name of the VM: small letters, digits, '-'")
    String vmId;

    @Option(names = "--kernel", required = true, paramLabel = "FILE", description = "bzImage on the host")
    String kernel;

    @Option(names = "--initrd", paramLabel = "FILE", description = "initrd on the host")
    String initrd;

    @Option(
            names = "--command-line",
            paramLabel = "TEXT",
            description = "kernel command line",
            defaultValue = "console=ttyS0 reboot=k panic=1")
    String commandLine;

    @Option(
            names = "--memory",
            paramLabel = "MIB",
            description = "MiB (default: ${DEFAULT-VALUE})",
            defaultValue = "512")
    int memoryMiB;

    @Option(
            names = "--vcpus",
            paramLabel = "N",
            description = "1 to 16 (default: ${DEFAULT-VALUE})",
            defaultValue = "1")
    int vcpus;

    @Option(
            names = "--cpu-profile",
            paramLabel = "NAME",
            description =
                    "what it is shown of the processor: host, or at most x86-64-v2, x86-64-v3 or x86-64-v4, so that it can"
                            + " move to other processors (default: ${DEFAULT-VALUE})",
            defaultValue = "host")
    String cpuProfile;

    @Option(names = "--mac", paramLabel = "MAC", description = "gives it a network interface with this address")
    String mac;

    @Option(
            names = "--disk",
            paramLabel = "DISK",
            description = {
                "FILE[:ro]: a raw disk image or block device on the host;",
                "[base=FILE,]size=N[K|M|G]: a new disk, as the image in FILE or empty. Again for more disks"
            })
    List<String> disks = new ArrayList<>();

    @Option(
            names = "--epoch-interval",
            paramLabel = "MS",
            description = "time between epochs, 0 for no streaming (default: ${DEFAULT-VALUE})",
            defaultValue = "1000")
    int epochIntervalMs;

    @Option(names = "--lifeboat", paramLabel = "HOST", description = "the host it is evacuated to")
    String lifeboat;

    @Option(
            names = "--store-key",
            paramLabel = "KEY",
            description = "encrypts its epochs: file:/path on each host, or aws-kms:ARN (default: the agent's)")
    String storeKey;

    @Option(
            names = "--ownership",
            paramLabel = "strict|lease",
            description =
                    "who may run the VM is decided by the registry inside a switch (strict), or by leases outside of"
                            + " it; with a lease a host that is cut off stops its guest by itself (default:"
                            + " ${DEFAULT-VALUE})",
            defaultValue = "strict")
    String ownership;

    @Option(
            names = "--lease",
            paramLabel = "MS",
            description =
                    "with --ownership lease: how long the guest may run on while the registry does not answer, and how"
                            + " long a restore waits (default: ${DEFAULT-VALUE})",
            defaultValue = "10000")
    long leaseMillis;

    @Option(
            names = "--registry",
            paramLabel = "URL",
            description = "where the owner records are: etcd://host:port[,host:port...]/prefix, or a store's URL"
                    + " (default: the VM's store)")
    String registry;

    @Option(
            names = "--volume",
            paramLabel = "ID=DIRECTORY",
            description =
                    "keeps its epochs on this volume, mounted at DIRECTORY of whichever host the VM is on; the volume"
                            + " goes where the VM goes (needs --registry)")
    String volume;

    @Option(names = "--format-volume", description = "with --volume: a blank volume is formatted")
    boolean formatVolume;

    private Optional<VmmConfig.Store> store() {
        if (volume == null) {
            if (formatVolume) {
                throw new IllegalArgumentException("--format-volume needs --volume ID=DIRECTORY");
            }
            return Optional.empty();
        }
        int end = volume.indexOf('=');
        if (end < 0) {
            throw new IllegalArgumentException(
                    "--volume is ID=DIRECTORY, such as vol-0123=/var/lib/lifeboat/web, not '" + volume + "'");
        }
        String mountPoint = volume.substring(end + 1);
        VmmConfig.Volume on = new VmmConfig.Volume(volume.substring(0, end), null, mountPoint, null, formatVolume);
        return Optional.of(new VmmConfig.Store(
                "dir:" + mountPoint + "/store", Optional.empty(), Optional.empty(), Optional.empty(), Optional.of(on)));
    }

    private VmmConfig.Owners owners() {
        VmmConfig.Ownership mode = switch (ownership) {
            case "strict" -> VmmConfig.Ownership.STRICT;
            case "lease" -> VmmConfig.Ownership.LEASE;
            default -> throw new IllegalArgumentException("--ownership is strict or lease, not '" + ownership + "'");
        };
        return new VmmConfig.Owners(Optional.ofNullable(registry), mode, leaseMillis);
    }

    @Override
    public Integer call() throws InterruptedException {
        VmSpec spec;
        try {
            spec = new VmSpec(
                    vmId,
                    memoryMiB,
                    vcpus,
                    kernel,
                    Optional.ofNullable(initrd),
                    commandLine,
                    Optional.ofNullable(mac),
                    disks.stream().map(DiskWish::parse).toList(),
                    epochIntervalMs,
                    Optional.ofNullable(lifeboat),
                    Optional.ofNullable(storeKey),
                    owners(),
                    store(),
                    VmHooks.NONE,
                    cpuProfile);
        } catch (IllegalArgumentException e) {
            throw new ControlException(ExitCode.USAGE, e.getMessage(), e);
        }
        options.client().post(options.agent, "/v1/vms", Json.MAPPER.valueToTree(spec), Waiting.CALL_LIMIT_MS);
        return Waiting.untilRunning(options, Terminal.system(), vmId);
    }
}
