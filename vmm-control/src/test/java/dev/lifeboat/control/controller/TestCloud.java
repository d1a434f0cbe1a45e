// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.cloud.Cloud;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.CloudKind;
import dev.lifeboat.control.cloud.PreemptionSource;
import dev.lifeboat.control.cloud.TargetMarket;
import dev.lifeboat.net.address.AddressMove;
import dev.lifeboat.net.address.AddressMover;
import dev.lifeboat.net.address.AddressWish;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A cloud in memory that takes nothing on trust: the same token twice must be the same purchase, offers must be its own,
 * instances appear late, answers get lost, capacity is what the test says. Its time is the test's.
 */
public final class TestCloud implements Cloud, TargetMarket, InstantSource {
    /** The process ends at this call; what the cloud did before stays done. */
    static final class Crash extends Error {
        private static final long serialVersionUID = 1L;
    }

    static final long PENDING_MS = 16_000;

    long nowMillis = 1_000_000;
    /** Of new instances: each its own, or one for all. */
    public volatile String address = "";

    /** Told of each purchase that was made, with its user data. */
    public volatile java.util.function.Consumer<Purchase> onLaunch = purchase -> {};

    /** How long a describe and a list do not know a new instance. */
    long invisibleMs;

    public final List<Offer> market = new ArrayList<>(List.of(
            new Offer("m8i.large", "a", PriceClass.SPOT, 9, 0.04),
            new Offer("m8i.xlarge", "a", PriceClass.SPOT, 5, 0.08),
            new Offer("m8i.large", "a", PriceClass.ON_DEMAND, 0, 0.10)));
    /** How many of a class can be had. */
    public final Map<PriceClass, Integer> capacity =
            new HashMap<>(Map.of(PriceClass.SPOT, 99, PriceClass.ON_DEMAND, 99));

    /** What the next calls of a name do instead; "lost" does it and fails after it. */
    final Map<String, Deque<RuntimeException>> failures = new HashMap<>();

    private final TestVolumes volumes = new TestVolumes();
    public final TestSource source = new TestSource();
    final Set<String> lost = new HashSet<>();
    final Set<String> crashBefore = new HashSet<>();
    final Set<String> crashAfter = new HashSet<>();
    final List<String> calls = new ArrayList<>();
    final Map<String, Purchase> purchases = new LinkedHashMap<>();

    private record Made(Instance instance, String fleet, long atMillis) {}

    private final Map<String, Made> made = new LinkedHashMap<>();
    private final Map<String, String> addresses = new HashMap<>();

    @Override
    public Instant instant() {
        return Instant.ofEpochMilli(nowMillis);
    }

    void fail(String call, CloudException.Kind kind, String message) {
        failures.computeIfAbsent(call, name -> new ArrayDeque<>()).add(new CloudException(kind, message));
    }

    /** Instances that cost money. */
    public List<Instance> standing() {
        return made.values().stream()
                .map(some -> now(some))
                .filter(instance -> instance.state() != Instance.State.GONE)
                .toList();
    }

    Instance byToken(String token) {
        return standing().stream()
                .filter(instance -> instance.token().equals(token))
                .findFirst()
                .orElseThrow(() -> new AssertionError("nothing was bought with " + token));
    }

    void preempt(String instanceId) {
        set(instanceId, Instance.State.GONE);
    }

    Instance addStranger(String fleet, String token) {
        Instance instance = make(token, market.get(0), fleet);
        return instance;
    }

    private Instance make(String token, Offer offer, String fleet) {
        String id = "i-" + (made.size() + 1);
        Instance instance = new Instance(
                id,
                offer.size(),
                offer.zone(),
                offer.priceClass(),
                Instance.State.PENDING,
                address.isEmpty() ? "10.0.1." + (made.size() + 1) : address,
                token);
        made.put(id, new Made(instance, fleet, nowMillis));
        return instance;
    }

    private Instance now(Made some) {
        Instance instance = some.instance();
        boolean running = instance.state() == Instance.State.PENDING && nowMillis - some.atMillis() >= PENDING_MS;
        return running ? withState(instance, Instance.State.RUNNING) : instance;
    }

    private void set(String id, Instance.State state) {
        Made some = made.get(id);
        made.put(id, new Made(withState(some.instance(), state), some.fleet(), some.atMillis()));
    }

    private static Instance withState(Instance it, Instance.State state) {
        return new Instance(it.id(), it.size(), it.zone(), it.priceClass(), state, it.address(), it.token());
    }

    private boolean isVisible(Made some) {
        return nowMillis - some.atMillis() >= invisibleMs;
    }

    private void enter(String call) {
        calls.add(call);
        if (crashBefore.remove(call)) {
            throw new Crash();
        }
        Deque<RuntimeException> waiting = failures.get(call);
        if (waiting != null && !waiting.isEmpty()) {
            throw waiting.poll();
        }
    }

    private void leave(String call) {
        if (crashAfter.remove(call)) {
            throw new Crash();
        }
        if (lost.remove(call)) {
            throw new CloudException(CloudException.Kind.UNCLEAR, "the answer to " + call + " was lost");
        }
    }

    @Override
    public List<Offer> offers(TargetWish wish) {
        enter("offers");
        return market.stream()
                .filter(offer -> wish.near().isEmpty() || wish.near().get().equals(offer.zone()))
                .toList();
    }

    @Override
    public Instance acquire(Purchase purchase) {
        enter("acquire");
        if (!purchase.token().matches("[A-Za-z0-9-]{1,36}")) {
            throw new AssertionError("not a token: " + purchase.token());
        }
        if (purchase.userData().isEmpty() || purchase.fleet().isEmpty()) {
            throw new AssertionError("a host without script or fleet: " + purchase);
        }
        if (!market.containsAll(purchase.offers())
                || purchase.offers().stream().map(Offer::priceClass).distinct().count() != 1) {
            throw new AssertionError("offers of others, or of both classes: " + purchase.offers());
        }
        Purchase before = purchases.putIfAbsent(purchase.token(), purchase);
        if (before != null) {
            if (!before.equals(purchase)) {
                throw new AssertionError("the token " + purchase.token() + " was used for something else");
            }
            return bought(purchase.token()).orElseThrow();
        }
        PriceClass priceClass = purchase.offers().get(0).priceClass();
        if (capacity.merge(priceClass, -1, Integer::sum) < 0) {
            capacity.put(priceClass, 0);
            throw new CloudException(CloudException.Kind.CAPACITY, "no " + priceClass + " capacity in zone a");
        }
        Instance instance = make(purchase.token(), purchase.offers().get(0), purchase.fleet());
        onLaunch.accept(purchase);
        leave("acquire");
        return instance;
    }

    @Override
    public Optional<Instance> bought(String token) {
        enter("bought");
        return made.values().stream()
                .filter(this::isVisible)
                .map(this::now)
                .filter(instance -> instance.token().equals(token))
                .findFirst();
    }

    @Override
    public Instance describe(String instanceId) {
        enter("describe");
        Made some = made.get(instanceId);
        if (some == null || !isVisible(some)) {
            throw new CloudException(CloudException.Kind.NOT_FOUND, "no instance " + instanceId);
        }
        return now(some);
    }

    @Override
    public List<Instance> all(String fleet) {
        enter("all");
        return made.values().stream()
                .filter(some -> some.fleet().equals(fleet) && isVisible(some))
                .map(this::now)
                .filter(instance -> instance.state() != Instance.State.GONE)
                .toList();
    }

    @Override
    public void release(String instanceId) {
        enter("release");
        if (made.containsKey(instanceId)) {
            set(instanceId, Instance.State.GONE);
        }
        leave("release");
    }

    @Override
    public void stop(String instanceId) {
        enter("stop");
        set(instanceId, Instance.State.STOPPED);
        leave("stop");
    }

    @Override
    public void start(String instanceId) {
        enter("start");
        if (made.get(instanceId).instance().state() != Instance.State.STOPPED) {
            throw new AssertionError("started what is not stopped: " + instanceId);
        }
        set(instanceId, Instance.State.RUNNING);
        leave("start");
    }

    @Override
    public CloudKind kind() {
        return CloudKind.AWS;
    }

    @Override
    public TargetMarket market() {
        return this;
    }

    @Override
    public TestVolumes volumes() {
        return volumes;
    }

    /** An address is where it was moved last; where it starts is the wish's source. */
    @Override
    public AddressMover addresses() {
        return wish -> new AddressMove() {
            @Override
            public AddressWish wish() {
                return wish;
            }

            @Override
            public void prepare() {
                enter("prepare-address");
            }

            @Override
            public void move() {
                enter("move-address");
                addresses.put(wish.address(), wish.to());
                leave("move-address");
            }

            @Override
            public boolean isMoved() {
                return wish.to().equals(addresses.get(wish.address()));
            }

            @Override
            public void undo() {
                enter("undo-address");
                addresses.put(wish.address(), wish.from());
            }
        };
    }

    Optional<String> whereIs(String address) {
        return Optional.ofNullable(addresses.get(address));
    }

    @Override
    public List<PreemptionSource> sources() {
        return List.of(source);
    }

    @Override
    public void rehearse(String instanceId) {
        enter("rehearse");
        preempt(instanceId);
    }

    @Override
    public List<Finding> check() {
        return List.of(
                new Finding("buy spot hosts", "ec2:CreateFleet", true, ""),
                new Finding("move routes", "ec2:ReplaceRoute", false, "allow ec2:ReplaceRoute for this role"));
    }

    @Override
    public void warmUp() {
        enter("warmUp");
    }

    @Override
    public void close() {}
}
