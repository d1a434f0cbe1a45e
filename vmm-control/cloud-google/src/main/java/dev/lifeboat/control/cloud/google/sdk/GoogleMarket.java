// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import com.google.cloud.compute.v1.AggregatedListInstancesRequest;
import com.google.cloud.compute.v1.DeleteInstanceRequest;
import com.google.cloud.compute.v1.InstancesScopedList;
import com.google.cloud.compute.v1.ListMachineTypesRequest;
import com.google.cloud.compute.v1.MachineType;
import com.google.cloud.compute.v1.Operation;
import com.google.cloud.compute.v1.StartInstanceRequest;
import com.google.cloud.compute.v1.StopInstanceRequest;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.control.cloud.TargetMarket;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Instances of Compute Engine; their ids are {@code ZONE/NAME}. Any thread. */
final class GoogleMarket implements TargetMarket {
    /** States in which the hardware is there, or has been. */
    private static final Set<String> HAS_HARDWARE = Set.of("STAGING", "RUNNING");

    private record Progress(Operation operation, Optional<com.google.cloud.compute.v1.Instance> instance) {
        boolean isDecided() {
            return operation.getStatus() == Operation.Status.DONE
                    || instance.filter(i -> HAS_HARDWARE.contains(i.getStatus()))
                            .isPresent();
        }
    }

    /** May be of Sandy Bridge, whatever is asked of them but a minimal platform. */
    private static final Set<String> OLDER = Set.of("n1");
    /** CPU profiles that such a processor does not have. */
    private static final Set<String> NEEDS_NEWER = Set.of("x86-64-v3", "x86-64-v4");

    private final GoogleCalls calls;
    private final GoogleSettings settings;

    GoogleMarket(GoogleCalls calls) {
        this.calls = calls;
        settings = calls.settings();
    }

    @Override
    public List<Offer> offers(TargetWish wish) {
        List<String> zones = wish.near().map(List::of).orElse(settings.zones());
        List<MachineType> fitting = new ArrayList<>();
        for (String zone : zones) {
            calls.read("list machine types of " + zone, GooglePermission.MACHINE_TYPES_LIST, c -> {
                ListMachineTypesRequest request = ListMachineTypesRequest.newBuilder()
                        .setProject(settings.project())
                        .setZone(zone)
                        .build();
                for (MachineType type : c.machineTypes.list(request).iterateAll()) {
                    if (fits(type, wish)) {
                        // The SDK leaves the zone of some answers empty.
                        fitting.add(type.toBuilder().setZone(zone).build());
                    }
                }
                return fitting;
            });
        }
        // The smallest that fits, of the family named first, is cheapest and the least asked for.
        fitting.sort(Comparator.comparingInt(MachineType::getGuestCpus)
                .thenComparingInt(MachineType::getMemoryMb)
                .thenComparingInt(type -> settings.families().indexOf(family(type)))
                .thenComparingInt(type -> zones.indexOf(type.getZone())));
        List<Offer> offers = new ArrayList<>();
        for (PriceClass priceClass : PriceClass.values()) {
            fitting.forEach(type -> offers.add(new Offer(type.getName(), type.getZone(), priceClass, 0, 0)));
        }
        return offers;
    }

    private boolean fits(MachineType type, TargetWish wish) {
        return type.getGuestCpus() >= wish.vcpus()
                && type.getMemoryMb() >= wish.memoryMib()
                && settings.families().contains(family(type))
                && (!OLDER.contains(family(type)) || !NEEDS_NEWER.contains(wish.cpuProfile()))
                && !type.hasDeprecated();
    }

    private static String family(MachineType type) {
        return type.getName().substring(0, Math.max(0, type.getName().indexOf('-')));
    }

    @Override
    public Instance acquire(Purchase purchase) {
        Optional<Instance> had = bought(purchase.token());
        if (had.isPresent()) {
            return had.get();
        }
        CloudException last = null;
        for (Offer offer : purchase.offers()) {
            try {
                return insert(purchase, offer);
            } catch (CloudException e) {
                if (e.kind() != Kind.CAPACITY && e.kind() != Kind.QUOTA) {
                    throw e;
                }
                last = e;
            }
        }
        throw new CloudException(
                last.kind(),
                "none of " + purchase.offers().size() + " offers can be had, the last: " + last.getMessage(),
                last);
    }

    private Instance insert(Purchase purchase, Offer offer) {
        String attempted = "buy a " + offer.size() + " in " + offer.zone() + " (" + offer.priceClass() + ")";
        GoogleId id = new GoogleId(offer.zone(), GoogleInsert.name(purchase.token()));
        String requestId = GoogleCalls.requestId(
                "insert " + purchase.token() + " " + offer.zone() + " " + offer.size() + " " + offer.priceClass());
        String body = GoogleRest.write(GoogleInsert.body(settings, purchase, offer));
        Operation begun;
        try {
            begun = calls.raw(
                    attempted,
                    GooglePermission.INSTANCES_CREATE,
                    "POST",
                    offer.zone(),
                    "instances?requestId=" + requestId,
                    body);
        } catch (CloudException e) {
            if (GoogleErrors.status(e.getCause()) == 409) {
                // The token has bought it already: its name is derived from the token.
                return view(calls.instance(id));
            }
            throw e;
        }
        return staged(attempted, GooglePermission.INSTANCES_CREATE, id, begun);
    }

    /** Waits until the cloud has found hardware, or says that it has none. */
    private Instance staged(String attempted, GooglePermission permission, GoogleId id, Operation begun) {
        Progress last = calls.call(
                attempted,
                permission,
                true,
                () -> GoogleRepeats.until(
                        GoogleRepeats.ofPoll(settings.operationLimit()),
                        failure -> false,
                        progress -> !progress.isDecided(),
                        () -> {
                            Operation operation = calls.operation(begun);
                            return new Progress(operation, calls.findInstance(id));
                        }));
        GoogleCalls.failIfFailed(attempted, permission, last.operation());
        return last.instance()
                .map(GoogleMarket::view)
                .orElseThrow(() -> new CloudException(
                        Kind.UNCLEAR,
                        "cannot " + attempted + " within "
                                + settings.operationLimit().toSeconds()
                                + " s: the operation is " + last.operation().getStatus()
                                + ", the instance is not to be seen."
                                + " Look for it by its token before buying again"));
    }

    @Override
    public Optional<Instance> bought(String token) {
        return list(GoogleInsert.TOKEN, GoogleInsert.label(token)).stream().findFirst();
    }

    @Override
    public Instance describe(String instanceId) {
        return view(calls.instance(GoogleId.of(instanceId)));
    }

    @Override
    public List<Instance> all(String fleet) {
        return list(GoogleInsert.FLEET, GoogleInsert.label(fleet));
    }

    private List<Instance> list(String label, String value) {
        return calls.read("list instances with " + label + " " + value, GooglePermission.INSTANCES_LIST, c -> {
            // Without partial success: a zone that does not answer must not look empty.
            AggregatedListInstancesRequest request = AggregatedListInstancesRequest.newBuilder()
                    .setProject(settings.project())
                    .setFilter("labels." + label + "=\"" + value + "\"")
                    .build();
            List<Instance> found = new ArrayList<>();
            for (Map.Entry<String, InstancesScopedList> scope :
                    c.instances.aggregatedList(request).iterateAll()) {
                scope.getValue().getInstancesList().forEach(instance -> found.add(view(instance)));
            }
            return found;
        });
    }

    @Override
    public void release(String instanceId) {
        GoogleId id = GoogleId.of(instanceId);
        try {
            Operation begun = calls.change(
                    "delete instance " + id,
                    GooglePermission.INSTANCES_DELETE,
                    c -> c.instances
                            .deleteCallable()
                            .call(DeleteInstanceRequest.newBuilder()
                                    .setProject(settings.project())
                                    .setZone(id.zone())
                                    .setInstance(id.name())
                                    .setRequestId(GoogleCalls.newRequestId())
                                    .build()));
            GoogleCalls.failIfFailed("delete instance " + id, GooglePermission.INSTANCES_DELETE, begun);
        } catch (CloudException e) {
            if (e.kind() != Kind.NOT_FOUND) {
                throw e;
            }
        }
    }

    @Override
    public void stop(String instanceId) {
        GoogleId id = GoogleId.of(instanceId);
        Operation begun = calls.change(
                "stop instance " + id,
                GooglePermission.INSTANCES_STOP,
                c -> c.instances
                        .stopCallable()
                        .call(StopInstanceRequest.newBuilder()
                                .setProject(settings.project())
                                .setZone(id.zone())
                                .setInstance(id.name())
                                .setRequestId(GoogleCalls.newRequestId())
                                .build()));
        GoogleCalls.failIfFailed("stop instance " + id, GooglePermission.INSTANCES_STOP, begun);
    }

    @Override
    public void start(String instanceId) {
        GoogleId id = GoogleId.of(instanceId);
        Operation begun = calls.change(
                "start instance " + id,
                GooglePermission.INSTANCES_START,
                c -> c.instances
                        .startCallable()
                        .call(StartInstanceRequest.newBuilder()
                                .setProject(settings.project())
                                .setZone(id.zone())
                                .setInstance(id.name())
                                .setRequestId(GoogleCalls.newRequestId())
                                .build()));
        staged("start instance " + id, GooglePermission.INSTANCES_START, id, begun);
    }

    private static Instance view(com.google.cloud.compute.v1.Instance instance) {
        Instance.State state = switch (instance.getStatus()) {
            case "RUNNING", "REPAIRING" -> Instance.State.RUNNING;
            case "STOPPING", "SUSPENDING", "PENDING_STOP", "DEPROVISIONING" -> Instance.State.STOPPING;
            case "TERMINATED", "STOPPED", "SUSPENDED" -> Instance.State.STOPPED;
            default -> Instance.State.PENDING;
        };
        return new Instance(
                new GoogleId(GoogleId.last(instance.getZone()), instance.getName()).toString(),
                GoogleId.last(instance.getMachineType()),
                GoogleId.last(instance.getZone()),
                instance.getScheduling().getProvisioningModel().equals("SPOT") ? PriceClass.SPOT : PriceClass.ON_DEMAND,
                state,
                instance.getNetworkInterfacesCount() == 0
                        ? ""
                        : instance.getNetworkInterfaces(0).getNetworkIP(),
                instance.getLabelsOrDefault(GoogleInsert.TOKEN, ""));
    }
}
