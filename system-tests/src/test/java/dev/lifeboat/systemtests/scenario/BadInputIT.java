// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.systemtests.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.certs.FleetAuthority;
import dev.lifeboat.systemtests.fabric.EmulatedFabric;
import dev.lifeboat.systemtests.fabric.HostAgent;
import dev.lifeboat.systemtests.machine.ExecResult;
import dev.lifeboat.systemtests.scenario.LifeboatCommand.Said;
import dev.lifeboat.vmm.Json;
import dev.lifeboat.vmm.VmmConfig;
import dev.lifeboat.vmm.VmmProcess;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What users get wrong, on real KVM and with the real commands, while another VM runs on the same host. */
@ExtendWith(SharedFabric.class)
@OnRealKvm
final class BadInputIT {

    private static final Duration LIMIT = Duration.ofSeconds(240);
    private static final String KERNEL = EmulatedFabric.guestFile("test-guest", "vmlinuz");
    private static final String INITRD = EmulatedFabric.guestFile("test-guest", "initrd");

    @TempDir
    Path folder;

    @Test
    void everyMistakeIsOneLineAndAVmThatRunsRunsOn() throws Exception {
        EmulatedFabric fabric = SharedFabric.get();
        MonitorTests.begin(fabric);
        HostAgent host = fabric.agent("host-a");
        fabric.machine("host-a")
                .exec("head -c 3000000 " + KERNEL + " > /tmp/half-a-kernel; truncate -s 300M /tmp/huge-initrd", LIMIT)
                .orThrow("the damaged files");
        mistake(ExitCode.USAGE, "no kernel at /no/such/vmlinuz", run("bystander", "--kernel", "/no/such/vmlinuz"));
        mistake(ExitCode.FAILED, "is truncated", run("bystander", "--kernel", "/tmp/half-a-kernel"));
        // Starts that failed left nothing in the store that would keep the right one from its name.
        Said ran = run(
                "bystander",
                "--kernel",
                KERNEL,
                "--initrd",
                INITRD,
                "--memory",
                "192",
                // It is there to be seen running; the processor is for the mistakes.
                "--epoch-interval",
                "5000",
                "--command-line",
                "console=ttyS0 quiet loglevel=3 panic=1 reboot=k lifeboat.test=counter:1:100");
        assertThat(ran.errors()).isEmpty();
        assertThat(ran.exitCode()).isZero();
        awaitRounds(host, 1);
        mistake(
                ExitCode.FAILED,
                "does not fit beside the kernel",
                run("another", "--kernel", KERNEL, "--initrd", "/tmp/huge-initrd", "--memory", "256"));
        mistake(ExitCode.FAILED, "already past", lifeboat("evacuate", "bystander", "--deadline=-5s"));
        mistake(ExitCode.NOT_FOUND, "no VM nobody", lifeboat("evacuate", "nobody"));
        FleetAuthority.openOrCreate(folder.resolve("strangers")).issue("client", List.of("127.0.0.1"));
        mistake(
                ExitCode.NOT_TRUSTED,
                "authority",
                new LifeboatCommand(folder, "host-a", folder.resolve("strangers"), "client").run(LIMIT, "ps"));

        vmmMistake(
                fabric,
                "AWS_SECRET_ACCESS_KEY=wrong",
                new VmmConfig.Store("s3://lifeboat", Optional.of("http://10.77.0.1:9000"), Optional.of("us-east-1")),
                "access denied");
        fabric.machine("host-a")
                .exec(
                        "mkdir -p /tmp/full && mount -t tmpfs -o size=16k tmpfs /tmp/full && "
                                + "dd if=/dev/zero of=/tmp/full/ballast bs=4k count=100; true",
                        LIMIT)
                .orThrow("the full disk");
        vmmMistake(fabric, "", new VmmConfig.Store("dir:/tmp/full", Optional.empty(), Optional.empty()), "disk full");

        assertThat(host.status("bystander").path("state").asText()).isEqualTo("RUNNING");
        awaitRounds(host, rounds(host) + 2);
        assertThat(host.console("bystander"))
                .doesNotContain("lifeboat-test: failed")
                .doesNotContainPattern("wrong=[1-9]");
        host.remove("bystander");
    }

    /** {@code lifeboat run} of a VM that must not come up. */
    private Said run(String vm, String... more) throws Exception {
        List<String> words = new ArrayList<>(List.of("run", vm));
        words.addAll(Arrays.asList(more));
        return lifeboat(words.toArray(String[]::new));
    }

    private Said lifeboat(String... words) throws Exception {
        return LifeboatCommand.trusted(folder, "host-a").run(LIMIT, words);
    }

    private static void mistake(int exitCode, String words, Said said) {
        assertThat(said.errors().strip().lines()).as(said.errors()).hasSize(1);
        assertThat(said.errors()).startsWith("lifeboat: ").contains(words).doesNotContain("\tat ");
        assertThat(said.exitCode()).as(said.errors()).isEqualTo(exitCode);
    }

    /** A {@code vmm} process with a store that does not work. */
    private static void vmmMistake(EmulatedFabric fabric, String environment, VmmConfig.Store store, String words)
            throws Exception {
        VmmConfig config = new VmmConfig(
                VmmConfig.Mode.BOOT,
                "unlucky",
                "host-a",
                192L << 20,
                1,
                "host",
                Optional.of(KERNEL),
                Optional.of(INITRD),
                "console=ttyS0",
                List.of(),
                List.of(),
                Optional.of(store),
                1_000,
                Optional.empty(),
                Optional.empty(),
                "/tmp/unlucky.sock",
                "/tmp/unlucky.console",
                new VmmConfig.Files("/tmp", "/tmp/images"));
        ExecResult said = fabric.machine("host-a")
                .exec(
                        "export AWS_ACCESS_KEY_ID=lifeboat-test AWS_SECRET_ACCESS_KEY=lifeboat-test-secret\n"
                                + "export AWS_EC2_METADATA_DISABLED=true " + environment + "\n"
                                + "echo '" + Json.MAPPER.writeValueAsString(config)
                                + "' > /tmp/unlucky.json\n"
                                + "timeout 80 java " + VmmProcess.class.getName() + " --config /tmp/unlucky.json",
                        LIMIT);
        assertThat(said.output()).contains("lifeboat: ").contains(words).doesNotContain("\tat ");
        assertThat(said.exitCode()).as(said.output()).isEqualTo(1);
    }

    private static int rounds(HostAgent host) {
        String[] counted = host.console("bystander").split("page-counter: rounds=");
        return counted.length == 1
                ? 0
                : Integer.parseInt(counted[counted.length - 1].split("[^0-9]", 2)[0]);
    }

    private static void awaitRounds(HostAgent host, int wanted) throws InterruptedException {
        long endNs = System.nanoTime() + LIMIT.toNanos();
        while (rounds(host) < wanted) {
            assertThat(System.nanoTime() - endNs)
                    .as(
                            "%d rounds of the page counter within %d s; state %s",
                            wanted, LIMIT.toSeconds(), host.status("bystander"))
                    .isNegative();
            Thread.sleep(250);
        }
    }
}
