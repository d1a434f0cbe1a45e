// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lifeboat.control.ControlException;
import dev.lifeboat.control.ExitCode;
import dev.lifeboat.control.cloud.TargetMarket;
import dev.lifeboat.control.controller.ControllerConfig;
import dev.lifeboat.control.http.ApiClient;
import dev.lifeboat.vmm.CpuProfile;
import dev.lifeboat.vmm.Json;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code lifeboat cloud plan}. */
@Command(
        name = "plan",
        description = "Says which hosts would be bought for a VM, in the order of trying; buys nothing.",
        mixinStandardHelpOptions = true,
        footer = {"", "Without --memory: for each VM on the \"hosts\" of controller.json."})
final class CloudPlanCommand implements Callable<Integer> {
    private static final long CALL_LIMIT_MS = 10_000;

    @Mixin
    CloudOptions options;

    @Option(names = "--memory", paramLabel = "MIB", description = "for a VM of this size")
    Integer memoryMiB;

    @Option(
            names = "--vcpus",
            paramLabel = "N",
            description = "with --memory (default: ${DEFAULT-VALUE})",
            defaultValue = "1")
    int vcpus;

    @Option(
            names = "--cpu-profile",
            paramLabel = "NAME",
            description = "CPU profile that the hosts must reach, with --memory (default: ${DEFAULT-VALUE})",
            defaultValue = "host")
    String cpuProfile;

    @Option(names = "--zone", paramLabel = "ZONE", description = "only there, because a volume is")
    String zone;

    @Override
    public Integer call() {
        Terminal terminal = Terminal.system();
        Map<String, TargetMarket.TargetWish> wishes = wishes();
        ArrayNode all = Json.MAPPER.createArrayNode();
        for (Map.Entry<String, TargetMarket.TargetWish> vm : wishes.entrySet()) {
            List<TargetMarket.Offer> offers =
                    options.with(cloud -> cloud.market().offers(vm.getValue()));
            ObjectNode about = all.addObject().put("vm", vm.getKey());
            about.set("offers", Json.MAPPER.valueToTree(offers));
            if (!options.json) {
                terminal.line(vm.getKey() + (offers.isEmpty() ? ": nothing that fits" : ""));
                // Spot first, as the controller does.
                for (TargetMarket.PriceClass priceClass : TargetMarket.PriceClass.values()) {
                    offers.stream()
                            .filter(offer -> offer.priceClass() == priceClass)
                            .forEach(offer -> terminal.line(String.format(
                                    "  %-10s %-20s %-16s score %2d  %s",
                                    priceClass
                                            .name()
                                            .toLowerCase(java.util.Locale.ROOT)
                                            .replace('_', '-'),
                                    offer.size(),
                                    offer.zone(),
                                    offer.score(),
                                    offer.dollarsPerHour() == 0
                                            ? "price unknown"
                                            : "$" + offer.dollarsPerHour() + "/h")));
                }
            }
        }
        if (options.json) {
            terminal.json(all);
        } else if (wishes.isEmpty()) {
            terminal.line("no VMs on the \"hosts\" of " + options.config + "; name a size with --memory");
        }
        return ExitCode.OK;
    }

    private Map<String, TargetMarket.TargetWish> wishes() {
        Map<String, TargetMarket.TargetWish> wishes = new LinkedHashMap<>();
        if (memoryMiB != null) {
            wishes.put(memoryMiB + " MiB, " + vcpus + " vCPUs", wish(vcpus, memoryMiB, cpuProfile));
            return wishes;
        }
        ApiClient client = options.client();
        for (ControllerConfig.FixedHost host : options.read().hosts()) {
            for (JsonNode vm : client.get(host.url(), "/v1/vms", CALL_LIMIT_MS)) {
                JsonNode spec = vm.path("spec");
                wishes.put(
                        vm.path("vmId").asText(),
                        wish(
                                spec.path("vcpus").asInt(),
                                spec.path("memoryMiB").asInt(),
                                spec.path("cpuProfile").asText(cpuProfile)));
            }
        }
        return wishes;
    }

    private TargetMarket.TargetWish wish(int cpus, int memory, String profile) {
        try {
            return new TargetMarket.TargetWish(
                    cpus, memory, CpuProfile.named(profile).word(), Optional.ofNullable(zone));
        } catch (IllegalArgumentException e) {
            throw new ControlException(ExitCode.USAGE, e.getMessage(), e);
        }
    }
}
