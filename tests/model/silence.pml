/*
 * A release that was silent for longer than DEAD is overtaken by an older one, and time in which
 * nobody could be heard counts against nobody. Time is a count of ticks, one tick a poll's interval:
 * a node that is connected polls once a tick, one that lost its connection within BACK ticks of its
 * way being free again. Redis remembers no absolute times here, only how much time each release has
 * against it, so that there are few states.
 *
 * The rules: a poll adds the ticks since the last poll of anybody, MOST at most. More than CUT of
 * them are a cut: all that was counted is forgotten, and the next ALLOWANCE ticks count against
 * nobody. Silence does not move a release's rank, which is the order of the newest entry that it
 * got otherwise. A node mints above the newest when each release that stands above its own is
 * dead or of a lower rank: a release that was only cut off takes its place again. Nodes hold what
 * they know of orders and ranks, and assert both again.
 *
 * The environment stops Redis, empties it, restores it, steps its clock, and cuts off or kills nodes.
 * When its faults are used up it mends all that is not killed. After SETTLED ticks more the nodes of
 * each release agree (P1), the newest release lives (P7), and those that live stand in the order in
 * which they were deployed.
 *
 *   NEEDLESS       also: only a release of which nobody could be heard while Redis was there is overtaken
 *   TOPMOST        of the order, only that the newest of the living is the newest of all
 *   OUTAGES        the only faults are outages longer than a cut, their data kept or lost
 *   BETWEEN        a node also mints just above such an entry where a living release stands above that
 *   NAIVESILENCE   silence is counted by the clock
 *   NOALLOWANCE    a cut is nothing special
 *   NOSILENCE      nobody is overtaken
 *   NORETURN       who was overtaken stays below
 *   TOPONLY        only the newest release must be dead, not every one above
 *   FORGETWHY      nodes do not know whether an entry was minted by silence, Redis forgets it
 *   MEMBERCLAIM    a node may return only while Redis remembers it from before it was overtaken
 */
#ifndef RELEASES
#define RELEASES 2
#endif
#ifndef NODES
#define NODES (2 * RELEASES)
#endif
#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef DEAD
#define DEAD 3
#endif
#define BACK 2
#define ALLOWANCE (BACK + 1)
#define CUT 3
#define MOST 2
/* all are back, nothing is allowed any more, the gone are dead, and two polls */
#define SETTLED (BACK + ALLOWANCE + DEAD + 4)
/* between two mints at the top there is room for three more in between; the release is the rest by 4 */
#define GENERATION 16
#define NONE 255
#define MIN(a, b) ((a) < (b) -> (a) : (b))
#define MAX(a, b) ((a) > (b) -> (a) : (b))

typedef redis_t {
    /* by release: its newest order; its rank, 0: unknown; the ticks that count against it */
    byte newest[RELEASES], rank[RELEASES], silent[RELEASES];
    byte allowance;
    /* ticks since anybody's last poll */
    byte gap
#ifdef MEMBERCLAIM
    ; bool member[NODES], claim[NODES]
#endif
};
redis_t redis, dump;
bool up = true;

typedef node_t {
    bool lives, linked, dialled;
    /* it has polled in this life */
    bool heard;
    /* ticks within which it polls */
    byte due;
    byte newest[RELEASES], rank[RELEASES]
};
node_t node[NODES];

byte left = FAULTS, settling;
bool over;
/* by release: none of its nodes lived for a while; nobody of it could be heard since its last poll */
bool went[RELEASES], away[RELEASES];

/* for one step */
byte x, y, top, overtaker, bound, goes, dead;
#define reset() x = 0; y = 0; top = 0; overtaker = 0; bound = 0; goes = 0; dead = 0

#define RELEASE(i) ((i) * RELEASES / NODES)
#define MINE redis.newest[RELEASE(i)]
#define RANK(x) (redis.rank[x] != 0 -> redis.rank[x] : redis.newest[x])
#define IS_ABOVE(x) (redis.newest[x] > MINE)
#define REACHES(i) (node[i].lives && node[i].linked && up)
#define ENDED (settling == 1)

#ifdef NOSILENCE
#define IS_DEAD(x) false
#else
#define IS_DEAD(x) (redis.silent[x] > DEAD)
#endif
#ifdef NORETURN
#define YIELDS(x) false
#elif defined(MEMBERCLAIM)
#define YIELDS(x) (redis.claim[i] && RANK(x) < RANK(RELEASE(i)))
#else
#define YIELDS(x) (RANK(x) < RANK(RELEASE(i)))
#endif

/* ---- the script: atomic ---- */

inline merge(i) {
    for (x : 0 .. RELEASES - 1) {
#ifdef FORGETWHY
        if
        :: node[i].newest[x] > redis.newest[x] -> redis.rank[x] = node[i].newest[x]
        :: else
        fi;
#else
        redis.rank[x] = MAX(redis.rank[x], node[i].rank[x]);
#endif
        redis.newest[x] = MAX(redis.newest[x], node[i].newest[x])
    }
}

inline count(i) {
#ifdef NAIVESILENCE
    y = redis.gap;
#else
    y = MIN(redis.gap, MOST);
#ifndef NOALLOWANCE
    if
    :: redis.gap > CUT ->
        redis.allowance = ALLOWANCE;
        for (x : 0 .. RELEASES - 1) { redis.silent[x] = 0 }
        y = 0
    :: else ->
        x = MIN(redis.allowance, y);
        redis.allowance = redis.allowance - x;
        y = y - x
    fi;
#endif
#endif
    for (x : 0 .. RELEASES - 1) { redis.silent[x] = MIN(redis.silent[x] + y, DEAD + 1) }
    redis.silent[RELEASE(i)] = 0;
    redis.gap = 0
}

inline overtake_the_dead(i) {
    for (x : 0 .. RELEASES - 1) {
        if
        :: IS_ABOVE(x) && !YIELDS(x) ->
#ifdef NEEDLESS
            assert(away[x]);
#endif
#ifdef MEMBERCLAIM
            for (y : 0 .. NODES - 1) {
                if :: RELEASE(y) == x -> redis.claim[y] = redis.member[y] :: else fi
            }
#endif
            skip
        :: else
        fi
    }
}

inline mint_where_due(i) {
    top = MINE;
    bound = NONE;
    goes = 1;
    for (x : 0 .. RELEASES - 1) {
        top = MAX(top, redis.newest[x]);
        if
        :: !IS_ABOVE(x)
        :: IS_ABOVE(x) && YIELDS(x) -> overtaker = MAX(overtaker, redis.newest[x])
        :: IS_ABOVE(x) && !YIELDS(x) && IS_DEAD(x) -> dead = 1
        :: IS_ABOVE(x) && !YIELDS(x) && !IS_DEAD(x) ->
            goes = 0;
            bound = MIN(bound, redis.newest[x])
        fi
    }
#ifdef TOPONLY
    if :: IS_DEAD(top % 4) -> goes = 1; dead = 1 :: else fi;
#endif
    if
    :: top == MINE
    :: top != MINE && goes ->
        if :: dead -> overtake_the_dead(i) :: else fi;
        MINE = (top / GENERATION + 1) * GENERATION + RELEASE(i)
#ifdef BETWEEN
    :: top != MINE && !goes && overtaker != 0 && overtaker < bound ->
        MINE = (overtaker / 4 + 1) * 4 + RELEASE(i);
        /* no room: at the top, and the others return above it */
        if :: MINE >= bound -> MINE = (top / GENERATION + 1) * GENERATION + RELEASE(i) :: else fi
#endif
    :: else
    fi;
    assert(MINE < NONE - GENERATION)
}

inline learn(i) {
    for (x : 0 .. RELEASES - 1) {
        /* P3 */
        assert(redis.newest[x] >= node[i].newest[x]);
        node[i].newest[x] = redis.newest[x];
#ifndef FORGETWHY
        node[i].rank[x] = redis.rank[x]
#endif
    }
    node[i].heard = true;
    node[i].dialled = true;
    node[i].due = 1;
#ifdef MEMBERCLAIM
    redis.claim[i] = false;
    redis.member[i] = true;
#endif
    away[RELEASE(i)] = false
}

inline poll(i) {
    d_step {
        merge(i);
        count(i);
        mint_where_due(i);
        learn(i);
        reset()
    }
}

proctype Node(byte i) {
end:
    do
    :: atomic { !ENDED && REACHES(i) && (node[i].due == 0 || !node[i].dialled) -> poll(i) }
    od
}

/* ---- time, faults, and what must hold in the end ---- */

inline hang_up(i) {
    node[i].dialled = false;
    node[i].due = BACK
}

inline hang_up_all() {
    for (x : 0 .. NODES - 1) { hang_up(x) }
}

#define MUST(i) (REACHES(i) && node[i].due == 0)
#if NODES > 3
#define NOBODY_MUST (!MUST(0) && !MUST(1) && !MUST(2) && !MUST(3))
#else
#define NOBODY_MUST (!MUST(0) && !MUST(1) && !MUST(NODES - 1))
#endif

inline tick() {
    redis.gap = MIN(redis.gap + 1, CUT + 1);
    dump.gap = MIN(dump.gap + 1, CUT + 1);
    for (x : 0 .. RELEASES - 1) {
        y = 0;
        do
        :: y < NODES && !(RELEASE(y) == x && REACHES(y)) -> y++
        :: else -> break
        od;
        if :: up && y == NODES -> away[x] = true :: else fi
    }
    for (x : 0 .. NODES - 1) {
        if :: REACHES(x) -> node[x].due-- :: else fi
    }
    if :: settling > 1 -> settling-- :: else fi
}

inline copy(to, from) {
    for (x : 0 .. RELEASES - 1) {
        to.newest[x] = from.newest[x];
        to.rank[x] = from.rank[x];
        to.silent[x] = from.silent[x]
    }
#ifdef MEMBERCLAIM
    for (x : 0 .. NODES - 1) {
        to.member[x] = from.member[x];
        to.claim[x] = from.claim[x]
    }
#endif
    to.allowance = from.allowance;
    to.gap = from.gap
}

/* what the script remembers is lost: the next poll is one after a cut, and nothing has a reason */
inline forget() {
    for (x : 0 .. RELEASES - 1) {
        redis.silent[x] = 0;
#ifdef FORGETWHY
        redis.rank[x] = redis.newest[x]
#else
        redis.rank[x] = 0
#endif
    }
    redis.allowance = 0;
    redis.gap = CUT + 1
}

inline wipe() {
    for (x : 0 .. RELEASES - 1) { redis.newest[x] = 0 }
#ifdef MEMBERCLAIM
    for (x : 0 .. NODES - 1) {
        redis.member[x] = false;
        redis.claim[x] = false
    }
#endif
    forget()
}

inline cut_off(release) {
    for (x : 0 .. NODES - 1) {
        if
        :: RELEASE(x) == release ->
            node[x].linked = false;
            hang_up(x)
        :: else
        fi
    }
}

inline kill(i) {
    node[i].lives = false;
    node[i].heard = false;
    hang_up(i);
#ifdef MEMBERCLAIM
    redis.member[i] = false;
    redis.claim[i] = false;
    dump.member[i] = false;
    dump.claim[i] = false;
#endif
    y = 0;
    do
    :: y < NODES && !(RELEASE(y) == RELEASE(i) && node[y].lives && node[y].heard) -> y++
    :: else -> break
    od;
    if :: y == NODES -> went[RELEASE(i)] = true :: else fi
}

inline mend() {
    up = true;
    for (x : 0 .. NODES - 1) { node[x].linked = true }
}

inline check() {
    dead = 1;
    for (x : 0 .. RELEASES - 1) {
        top = MAX(top, redis.newest[x]);
        if :: !went[x] -> overtaker = redis.newest[x] :: else fi
    }
    for (x : 0 .. NODES - 1) {
        if
        :: node[x].lives ->
            goes = 1;
            if :: RELEASE(x) == top % 4 -> dead = 0 :: else fi;
            /* P1 */
            assert(node[x].newest[RELEASE(x)] == redis.newest[RELEASE(x)])
        :: else
        fi
    }
    /* P7 */
    assert(!goes || !dead);
#ifdef TOPMOST
    assert(overtaker == 0 || overtaker == top || went[top % 4]);
#else
    for (x : 0 .. RELEASES - 1) {
        for (y : 0 .. RELEASES - 1) {
            assert(y >= x || went[x] || went[y] || redis.newest[y] < redis.newest[x])
        }
    }
#endif
    skip
}

proctype Environment() {
    byte i;

end:
    do
    :: atomic { !ENDED && NOBODY_MUST ->
        d_step { tick(); reset() }
        if :: ENDED -> d_step { check(); reset() } :: else fi }
    :: atomic { left > 0 && !over ->
        left--;
        if
#ifdef OUTAGES
        :: !up && redis.gap > CUT -> up = true
        :: up -> up = false; d_step { hang_up_all(); reset() }
        :: !up -> d_step { wipe(); reset() }
        :: else
#else
        :: up = !up; d_step { if :: !up -> hang_up_all() :: else fi; reset() }
        :: d_step { hang_up_all(); reset() }
        :: d_step { wipe(); reset() }
        :: d_step { forget(); reset() }
        :: d_step { copy(dump, redis); reset() }
        :: dump.newest[0] != 0 -> d_step { copy(redis, dump); hang_up_all(); reset() }
        /* its clock goes back, a little ahead, far ahead */
        :: redis.gap = 0; dump.gap = 0
        :: redis.gap = MIN(redis.gap + MOST, CUT + 1); dump.gap = MIN(dump.gap + MOST, CUT + 1)
        :: redis.gap = CUT + 1; dump.gap = CUT + 1
        :: select(i : 0 .. RELEASES - 1); skip; d_step { cut_off(i); reset() }
        :: select(i : 0 .. NODES - 1); node[i].linked = false; hang_up(i)
        :: select(i : 0 .. NODES - 1); skip; d_step { kill(i); reset() }
#endif
        fi;
        i = 0 }
    /* what mends is no fault; a node that starts has what it knew from its state file */
    :: atomic { !over ->
        select(i : 0 .. NODES - 1);
        if
        :: !node[i].linked -> node[i].linked = true
        :: !node[i].lives -> node[i].lives = true
        :: else
        fi;
        i = 0 }
#ifdef OUTAGES
    :: atomic { !over && (up || redis.gap > CUT) ->
#else
    :: atomic { !over ->
#endif
        over = true;
        settling = SETTLED;
        d_step { mend(); reset() } }
    od
}

init {
    byte i;

    atomic {
        for (x : 0 .. RELEASES - 1) {
            redis.newest[x] = GENERATION * (x + 1) + x;
            redis.rank[x] = redis.newest[x]
        }
        for (i : 0 .. NODES - 1) {
            node[i].lives = true;
            node[i].linked = true;
            poll(i)
        }
        for (i : 0 .. NODES - 1) { run Node(i) }
        run Environment();
        i = 0
    }
}
