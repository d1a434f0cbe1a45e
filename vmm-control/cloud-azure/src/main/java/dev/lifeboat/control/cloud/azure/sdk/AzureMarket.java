// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.azure.sdk;

import com.azure.core.management.polling.PollResult;
import com.azure.core.util.Context;
import com.azure.core.util.polling.SyncPoller;
import com.azure.resourcemanager.compute.fluent.models.VirtualMachineInner;
import com.azure.resourcemanager.compute.models.InstanceViewStatus;
import com.azure.resourcemanager.compute.models.InstanceViewTypes;
import com.azure.resourcemanager.compute.models.NetworkInterfaceReference;
import com.azure.resourcemanager.compute.models.VirtualMachinePriorityTypes;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.control.cloud.TargetMarket;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Hosts of one resource group; an instance's id is the name of its virtual machine, as in scheduled events. Any thread.
 *
 * <p>A purchase is a PUT with {@code If-None-Match: *} under a name made of its token, so that a second one, from
 * whomever, cannot make or change anything. What could not be allocated leaves a failed machine under the name, which is
 * deleted before the next size is tried.
 */
final class AzureMarket implements TargetMarket {
    private static final int MAX_TRIES = 3;
    private static final String POWER = "PowerState/";

    private final Arm arm;
    private final SizeCatalogue catalogue;

    AzureMarket(Arm arm) {
        this.arm = arm;
        catalogue = new SizeCatalogue(arm);
    }

    @Override
    public List<Offer> offers(TargetWish wish) {
        return catalogue.offers(wish);
    }

    @Override
    public Instance acquire(Purchase purchase) {
        String name = Tags.resourceName(purchase.token());
        List<String> refusals = new ArrayList<>();
        Kind kind = Kind.QUOTA;
        for (Offer offer : purchase.offers()) {
            try {
                return buy(name, purchase, offer);
            } catch (CloudException e) {
                if (e.kind() != Kind.CAPACITY && e.kind() != Kind.QUOTA) {
                    throw e;
                }
                // Capacity comes and goes, so that it is worth another try where a quota is not.
                kind = e.kind() == Kind.CAPACITY ? Kind.CAPACITY : kind;
                refusals.add(offer.size() + ": " + e.getMessage());
            }
        }
        throw new CloudException(kind, "azure: none of the offers can be had; " + String.join("; ", refusals));
    }

    private Instance buy(String name, Purchase purchase, Offer offer) {
        String attempted = "create VM " + name + " as " + offer.size() + " in zone " + offer.zone();
        CloudException last = null;
        for (int attempt = 0; attempt < MAX_TRIES; attempt++) {
            Optional<SyncPoller<PollResult<VirtualMachineInner>, VirtualMachineInner>> begun = Optional.empty();
            try {
                begun = Optional.of(arm.begin(
                        Permission.BUY,
                        attempted,
                        () -> arm.compute()
                                .getVirtualMachines()
                                .beginCreateOrUpdate(
                                        arm.settings().group(),
                                        name,
                                        HostDocument.of(arm.settings(), name, purchase, offer),
                                        null,
                                        "*",
                                        Context.NONE)));
            } catch (CloudException e) {
                last = e;
                if (!mayBeThere(e)) {
                    throw e;
                }
            }
            Optional<VirtualMachineInner> there = allocated(name, attempted, begun);
            if (there.isPresent()) {
                checkOurs(there.get(), purchase);
                return instance(there.get());
            }
        }
        throw last != null
                ? last
                : new CloudException(Kind.UNCLEAR, "azure: no end of: " + attempted + "; look for it by its token");
    }

    private static boolean mayBeThere(CloudException e) {
        return e.kind() == Kind.UNCLEAR || AzureFailures.status(e) == 412;
    }

    /**
     * Waits until the machine has a host, which is long before Azure calls it provisioned.
     *
     * @return empty when nothing is there, so that asking again is safe
     * @throws CloudException of kind CAPACITY or the like when it got none; it is gone then
     */
    private Optional<VirtualMachineInner> allocated(
            String name,
            String attempted,
            Optional<SyncPoller<PollResult<VirtualMachineInner>, VirtualMachineInner>> begun) {
        long deadlineNs = System.nanoTime() + arm.settings().operationLimit().toNanos();
        Optional<VirtualMachineInner> found;
        do {
            found = machine(name);
            if (found.isEmpty() && begun.isEmpty()) {
                return found;
            }
            if (found.isPresent() && hasFailed(found.get())) {
                CloudException why = begun.flatMap(poller -> reason(poller, attempted))
                        .orElseGet(() -> new CloudException(
                                Kind.CAPACITY, "azure: cannot " + attempted + ": an earlier attempt found no host"));
                release(name);
                if (begun.isEmpty()) {
                    // It failed for an earlier offer; this one has not been tried.
                    return Optional.empty();
                }
                throw why;
            }
            if (found.isPresent() && (!power(found.get()).isEmpty() || isProvisioned(found.get()))) {
                return found;
            }
            arm.pause(attempted);
        } while (System.nanoTime() < deadlineNs);
        if (found.isEmpty()) {
            throw new CloudException(
                    Kind.UNCLEAR, "azure: accepted, but not to be seen: " + attempted + "; look for it by its token");
        }
        return found;
    }

    private static Optional<CloudException> reason(
            SyncPoller<PollResult<VirtualMachineInner>, VirtualMachineInner> poller, String attempted) {
        try {
            return Arm.failure(poller.poll(), Permission.BUY, attempted);
        } catch (RuntimeException e) {
            return Optional.of(AzureFailures.of(e, Permission.BUY, attempted, true));
        }
    }

    private static void checkOurs(VirtualMachineInner machine, Purchase purchase) {
        if (!Tags.value(machine.tags(), Tags.TOKEN).equals(purchase.token())
                || !Tags.value(machine.tags(), Tags.FLEET).equals(purchase.fleet())) {
            throw new CloudException(
                    Kind.INVALID,
                    "azure: VM " + machine.name() + " is there without the tags of token " + purchase.token()
                            + " and fleet " + purchase.fleet() + "; somebody else made it, use another token");
        }
    }

    @Override
    public Optional<Instance> bought(String token) {
        return machine(Tags.resourceName(token))
                .filter(machine -> Tags.value(machine.tags(), Tags.TOKEN).equals(token))
                .filter(machine -> !hasFailed(machine))
                .map(this::instance);
    }

    @Override
    public Instance describe(String instanceId) {
        return machine(instanceId)
                .map(this::instance)
                .orElseThrow(() -> new CloudException(
                        Kind.NOT_FOUND,
                        "azure: no VM " + instanceId + " in resource group "
                                + arm.settings().group() + "; it was deleted or evicted"));
    }

    @Override
    public List<Instance> all(String fleet) {
        List<VirtualMachineInner> machines = arm.read(
                Permission.READ_HOST,
                "list VMs of fleet " + fleet,
                () -> arm
                        .compute()
                        .getVirtualMachines()
                        .listByResourceGroup(arm.settings().group())
                        .stream()
                        .toList());
        List<Instance> all = new ArrayList<>();
        for (VirtualMachineInner machine : machines) {
            if (Tags.value(machine.tags(), Tags.FLEET).equals(fleet)) {
                // The list does not say whether they run.
                machine(machine.name()).map(this::instance).ifPresent(all::add);
            }
        }
        return all;
    }

    @Override
    public void release(String instanceId) {
        // Forced: nothing on the host is wanted any more, and a host that does not answer must go too.
        arm.change(
                Permission.RELEASE,
                "delete VM " + instanceId,
                () -> arm.compute()
                        .getVirtualMachines()
                        .beginDelete(arm.settings().group(), instanceId, true, Context.NONE));
    }

    @Override
    public void stop(String instanceId) {
        arm.change(
                Permission.STOP,
                "deallocate VM " + instanceId,
                () -> arm.compute()
                        .getVirtualMachines()
                        .beginDeallocate(arm.settings().group(), instanceId, null, Context.NONE));
    }

    @Override
    public void start(String instanceId) {
        arm.change(
                Permission.START,
                "start VM " + instanceId,
                () -> arm.compute()
                        .getVirtualMachines()
                        .beginStart(arm.settings().group(), instanceId, Context.NONE));
    }

    Optional<VirtualMachineInner> machine(String name) {
        return arm.find(
                Permission.READ_HOST,
                "read VM " + name,
                () -> arm.compute()
                        .getVirtualMachines()
                        .getByResourceGroupWithResponse(
                                arm.settings().group(), name, InstanceViewTypes.INSTANCE_VIEW, Context.NONE)
                        .getValue());
    }

    private Instance instance(VirtualMachineInner machine) {
        return new Instance(
                machine.name(),
                machine.hardwareProfile().vmSize().toString(),
                machine.zones() == null || machine.zones().isEmpty()
                        ? ""
                        : machine.zones().get(0),
                VirtualMachinePriorityTypes.SPOT.equals(machine.priority()) ? PriceClass.SPOT : PriceClass.ON_DEMAND,
                state(machine),
                address(machine),
                Tags.value(machine.tags(), Tags.TOKEN));
    }

    private String address(VirtualMachineInner machine) {
        return primaryInterface(machine)
                .flatMap(id -> arm.find(
                        Permission.READ_INTERFACE,
                        "read interface " + Arm.name(id),
                        () -> arm.network().getNetworkInterfaces().getByResourceGroup(Arm.group(id), Arm.name(id))))
                .flatMap(card -> card.ipConfigurations().stream()
                        .filter(ip -> Boolean.TRUE.equals(ip.primary()))
                        .findFirst())
                .map(ip -> ip.privateIpAddress() == null ? "" : ip.privateIpAddress())
                .orElse("");
    }

    static Optional<String> primaryInterface(VirtualMachineInner machine) {
        if (machine.networkProfile() == null || machine.networkProfile().networkInterfaces() == null) {
            return Optional.empty();
        }
        List<NetworkInterfaceReference> all = machine.networkProfile().networkInterfaces();
        return all.stream()
                .filter(each -> all.size() == 1 || Boolean.TRUE.equals(each.primary()))
                .map(NetworkInterfaceReference::id)
                .findFirst();
    }

    private static Instance.State state(VirtualMachineInner machine) {
        if ("Deleting".equals(machine.provisioningState())) {
            return Instance.State.STOPPING;
        }
        return switch (power(machine)) {
            case "running" -> Instance.State.RUNNING;
            case "stopping", "deallocating" -> Instance.State.STOPPING;
            case "stopped", "deallocated" -> Instance.State.STOPPED;
            // A machine that got no host: nothing runs, and an orphan sweep finds it.
            default -> hasFailed(machine) ? Instance.State.STOPPED : Instance.State.PENDING;
        };
    }

    private static boolean hasFailed(VirtualMachineInner machine) {
        return "Failed".equals(machine.provisioningState()) && power(machine).isEmpty();
    }

    private static boolean isProvisioned(VirtualMachineInner machine) {
        return "Succeeded".equals(machine.provisioningState());
    }

    /** Empty while it has no host. */
    private static String power(VirtualMachineInner machine) {
        if (machine.instanceView() == null || machine.instanceView().statuses() == null) {
            return "";
        }
        return machine.instanceView().statuses().stream()
                .map(InstanceViewStatus::code)
                .filter(code -> code != null && code.startsWith(POWER))
                .map(code -> code.substring(POWER.length()).toLowerCase(Locale.ROOT))
                .findFirst()
                .orElse("");
    }
}
