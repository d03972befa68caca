"""Redis killed again and again while clients load assets: no request fails, no body is wrong, and
afterwards the nodes have as many descriptors and as much memory as before."""

import argparse
import json
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

# pylint: disable=wrong-import-position
import client
import fleet as fleets
import harness
import proxy as proxies
import store

# before the memory is looked at for the first time: buffers and arenas have their size then
WARM_UP = 3
# pages of arenas come and go
MEMORY_SLACK_KB = 2048
PIPELINE = 16


class Load(threading.Thread):
    """Loads the assets of one node over one connection, by its page's URLs, and checks them."""

    def __init__(self, node, files, seed):
        super().__init__(daemon=True)
        self.node, self.files, self.rng = node, files, random.Random(seed)
        self.is_over = False
        self.requests = 0
        self.tokens = set()
        self.failures = []

    def run(self):
        try:
            with client.Http1(self.node.port, timeout=10) as connection:
                while not self.is_over:
                    self.batch(connection)
        except (OSError, AssertionError) as error:
            self.failures.append("node %d: %s" % (self.node.at, error))

    def batch(self, connection):
        page = connection.request("/").body
        token = page.split(b"/static/")[1].split(b"/")[0].decode()
        self.tokens.add(token)
        paths = [self.rng.choice(fleets.PATHS) for _ in range(PIPELINE)]
        connection.send(b"".join(client.make_request("/static/%s/%s" % (token, path))
                                 for path in paths))
        for path in paths:
            response = connection.read()
            # its own token may have become an older one since the page
            response.target = "/static/%s/%s" % (token, path)
            if response.status == 301 and int(response.leads_to.split("/")[2]) > int(token):
                continue
            if (response.status, response.body) != (200, self.files[path]):
                self.failures.append("node %d, %s under %s: %r" % (self.node.at, path, token,
                                                                    response))
        self.requests += PIPELINE + 1


def memory_kb(node):
    with open("/proc/%d/status" % node.server.pid) as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise AssertionError("no VmRSS")


def descriptors(node):
    """As many as are open at rest: a connection may be on its way in or out just now."""
    counts = []
    for _ in range(20):
        counts.append(node.server.descriptors())
        time.sleep(0.01)
    return min(counts)


def kill(redis, fleet, with_data):
    """Returns how long it took until every node had polled again."""
    if with_data:
        redis.save()
    redis.kill()
    if not with_data:
        redis.drop_dump()
    redis.start()
    since, since_ms = time.monotonic(), redis.now_ms()

    def all_polled():
        return redis.ask("ZCOUNT", store.NODES, since_ms, "+inf") >= len(fleet.nodes)
    harness.wait_until(all_polled, "the nodes to come back", 10)
    return time.monotonic() - since


def measure(options, scratch, redis, proxy):
    fleet = fleets.Fleet(options.flavour, options.nodes, fleets.Releases(scratch, 1), scratch,
                         lanes=proxy.lanes)
    loads = []
    try:
        for node in fleet.nodes:
            node.start()
        loads = [Load(node, fleet.releases.files[0], at) for at, node in enumerate(fleet.nodes)]
        for load in loads:
            load.start()
        for at in range(WARM_UP):
            kill(redis, fleet, at % 2 == 0)
        before = [(descriptors(node), memory_kb(node)) for node in fleet.nodes]
        began, had = time.monotonic(), sum(load.requests for load in loads)
        times = sorted(kill(redis, fleet, at % 2 == 0) for at in range(options.kills))
        spent, requests = time.monotonic() - began, sum(load.requests for load in loads) - had
        after = [(descriptors(node), memory_kb(node)) for node in fleet.nodes]
        finish(loads)
        for node in fleet.nodes:
            node.stop()
    finally:
        finish(loads)
        fleet.end()
    failures = [failure for load in loads for failure in load.failures]
    for (fds, kb), (fds_after, kb_after) in zip(before, after):
        if fds_after > fds:
            failures.append("%d descriptors were %d" % (fds_after, fds))
        if kb_after > kb + MEMORY_SLACK_KB:
            failures.append("%d KiB were %d" % (kb_after, kb))
    return {"flavour": options.flavour, "nodes": options.nodes, "kills": options.kills,
            "requests": requests, "requests_per_s": round(requests / spent),
            "tokens": len(set().union(*(load.tokens for load in loads))),
            "back_s": {"median": round(times[len(times) // 2], 3), "max": round(times[-1], 3)},
            "descriptors_and_kb_before": before, "after": after, "failures": failures}


def finish(loads):
    for load in loads:
        load.is_over = True
    for load in loads:
        if load.ident is not None:
            load.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--flavour", choices=harness.PROGRAMS, default="evloop")
    options = parser.parse_args()
    scratch = harness.Scratch()
    redis = proxy = None
    try:
        redis = store.Redis()
        proxy = proxies.Proxy([harness.free_port() for _ in range(options.nodes)], redis.port)
        report = measure(options, scratch, redis, proxy)
    finally:
        if proxy is not None:
            proxy.close()
        if redis is not None:
            redis.stop()
        scratch.remove()
    print(json.dumps(report))
    if not report["requests"] or len(report["failures"]):
        sys.exit(1)


if __name__ == "__main__":
    main()
