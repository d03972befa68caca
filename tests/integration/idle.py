"""What a node costs while nobody asks it for anything: wake-ups, counted for each poll of Redis and
not for each second, so that a slow machine changes nothing, and memory."""

import os
import re
import unittest

import client
import harness
from cluster import ClusterCase
from harness import wait_until

POLLS = 60
CLUSTER_THREAD = "breaker-cluster"
# the timer that sends a poll, and its answer
WAKE_UPS_PER_POLL = 2
# Anonymous and shared memory, which is what this process alone takes; some 3 MB are in use, most of
# it what the encoders have left to malloc.
OWN_MAX_KB = 5 << 10
# with the pages of the program and its libraries, some 8 MB, and some 4 MB of those that libcurl is
# linked with, which the page cache has once for all
RESIDENT_MAX_KB = 17 << 10
SCRIPTS = {"js/%d.js" % i: b"var a = %d;\n" % i * 400 for i in range(20)}
SITE = {"css/a.css": b"a{content:'a'}", **SCRIPTS}


def status_of(path):
    with open(path) as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


class Idle(ClusterCase):
    def wake_ups(self, node):
        """How often each thread has gone to sleep so far, by its id, and the threads' names."""
        directory = "/proc/%d/task" % node.pid
        found = [(tid, status_of("%s/%s/status" % (directory, tid)))
                 for tid in os.listdir(directory)]
        return ({tid: int(status["voluntary_ctxt_switches"]) for tid, status in found},
                {tid: status["Name"] for tid, status in found})

    def polls(self, redis):
        """How many scripts Redis was asked to run."""
        return sum(map(int, re.findall(r"cmdstat_eval(?:sha)?:calls=(\d+)",
                                       "\n".join(redis("INFO", "commandstats")))))

    def wait_encoded(self, node, token):
        for path in SCRIPTS:
            for coding in ("br", "zstd", "gzip"):
                wait_until(lambda: client.get(
                    node.port, "/static/%s/%s" % (token, path),
                    headers=[("accept-encoding", coding)]).get("content-encoding") == coding,
                    coding)

    def check_wake_ups(self, redis, node):
        # the polls are counted around the wake-ups, so that none of them is without its poll
        polls_before = self.polls(redis)
        before, names = self.wake_ups(node)
        wait_until(lambda: self.polls(redis) >= polls_before + POLLS, "polls")
        after, _ = self.wake_ups(node)
        num_polls = self.polls(redis) - polls_before
        self.assertEqual(before.keys(), after.keys())
        self.assertIn(CLUSTER_THREAD, names.values())
        for tid, name in names.items():
            woken = after[tid] - before[tid]
            most = WAKE_UPS_PER_POLL * num_polls * 1.1 if name == CLUSTER_THREAD else 0
            # a few for what was begun before
            self.assertLessEqual(woken, most + 5, "wake-ups of %s in %d polls" % (name, num_polls))

    def check_memory(self, node):
        status = status_of("/proc/%d/status" % node.pid)
        own, shared, resident = (int(status[key].split()[0])
                                 for key in ("RssAnon", "RssShmem", "VmRSS"))
        self.assertLessEqual(own + shared, OWN_MAX_KB)
        self.assertLessEqual(resident, RESIDENT_MAX_KB)

    @unittest.skipIf(harness.SLOWDOWN != 1, "sanitizers have threads and memory of their own")
    def test_a_node_at_rest_wakes_twice_a_poll_and_takes_little_memory(self):
        redis = self.redis()
        self.scratch.tree("site-a", SITE)
        node = self.node(redis, options={"poll": "100ms"})
        token = self.token(node)
        self.wait_encoded(node, token)
        self.check_wake_ups(redis, node)
        self.check_memory(node)
        for _ in range(100):
            self.assertEqual(self.get(node, token).status, 200)
        with client.Http2(node.port) as connection:
            for _ in range(100):
                self.assertEqual(connection.request("/static/%s/css/a.css" % token).status, 200)
        self.check_wake_ups(redis, node)
        self.check_memory(node)
        node.stop()


if __name__ == "__main__":
    harness.main()
