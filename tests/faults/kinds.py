"""The kinds of faults. A fault of Redis or of the way to it is a pair: how it breaks, and how it is
mended; what happens to nodes happens at once. Everything random comes from the schedule's seed."""

import os
import subprocess
import time

import fleet as fleets
import harness
import order as orders
import store

CLOCKS = ["+10s", "-10s", "+3y", "-3y"]
DEAD_AFTERS = [0.75, 1, 1.5]


class World:
    """What faults act on."""

    def __init__(self, rng, fleet, redis, proxy=None, with_clocks=True):
        self.rng = rng
        self.fleet = fleet
        self.redis = redis
        self.proxy = proxy
        self.with_clocks = with_clocks
        self.hits = 0
        self.operators = 0
        self.has_forgotten = False
        self.order = orders.Order(self)

    def nodes(self, number):
        return self.rng.sample(self.fleet.nodes, number)

    def some_lanes(self):
        half = max(1, len(self.proxy.lanes) // 2)
        return self.rng.sample(self.proxy.lanes, half)

    def release(self):
        return self.rng.randrange(len(self.fleet.releases.trees))

    # ---- the times that the nodes go by; lib/cluster/agree.lua has them ----

    def interval_s(self):
        return max(self.fleet.poll_ms, len(self.fleet.nodes) / 2) / 1000

    def return_s(self):
        """Within this a living node is back after a cut, and silence counts from its end only."""
        return 1.5 + 2 * self.interval_s() + 2

    def dead_s(self):
        """After so much silence anybody is dead."""
        longest_ms = max(node.dead_ms for node in self.fleet.nodes)
        return max(longest_ms / 1000, self.return_s() + 3 * self.interval_s())

    def least_silence_s(self):
        """Who was cut off for shorter is never dead: it is heard again in time."""
        shortest_ms = DEAD_AFTERS[0] * self.fleet.dead_ms
        dead_s = max(shortest_ms / 1000, self.return_s() + 3 * self.interval_s())
        # cap of the back-off, and a poll on its way
        return dead_s - 1.5 - 2 * self.interval_s()


# ---- Redis and the way to it: generators that break, yield, and mend ----

def redis_killed(world):
    world.redis.save()
    world.redis.kill()
    yield
    world.redis.start()


def redis_emptied(world):
    world.redis.kill()
    world.redis.drop_dump()
    yield
    world.redis.start()


def flushall(world):
    world.redis.ask("FLUSHALL")
    yield


def keys_deleted(world):
    keys = [store.LEDGER, store.NODES, store.STATE, store.INFO]
    world.redis.ask("DEL", *world.rng.sample(keys, world.rng.choice((1, 1, 1, 2))))
    yield


def scripts_flushed(world):
    world.redis.ask("SCRIPT", "FLUSH")
    yield


def no_evalsha(world):
    world.redis.ask("ACL", "SETUSER", "default", "-evalsha")
    if world.rng.random() < 0.5:
        world.redis.ask("CLIENT", "KILL", "TYPE", "normal")
    yield
    world.redis.ask("ACL", "SETUSER", "default", "+evalsha")


def old_dump(world):
    """Redis comes back as it was some faults ago."""
    world.redis.kill()
    world.redis.bring_old_dump()
    yield
    world.redis.start()
    world.redis.keep_dump()


def redis_stopped(world):
    world.redis.pause()
    yield
    world.redis.go_on()


def clients_killed(world):
    for _ in range(world.rng.randrange(1, 5)):
        world.redis.ask("CLIENT", "KILL", "TYPE", "normal")
    yield


def half_partitioned(world):
    for lane in world.some_lanes():
        lane.is_silent = True
    yield
    world.proxy.mend()


def all_partitioned(world):
    for lane in world.proxy.lanes:
        lane.is_silent = True
    yield
    world.proxy.mend()


def connections_cut(world):
    world.proxy.cut(world.some_lanes() if world.rng.random() < 0.5 else world.proxy.lanes)
    yield
    world.proxy.mend()


def latency(world):
    for lane in world.proxy.lanes:
        lane.delay_s = world.rng.uniform(0.02, 1.2)
    yield
    world.proxy.mend()


def wrong_password(world):
    world.redis.ask("ACL", "SETUSER", "default", "resetpass", ">other")
    store.ask(world.redis.port, "CLIENT", "KILL", "TYPE", "normal", password="other")
    yield
    store.ask(world.redis.port, "ACL", "SETUSER", "default", "resetpass", ">" + store.PASSWORD,
              password="other")


def read_only(world):
    world.redis.ask("REPLICAOF", "127.0.0.1", "1")
    yield
    world.redis.ask("REPLICAOF", "NO", "ONE")


def wrong_type(world):
    key = world.rng.choice((store.LEDGER, store.NODES, store.STATE, store.INFO))
    world.redis.ask("SET", key, "neither a sorted set nor a hash")
    yield
    world.redis.ask("DEL", key)


def out_of_memory(world):
    world.redis.ask("CONFIG", "SET", "maxmemory", "1")
    yield
    world.redis.ask("CONFIG", "SET", "maxmemory", "0")


def evicted(world):
    world.redis.ask("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "allkeys-random")
    yield
    world.redis.ask("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction")


# ---- sentinels: a failover is over when the old master follows the new one; until a sentinel tells
# ---- it to, some ten seconds later, nodes may still write to it


def failover_with_lost_writes(world):
    """The replica falls behind, the master takes a write and dies."""
    guarded = world.redis
    guarded.wait_whole()
    master, replica = guarded.by_role("master"), guarded.by_role("slave")
    replica.ask("CONFIG", "SET", "masterauth", "wrong")
    replica.ask("CLIENT", "KILL", "TYPE", "master")
    # sentinels do not choose a replica that was away from its master for long
    roll_out(world, most=2)
    master.kill()
    yield
    wait_named(world, replica)
    replica.ask("CONFIG", "SET", "masterauth", store.PASSWORD)
    master.start()
    guarded.wait_whole()


def failover(world):
    guarded = world.redis
    guarded.wait_whole()
    master, replica = guarded.by_role("master"), guarded.by_role("slave")
    master.kill()
    yield
    wait_named(world, replica)
    master.start()
    guarded.wait_whole()


def is_accepted(sentinel):
    """It refuses while it holds the replica for unfit, or a failover for under way."""
    try:
        return sentinel.ask("SENTINEL", "FAILOVER", "shop") == "OK"
    except store.Refused:
        return False


def failover_asked_for(world):
    guarded = world.redis
    guarded.wait_whole()
    replica = guarded.by_role("slave")
    sentinel = world.rng.choice(guarded.sentinels)
    harness.wait_until(lambda: is_accepted(sentinel), "a sentinel to agree", 60)
    yield
    wait_named(world, replica)
    guarded.wait_whole()


def master_stopped(world):
    """It stops, another takes its place, and it wakes in the belief that it is the master."""
    guarded = world.redis
    guarded.wait_whole()
    master, replica = guarded.by_role("master"), guarded.by_role("slave")
    master.pause()
    yield
    wait_named(world, replica)
    master.go_on()
    guarded.wait_whole()


def wait_named(world, redis):
    def is_named():
        try:
            return redis.ask("ROLE")[0] == "master" and world.redis.is_named(redis)
        except store.Down:  # a server that changes its role may hang up on its clients
            return False
    harness.wait_until(is_named, "the failover", 60)


# ---- nodes ----

def clock_of(world):
    if world.with_clocks and world.rng.random() < 0.25:
        return world.rng.choice(CLOCKS)
    return None


def node_killed(world):
    for node in world.nodes(world.rng.randrange(1, 3)):
        node.kill()
        node.start(clock=clock_of(world))


def node_without_state(world):
    """A node comes back on another machine."""
    (node,) = world.nodes(1)
    node.kill()
    world.has_forgotten = True
    if os.path.exists(node.state):
        os.unlink(node.state)
    node.start(clock=clock_of(world))


def state_file_torn(world):
    (node,) = world.nodes(1)
    node.kill()
    if os.path.exists(node.state):
        world.has_forgotten = True
        size = os.path.getsize(node.state)
        os.truncate(node.state, world.rng.randrange(size))
    node.start()


def node_killed_saving(world):
    """A strange entry makes every node write; one dies in the act."""
    (node,) = world.nodes(1)
    creations = fleets.Creations(node.directory)
    try:
        newest = world.redis.ask("ZRANGE", store.LEDGER, "-1", "-1", "WITHSCORES")
        order = int(float(newest[1])) - world.rng.randrange(1, 1000) if newest else 1000
        world.redis.ask("ZADD", store.LEDGER, "NX", order, "%012d stranger" % order)
        if creations.wait(3):
            world.hits += 1
            time.sleep(world.rng.uniform(0, 0.004))
    except (store.Down, store.Refused):
        pass
    finally:
        creations.close()
    node.kill()
    node.start()


def clock_off(world):
    (node,) = world.nodes(1)
    node.stop()
    node.start(clock=world.rng.choice(CLOCKS))


def token_of(world):
    """Usually a minted token, one that ends in the release's id at times, or the operator's: a name
    that has no order in itself."""
    which = world.rng.random()
    if world.fleet.adopt == "any" or which < 0.6:
        return {}
    if which < 0.75:
        return {"suffix": True}
    world.operators += 1
    return {"operator": world.rng.choice(("v1.%d.0", "%d", "%d-a11ce")) % (7 + world.operators)}


def roll_out(world, most=None):
    """Another release, which may be an earlier one, on some nodes."""
    release, token = world.release(), token_of(world)
    for node in world.nodes(world.rng.randrange(1, (most or len(world.fleet.nodes)) + 1)):
        if world.rng.random() < 0.5:
            node.stop()
        else:
            node.kill()
        node.start(release=release, clock=clock_of(world), **token)


def dead_after_changed(world):
    for node in world.nodes(world.rng.randrange(1, 3)):
        node.stop()
        node.dead_ms = int(world.fleet.dead_ms * world.rng.choice(DEAD_AFTERS))
        node.start()


def promoted(world):
    """Somebody puts an older release on top."""
    living = world.order.living(world.order.read())
    release = world.rng.choice(living[:-1] or living)
    world.order.promoted.add(release)
    subprocess.run([os.path.join(harness.BIN, "breakerctl"),
                    "--redis", "redis://127.0.0.1:%d" % world.redis.port, "--user", "default",
                    "--password-file", world.fleet.password, "--app", store.APP,
                    "promote", release], check=True, capture_output=True)


REDIS = [redis_killed, redis_emptied, flushall, keys_deleted, scripts_flushed, no_evalsha, old_dump,
         redis_stopped, clients_killed, half_partitioned, all_partitioned, connections_cut, latency,
         wrong_password, read_only, wrong_type, out_of_memory, evicted]
GUARDED = [failover_with_lost_writes, failover, failover_asked_for, master_stopped]
NODES = [node_killed, node_without_state, state_file_torn, node_killed_saving, clock_off, roll_out,
         dead_after_changed, promoted]
