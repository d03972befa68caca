"""A fleet of real servers behind a Redis that another client keeps busy: after every restart, pause
and wipe all of them are in touch again within a bound. See README.md."""

import argparse
import json
import os
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[1:1] = [os.path.join(TESTS, "integration"), os.path.join(TESTS, "faults")]

# pylint: disable=wrong-import-position
import fleet as fleets
import harness
import store

# a script of a millisecond or so; whoever sets the load measures what comes of it
BUSY = "local x = 0 for i = 1, 50000 do x = x + i end"
SLICE_S = 0.001
# what was not done while Redis was away is not done later
DEBT_MAX_S = 0.05
TICKS = os.sysconf("SC_CLK_TCK")


class Lane:
    """The way of a node to Redis: a straight one."""

    def __init__(self, port):
        self.port = port


class Load(threading.Thread):
    """Another client, which asks for the same share of Redis's time whatever else there is."""

    def __init__(self, redis):
        super().__init__(daemon=True)
        self.redis = redis
        self.share = 0.0
        self.is_over = False

    def run(self):
        debt, before = 0.0, time.monotonic()
        stream = None
        while not self.is_over:
            now = time.monotonic()
            debt = min(debt + (now - before) * self.share, DEBT_MAX_S)
            before = now
            if debt < SLICE_S:
                time.sleep(0.001)
                continue
            try:
                stream = stream or self.dial()
                self.ask(stream)
                debt -= SLICE_S
            except (OSError, store.Down, store.Refused):
                stream = None
                time.sleep(0.02)

    def dial(self):
        with socket.create_connection(("127.0.0.1", self.redis.port), 60) as sock:
            stream = sock.makefile("rwb")
        self.ask(stream, "AUTH", store.PASSWORD)
        return stream

    @staticmethod
    def ask(stream, *words):
        words = words or ("EVAL_RO", BUSY, "0")
        stream.write(b"".join([b"*%d\r\n" % len(words)] +
                              [b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words]))
        stream.flush()
        if not stream.readline():
            raise store.Down("it hung up")

    def end(self):
        self.is_over = True
        self.join()


def used_s(redis):
    """The processor time of the process, user's and system's."""
    with open("/proc/%d/stat" % redis.process.pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure_use(redis, seconds):
    """Which part of a processor Redis uses."""
    before, began = used_s(redis), time.monotonic()
    time.sleep(seconds)
    return (used_s(redis) - before) / (time.monotonic() - began)


def make_busy(redis, load, wanted):
    """Sets the load so that Redis is busy for the part wanted; returns what came of it."""
    use = 0.0
    for _ in range(6):
        use = measure_use(redis, 2)
        load.share = max(load.share + wanted - use, 0.0)
    return measure_use(redis, 5)


class Redis(store.Redis):
    """One that keeps to its processor when it is started again."""

    processors = None

    def start(self):
        os.sched_setaffinity(0, self.processors)
        super().start()
        if len(self.processors) > 1:
            os.sched_setaffinity(self.process.pid, self.processors[:1])
            os.sched_setaffinity(0, self.processors[1:])


def start(redis):
    """Returns when the process was started, before it is up."""
    began = time.monotonic()
    redis.start()
    return began


def restart(redis):
    redis.save()
    redis.kill()
    return start(redis)


def wipe(redis):
    redis.kill()
    redis.drop_dump()
    return start(redis)


def flush(redis):
    redis.ask("FLUSHALL")
    return time.monotonic()


def pause(redis, seconds):
    redis.pause()
    time.sleep(seconds)
    redis.go_on()
    return time.monotonic()


# Each returns when Redis was back. A server that was stopped first runs what nodes had sent that
# have given up waiting since: that does not count.
BLOWS = {"restart": (restart, 0),
         "pause of 3 s": (lambda redis: pause(redis, 3), 1),
         "pause of 10 s": (lambda redis: pause(redis, 10), 1),
         "wipe": (wipe, 0),
         "flush": (flush, 0)}


def in_touch(redis, since_ms):
    """How many nodes have polled since."""
    try:
        members = redis.ask("ZRANGE", store.NODES, since_ms, "+inf", "BYSCORE")
    except (store.Down, store.Refused):
        return 0
    return len({member.split()[-1] for member in members if member != "@birth"})


def strike(redis, nodes, name, bound_s):
    """Returns how long it took until all nodes had polled again, or None."""
    blow, stale_s = BLOWS[name]
    began = blow(redis)
    # the clock of Redis is ours, and a busy server need not be asked for it
    since_ms = int(1000 * (time.time() + began + stale_s - time.monotonic()))
    while time.monotonic() - began < bound_s:
        if in_touch(redis, since_ms) >= len(nodes):
            return time.monotonic() - began
        time.sleep(0.05)
    return None


def run(options, scratch, redis, load):
    releases = fleets.Releases(scratch, 1)
    fleet = fleets.Fleet(options.flavour, options.nodes, releases, scratch,
                         lanes=[Lane(redis.port)] * options.nodes)
    report = {"flavour": options.flavour, "nodes": options.nodes, "rounds": options.rounds,
              "bound_s": options.bound, "blows": {name: [] for name in BLOWS}, "failures": []}
    try:
        for node in fleet.nodes:
            node.start()
        load.start()
        report["busy_percent"] = round(100 * make_busy(redis, load, options.busy / 100), 1)
        for at in range(options.rounds):
            for name in BLOWS:
                took_s = strike(redis, fleet.nodes, name, options.bound)
                if took_s is None:
                    report["failures"].append("round %d, %s: not all came back" % (at, name))
                report["blows"][name].append(took_s and round(took_s, 2))
                time.sleep(options.between)
        report["busy_percent_afterwards"] = round(100 * measure_use(redis, 5), 1)
        load.end()
        for node in fleet.nodes:
            node.stop()
    finally:
        fleet.end()
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", type=float, default=85, help="percent of Redis's processor")
    parser.add_argument("--bound", type=float, default=15, help="seconds for all to come back")
    parser.add_argument("--between", type=float, default=8, help="seconds between blows")
    parser.add_argument("--flavour", choices=harness.PROGRAMS, default="evloop")
    options = parser.parse_args()
    scratch = harness.Scratch()
    Redis.processors = sorted(os.sched_getaffinity(0))
    redis = Redis()
    try:
        report = run(options, scratch, redis, Load(redis))
    finally:
        redis.stop()
        scratch.remove()
    print(json.dumps(report))
    if report["failures"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
