"""Faults in which somebody is not heard for shorter or for longer than dead-after: Redis, or the
nodes of one side only; and steps of Redis's clock. The length is part of the schedule. Redis's
silence may never turn the order of releases over; that of a side only when it was long enough, and
never for good."""

import time

import kinds
import store

CLOCKS_S = [0, 60, -60]


def spell_s(world):
    """Shorter than what may cost a place, between that and what must, or longer."""
    whole_s = world.dead_s() + world.return_s()
    which = world.rng.random()
    if which < 0.35:
        return world.rng.uniform(0.2, 0.95) * world.least_silence_s()
    if which < 0.6:
        return world.rng.uniform(world.least_silence_s(), whole_s)
    return whole_s + world.rng.uniform(0.5, 2.5)


# ---- Redis ----

def redis_away(world):
    world.redis.save()
    world.redis.kill()
    yield spell_s(world)
    world.redis.start()


def redis_hangs(world):
    world.redis.pause()
    yield spell_s(world)
    world.redis.go_on()


def redis_crashed(world):
    """It comes back with what it had written last by itself, or was made to."""
    world.redis.kill()
    yield
    world.redis.start()


def old_backup(world):
    """The backup is older than dead-after."""
    age_s = time.monotonic() - world.redis.old_since
    time.sleep(max(0, world.dead_s() + world.return_s() - age_s))
    world.redis.kill()
    world.redis.bring_old_dump()
    yield
    world.redis.start()
    world.redis.keep_dump()


def redis_clock(world):
    """A minute ahead, a minute back, back to right: a step or two, in the midst of life."""
    redis = world.redis
    redis.set_clock(world.rng.choice([each for each in CLOCKS_S if each != redis.offset_s]))
    yield
    if world.rng.random() < 0.5:
        redis.set_clock(world.rng.choice([each for each in CLOCKS_S if each != redis.offset_s]))


# ---- one side ----

def sides(world):
    """The nodes of the newest release that lives, and the others."""
    living = world.order.living(world.order.read())
    at = world.order.release_at[living[-1]] if living else None
    newest = [node for node in world.fleet.living() if node.release == at]
    return newest, [node for node in world.fleet.living() if node.release != at]


def part(world, nodes):
    """Cuts them off: nothing comes back, or whoever connects is reset."""
    lanes = [node.lane() for node in nodes]
    if world.rng.random() < 0.5:
        world.proxy.cut(lanes)
    for lane in lanes:
        lane.is_silent = True


def newest_cut_off(world):
    part(world, sides(world)[0])
    yield spell_s(world)
    world.proxy.mend()


def older_cut_off(world):
    part(world, sides(world)[1])
    yield spell_s(world)
    world.proxy.mend()


def back_to_one_side(world):
    """Redis was away, and comes back to one side some seconds before it does to the other."""
    world.redis.save()
    both = sides(world)
    world.redis.kill()
    yield
    part(world, world.rng.choice(both))
    world.redis.start()
    time.sleep(world.rng.uniform(0.5, 3))
    world.proxy.mend()


def side_left(world):
    """The nodes of one side leave in order, and come back."""
    nodes = world.rng.choice(sides(world))
    for node in nodes:
        node.stop()
    time.sleep(spell_s(world))
    for node in nodes:
        node.start()


REDIS = [redis_away, redis_hangs, redis_crashed, old_backup, redis_clock]
SIDES = [newest_cut_off, older_cut_off, back_to_one_side]
NODES = [side_left]
TWO_SIDED = SIDES + NODES


def make_sides(world):
    """Half of the nodes get another release, where all have the same one."""
    releases = {node.release for node in world.fleet.living()}
    if len(releases) > 1:
        return
    others = [at for at in range(len(world.fleet.releases.trees)) if at not in releases]
    release = world.rng.choice(others)
    for node in world.nodes(len(world.fleet.nodes) // 2):
        node.stop()
        node.start(release=release, **kinds.token_of(world))
