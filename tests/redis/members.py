"""lib/cluster/members.lua in a real Redis: the keys by which nodes know each other, through rotation, a
Redis that lost them, and clocks that were set; and pages of nodes."""

import os
import time

from link import LinkTest, main
from harness import ROOT

KEYS = ["{shop}:breaker:key", "{shop}:breaker:nodes", "{shop}:breaker:info"]
DAY_MS = 24 * 60 * 60 * 1000
A, B, C = ("%064x" % number for number in (0xa, 0xb, 0xc))


class Members(LinkTest):
    def setUp(self):
        # the probe is told a word a line
        with open(os.path.join(ROOT, "lib", "cluster", "members.lua")) as file:
            self.script = " ".join(line.strip() for line in file
                                   if not line.strip().startswith("--"))
        self.server = self.redis()
        self.node = self.probe("redis://127.0.0.1:%d" % self.server.port)
        self.node.dial()

    def ask(self, fresh, known="", before="", after="-", probe=None):
        return (probe or self.node).command("EVAL", self.script, "3", *KEYS, fresh, known, before,
                                            after)

    def keys(self, *args):
        return self.ask(*args)[1:3]

    def made(self, ago_ms):
        """The key was made so long ago."""
        self.server.cli("HSET", KEYS[0], "made", str(int(time.time() * 1000) - ago_ms))

    def test_the_first_one_makes_the_key_of_all(self):
        self.assertEqual(self.keys(A), [A, ""])
        self.assertEqual(self.keys(B), [A, ""])
        self.assertLess(abs(self.ask(B)[0] - time.time() * 1000), 5000)

    def test_a_key_is_good_for_two_days(self):
        self.keys(A)
        self.made(DAY_MS - 60000)
        self.assertEqual(self.keys(B, A), [A, ""])
        self.made(DAY_MS)
        self.assertEqual(self.keys(B, A), [B, A])
        self.assertEqual(self.keys(C, A), [B, A])
        self.made(DAY_MS)
        self.assertEqual(self.keys(C, B, A), [C, B])

    def test_who_knows_the_key_puts_it_back(self):
        self.server.cli("FLUSHALL")
        self.assertEqual(self.keys(C, B, A), [B, A])
        self.assertEqual(self.keys(C), [B, A])

    def test_a_new_node_may_be_the_first_after_a_loss(self):
        self.assertEqual(self.keys(C), [C, ""])
        # who survived goes by the other one until it has heard of this, and so it is known to all
        self.assertEqual(self.keys(B, A), [C, A])
        self.assertEqual(self.keys(B), [C, A])
        # what comes later does not take its place
        self.assertEqual(self.keys(A, B), [C, A])

    def test_a_clock_that_was_set_back_keeps_no_key_for_ever(self):
        self.keys(A)
        self.made(-30 * DAY_MS)
        self.assertEqual(self.keys(B, A), [A, ""])
        self.assertLess(abs(int(self.server.cli("HGET", KEYS[0], "made")) - time.time() * 1000),
                        5000)

    def test_what_is_no_key_is_replaced(self):
        for key in ("", "x", A[1:], A.upper().replace("0", "F"), A + "0"):
            self.server.cli("DEL", KEYS[0])
            self.server.cli("HSET", KEYS[0], "key", key, "before", key, "made", "1")
            self.assertEqual(self.keys(B), [B, ""], key)
        self.server.cli("HSET", KEYS[0], "before", "x", "made", "not a number")
        self.assertEqual(self.keys(C), [B, ""])

    def test_a_key_of_another_type_is_left_alone(self):
        self.server.cli("SET", KEYS[0], "somebody's")
        self.assertIn("WRONGTYPE", self.ask(A)["error"])
        self.assertEqual(self.server.cli("GET", KEYS[0]), "somebody's")

    def test_arguments_out_of_the_layout_are_refused(self):
        for words in (("",), ("x",), (A, "x"), (A, A, "x"), (A[1:],), (A.upper(),)):
            self.assertIn("malformed arguments", self.ask(*words)["error"])
        self.assertEqual(self.server.cli("EXISTS", *KEYS), "0")

    def add_node(self, name, release, address, seen=None):
        self.server.cli("ZADD", KEYS[2], "0", "%s %s %s v1 5" % (name, release, address))
        if seen is not None:
            self.server.cli("ZADD", KEYS[1], str(seen), "%s %s %s" % (release, address, name))

    def test_a_page_has_nodes_with_an_address_that_were_seen(self):
        self.add_node("a", "r1", "h:1", 17)
        self.add_node("b", "r1", "-", 18)
        self.add_node("c", "r2", "h:3")
        self.add_node("d", "r2", "h:4", 19)
        self.assertEqual(self.ask(A, after="")[3:], [["17 a r1 h:1 v1 5", "19 d r2 h:4 v1 5"], ""])
        self.assertEqual(self.ask(A, after="a")[3:], [["19 d r2 h:4 v1 5"], ""])
        self.assertEqual(self.ask(A, after="ccc")[3:], [["19 d r2 h:4 v1 5"], ""])
        self.assertEqual(self.ask(A)[3:], [None, ""])

    def test_pages_follow_each_other(self):
        for i in range(250):
            self.add_node("%03d" % i, "r1", "h:%d" % (i + 1), i)
        after, sizes = "", []
        while True:
            nodes, after = self.ask(A, after=after)[3:]
            sizes.append(len(nodes))
            if after == "":
                break
        self.assertEqual(sizes, [32] * 7 + [26])

    def test_the_users_of_the_recipe(self):
        """Nodes may ask, with what they may do anyway; who only looks does not come by the key."""
        with open(os.path.join(ROOT, "deploy", "redis", "users.acl")) as file:
            for line in file:
                name, rules = line.split()[1], line.split()[2:]
                if name in ("breaker", "viewer"):
                    self.server.cli("ACL", "SETUSER", name, *rules, ">secret")
        url = "redis://%%s:secret@127.0.0.1:%d" % self.server.port
        node, viewer = self.probe(url % "breaker"), self.probe(url % "viewer")
        for probe in (node, viewer):
            probe.dial()
        self.assertEqual(self.ask(A, probe=node)[1], A)
        for command in (("EVAL", "return redis.call('HGETALL', KEYS[1])", "1", KEYS[0]),
                        ("HGETALL", KEYS[0]), ("HMGET", KEYS[0], "key")):
            self.assertIn("NOPERM", viewer.command(*command)["error"])
        self.assertIn("NOPERM", self.ask(A, probe=viewer)["error"])


if __name__ == "__main__":
    main()
