// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.cloud.compute.v1.AliasIpRange;
import com.google.cloud.compute.v1.Instance;
import com.google.cloud.compute.v1.NetworkInterface;
import com.google.cloud.compute.v1.Operation;
import com.google.cloud.compute.v1.Subnetwork;
import com.google.cloud.compute.v1.SubnetworkSecondaryRange;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.net.NetworkException;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressWish;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * An alias range, taken from the source and then given to the target: no two instances may have it, so that nobody has
 * it in between. The list of an interface is only changed as a whole, and under its fingerprint. On the caller's thread.
 */
final class GoogleAliasMove implements AddressMove {
    private final GoogleCalls calls;
    private final AddressWish wish;
    private final String range;
    private final GoogleId from;
    private final GoogleId to;
    private final String subnetwork;
    private final String rangeName;

    private GoogleAliasMove(
            GoogleCalls calls,
            AddressWish wish,
            String range,
            GoogleId from,
            GoogleId to,
            String subnetwork,
            String rangeName) {
        this.calls = calls;
        this.wish = wish;
        this.range = range;
        this.from = from;
        this.to = to;
        this.subnetwork = subnetwork;
        this.rangeName = rangeName;
    }

    static AddressMove plan(GoogleCalls calls, AddressWish wish, String range, GoogleId from, GoogleId to) {
        Instance target = calls.instance(to);
        // The source may be gone already: then the target's first interface decides.
        Optional<Instance> source = calls.findInstance(from);
        String subnetwork = source.flatMap(s -> holder(s, range))
                .or(() -> source.flatMap(
                        s -> s.getNetworkInterfacesList().stream().findFirst()))
                .or(() -> target.getNetworkInterfacesList().stream().findFirst())
                .map(NetworkInterface::getSubnetwork)
                .orElse("");
        if (interfaceIn(target, subnetwork).isEmpty()) {
            throw new NetworkException(
                    "alias range " + range + " cannot go to " + to + ": it has no interface in "
                            + GoogleId.last(subnetwork) + ". Choose a host of the same subnet",
                    null);
        }
        return new GoogleAliasMove(calls, wish, range, from, to, subnetwork, rangeName(calls, subnetwork, range));
    }

    /** Looked up in the subnet, and not at the source, where a move that broke off has removed it. */
    private static String rangeName(GoogleCalls calls, String subnetwork, String range) {
        String[] parts = subnetwork.split("/");
        String region =
                parts.length > 2 ? parts[parts.length - 3] : calls.settings().region();
        Subnetwork subnet = calls.read(
                "describe subnet " + GoogleId.last(subnetwork),
                GooglePermission.SUBNETWORKS_GET,
                c -> c.subnetworks.get(calls.settings().project(), region, GoogleId.last(subnetwork)));
        return subnet.getSecondaryIpRangesList().stream()
                .filter(secondary -> contains(secondary.getIpCidrRange(), range))
                .map(SubnetworkSecondaryRange::getRangeName)
                .findFirst()
                .orElse("");
    }

    static boolean contains(String outer, String inner) {
        try {
            String[] out = outer.split("/");
            String[] in = inner.split("/");
            byte[] outBytes = InetAddress.getByName(out[0]).getAddress();
            byte[] inBytes = InetAddress.getByName(in[0]).getAddress();
            int length = Integer.parseInt(out[1]);
            if (outBytes.length != inBytes.length || in.length > 1 && Integer.parseInt(in[1]) < length) {
                return false;
            }
            int rest = outBytes.length * Byte.SIZE - length;
            return new BigInteger(1, outBytes).shiftRight(rest).equals(new BigInteger(1, inBytes).shiftRight(rest));
        } catch (UnknownHostException | NumberFormatException e) {
            throw new NetworkException(inner + " is no range in CIDR notation", e);
        }
    }

    @Override
    public AddressWish wish() {
        return wish;
    }

    /** Nothing: the cloud refuses a range that another instance has. */
    @Override
    public void prepare() {}

    @Override
    public void move() {
        take(from);
        give(to);
    }

    @Override
    public boolean isMoved() {
        return has(to) && !has(from);
    }

    @Override
    public void undo() {
        take(to);
        give(from);
    }

    private boolean has(GoogleId id) {
        return calls.findInstance(id).flatMap(i -> holder(i, range)).isPresent();
    }

    private static Optional<NetworkInterface> holder(Instance instance, String range) {
        return instance.getNetworkInterfacesList().stream()
                .filter(nic -> nic.getAliasIpRangesList().stream()
                        .anyMatch(alias -> alias.getIpCidrRange().equals(range)))
                .findFirst();
    }

    private static Optional<NetworkInterface> interfaceIn(Instance instance, String subnetwork) {
        return instance.getNetworkInterfacesList().stream()
                .filter(nic -> nic.getSubnetwork().equals(subnetwork))
                .findFirst();
    }

    private void take(GoogleId id) {
        change("take alias range " + range + " from " + id, () -> {
            Optional<NetworkInterface> nic = calls.findInstance(id).flatMap(i -> holder(i, range));
            if (nic.isPresent()) {
                List<AliasIpRange> rest = new ArrayList<>(nic.get().getAliasIpRangesList());
                rest.removeIf(alias -> alias.getIpCidrRange().equals(range));
                write(id, nic.get(), rest);
            }
        });
    }

    private void give(GoogleId id) {
        change("give alias range " + range + " to " + id, () -> {
            Instance instance = calls.instance(id);
            if (holder(instance, range).isEmpty()) {
                NetworkInterface nic = interfaceIn(instance, subnetwork)
                        .orElseThrow(() -> new NetworkException(
                                id + " has no interface in " + GoogleId.last(subnetwork) + " any more", null));
                List<AliasIpRange> more = new ArrayList<>(nic.getAliasIpRangesList());
                more.add(AliasIpRange.newBuilder()
                        .setIpCidrRange(range)
                        .setSubnetworkRangeName(rangeName)
                        .build());
                write(id, nic, more);
            }
        });
    }

    /** Looks anew when somebody else has changed the interface in between. */
    private void change(String attempted, Runnable once) {
        calls.call(
                attempted,
                GooglePermission.INSTANCES_UPDATE_INTERFACE,
                true,
                () -> GoogleRepeats.until(
                        GoogleRepeats.ofCall(calls.settings().operationLimit()),
                        failure ->
                                failure instanceof CloudException known && GoogleErrors.status(known.getCause()) == 412,
                        never -> false,
                        () -> {
                            once.run();
                            return true;
                        }));
    }

    /** As JSON, for the SDK would leave an empty list out, and a PATCH keeps what is left out. */
    private void write(GoogleId id, NetworkInterface nic, List<AliasIpRange> ranges) {
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        body.put("fingerprint", nic.getFingerprint());
        ArrayNode list = body.putArray("aliasIpRanges");
        for (AliasIpRange alias : ranges) {
            ObjectNode each = list.addObject().put("ipCidrRange", alias.getIpCidrRange());
            if (!alias.getSubnetworkRangeName().isEmpty()) {
                each.put("subnetworkRangeName", alias.getSubnetworkRangeName());
            }
        }
        String attempted = "change the alias ranges of " + id;
        Operation begun = calls.raw(
                attempted,
                GooglePermission.INSTANCES_UPDATE_INTERFACE,
                "PATCH",
                id.zone(),
                "instances/" + id.name() + "/updateNetworkInterface?networkInterface=" + nic.getName() + "&requestId="
                        + GoogleCalls.newRequestId(),
                GoogleRest.write(body));
        calls.await(attempted, GooglePermission.INSTANCES_UPDATE_INTERFACE, begun);
    }
}
