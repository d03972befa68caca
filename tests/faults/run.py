"""Faults by a seeded schedule against real nodes and a real Redis, while a client checks every
answer. `run.py --seed 7 --faults 100 --nodes 8 --flavour uv` replays the schedule of seed 7.

After each fault it is measured how long it takes until all is as it should be again: every node has
polled, the nodes of one release have one token, and Redis has it as the newest of that release.
Then it is checked that the releases are in their places."""

import argparse
import collections
import json
import os
import random
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

# pylint: disable=wrong-import-position
import client
import fleet as fleets
import harness
import kinds
import proxy as proxies
import silence
import store
import watch as watches

AGREE_LIMIT_S = 10
MOMENTS = (kinds.flushall, kinds.keys_deleted, kinds.clients_killed, kinds.latency)
OUTAGES = {kind.__name__ for kind in kinds.REDIS + silence.REDIS + silence.SIDES
           if kind not in MOMENTS}
NODES = kinds.NODES + silence.NODES


class Run:
    def __init__(self, options):
        self.options = options
        self.rng = random.Random(options.seed)
        self.counts = collections.Counter()
        self.times = []
        self.requests = 0
        self.breaches = {}
        self.hits = 0
        self.wished = 0
        self.release_at = {}
        self.orders = {}
        self.alone_s = None

    def breach(self, text):
        self.breaches[text] = self.breaches.get(text, 0) + 1

    # ---- the schedule ----

    def schedule(self, pool, number):
        """Every kind before any comes twice, in an order of the seed's."""
        kinds_left = []
        while len(kinds_left) < number:
            kinds_left += self.rng.sample(pool, len(pool))
        return kinds_left[:number]

    def run(self):
        if self.options.faults:
            self.phase_plain(self.options.faults)
        if self.options.failovers:
            self.phase_guarded(self.options.failovers)

    def phase_plain(self, number):
        scratch = harness.Scratch()
        redis = proxy = None
        try:
            redis = store.Redis(saves=self.rng.choice(("", store.DEBIAN_SAVE)))
            redis.keep_dump()
            ports = [harness.free_port() for _ in range(self.options.nodes)]
            proxy = proxies.Proxy(ports, redis.port)
            fleet = fleets.Fleet(self.options.flavour, self.options.nodes,
                                 fleets.Releases(scratch, 4), scratch, lanes=proxy.lanes,
                                 poll_ms=self.options.poll, dead_ms=self.options.dead_after,
                                 adopt=self.options.adopt)
            world = kinds.World(self.rng, fleet, redis, proxy, self.options.clocks)
            self.phase(world, self.schedule(self.pool(), number), redis)
        finally:
            if proxy is not None:
                proxy.close()
            if redis is not None:
                redis.stop()
            scratch.remove()

    def pool(self):
        lasting = silence.REDIS + silence.SIDES + silence.NODES
        pool = lasting if self.options.only == "silence" else kinds.REDIS + kinds.NODES + lasting
        without = [] if self.options.clocks else [kinds.clock_off]
        without += [] if store.has_clock() else [silence.redis_clock]
        return [kind for kind in pool if kind not in without]

    def phase_guarded(self, number):
        scratch = harness.Scratch()
        guarded = None
        try:
            guarded = store.Guarded()
            fleet = fleets.Fleet(self.options.flavour, self.options.nodes,
                                 fleets.Releases(scratch, 4), scratch,
                                 sentinels=[each.port for each in guarded.sentinels],
                                 poll_ms=self.options.poll, dead_ms=self.options.dead_after,
                                 adopt=self.options.adopt)
            world = kinds.World(self.rng, fleet, guarded, with_clocks=self.options.clocks)
            self.phase(world, self.schedule(kinds.GUARDED, number), None)
        finally:
            if guarded is not None:
                guarded.stop()
            scratch.remove()

    def phase(self, world, schedule, dumped):
        watch = watches.Watch(world.fleet, world.order.book, self.options.seed,
                              self.options.pause / 1000 * self.options.nodes)
        world.order.presence.start()
        try:
            watch.start()
            self.begin(world)
            self.measure(world, "the start", time.monotonic())
            for at, kind in enumerate(schedule):
                watch.during = "fault %d, %s" % (at, kind.__name__)
                self.fault(world, watch, kind)
                if dumped is not None and self.rng.random() < 0.15:
                    dumped.keep_dump()
            if dumped is not None and self.options.dead_after <= 15000:
                watch.during = "the last rollout"
                self.last_release(world)
            watch.stop()
            for node in world.fleet.nodes:
                node.stop()
        finally:
            watch.is_over = world.order.presence.is_over = True
            world.fleet.end()
            self.orders.update(world.order.counts)
            self.requests += watch.requests
            self.hits += world.hits
            for text, count in watch.breaches.items():
                self.breaches[text] = self.breaches.get(text, 0) + count

    def begin(self, world):
        """In any order, at any spacing, with one release or two."""
        release = self.rng.randrange(2)
        for node in self.rng.sample(world.fleet.nodes, len(world.fleet.nodes)):
            node.start(release=self.rng.choice((release, release, 0)))
            time.sleep(self.rng.choice((0, 0, 0.05, 0.3)))

    def fault(self, world, watch, kind):
        self.counts[kind.__name__] += 1
        if kind in silence.TWO_SIDED:
            silence.make_sides(world)
            self.measure(world, "make_sides", time.monotonic())
        if kind in NODES:
            self.wished += kind is kinds.node_killed_saving
            kind(world)
        else:
            breakage = kind(world)
            # how long the fault lasts is part of the schedule
            spell_s = next(breakage) or self.rng.uniform(0.1, self.options.lasting)
            end = time.monotonic() + spell_s
            watch.during += " for %.1f s" % spell_s
            if self.rng.random() < 0.3:
                inner = self.rng.choice((kinds.node_killed, kinds.node_without_state,
                                         kinds.roll_out))
                watch.during += " with " + inner.__name__
                self.counts[inner.__name__] += 1
                inner(world)
            time.sleep(max(0, end - time.monotonic()))
            for _ in breakage:
                raise AssertionError("a fault breaks once")
        if self.options.verbose:
            print("%s" % watch.during, end=" ", flush=True)
        self.measure(world, watch.during, time.monotonic())

    # ---- agreement ----

    def measure(self, world, after, since):
        """Waits for the agreement; notes how long it took; then looks at the order."""
        limit_s = AGREE_LIMIT_S * harness.SLOWDOWN
        # a poll that Redis saw in this very millisecond may have been on its way before
        since_ms = world.redis.now_ms() + 2
        last = ""
        while True:
            wrong = self.disagreement(world, since_ms)
            spent = time.monotonic() - since
            if wrong is None:
                break
            last = wrong
            if spent > limit_s:
                self.breach("P6, after %s: %s" % (after, wrong))
                break
            time.sleep(0.01)
        self.times.append((spent, after))
        self.check_order(world, after)
        if self.options.verbose:
            print("%.2f s" % spent, last, flush=True)

    def check_order(self, world, after):
        """A release that was overtaken takes its place again within some polls."""
        end = time.monotonic() + AGREE_LIMIT_S * harness.SLOWDOWN
        while True:
            try:
                entries = world.order.read()
                world.order.release_at.update(self.release_at)
                wrong = world.order.trouble(entries)
                if wrong is None or time.monotonic() > end:
                    break
            except (store.Down, store.Refused):
                if time.monotonic() > end:
                    return
            time.sleep(0.05)
        if wrong is not None:
            self.breach("ORDER, after %s: %s" % (after, wrong))
        for text in world.order.settle(kind_of(after), entries, self.release_at):
            what, _, rest = text.partition(": ")
            self.breach("%s, during %s: %s" % (what, after, rest))
        self.check_known(world, entries, after)

    def check_known(self, world, entries, after):
        """Every node knows now what Redis knows: no older token is unknown, whatever its form."""
        places = {entry.token: entry.place for entry in entries}
        for node in world.fleet.living():
            for entry in self.rng.sample(entries, min(3, len(entries))):
                own = places.get(node.token(), 0)
                path = "/static/%s/%s" % (entry.token, fleets.PATHS[0])
                status = client.get(node.port, path).status
                if status not in (200, 301) and not (status == 503 and entry.place > own):
                    self.breach("P5, after %s: node %d: %s: %d"
                                % (after, node.at, entry.token, status))

    def disagreement(self, world, since_ms):
        """What is not yet as it should be; None when all is."""
        living = world.fleet.living()
        try:
            # where its clock was set back, what lies ahead is of before
            polled = world.redis.ask("ZCOUNT", store.NODES, since_ms, world.redis.now_ms())
            ledger = [member.split() for member in
                      world.redis.ask("ZRANGE", store.LEDGER, "0", "-1")]
        except (store.Down, store.Refused) as error:
            return "Redis: %s" % error
        if polled < len(living):
            return "%d of %d nodes have polled" % (polled, len(living))
        owner = dict(ledger)
        newest = {release: token for token, release in ledger}
        tokens = {}
        for node in living:
            token = node.token()
            if token not in owner:
                return "Redis lacks %s of node %d" % (token, node.at)
            self.release_at[owner[token]] = node.release
            if newest[owner[token]] != token:
                return "node %d is behind at %s" % (node.at, token)
            if tokens.setdefault(node.release, token) != token:
                return "release %d has %s and %s" % (node.release, token, tokens[node.release])
        return None

    def last_release(self, world):
        """P7: when one release is left, however old, it ends on top."""
        release = world.release()
        for node in world.fleet.nodes:
            if node.release != release:
                node.stop()
                node.start(release=release)

        def is_on_top():
            newest = world.redis.ask("ZRANGE", store.LEDGER, "-1", "-1")
            tokens = {node.token() for node in world.fleet.nodes}
            return len(tokens) == 1 and newest and newest[0].split()[0] in tokens
        since = time.monotonic()
        try:
            harness.wait_until(is_on_top, "the last release on top",
                               world.dead_s() + world.return_s() + 2 * world.interval_s() + 5)
            self.alone_s = round(time.monotonic() - since, 1)
        except AssertionError as error:
            self.breach("P7: %s" % error)

    # ---- the report ----

    def report(self):
        spent = sorted(each for each, _ in self.times)
        worst = max(self.times)
        return {
            "seed": self.options.seed, "nodes": self.options.nodes,
            "flavour": self.options.flavour, "poll_ms": self.options.poll,
            "faults": sum(self.counts.values()), "kinds": dict(sorted(self.counts.items())),
            "requests": self.requests,
            "killed_while_saving": [self.hits, self.wished],
            "agreement_s": {"median": at(spent, 0.5), "p90": at(spent, 0.9),
                            "p99": at(spent, 0.99), "max": round(worst[0], 3),
                            "worst": worst[1], "over 3 s": sum(each > 3 for each in spent)},
            "times_s": self.times_of_kinds(),
            "order": {"kinds": "looked at, turned over, by silence, on the return, again",
                      **dict(sorted(self.orders.items()))},
            "left_alone_on_top_s": self.alone_s,
            "breaches": self.breaches,
        }

    def times_of_kinds(self):
        """How long the agreement took after each fault, by its kind, for table.py."""
        times = {}
        for spent, after in self.times:
            kind = kind_of(after)
            # nodes that were started while Redis was away are a case of their own
            if " with " in after and kind in OUTAGES:
                kind = "start_meanwhile"
            times.setdefault(kind, []).append(round(spent, 3))
        return dict(sorted(times.items()))


def kind_of(after):
    return after.split(", ")[-1].split(" for ")[0].split(" with ")[0]


def at(numbers, share):
    return round(numbers[min(len(numbers) - 1, int(share * len(numbers)))], 3)


def clocks_work(flavour):
    """Whether a server lives under libfaketime: it must be ready, and in another year."""
    if fleets.faketime_library() is None:
        return "libfaketime is not installed"
    scratch = harness.Scratch()
    port = harness.free_port()
    text = "listen: {host: 127.0.0.1, port: %d}\nhosts:\n  default:\n    paths:\n" \
           "      \"/\":\n        file.dir: %s\n" % (port, scratch.path)
    server = None
    try:
        server = harness.Server(flavour, text, env={
            "LD_PRELOAD": fleets.faketime_library(), "FAKETIME": "+3y",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
        date = client.get(port, "/").get("date")
        server.stop()
        return None if str(time.gmtime().tm_year + 3) in date else "its clock is right: " + date
    except (AssertionError, OSError) as error:
        return "the server does not live under it: %s" % str(error)[:200]
    finally:
        if server is not None:
            server.kill()
        scratch.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--flavour", choices=harness.PROGRAMS, default="evloop")
    parser.add_argument("--poll", type=int, default=1000, help="milliseconds")
    parser.add_argument("--dead-after", type=int, default=4000, help="milliseconds")
    parser.add_argument("--lasting", type=float, default=2.5,
                        help="longest fault in seconds, but for those that are silent")
    parser.add_argument("--only", choices=("silence",), help="these faults only")
    parser.add_argument("--pause", type=float, default=5,
                        help="milliseconds, by node, between the rounds of the client")
    parser.add_argument("--failovers", type=int, default=4,
                        help="as many more faults, behind sentinels")
    parser.add_argument("--no-clocks", dest="clocks", action="store_false")
    parser.add_argument("--adopt", choices=("release", "any"), default="release",
                        help="`any` is wrong here, so that breaches of P4 must be found")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if options.clocks:
        trouble = clocks_work(options.flavour)
        if trouble is not None:
            print("without wrong clocks: " + trouble, file=sys.stderr)
            options.clocks = False
    if not store.has_clock():
        print("without steps of Redis's clock: %s is not built" % store.CLOCK_LIBRARY,
              file=sys.stderr)
    run = Run(options)
    run.run()
    report = run.report()
    print(re.sub(r"(?<=[\d\[]),?\s+(?=[\d\]])", lambda gap: ", " if "," in gap[0] else "",
                 json.dumps(report, indent=1)))
    sys.exit(1 if report["breaches"] else 0)


if __name__ == "__main__":
    main()
