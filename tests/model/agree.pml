/*
 * Two old and two new nodes agree on a token per release through a Redis that may lose what it
 * holds. Nodes 0 and 1 run release 0, nodes 2 and 3 release 1. Their clocks propose any of 1 to
 * CLOCKS, so that skew, equal milliseconds and clocks that go back are all the same: a choice.
 *
 *   PAIR     a token is the order with the release beside it (token-suffix: ON); else a bare number
 *   NAIVE    one key, the maximum wins, all adopt it: the scheme that must not be
 *   NOMERGE  nodes do not assert again what they handed out
 *   FAULTS   how often the environment does its worst
 */
#define NODES 4
#define RELEASE(i) ((i) >= NODES / 2)
#define CLOCKS 3
#define ORDERS 12
#ifndef FAULTS
#define FAULTS 3
#endif

/* Redis: the newest order of each release, and the newest of all */
byte newest[2], top;
/* a dump of it, or a replica that stopped following */
byte dumped[2], dumped_top;
bool up = true;
bool linked[NODES] = true;

/* what each node hands out; 0: nothing yet */
byte own[NODES];
/* whose bytes were handed out under a bare number: release + 1, or 0 */
byte owner[ORDERS];

inline hand_out(i, order) {
    /* P3 */
    assert(order >= own[i]);
    assert(order < ORDERS);
#ifndef PAIR
    /* P4 */
    assert(owner[order] == 0 || owner[order] == 1 + RELEASE(i));
    owner[order] = 1 + RELEASE(i);
#endif
    own[i] = order
}

/* the script: atomic */
inline poll(i, clock, order) {
    d_step {
#ifdef NAIVE
        if :: own[i] > top -> top = own[i] :: else fi;
        if :: top == 0 -> top = clock :: else fi;
        order = top
#else
#ifndef NOMERGE
        if :: own[i] > newest[RELEASE(i)] -> newest[RELEASE(i)] = own[i] :: else fi;
        if :: own[i] > top -> top = own[i] :: else fi;
#endif
        if
        :: newest[RELEASE(i)] == 0 ->
            newest[RELEASE(i)] = (clock > top -> clock : top + 1);
            if :: newest[RELEASE(i)] > top -> top = newest[RELEASE(i)] :: else fi
        :: else
        fi;
        order = newest[RELEASE(i)]
#endif
    }
    hand_out(i, order)
}

#ifdef NAIVE
#define DIFFERS(i) (top != own[i])
#else
#define DIFFERS(i) (newest[RELEASE(i)] != own[i])
#endif
#define REACHED(i) (up && linked[i])

proctype Node(byte i) {
    byte clock, order;

    select(clock : 1 .. CLOCKS);
    if
    :: atomic { REACHED(i) -> poll(i, clock, order) }
    :: atomic { !REACHED(i) -> hand_out(i, clock) }     /* the grace is over */
    fi;
    /* a poll that would change nothing is no step, or no state would ever be the last */
end:
    do
    :: atomic { REACHED(i) && DIFFERS(i) -> poll(i, clock, order) }
    od
}

proctype Environment() {
    byte left = FAULTS, i;

    do
    :: left > 0 -> atomic {
        left--;
        if
        :: up = !up
        :: newest[0] = 0; newest[1] = 0; top = 0
        :: dumped[0] = newest[0]; dumped[1] = newest[1]; dumped_top = top
        :: newest[0] = dumped[0]; newest[1] = dumped[1]; top = dumped_top
        :: select(i : 0 .. NODES - 1); linked[i] = !linked[i]
        fi
       }
    :: break
    od;
    atomic {
        up = true;
        i = 0;
        do :: i < NODES -> linked[i] = true; i++ :: else -> break od
    }
}

init {
    atomic {
        byte i = 0;
        do :: i < NODES -> run Node(i); i++ :: else -> break od;
        run Environment()
    }
}

/* P1, P6 */
ltl agree { <> [] (own[0] == own[1] && own[2] == own[3] && own[0] != 0 && own[2] != 0) }
/* holds in no run: whoever checks liveness in a way that lets this pass checks nothing */
ltl bogus { <> [] (own[0] == ORDERS - 1) }
