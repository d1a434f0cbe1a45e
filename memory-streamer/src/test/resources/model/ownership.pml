/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may run a VM (docs/protocol.md, "Ownership"; invariants I1 and I4), for Spin. OwnershipModelTest checks it in the build:
 *   nobody runs beside another   the assertion in starts()
 *   somebody can always go on    ltl goes_on
 * Strict mode, or lease mode with LEASE. Source, target and two restorers; any of them but the last one may die at any step, the
 * connection may break, every answer may be late or lost. Each MUTANT_... is a mistake that the check must find.
 *
 * Time, in lease mode: one tick is a part of a lease, in real time. A host's own clock drifts, within the bound. Whoever holds a
 * right counts it too short and whoever waits for its end counts too long, so in real time a right lasts at most LENGTH
 * ticks and a wait at least LENGTH. The model takes the worst of both: exactly LENGTH.
 */
#define SOURCE 1
#define TARGET 2
#define FIRST 3   /* a restorer that may die */
#define LAST 4    /* a restorer that does not */
#define HOSTS 5
#define TERMS 6
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef DELAYS
#define DELAYS 1
#endif
#ifndef LENGTH
#define LENGTH 2
#endif
#ifdef MUTANT_WAIT_WITHOUT_DRIFT
#define WAIT (LENGTH - 1)
#else
#define WAIT LENGTH
#endif

mtype:source = { SOURCE_RUNNING, SOURCE_EVACUATING, SOURCE_PAUSED, SOURCE_SWITCHING, SOURCE_HANDED_OVER, SOURCE_FORWARDING,
                 SOURCE_GONE };
mtype:target = { TARGET_EMPTY, TARGET_HYDRATING, TARGET_RECEIVING, TARGET_READY, TARGET_GRANTED, TARGET_OWNER, TARGET_RUNNING,
                 TARGET_COMPLETE, TARGET_FAILED };
mtype:lease = { LEASE_NONE, LEASE_HELD, LEASE_EXPIRED, LEASE_GIVEN, LEASE_LOST };
mtype:wire = { STATE, READY, SWITCH, COMMITTED };

mtype:source source_state = SOURCE_RUNNING;
mtype:target target_state = TARGET_EMPTY;
mtype:lease lease[HOSTS] = LEASE_NONE;

byte owner[TERMS];    /* the registry: who created the record of a term, 0 nobody */
bool alive[HOSTS];
bool runs[HOSTS];     /* guest instructions are executed there */
bool wants[HOSTS];    /* it would let the guest run, if it may */
byte term[HOSTS];
bool link = true;
chan to_target = [2] of { mtype:wire, byte };
chan to_source = [2] of { mtype:wire };

/* A claim on its way. It reaches the registry even when its sender has died meanwhile. */
byte claims[HOSTS];
byte answer[HOSTS];

byte losses = LOSSES;      /* answers that will still be lost */

/* Ticks that are left. */
byte right[HOSTS];    /* of the lease */
byte fresh[HOSTS];    /* of the lease that a renewal or claim under way brings, counted from its beginning */
byte waits[HOSTS];    /* of waiting for the end of all earlier rights */
byte granted;         /* of the right that the source gave away, as the source counts it */
byte readied;         /* passed since READY was sent */
byte renewal[HOSTS];  /* 0 none; on its way back is: 2 nobody followed, 3 somebody did */

#define someone_runs (runs[SOURCE] || runs[TARGET] || runs[FIRST] || runs[LAST])
ltl goes_on { []<> someone_runs }

inline starts(h) {
    assert(!someone_runs);
    runs[h] = true
}

/* The guest runs as soon as it is wanted and allowed. In strict mode whoever comes here is the owner. */
inline wishes(h) {
    atomic {
        wants[h] = true;
#ifdef LEASE
        if
        :: lease[h] == LEASE_HELD && right[h] > 0 && !runs[h] -> starts(h)
        :: else
        fi
#else
        if
        :: !runs[h] -> starts(h)
        :: else
        fi
#endif
    }
}

inline pauses(h) {
    atomic { wants[h] = false; runs[h] = false }
}

/* Asks for a term until the answer is there; an answer that is lost makes it ask again. */
inline claim(h, t) {
    atomic { claims[h] = t; answer[h] = 0; fresh[h] = LENGTH };
    do
    :: answer[h] != 0 -> break
    :: atomic { answer[h] != 0 && losses > 0 -> losses--; answer[h] = 0; claims[h] = t;
#ifdef MUTANT_LEASE_FROM_LAST_TRY
            fresh[h] = LENGTH
#endif
        }
    od
}

/* With one restorer alone nobody comes after it: its lease need not be kept. */
#ifdef ONE_RESTORE
#define never_followed(h) (h == LAST)
#else
#define never_followed(h) false
#endif

/* Has won a term: the lease counts from the first try, because somebody may have followed since. */
inline takes(h, t) {
    atomic {
        term[h] = t;
#ifdef LEASE
        right[h] = (never_followed(h) -> LENGTH : fresh[h]);
        lease[h] = (right[h] > 0 -> LEASE_HELD : LEASE_EXPIRED);
        renewal[h] = 0;
#endif
        answer[h] = 0;
        fresh[h] = 0
    }
}

proctype Source() {
    {
    source_state = SOURCE_EVACUATING;
    if
    :: goto back
    :: skip
    fi;
    source_state = SOURCE_PAUSED;
    pauses(SOURCE);
    if
    :: link -> to_target!STATE, 0
    :: goto back
    fi;
    if
    :: to_source?READY
    :: goto back
    fi;
    atomic {
#ifdef LEASE
        if
        :: lease[SOURCE] == LEASE_HELD && right[SOURCE] > 0 ->
            granted = right[SOURCE];
            lease[SOURCE] = LEASE_GIVEN;
            right[SOURCE] = 0;
            source_state = SOURCE_SWITCHING
        :: else
        fi
#else
        source_state = SOURCE_SWITCHING
#endif
    };
    if
    :: source_state != SOURCE_SWITCHING -> goto back
    :: else
    fi;
    if
    :: link -> to_target!SWITCH, granted
    :: !link
    fi;
    if
    :: to_source?COMMITTED -> goto gone
    :: skip
    fi;
    /* Doubt: the connection is silent or broken. */
#ifdef MUTANT_NEVER_DECIDES
    false;
#endif
#ifndef MUTANT_RESUMES_WITHOUT_THE_RACE
#if defined(LEASE) && !defined(MUTANT_CLAIMS_BEFORE_THE_GRANT_IS_OVER)
    granted == 0;
#endif
    claim(SOURCE, 2);
    if
    :: answer[SOURCE] != SOURCE -> goto gone
    :: else
    fi;
#endif
    takes(SOURCE, 2);
back:
    source_state = SOURCE_RUNNING;
    wishes(SOURCE);
    goto end;
gone:
    atomic { source_state = SOURCE_HANDED_OVER; source_state = SOURCE_FORWARDING; source_state = SOURCE_GONE };
end:
    skip
    } unless { !alive[SOURCE] }
}

proctype Target() {
    byte grant;
    {
    atomic { target_state = TARGET_HYDRATING; target_state = TARGET_RECEIVING };
    if
    :: to_target?STATE, _
    :: target_state = TARGET_FAILED -> goto end
    fi;
    target_state = TARGET_READY;
    if
    :: link -> atomic { to_source!READY; readied = 0 }
    :: !link -> target_state = TARGET_FAILED -> goto end
    fi;
#ifndef MUTANT_CLAIMS_WITHOUT_SWITCH
    if
    :: to_target?SWITCH, grant
    :: target_state = TARGET_FAILED -> goto end
    fi;
#endif
#ifdef LEASE
    atomic {
#ifndef MUTANT_GRANT_COUNTS_FROM_ITS_ARRIVAL
        grant = (grant > readied -> grant - readied : 0);
#endif
        if
        :: grant > 0 -> right[TARGET] = grant; lease[TARGET] = LEASE_HELD; term[TARGET] = 1; target_state = TARGET_GRANTED
        :: else
        fi
    };
    if
    :: target_state == TARGET_GRANTED -> wishes(TARGET)
    :: else
    fi;
#endif
    claim(TARGET, 2);
    if
    :: answer[TARGET] != TARGET ->
        pauses(TARGET);
        lease[TARGET] = LEASE_LOST;
        target_state = TARGET_FAILED;
        goto end
    :: else
    fi;
    takes(TARGET, 2);
    target_state = TARGET_OWNER;
    wishes(TARGET);
    target_state = TARGET_RUNNING;
    if
    :: link -> to_source!COMMITTED
    :: !link
    fi;
    target_state = TARGET_COMPLETE;
end:
    skip
    } unless { !alive[TARGET] }
}

#if defined(LEASE) || defined(MUTANT_RESTORES_WHILE_THE_OWNER_LIVES)
#define may_restore(h) true
#else
#define may_restore(h) (!alive[h])
#endif

/* Somebody must be the last to restore, or its death would leave nobody. */
#ifdef TIMELY
#define leaves_it(h) (owner[newest] == LAST)
#else
#define leaves_it(h) false
#endif

/* Brings the VM up from the store. In strict mode only when the host that owns it is gone; in lease mode at any time. */
proctype Restorer(byte h) {
    byte newest = 1;
    bool won;
    {
    do
    :: atomic { owner[newest + 1] != 0 -> newest++ }
    :: owner[newest + 1] == 0 && may_restore(owner[newest]) && !leaves_it(h) ->
        claim(h, newest + 1);
        atomic { newest++; won = (answer[h] == h) };
        if
        :: won -> break
        :: else
        fi
    od;
#ifdef LEASE
    waits[h] = WAIT;
    waits[h] == 0;
#endif
    takes(h, newest);
    wishes(h)
    } unless { !alive[h] }
}

inline decides(h) {
    d_step {
        claims[h] != 0 ->
        if
        :: owner[claims[h]] == 0 -> owner[claims[h]] = h
        :: else
        fi;
        answer[h] = owner[claims[h]];
        claims[h] = 0
    }
}

/* The registry takes in claims, one at a time. */
proctype Registry() {
end:
    do
    :: decides(SOURCE)
    :: decides(TARGET)
    :: decides(FIRST)
    :: decides(LAST)
    od
}

#ifdef LEASE
/* A renewal reaches the registry at once, and only its answer takes its time: to be asked later can only mean to see more. */

/* A lease that may be renewed: of a term that is its own. A right that was given by the source is not. */
#ifdef MUTANT_RENEWS_A_GIVEN_RIGHT
#define own(h) true
#else
#define own(h) (owner[term[h]] == h)
#endif
#define renewable(h) (alive[h] && (lease[h] == LEASE_HELD || lease[h] == LEASE_EXPIRED) && own(h))

inline renews(h) {
    if
    :: d_step { renewal[h] == 0 && renewable(h) && right[h] < LENGTH ->
            renewal[h] = (owner[term[h] + 1] == 0 -> 2 : 3);
            fresh[h] = LENGTH
        }
    :: d_step { renewal[h] == 2 ->
            renewal[h] = 0;
#ifdef MUTANT_LEASE_FROM_THE_ANSWER
            fresh[h] = LENGTH;
#endif
            if
            :: renewable(h) && fresh[h] > right[h] ->
                right[h] = fresh[h];
                lease[h] = LEASE_HELD;
                if
                :: wants[h] && !runs[h] -> starts(h)
                :: else
                fi
            :: else
            fi;
            fresh[h] = 0
        }
    :: d_step { renewal[h] == 3 ->
            renewal[h] = 0;
            if
            :: renewable(h) -> lease[h] = LEASE_LOST; right[h] = 0; wants[h] = false; runs[h] = false
            :: else
            fi;
            fresh[h] = 0
        }
    fi
}

proctype Keeper(byte h) {
end:
    do
    :: renews(h)
    od
}

inline ages(h) {
    if
    :: right[h] > 0 && !never_followed(h) ->
        right[h]--;
        if
        :: right[h] == 0 -> lease[h] = LEASE_EXPIRED; runs[h] = false
        :: else
        fi
    :: else
    fi;
    fresh[h] = (fresh[h] > 0 -> fresh[h] - 1 : 0);
    waits[h] = (waits[h] > 0 -> waits[h] - 1 : 0)
}

/* A renewal that would come too late: it does, but not for ever (else nothing could go on). */
#define late(h) (renewal[h] != 0 && fresh[h] == 1)
#define any_late (late(SOURCE) || late(TARGET) || late(FIRST) || late(LAST))

proctype Clock() {
#ifdef TIMELY
    byte delays = DELAYS;
#endif
end:
    do
    :: d_step {
#ifdef TIMELY
            !any_late || delays > 0 ->
            delays = (any_late -> delays - 1 : delays);
#endif
            ages(SOURCE);
            ages(TARGET);
            ages(FIRST);
            ages(LAST);
            granted = (granted > 0 -> granted - 1 : 0);
            readied = (target_state == TARGET_READY && readied < LENGTH -> readied + 1 : readied)
        }
    od
}
#endif

inline dies(h) {
    d_step {
        alive[h] = false;
        runs[h] = false;
        wants[h] = false;
        right[h] = 0;
        lease[h] = LEASE_NONE;
        renewal[h] = 0;
        fresh[h] = 0;
        waits[h] = 0;
        answer[h] = 0;
        term[h] = 0
    }
}

proctype Fate() {
    byte deaths = DEATHS;
    do
#ifdef WITHOUT_RESTORE
    :: atomic { deaths > 0 && alive[TARGET] && claims[TARGET] == 0 && owner[2] != TARGET -> deaths--; dies(TARGET) }
#else
#ifndef WITHOUT_MOVE
    :: atomic { deaths > 0 && alive[TARGET] -> deaths--; dies(TARGET) }
#endif
    :: atomic { deaths > 0 && alive[SOURCE] -> deaths--; dies(SOURCE) }
#ifndef ONE_RESTORE
    :: atomic { deaths > 0 && alive[FIRST] -> deaths--; dies(FIRST) }
#endif
#endif
#ifndef WITHOUT_MOVE
    :: link -> link = false
#endif
    :: break
    od
}

init {
    atomic {
        owner[1] = SOURCE;
        alive[SOURCE] = true;
        alive[TARGET] = true;
        alive[FIRST] = true;
        alive[LAST] = true;
        fresh[SOURCE] = LENGTH;
        takes(SOURCE, 1);
        wishes(SOURCE);
        run Registry();
        run Fate();
#ifdef LEASE
        run Clock();
        run Keeper(SOURCE);
#endif
#ifndef WITHOUT_MOVE
        run Source();
        run Target();
#ifdef LEASE
        run Keeper(TARGET);
#endif
#endif
#ifndef WITHOUT_RESTORE
        run Restorer(LAST);
#ifndef ONE_RESTORE
        run Restorer(FIRST);
#ifdef LEASE
        run Keeper(FIRST);
        run Keeper(LAST)
#endif
#endif
#endif
    }
}
