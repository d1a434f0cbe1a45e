// SPDX-License-Identifier: Apache-2.0
package dev.lifeboat.control.controller;

import dev.lifeboat.control.agent.Events;
import dev.lifeboat.control.cloud.CloudException;
import dev.lifeboat.control.cloud.TargetMarket;
import dev.lifeboat.control.cloud.TargetMarket.Instance;
import dev.lifeboat.control.cloud.TargetMarket.Offer;
import dev.lifeboat.control.cloud.TargetMarket.PriceClass;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * Keeps a target in view for each VM, and buys one when it is needed: spot first, then on-demand, both at once when the
 * deadline is near. Decides under its lock, on whatever thread brings news; calls of the cloud run on the executor's
 * threads, outside of it. What is in the journal survives: a restart in the middle of a purchase finds or undoes it.
 */
final class TargetPlanner {
    /** What a new host runs at its first boot. */
    interface UserData {
        String script(HostRecord host);
    }

    /** Whether an instance that no record knows has VMs, or may have. */
    interface OrphanCheck {
        boolean isInUse(Instance instance);
    }

    /**
     * Clouds forget tokens after minutes to days, and show what a token bought within seconds to a minute; nothing
     * appears after ten.
     */
    static final long UNCLEAR_MS = 600_000;
    /** A describe may not know what was bought a moment ago. */
    static final long UNSEEN_MS = 60_000;
    /** Agents are asked every second; what does not answer for so long is no target for now. */
    static final long SILENT_MS = 15_000;

    static final long SWEEP_MS = 60_000;
    private static final long OFFERS_MS = 300_000;
    private static final long POOL_PENALTY_MS = 600_000;
    private static final long LOOK_BOUGHT_MS = 5_000;
    private static final long LOOK_SILENT_MS = 2_000;
    private static final long LOOK_ENROLLED_MS = 15_000;
    private static final long LOOK_STOPPED_MS = 60_000;
    private static final long RETRY_CAPACITY_MS = 5_000;
    private static final long RETRY_THROTTLED_MS = 2_000;
    private static final long RETRY_REFUSED_MS = 60_000;

    /** What a host said last. */
    private record Heard(long atMillis, int vms, int vmMemoryMiB, boolean leaving) {}

    private record Offers(List<Offer> offers, long atMillis) {}

    private final TargetMarket market;
    private final JsonJournal<HostRecord> journal;
    private final PlannerSettings settings;
    private final InstantSource clock;
    private final Executor executor;
    private final Events events;
    private final UserData userData;
    private final OrphanCheck orphans;

    // Guarded by this.
    private final Map<String, HostRecord> hosts = new TreeMap<>();
    private final Map<String, Target> targets = new TreeMap<>();
    private final Map<String, Heard> heard = new HashMap<>();
    private final Map<String, Long> enrolledAtMillis = new HashMap<>();
    private final Map<String, Long> idleSinceMillis = new HashMap<>();
    private final Map<String, Long> lookedAtMillis = new HashMap<>();
    private final Map<String, Long> strangers = new HashMap<>();
    private final Map<String, Long> penalties = new HashMap<>();
    private final Map<TargetMarket.TargetWish, Offers> offers = new HashMap<>();
    private final Set<String> busy = new HashSet<>();
    private long sweptAtMillis;
    private long spareRetryAtMillis;
    private String lastCloudProblem = "";
    private final Set<String> pricesMissed = new HashSet<>();

    TargetPlanner(
            TargetMarket market,
            JsonJournal<HostRecord> journal,
            PlannerSettings settings,
            InstantSource clock,
            Executor executor,
            Events events,
            UserData userData,
            OrphanCheck orphans) {
        this.market = market;
        this.journal = journal;
        this.settings = settings;
        this.clock = clock;
        this.executor = executor;
        this.events = events;
        this.userData = userData;
        this.orphans = orphans;
        sweptAtMillis = clock.millis();
        for (HostRecord host : journal.all()) {
            hosts.put(host.token(), host);
            if (host.step() == HostRecord.Step.ENROLLED) {
                // It answers within seconds, or it is gone; nothing is bought in its place before.
                enrolledAtMillis.put(host.token(), clock.millis());
            }
        }
    }

    /** A wish of an agent; answers at once. */
    synchronized TargetView wish(String vmId, VmWish wish) {
        long now = clock.millis();
        Target target = targets.computeIfAbsent(vmId, id -> new Target(id, wish));
        target.hear(wish, now, settings.keepWarm());
        for (HostRecord host : serving(vmId)) {
            if (host.name().equals(wish.host())) {
                // It has arrived: what was its target is its host now, and it needs the next one.
                put(host.notServing(vmId));
            } else if (wish.avoid().contains(host.name())) {
                put(host.notServing(vmId));
                target.lose("host " + host.name() + " did not take it");
                events.add("target-avoided", vmId, host.name());
            }
        }
        spareItSpot(target, now);
        pursue(target, now);
        return view(target, now);
    }

    /** A VM at risk has no spot host for a target, but for the one that is ready when it must leave. */
    private void spareItSpot(Target target, long now) {
        boolean was = target.atRisk;
        target.atRisk = target.isAtRisk(now, settings);
        if (!target.atRisk || target.isPressing(now)) {
            return;
        }
        if (!was) {
            events.add(
                    "vm-at-risk",
                    target.vmId,
                    "moved " + settings.riskyMoves()
                            + " times lately, or its agent says so: its next host is an on-demand one");
        }
        for (HostRecord host : serving(target.vmId)) {
            if (host.priceClass() == PriceClass.SPOT) {
                put(host.notServing(target.vmId));
                target.readyAfterMs = -1;
            }
        }
    }

    /** The VM need not go anywhere any more. */
    synchronized TargetView calm(String vmId) {
        Target target = targets.get(vmId);
        if (target != null) {
            target.calm();
            events.add("target-not-needed", vmId, "what was bought for it is kept while it is not idle for long");
        }
        return target(vmId);
    }

    synchronized TargetView target(String vmId) {
        Target target = targets.get(vmId);
        return target == null
                ? new TargetView(vmId, TargetView.State.NONE, "", "", "", "", -1, "nobody has asked for one")
                : view(target, clock.millis());
    }

    synchronized List<TargetView> allTargets() {
        return targets.values().stream()
                .map(target -> view(target, clock.millis()))
                .toList();
    }

    synchronized List<HostRecord> allHosts() {
        return List.copyOf(hosts.values());
    }

    synchronized Optional<HostRecord> byToken(String token) {
        return Optional.ofNullable(hosts.get(token));
    }

    /** A host that is nobody's purchase, such as a machine of one's own: it may enrol with its token. */
    synchronized HostRecord expect(String name, int vcpus, int memoryMiB) {
        if (hosts.values().stream().anyMatch(host -> host.name().equals(name))) {
            throw new IllegalArgumentException("there is a host " + name + " already");
        }
        HostRecord host = fresh(name, false, PriceClass.ON_DEMAND, vcpus, memoryMiB, Map.of())
                .at(HostRecord.Step.BOUGHT);
        put(host);
        return host;
    }

    /** The host has its certificate. It is a target as soon as its agent answers. */
    synchronized void enrolled(String token, String key, String url, String underlayAddress) {
        HostRecord host = hosts.get(token);
        if (host == null || host.step() == HostRecord.Step.RELEASING) {
            throw new IllegalArgumentException("the host is not wanted any more");
        }
        put(host.enrolled(key, url, underlayAddress));
        enrolledAtMillis.put(token, clock.millis());
        events.add("host-enrolled", "", host.name() + " at " + url);
    }

    /** A host has answered. */
    synchronized void heard(String name, int vms, int vmMemoryMiB, boolean leaving) {
        long now = clock.millis();
        for (HostRecord host : List.copyOf(hosts.values())) {
            if (host.name().equals(name) && host.step() == HostRecord.Step.ENROLLED) {
                Heard before = heard.put(host.token(), new Heard(now, vms, vmMemoryMiB, leaving));
                if (leaving && (before == null || !before.leaving())) {
                    events.add("host-leaving", "", name + " is taken away by its cloud");
                    penalise(host);
                    disappoint(host, "host " + name + " is taken away by its cloud");
                }
                host.vms().keySet().stream()
                        .filter(targets::containsKey)
                        .map(targets::get)
                        .toList()
                        .forEach(target -> pursue(target, now));
            }
        }
    }

    /** Whatever has become due. About once a second. */
    synchronized void step() {
        long now = clock.millis();
        for (HostRecord host : List.copyOf(hosts.values())) {
            look(host, now);
        }
        for (Target target : List.copyOf(targets.values())) {
            pursue(target, now);
            refreshOffers(target, now);
        }
        keepSpares(now);
        retireIdle(now);
        if (now - sweptAtMillis >= SWEEP_MS) {
            sweptAtMillis = now;
            run("sweep", this::sweep);
        }
        targets.values()
                .removeIf(target -> !target.isWanted(now)
                        && now - target.heardAtMillis > settings.idleMillis()
                        && serving(target.vmId).isEmpty());
    }

    // ---- which host for which VM

    private void pursue(Target target, long now) {
        Optional<HostRecord> ready =
                serving(target.vmId).stream().filter(host -> isReady(host, now)).findFirst();
        if (ready.isPresent()) {
            boolean news = target.readyAfterMs < 0;
            target.found(now);
            releaseLosers(target, ready.get());
            if (news) {
                events.add(
                        "target-ready",
                        target.vmId,
                        ready.get().name() + " after " + target.readyAfterMs + " ms ("
                                + ready.get().priceClass() + ")");
            }
            return;
        }
        if (!target.isWanted(now)) {
            return;
        }
        Optional<HostRecord> free = hosts.values().stream()
                .filter(host -> isReady(host, now) && fits(host, target))
                .min(Comparator.comparingLong(host -> freeMib(host)));
        if (free.isPresent()) {
            put(free.get().serving(target.vmId, target.wish.memoryMiB()));
            pursue(target, now);
            return;
        }
        if (now < target.retryAtMillis) {
            return;
        }
        if (coming(target, now).isEmpty()) {
            serving(target.vmId).forEach(this::penalise);
            if (startStopped(target)) {
                return;
            }
            if (!shareComing(target, now)) {
                buy(Optional.of(target), target.atRisk ? PriceClass.ON_DEMAND : PriceClass.SPOT, now);
            }
        }
        boolean near = target.isNear(now, settings.nearMillis());
        Set<PriceClass> classes = coming(target, now);
        if (near && !classes.isEmpty() && !classes.contains(PriceClass.ON_DEMAND)) {
            buy(Optional.of(target), PriceClass.ON_DEMAND, now);
        }
    }

    private Set<PriceClass> coming(Target target, long now) {
        return serving(target.vmId).stream()
                .filter(host -> isComing(host, now))
                .map(HostRecord::priceClass)
                .collect(Collectors.toSet());
    }

    /** A host that is on its way with room to spare is waited for rather than doubled. */
    private boolean shareComing(Target target, long now) {
        Optional<HostRecord> roomy = hosts.values().stream()
                .filter(host -> isComing(host, now) && fits(host, target))
                .findFirst();
        roomy.ifPresent(host -> put(host.serving(target.vmId, target.wish.memoryMiB())));
        return roomy.isPresent();
    }

    private boolean fits(HostRecord host, Target target) {
        return !host.name().equals(target.wish.host())
                && !target.wish.avoid().contains(host.name())
                && (!target.atRisk || host.priceClass() == PriceClass.ON_DEMAND)
                && (target.wish.zone().isEmpty() || target.wish.zone().get().equals(host.zone()))
                && target.wish.vcpus() <= host.vcpus()
                && target.wish.memoryMiB() <= freeMib(host);
    }

    private long freeMib(HostRecord host) {
        Heard last = heard.get(host.token());
        return host.memoryMib()
                - host.vms().values().stream().mapToInt(Integer::intValue).sum()
                - (last == null ? 0 : last.vmMemoryMiB());
    }

    private void releaseLosers(Target target, HostRecord winner) {
        for (HostRecord host : serving(target.vmId)) {
            if (!host.token().equals(winner.token())) {
                HostRecord loser = host.notServing(target.vmId);
                put(loser);
                if (loser.vms().isEmpty() && loser.step() != HostRecord.Step.ENROLLED) {
                    release(loser, "another host was there first");
                }
            }
        }
    }

    /** The VMs that counted on it look for another one at once. */
    private void disappoint(HostRecord host, String why) {
        HostRecord left = hosts.get(host.token());
        List<Target> waiting = new ArrayList<>();
        for (String vmId : host.vms().keySet()) {
            left = left == null ? null : left.notServing(vmId);
            Target target = targets.get(vmId);
            if (target != null) {
                waiting.add(target);
                target.lose(why);
                target.retryAtMillis = 0;
                events.add("target-lost", vmId, why);
            }
        }
        if (left != null) {
            put(left);
        }
        waiting.forEach(target -> pursue(target, clock.millis()));
    }

    private TargetView view(Target target, long now) {
        List<HostRecord> candidates = serving(target.vmId);
        Optional<HostRecord> ready =
                candidates.stream().filter(host -> isReady(host, now)).findFirst();
        if (ready.isPresent()) {
            HostRecord host = ready.get();
            return new TargetView(
                    target.vmId,
                    TargetView.State.READY,
                    host.name(),
                    host.url(),
                    host.underlayAddress(),
                    host.priceClass().name(),
                    target.readyAfterMs,
                    "");
        }
        TargetView.State state;
        if (candidates.stream().anyMatch(HostRecord::isThere)) {
            state = TargetView.State.BOOTING;
        } else if (!candidates.isEmpty()) {
            state = TargetView.State.BUYING;
        } else if (target.lost) {
            state = TargetView.State.LOST;
        } else {
            state = offers.containsKey(target.market(settings)) ? TargetView.State.PLANNED : TargetView.State.NONE;
        }
        return new TargetView(target.vmId, state, "", "", "", "", -1, target.message);
    }

    private boolean isReady(HostRecord host, long now) {
        Heard last = heard.get(host.token());
        return host.step() == HostRecord.Step.ENROLLED
                && last != null
                && !last.leaving()
                && now - last.atMillis() <= SILENT_MS;
    }

    /** Not there yet, but with hope. */
    private boolean isComing(HostRecord host, long now) {
        if (host.step() == HostRecord.Step.ENROLLED) {
            return heard.get(host.token()) == null
                    && now - enrolledAtMillis.getOrDefault(host.token(), 0L) <= settings.usableMillis();
        }
        // A machine of one's own comes when its owner starts it, which nobody can wait for.
        return host.step() == HostRecord.Step.BOUGHT && host.bought()
                || host.step() == HostRecord.Step.WANTED && isBusy(host);
    }

    private List<HostRecord> serving(String vmId) {
        return hosts.values().stream()
                .filter(host -> host.vms().containsKey(vmId) && host.step() != HostRecord.Step.RELEASING)
                .toList();
    }

    // ---- buying

    private void buy(Optional<Target> target, PriceClass priceClass, long now) {
        long count = hosts.values().stream().filter(HostRecord::bought).count();
        if (count >= settings.maxHosts()) {
            refuse(
                    target,
                    settings.maxHosts() == 0
                            ? "nothing can be bought: controller.json has no \"cloud\", or \"maxHosts\" is 0"
                            : "spending limit: " + count + " hosts are bought, and \"maxHosts\" is "
                                    + settings.maxHosts());
            return;
        }
        TargetMarket.TargetWish wish = target.map(some -> some.market(settings))
                .orElseGet(() -> new TargetMarket.TargetWish(
                        settings.leastVcpus(), settings.leastMemoryMiB(), "host", Optional.empty()));
        Map<String, Integer> vms =
                target.map(some -> Map.of(some.vmId, some.wish.memoryMiB())).orElse(Map.of());
        HostRecord host = fresh("", true, priceClass, wish.vcpus(), (int) wish.memoryMib(), vms);
        put(host);
        events.add(
                "target-wanted",
                target.map(some -> some.vmId).orElse(""),
                priceClass + ", as " + host.name()
                        + target.map(some -> some.wish.reason())
                                .filter(reason -> !reason.isEmpty())
                                .map(reason -> ": " + reason)
                                .orElse(""));
        run(host.token(), () -> acquire(host, wish));
    }

    private HostRecord fresh(
            String name, boolean bought, PriceClass priceClass, int vcpus, int memoryMiB, Map<String, Integer> vms) {
        String token = UUID.randomUUID().toString();
        long now = clock.millis();
        return new HostRecord(
                token,
                name.isEmpty() ? "host-" + token.substring(0, 8) : name,
                HostRecord.Step.WANTED,
                bought,
                priceClass,
                vcpus,
                memoryMiB,
                "",
                "",
                "",
                "",
                0,
                "",
                "",
                vms,
                now,
                now + UNCLEAR_MS,
                now + settings.bootLimitMillis(),
                Optional.empty());
    }

    /** On the executor. */
    private void acquire(HostRecord host, TargetMarket.TargetWish wish) {
        Instance instance;
        try {
            List<Offer> all = offers(wish);
            List<Offer> fitting;
            synchronized (this) {
                HostRecord now = hosts.get(host.token());
                if (now == null || now.step() != HostRecord.Step.WANTED) {
                    // Not needed any more, and the cloud has not been asked.
                    forget(now);
                    return;
                }
                fitting = affordable(host, all);
                put(now.costing(fitting.stream().mapToDouble(this::price).max().orElse(0)));
            }
            instance = market.acquire(
                    new TargetMarket.Purchase(host.token(), settings.fleet(), fitting, userData.script(host)));
        } catch (CloudException e) {
            notHad(host, e);
            return;
        } catch (RuntimeException e) {
            // Nobody knows how far it came.
            notHad(host, new CloudException(CloudException.Kind.UNCLEAR, "unexpected: " + e, e));
            return;
        }
        had(host.token(), instance);
    }

    /** Of the purchase's class, within the limit, and those last where a host was taken away lately. */
    private List<Offer> affordable(HostRecord host, List<Offer> all) {
        List<Offer> ofClass = all.stream()
                .filter(offer -> offer.priceClass() == host.priceClass())
                .toList();
        if (ofClass.isEmpty()) {
            throw new CloudException(
                    CloudException.Kind.CAPACITY, "the cloud has no " + host.priceClass() + " size that fits");
        }
        double spent = hosts.values().stream()
                .filter(other -> other.step() != HostRecord.Step.STOPPED)
                .mapToDouble(HostRecord::dollarsPerHour)
                .sum();
        List<Offer> within = ofClass.stream()
                .filter(offer -> spent + price(offer) <= settings.maxDollarsPerHour())
                .sorted(Comparator.comparing(this::isPenalised))
                .toList();
        if (within.isEmpty()) {
            throw new CloudException(
                    CloudException.Kind.QUOTA,
                    "spending limit: " + spent + " dollars per hour are spent, and \"maxDollarsPerHour\" is "
                            + settings.maxDollarsPerHour());
        }
        within.stream()
                .filter(offer -> price(offer) == 0 && pricesMissed.add(offer.size()))
                .forEach(offer -> events.add(
                        "price-unknown",
                        "",
                        "of " + offer.size()
                                + ": it does not count for \"maxDollarsPerHour\" before it is in \"prices\""));
        return within;
    }

    /** The cloud's where it says one; Azure and Google do not, to who only buys machines. */
    private double price(Offer offer) {
        return offer.dollarsPerHour() > 0
                ? offer.dollarsPerHour()
                : settings.price(offer.size(), offer.priceClass()).orElse(0.0);
    }

    /** Where a host has gone or fallen silent, others are likely to. */
    private void penalise(HostRecord host) {
        penalties.put(host.pool(), clock.millis() + POOL_PENALTY_MS);
    }

    private boolean isPenalised(Offer offer) {
        return penalties.getOrDefault(offer.size() + "/" + offer.zone() + "/" + offer.priceClass(), 0L)
                > clock.millis();
    }

    private List<Offer> offers(TargetMarket.TargetWish wish) {
        synchronized (this) {
            Offers known = offers.get(wish);
            if (known != null) {
                return known.offers();
            }
        }
        List<Offer> fresh = List.copyOf(market.offers(wish));
        synchronized (this) {
            offers.put(wish, new Offers(fresh, clock.millis()));
        }
        return fresh;
    }

    private void refreshOffers(Target target, long now) {
        TargetMarket.TargetWish wish = target.market(settings);
        Offers known = offers.get(wish);
        if (known == null || now - known.atMillis() >= OFFERS_MS) {
            run("offers " + wish, () -> {
                try {
                    List<Offer> fresh = List.copyOf(market.offers(wish));
                    synchronized (this) {
                        offers.put(wish, new Offers(fresh, clock.millis()));
                    }
                } catch (RuntimeException e) {
                    cloudProblem(e);
                }
            });
        }
    }

    private synchronized void had(String token, Instance instance) {
        HostRecord host = hosts.get(token);
        if (host != null) {
            put(host.had(instance));
            events.add(
                    "host-bought",
                    "",
                    host.name() + " is " + instance.id() + ", " + instance.size() + " in " + instance.zone());
        }
    }

    private synchronized void notHad(HostRecord asked, CloudException e) {
        HostRecord host = hosts.get(asked.token());
        if (host == null) {
            return;
        }
        if (e.kind() == CloudException.Kind.UNCLEAR) {
            // It stays in the journal, and the next look asks by token; until then another one is bought if it is
            // urgent.
            events.add("purchase-unclear", "", host.name() + ": " + e.getMessage());
            host.vms().keySet().stream()
                    .filter(targets::containsKey)
                    .map(targets::get)
                    .forEach(target -> target.retryAtMillis = clock.millis() + RETRY_CAPACITY_MS);
            return;
        }
        forget(host);
        List<Target> waiting = host.vms().keySet().stream()
                .filter(targets::containsKey)
                .map(targets::get)
                .toList();
        if (waiting.isEmpty()) {
            refuse(Optional.empty(), e.getMessage());
        }
        for (Target target : waiting) {
            long now = clock.millis();
            boolean other = serving(target.vmId).stream().anyMatch(some -> isComing(some, now));
            switch (e.kind()) {
                case CAPACITY, QUOTA -> {
                    if (host.priceClass() == PriceClass.SPOT) {
                        events.add("spot-not-had", target.vmId, e.getMessage());
                        if (!other && target.isWanted(now)) {
                            buy(Optional.of(target), PriceClass.ON_DEMAND, now);
                        }
                    } else if (!other) {
                        refuse(Optional.of(target), "no host is to be had: " + e.getMessage());
                    }
                }
                case THROTTLED, UNAVAILABLE -> {
                    target.message = e.getMessage();
                    target.retryAtMillis = now + RETRY_THROTTLED_MS;
                    cloudProblem(e);
                }
                default -> {
                    if (!other) {
                        refuse(Optional.of(target), e.getMessage());
                        target.retryAtMillis = now + RETRY_REFUSED_MS;
                    }
                }
            }
        }
    }

    /** Buying stops, the VM goes on: at its deadline it falls back to its last epoch if no peer takes it. */
    private void refuse(Optional<Target> target, String why) {
        long now = clock.millis();
        if (target.isEmpty()) {
            spareRetryAtMillis = now + RETRY_REFUSED_MS;
            events.add("spare-failed", "", why);
            return;
        }
        Target some = target.get();
        some.retryAtMillis = now + RETRY_CAPACITY_MS;
        if (serving(some.vmId).isEmpty()) {
            boolean news = !some.lost || !some.message.equals(why);
            some.lose(why);
            if (news) {
                events.add(
                        "target-failed",
                        some.vmId,
                        why + "; it is tried again, and without a host the VM is restored from its last epoch");
            }
        }
    }

    // ---- what has become of hosts

    private void look(HostRecord host, long now) {
        if (!host.bought()) {
            return;
        }
        boolean silent = host.step() == HostRecord.Step.ENROLLED && !isReady(host, now);
        long period = switch (host.step()) {
            case WANTED, BOUGHT, RELEASING -> LOOK_BOUGHT_MS;
            case ENROLLED -> silent ? LOOK_SILENT_MS : LOOK_ENROLLED_MS;
            case STOPPED -> LOOK_STOPPED_MS;
        };
        if (now - lookedAtMillis.getOrDefault(host.token(), 0L) < period || isBusy(host)) {
            return;
        }
        lookedAtMillis.put(host.token(), now);
        if (host.step() == HostRecord.Step.BOUGHT && now - host.createdAtMillis() > settings.bootLimitMillis()) {
            String why = host.name() + " has not come to the fleet within " + settings.bootLimitMillis() + " ms";
            release(host, why);
            disappoint(host, why);
            return;
        }
        run(host.token(), () -> look(host.token()));
    }

    /** On the executor. */
    private void look(String token) {
        HostRecord host;
        synchronized (this) {
            host = hosts.get(token);
        }
        if (host == null) {
            return;
        }
        try {
            if (host.instanceId().isEmpty()) {
                lookByToken(host);
            } else if (host.step() == HostRecord.Step.RELEASING) {
                market.release(host.instanceId());
                synchronized (this) {
                    forget(hosts.get(token));
                    events.add("host-released", "", host.name() + ", " + host.instanceId());
                }
            } else {
                lookByInstance(host);
            }
        } catch (RuntimeException e) {
            cloudProblem(e);
        }
    }

    private void lookByToken(HostRecord host) {
        Optional<Instance> found = market.bought(host.token());
        if (found.isPresent()) {
            had(host.token(), found.get());
            synchronized (this) {
                long now = clock.millis();
                boolean wanted = host.vms().isEmpty()
                        || host.vms().keySet().stream().anyMatch(vmId -> stillNeeds(vmId, host, now));
                if (!wanted) {
                    release(hosts.get(host.token()), "it came to light when it was not needed any more");
                }
            }
        } else {
            synchronized (this) {
                if (clock.millis() > host.unclearUntilMillis()) {
                    forget(host);
                    events.add("purchase-void", "", host.name() + " was never bought");
                }
            }
        }
    }

    /** After a restart nobody has said yet what is needed; then it is, for a while. */
    private boolean stillNeeds(String vmId, HostRecord host, long now) {
        Target target = targets.get(vmId);
        if (target == null) {
            return true;
        }
        return target.isWanted(now)
                && serving(vmId).stream().noneMatch(other -> !other.token().equals(host.token()));
    }

    private void lookByInstance(HostRecord host) {
        Instance instance;
        try {
            instance = market.describe(host.instanceId());
        } catch (CloudException e) {
            if (e.kind() != CloudException.Kind.NOT_FOUND) {
                throw e;
            }
            if (clock.millis() - host.createdAtMillis() > UNSEEN_MS) {
                gone(host, "the cloud does not know " + host.instanceId() + " any more");
            }
            return;
        }
        switch (instance.state()) {
            case GONE -> gone(host, "the cloud has taken " + instance.id() + " away");
            case STOPPED, STOPPING -> {
                boolean starting =
                        clock.millis() - enrolledAtMillis.getOrDefault(host.token(), 0L) <= settings.bootLimitMillis();
                if (host.step() != HostRecord.Step.STOPPED && !starting) {
                    synchronized (this) {
                        String why = "the cloud has stopped " + instance.id();
                        release(host, why);
                        disappoint(host, why);
                    }
                }
            }
            case PENDING, RUNNING -> {
                if (host.step() == HostRecord.Step.STOPPED) {
                    market.stop(instance.id());
                    return;
                }
                synchronized (this) {
                    HostRecord now = hosts.get(host.token());
                    if (now != null
                            && !instance.address().isEmpty()
                            && !instance.address().equals(now.cloudAddress())) {
                        put(now.had(instance));
                    }
                }
            }
        }
    }

    private synchronized void gone(HostRecord host, String why) {
        HostRecord now = hosts.get(host.token());
        if (now == null) {
            return;
        }
        penalise(now);
        events.add("host-lost", "", now.name() + ": " + why);
        forget(now);
        disappoint(now, "host " + now.name() + " is lost: " + why);
    }

    private void release(HostRecord host, String why) {
        if (!host.bought()) {
            put(host.at(HostRecord.Step.BOUGHT));
            return;
        }
        put(host.at(HostRecord.Step.RELEASING));
        events.add("host-releasing", "", host.name() + ": " + why);
        lookedAtMillis.put(host.token(), clock.millis());
        if (!isBusy(host)) {
            run(host.token(), () -> look(host.token()));
        }
    }

    // ---- the pool

    private void keepSpares(long now) {
        if (settings.spares() == 0 || now < spareRetryAtMillis) {
            return;
        }
        long free = hosts.values().stream()
                .filter(host -> host.vms().isEmpty() && (isComing(host, now) || isReady(host, now) && isEmpty(host)))
                .count();
        if (free < settings.spares()) {
            buy(Optional.empty(), PriceClass.SPOT, now);
        }
    }

    private boolean isEmpty(HostRecord host) {
        Heard last = heard.get(host.token());
        return last != null && last.vms() == 0;
    }

    private boolean startStopped(Target target) {
        Optional<HostRecord> pooled = hosts.values().stream()
                .filter(host -> host.step() == HostRecord.Step.STOPPED && fits(host, target) && !isBusy(host))
                .findFirst();
        pooled.ifPresent(host -> {
            put(host.serving(target.vmId, target.wish.memoryMiB()).at(HostRecord.Step.ENROLLED));
            heard.remove(host.token());
            enrolledAtMillis.put(host.token(), clock.millis());
            events.add("host-starting", target.vmId, host.name() + " of the stopped ones");
            run(host.token(), () -> {
                try {
                    market.start(host.instanceId());
                } catch (RuntimeException e) {
                    synchronized (this) {
                        String why = "a stopped host did not start: " + e.getMessage();
                        HostRecord started = hosts.get(host.token());
                        if (started != null) {
                            release(started, why);
                            disappoint(started, why);
                        }
                    }
                }
            });
        });
        return pooled.isPresent();
    }

    private void retireIdle(long now) {
        int kept = 0;
        for (HostRecord host : List.copyOf(hosts.values())) {
            Predicate<String> wanted =
                    vmId -> targets.containsKey(vmId) && targets.get(vmId).isWanted(now);
            // Only what answers and says that it has no VMs is known to be empty.
            boolean idle = host.bought()
                    && isReady(host, now)
                    && isEmpty(host)
                    && host.vms().keySet().stream().noneMatch(wanted);
            if (idle && host.vms().isEmpty() && kept < settings.spares()) {
                kept++;
                idle = false;
            }
            if (!idle) {
                idleSinceMillis.remove(host.token());
            } else if (now - idleSinceMillis.computeIfAbsent(host.token(), token -> now) >= settings.idleMillis()) {
                idleSinceMillis.remove(host.token());
                retire(host);
            }
        }
    }

    private void retire(HostRecord host) {
        HostRecord freed = host;
        for (String vmId : host.vms().keySet()) {
            freed = freed.notServing(vmId);
        }
        put(freed);
        host.vms().keySet().stream()
                .filter(targets::containsKey)
                .map(targets::get)
                .forEach(Target::calm);
        long stopped = hosts.values().stream()
                .filter(other -> other.step() == HostRecord.Step.STOPPED)
                .count();
        if (stopped >= settings.stopped() || isBusy(host)) {
            release(freed, "idle for " + settings.idleMillis() + " ms");
            return;
        }
        put(freed.at(HostRecord.Step.STOPPED));
        events.add("host-stopping", "", host.name() + " is kept stopped");
        run(host.token(), () -> {
            try {
                market.stop(host.instanceId());
            } catch (RuntimeException e) {
                // The next look finds it running and stops it.
                cloudProblem(e);
            }
        });
    }

    // ---- orphans

    /** On the executor. */
    private void sweep() {
        List<Instance> all;
        try {
            all = market.all(settings.fleet());
        } catch (RuntimeException e) {
            cloudProblem(e);
            return;
        }
        List<Instance> due = new ArrayList<>();
        synchronized (this) {
            long now = clock.millis();
            Set<String> unknown = new HashSet<>();
            for (Instance instance : all) {
                boolean known = hosts.containsKey(instance.token())
                        || hosts.values().stream()
                                .anyMatch(host -> host.instanceId().equals(instance.id()));
                if (!known && instance.state() != Instance.State.GONE) {
                    unknown.add(instance.id());
                    if (now - strangers.computeIfAbsent(instance.id(), id -> now) >= settings.orphanMillis()) {
                        due.add(instance);
                    }
                }
            }
            strangers.keySet().retainAll(unknown);
        }
        for (Instance orphan : due) {
            try {
                if (orphans.isInUse(orphan)) {
                    events.add("orphan-kept", "", orphan.id() + " is in no record, but it is in use");
                } else {
                    market.release(orphan.id());
                    events.add("orphan-released", "", orphan.id() + " is in no record and did not come to the fleet");
                }
            } catch (RuntimeException e) {
                cloudProblem(e);
            }
        }
    }

    // ---- small things

    private synchronized void cloudProblem(RuntimeException e) {
        String why = String.valueOf(e.getMessage());
        if (!why.equals(lastCloudProblem)) {
            lastCloudProblem = why;
            events.add("cloud-failed", "", why);
        }
    }

    private boolean isBusy(HostRecord host) {
        return busy.contains(host.token());
    }

    /** One job a name at a time. One that finds no place is due again at the next step. */
    private void run(String name, Runnable job) {
        if (!busy.add(name)) {
            return;
        }
        try {
            executor.execute(() -> {
                try {
                    job.run();
                } finally {
                    synchronized (this) {
                        busy.remove(name);
                    }
                }
            });
        } catch (RejectedExecutionException full) {
            busy.remove(name);
        }
    }

    private void put(HostRecord host) {
        journal.put(host.token(), host);
        hosts.put(host.token(), host);
    }

    private void forget(HostRecord host) {
        if (host == null) {
            return;
        }
        journal.remove(host.token());
        hosts.remove(host.token());
        for (Map<String, ?> about : List.of(heard, enrolledAtMillis, idleSinceMillis, lookedAtMillis)) {
            about.remove(host.token());
        }
    }
}
