// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.cloud.google.sdk;

import com.google.cloud.compute.v1.DeleteRouteRequest;
import com.google.cloud.compute.v1.InsertRouteRequest;
import com.google.cloud.compute.v1.Instance;
import com.google.cloud.compute.v1.ListRoutesRequest;
import com.google.cloud.compute.v1.Operation;
import com.google.cloud.compute.v1.Route;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudException.Kind;
import dev.lifeboat.net.NetworkException;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressWish;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;

/**
 * A route whose next hop is an instance. The API cannot replace a route, so the new one comes first, with the lower and
 * thus stronger priority number, and the old one goes afterwards: at every moment one of them is there. On the caller's
 * thread.
 */
final class GoogleRouteMove implements AddressMove {
    /** The API's default. */
    private static final int USUAL_PRIORITY = 1000;
    /** Each move uses up one number; below this, a further route starts again from the usual one. */
    private static final int LOWEST_PRIORITY = 900;

    private final GoogleCalls calls;
    private final AddressWish wish;
    private final String range;
    private final String network;
    private final GoogleId from;
    private final GoogleId to;

    private GoogleRouteMove(
            GoogleCalls calls, AddressWish wish, String range, String network, GoogleId from, GoogleId to) {
        this.calls = calls;
        this.wish = wish;
        this.range = range;
        this.network = network;
        this.from = from;
        this.to = to;
    }

    static AddressMove plan(GoogleCalls calls, AddressWish wish, String range, GoogleId from, GoogleId to) {
        Instance target = calls.instance(to);
        if (!target.getCanIpForward()) {
            throw new NetworkException(
                    "route " + range + " cannot go to " + to
                            + ": it may not forward packets. Make it anew with canIpForward",
                    null);
        }
        GoogleRouteMove move = new GoogleRouteMove(
                calls, wish, range, target.getNetworkInterfaces(0).getNetwork(), from, to);
        for (Route route : move.routes()) {
            if (!leadsTo(route, from) && !leadsTo(route, to)) {
                throw new NetworkException(
                        "route " + range + " cannot be moved: " + route.getName()
                                + " leads somewhere else. Delete it first",
                        null);
            }
        }
        return move;
    }

    @Override
    public AddressWish wish() {
        return wish;
    }

    /** Nothing: a host takes what is routed to it. */
    @Override
    public void prepare() {}

    @Override
    public void move() {
        lead(to, from);
    }

    @Override
    public boolean isMoved() {
        List<Route> routes = routes();
        return !routes.isEmpty() && routes.stream().allMatch(route -> leadsTo(route, to));
    }

    @Override
    public void undo() {
        lead(from, to);
    }

    private void lead(GoogleId wanted, GoogleId unwanted) {
        List<Route> routes = routes();
        OptionalInt strongestOther = routes.stream()
                .filter(route -> !leadsTo(route, wanted))
                .mapToInt(Route::getPriority)
                .min();
        OptionalInt own = routes.stream()
                .filter(route -> leadsTo(route, wanted))
                .mapToInt(Route::getPriority)
                .min();
        int needed = strongestOther.isPresent() ? strongestOther.getAsInt() - 1 : USUAL_PRIORITY;
        if (own.isEmpty() || strongestOther.isPresent() && own.getAsInt() > needed) {
            insert(wanted, needed);
        }
        routes.stream().filter(route -> leadsTo(route, unwanted)).forEach(this::delete);
        settle(wanted);
    }

    /** Leaves one route, and that with room for further moves. */
    private void settle(GoogleId wanted) {
        List<Route> own = routes().stream()
                .filter(route -> leadsTo(route, wanted))
                .sorted(Comparator.comparingInt(Route::getPriority))
                .toList();
        if (own.isEmpty()) {
            return;
        }
        Route kept = own.get(0);
        if (kept.getPriority() >= LOWEST_PRIORITY) {
            own.stream().skip(1).forEach(this::delete);
            return;
        }
        if (own.stream().noneMatch(route -> route.getPriority() == USUAL_PRIORITY)) {
            insert(wanted, USUAL_PRIORITY);
        }
        own.stream().filter(route -> route.getPriority() != USUAL_PRIORITY).forEach(this::delete);
    }

    private List<Route> routes() {
        return calls.read("list routes to " + range, GooglePermission.ROUTES_LIST, c -> {
            ListRoutesRequest request = ListRoutesRequest.newBuilder()
                    .setProject(calls.settings().project())
                    .setFilter("destRange=\"" + range + "\"")
                    .build();
            List<Route> found = new ArrayList<>();
            for (Route route : c.routes.list(request).iterateAll()) {
                if (route.getNetwork().equals(network)) {
                    found.add(route);
                }
            }
            return found;
        });
    }

    private static boolean leadsTo(Route route, GoogleId id) {
        return route.getNextHopInstance().endsWith("/" + id.path("instances"));
    }

    private void insert(GoogleId hop, int priority) {
        if (priority < 0) {
            throw new CloudException(
                    Kind.INVALID,
                    "route " + range + " cannot be moved: a route with priority 0 is there, and nothing is stronger."
                            + " Give it another priority");
        }
        String name =
                "lifeboat-" + GoogleCalls.requestId("route " + network + " " + range + " " + hop + " " + priority);
        InsertRouteRequest request = InsertRouteRequest.newBuilder()
                .setProject(calls.settings().project())
                .setRequestId(GoogleCalls.newRequestId())
                .setRouteResource(Route.newBuilder()
                        .setName(name)
                        .setDestRange(range)
                        .setNetwork(network)
                        .setPriority(priority)
                        .setNextHopInstance("projects/" + calls.settings().project() + "/" + hop.path("instances")))
                .build();
        String attempted = "route " + range + " to " + hop;
        Operation begun = calls.change(
                attempted,
                GooglePermission.ROUTES_CREATE,
                c -> c.routes.insertCallable().call(request));
        calls.await(attempted, GooglePermission.ROUTES_CREATE, begun);
    }

    private void delete(Route route) {
        DeleteRouteRequest request = DeleteRouteRequest.newBuilder()
                .setProject(calls.settings().project())
                .setRoute(route.getName())
                .setRequestId(GoogleCalls.newRequestId())
                .build();
        String attempted = "delete route " + route.getName();
        try {
            Operation begun = calls.change(
                    attempted,
                    GooglePermission.ROUTES_DELETE,
                    c -> c.routes.deleteCallable().call(request));
            calls.await(attempted, GooglePermission.ROUTES_DELETE, begun);
        } catch (CloudException e) {
            if (e.kind() != Kind.NOT_FOUND) {
                throw e;
            }
        }
    }
}
