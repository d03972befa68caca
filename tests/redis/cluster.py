"""A link to a Redis Cluster: three masters, keys that are elsewhere, and one that is on its way."""

from link import LinkTest, free_port, main, wait_until

KEY = "{shop}:breaker"


class Cluster(LinkTest):
    def setUp(self):
        self.nodes = []
        while len(self.nodes) < 3:
            port = free_port()
            bus = free_port()
            self.nodes.append(self.redis("--cluster-enabled", "yes", "--cluster-port", str(bus),
                                         "--cluster-node-timeout", "15000",
                                         "--cluster-require-full-coverage", "no", port=port))
            self.nodes[-1].bus = bus
        ranges = [(0, 5460), (5461, 10922), (10923, 16383)]
        for node, (first, last) in zip(self.nodes, ranges):
            node.slots = range(first, last + 1)
            node.cli("CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
            node.id = node.cli("CLUSTER", "MYID")
            if node is not self.nodes[0]:
                self.nodes[0].cli("CLUSTER", "MEET", "127.0.0.1", str(node.port), str(node.bus))
        for node in self.nodes:
            wait_until(lambda n=node: self.knows_all(n), "the nodes to meet", 60)
        self.slot = self.nodes[0].cli("CLUSTER", "KEYSLOT", KEY)
        self.owner = next(n for n in self.nodes if int(self.slot) in n.slots)
        self.elsewhere = [n for n in self.nodes if n is not self.owner]

    @staticmethod
    def knows_all(node):
        info = node.cli("CLUSTER", "INFO")
        return "cluster_state:ok" in info and "cluster_slots_ok:16384" in info

    @staticmethod
    def url(node):
        return "redis://127.0.0.1:%d" % node.port

    @staticmethod
    def where(node):
        return "127.0.0.1:%d" % node.port

    def peer(self, probe):
        probe.ask("peer")
        return probe.expect("peer")

    def test_a_command_finds_its_node_and_stays_there(self):
        for seed in self.elsewhere:
            probe = self.probe(self.url(seed))
            self.assertEqual(probe.dial(), self.where(seed))
            self.assertEqual(probe.command("EVAL", "return redis.call('set', KEYS[1], 'v')", "1",
                                           KEY), {"status": "OK"})
            self.assertEqual(self.peer(probe), self.where(self.owner))
            self.assertEqual(probe.command("GET", KEY), "v")
            self.assertEqual(self.peer(probe), self.where(self.owner))

    def test_asking_during_a_migration_and_moving_after_it(self):
        source, target = self.owner, self.elsewhere[0]
        probe = self.probe(self.url(source))
        probe.dial()
        self.assertEqual(probe.command("SET", KEY, "v"), {"status": "OK"})
        target.cli("CLUSTER", "SETSLOT", self.slot, "IMPORTING", source.id)
        source.cli("CLUSTER", "SETSLOT", self.slot, "MIGRATING", target.id)
        # still here, so it is answered here
        self.assertEqual(probe.command("GET", KEY), "v")
        self.assertEqual(self.peer(probe), self.where(source))
        source.cli("MIGRATE", "127.0.0.1", str(target.port), KEY, "0", "5000")
        # gone: ASK. The target answers this one only, the next begins at the source again.
        for value in ("v", "v"):
            self.assertEqual(probe.command("GET", KEY), value)
            self.assertEqual(self.peer(probe), self.where(target))
        self.assertEqual(probe.command("SET", KEY, "w"), {"status": "OK"})
        for node in (target, source):
            node.cli("CLUSTER", "SETSLOT", self.slot, "NODE", target.id)
        self.assertEqual(probe.command("GET", KEY), "w")
        self.assertEqual(self.peer(probe), self.where(target))
        fresh = self.probe(self.url(source))
        fresh.dial()
        self.assertEqual(fresh.command("GET", KEY), "w")
        self.assertEqual(self.peer(fresh), self.where(target))

    def test_a_dead_node_takes_the_link_down_and_any_seed_brings_it_back(self):
        probe = self.probe(*[self.url(node) for node in self.nodes])
        probe.dial()
        probe.command("SET", KEY, "v")
        self.owner.kill()
        self.assertIn(self.where(self.owner) + ": ", probe.expect("down"))
        probe.dial()
        probe.ask("command", "GET", KEY)
        event = probe.next()
        # where the others still believe in the dead node nothing answers; later they say so
        if event[0] == "reply":
            self.assertIn("CLUSTERDOWN", event[1]["error"])
            self.assertIn(self.peer(probe), [self.where(n) for n in self.elsewhere])
        else:
            self.assertIn(self.where(self.owner) + ": ", event[1])
            probe.dial()
        # another slot lives on
        other = next(k for k in ("a", "b", "c", "d", "e", "f", "g", "h")
                     if int(self.elsewhere[0].cli("CLUSTER", "KEYSLOT", k))
                     in self.elsewhere[0].slots)
        self.assertEqual(probe.command("SET", other, "v"), {"status": "OK"})

    def test_a_redirection_to_nowhere_asks_the_seeds(self):
        seed, lost = self.elsewhere[0], self.owner
        survivor = self.elsewhere[1]
        probe = self.probe(self.url(seed), self.url(survivor))
        probe.dial()
        # The survivor takes the slot over; the seed has not heard of it and names the dead owner.
        lost.kill()
        survivor.cli("CLUSTER", "SETSLOT", self.slot, "NODE", survivor.id)
        survivor.cli("CLUSTER", "BUMPEPOCH")
        self.assertEqual(probe.command("SET", KEY, "v"), {"status": "OK"})
        self.assertEqual(self.peer(probe), self.where(survivor))

    def test_passwords_go_along_to_every_node(self):
        for node in self.nodes:
            node.cli("CONFIG", "SET", "requirepass", "right")
        probe = self.probe("redis://:right@127.0.0.1:%d" % self.elsewhere[0].port)
        probe.dial()
        self.assertEqual(probe.command("SET", KEY, "v"), {"status": "OK"})
        self.assertEqual(self.peer(probe), self.where(self.owner))


if __name__ == "__main__":
    main()
