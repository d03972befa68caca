/*
 * The same four nodes, who also remember and push back what they saw of the other release, and of
 * whom one release may be shut down for good at the end: the one that lives must end up on top
 * (P7). With REMINT the script mints above a top release that has no live node; without it, it must
 * not be possible. Tokens are orders with a release beside them.
 */
#define NODES 4
#define RELEASE(i) ((i) >= NODES / 2)
#define CLOCKS 3
#define ORDERS 14
#ifndef FAULTS
#define FAULTS 2
#endif
#define MAX(a, b) ((a) > (b) -> (a) : (b))

/* Redis, and a dump of it */
byte newest[2], dumped[2];
bool up = true;
bool linked[NODES] = true;
bool gone[2];

/* what each node hands out, and the newest that it ever saw of the other release */
byte own[NODES], seen[NODES];

#define MINE newest[RELEASE(i)]
#define OTHER newest[1 - RELEASE(i)]
#ifdef REMINT
#define SILENCED (gone[1 - RELEASE(i)] && OTHER >= MINE)
#else
#define SILENCED false
#endif
#define DIFFERS(i) (MINE != own[i] || OTHER != seen[i] || SILENCED)
#define REACHED(i) (up && linked[i])
#define LIVES(i) (!gone[RELEASE(i)])

inline poll(i, clock) {
    d_step {
        MINE = MAX(MINE, own[i]);
        OTHER = MAX(OTHER, seen[i]);
        if
        :: MINE == 0 -> MINE = MAX(clock, OTHER + 1)
        :: MINE != 0 && SILENCED -> MINE = OTHER + 1
        :: else
        fi;
        /* P3 */
        assert(MINE >= own[i] && OTHER >= seen[i] && MINE < ORDERS);
        own[i] = MINE;
        seen[i] = OTHER
    }
}

proctype Node(byte i) {
    byte clock;

    select(clock : 1 .. CLOCKS);
    if
    :: atomic { LIVES(i) && REACHED(i) -> poll(i, clock) }
    :: atomic { LIVES(i) && !REACHED(i) -> own[i] = clock }
    :: !LIVES(i) -> goto done
    fi;
end:
    do
    :: atomic { LIVES(i) && REACHED(i) && DIFFERS(i) -> poll(i, clock) }
    :: !LIVES(i) -> break
    od;
done:
    skip
}

proctype Environment() {
    byte left = FAULTS, i;

    do
    :: left > 0 -> atomic {
        left--;
        if
        :: up = !up
        :: newest[0] = 0; newest[1] = 0
        :: dumped[0] = newest[0]; dumped[1] = newest[1]
        :: newest[0] = dumped[0]; newest[1] = dumped[1]
        :: select(i : 0 .. NODES - 1); linked[i] = !linked[i]
        fi
       }
    :: break
    od;
    atomic {
        up = true;
        i = 0;
        do :: i < NODES -> linked[i] = true; i++ :: else -> break od;
        if :: gone[0] = true :: gone[1] = true :: skip fi
    }
}

init {
    atomic {
        byte i = 0;
        do :: i < NODES -> run Node(i); i++ :: else -> break od;
        run Environment()
    }
}

/* P1 among those that live */
ltl agree {
    <> [] ((gone[0] || (own[0] == own[1] && own[0] != 0)) &&
           (gone[1] || (own[2] == own[3] && own[2] != 0)))
}
/* P7 */
ltl top {
    <> [] ((!gone[1] || own[0] > newest[1]) && (!gone[0] || own[2] > newest[0]))
}
ltl bogus { <> [] (own[0] == ORDERS - 1) }
