"""Several URLs without sentinels: they are the seeds of one Redis Cluster, or lead to one server or
its replicas, and what is provably something else is refused."""

from link import LinkTest, free_port, main, wait_until


class Seeds(LinkTest):
    @staticmethod
    def where(server):
        return "127.0.0.1:%d" % server.port

    def urls(self, *servers):
        return ["redis://" + self.where(server) for server in servers]

    def replica_of(self, master, *arguments):
        replica = self.redis("--replicaof", "127.0.0.1 %d" % master.port,
                             "--repl-diskless-sync-delay", "0", *arguments)
        self.follow(replica)
        return replica

    @staticmethod
    def follow(replica):
        wait_until(lambda: "master_link_status:up" in replica.cli("INFO", "replication"),
                   "the replica to follow", 60)

    def cluster_node(self, first=None, last=None):
        node = self.redis("--cluster-enabled", "yes", "--cluster-port", str(free_port()),
                          "--cluster-require-full-coverage", "no")
        if first is not None:
            node.cli("CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
        return node

    @staticmethod
    def meet(one, other):
        other_bus = other.arguments[other.arguments.index("--cluster-port") + 1]
        one.cli("CLUSTER", "MEET", "127.0.0.1", str(other.port), other_bus)
        for node in (one, other):
            wait_until(lambda n=node: "cluster_known_nodes:2" in n.cli("CLUSTER", "INFO") and
                       "handshake" not in n.cli("CLUSTER", "NODES"), "the nodes to meet", 60)

    def assert_refused(self, reason, one, other):
        self.assertEqual(reason, "%s: it is another server than %s; accepted: one URL, or sentinel "
                         "with its name, or the seeds of one Redis Cluster" % (
                             self.where(other), self.where(one)))

    def test_two_servers_are_refused_at_the_first_contact(self):
        one, other = self.redis(), self.redis()
        probe = self.probe(*self.urls(one, other))
        for _ in range(2):
            self.assert_refused(probe.down(), one, other)
        # nothing was asked of them but who they are
        for server in (one, other):
            self.assertNotIn("cmdstat_eval", server.cli("INFO", "commandstats"))

    def test_a_server_that_cannot_be_asked_proves_nothing_until_it_can(self):
        one, other = self.redis(), self.redis()
        other.kill()
        probe = self.probe("-i", "50", *self.urls(one, other))
        self.assertEqual(probe.dial(), self.where(one))
        self.assertEqual(probe.command("PING"), {"status": "PONG"})
        other.start()
        self.assert_refused(probe.expect("down"), one, other)
        self.assert_refused(probe.down(), one, other)
        # the first one is away: the other one may be all there is
        one.kill()
        self.assertEqual(probe.dial(), self.where(other))
        one.start()
        self.assert_refused(probe.expect("down"), one, other)

    def test_a_silent_server_holds_the_first_dial_up_for_its_time_only(self):
        def script(connection):
            while connection.recv(4096):
                pass
        server, silent = self.redis(), self.scripted(script)
        probe = self.probe("-c", "300", "-r", "60000", *self.urls(server, silent), patient=False)
        self.assertEqual(probe.dial(), self.where(server))
        self.assertEqual(probe.command("PING"), {"status": "PONG"})

    def test_nonsense_proves_nothing_and_costs_a_connection_at_most(self):
        server = self.redis()
        info = b"role:master\r\nmaster_replid:%s\r\ncluster_enabled:1\r\n" % (b"a" * 40)
        for said in (b"+OK\r\n", b"-ERR unknown command\r\n", b"*0\r\n", b"$-1\r\n", b"$0\r\n\r\n",
                     b"$300000\r\n" + b"x" * 300000 + b"\r\n", b"\x16\x03", b"*2000\r\n",
                     b"$11\r\nrole:master\r\n", b"$%d\r\n%s\r\n" % (len(info), info)):
            def script(connection, said=said):
                while connection.recv(4096):
                    connection.sendall(said)
            liar = self.scripted(script)
            probe = self.probe("-c", "1000", "-r", "500", *self.urls(server, liar), patient=False)
            self.assertEqual(probe.dial(), self.where(server), said[:40])
            self.assertEqual(probe.command("PING"), {"status": "PONG"})
            probe.close()

    def test_several_addresses_of_one_server(self):
        server = self.redis("--unixsocket", "redis.sock")
        urls = self.urls(server) + ["redis://localhost:%d" % server.port,
                                    "unix://%s/redis.sock" % server.directory]
        probe = self.probe("-i", "20", *urls)
        probe.dial()
        asked = self.count_of_info(server)
        wait_until(lambda: self.count_of_info(server) >= asked + 9, "three rounds more")
        self.assertEqual(probe.command("PING"), {"status": "PONG"})

    @staticmethod
    def count_of_info(server):
        for line in server.cli("INFO", "commandstats").split("\n"):
            if line.startswith("cmdstat_info:"):
                return int(line.split("calls=")[1].split(",")[0])
        return 0

    def test_of_a_master_and_its_replica_the_master_is_talked_to(self):
        master = self.redis()
        replica = self.replica_of(master)
        for servers in ((master, replica), (replica, master)):
            probe = self.probe(*self.urls(*servers))
            self.assertEqual(probe.dial(), self.where(master))
        # they change places
        self.assertEqual(probe.command("SET", "k", "v"), {"status": "OK"})
        replica.cli("REPLICAOF", "NO", "ONE")
        master.cli("REPLICAOF", "127.0.0.1", str(replica.port))
        self.follow(master)
        probe.ask("command", "SET", "k", "w")
        self.assertEqual(probe.expect("down"), self.where(master) + ": it is a replica now")
        self.assertEqual(probe.dial(), self.where(replica))
        self.assertEqual(probe.command("SET", "k", "w"), {"status": "OK"})

    def test_two_masters_that_were_one_are_refused(self):
        master = self.redis()
        replica = self.replica_of(master)
        probe = self.probe("-i", "50", *self.urls(master, replica))
        probe.dial()
        replica.cli("REPLICAOF", "NO", "ONE")
        self.assert_refused(probe.expect("down"), master, replica)

    def test_a_replica_that_lost_its_master_hides_no_two_masters(self):
        one, other = self.redis(), self.redis()
        lost = self.redis("--replicaof", "127.0.0.1 %d" % free_port())
        reason = self.probe(*self.urls(lost, one, other)).down()
        self.assertEqual(reason.split("; ")[0], self.where(lost) + ": it is a replica")
        self.assert_refused(reason.split("; ", 1)[1], one, other)

    def test_replicas_without_their_master_are_no_place_to_be(self):
        master = self.redis()
        replica, other = self.replica_of(master), self.replica_of(master)
        reason = self.probe(*self.urls(replica, other)).down()
        self.assertEqual(reason, "%s: it is a replica; %s: it is a replica" % (
            self.where(replica), self.where(other)))

    def test_nodes_of_one_cluster_belong_together_and_others_do_not(self):
        one, other = self.cluster_node(0, 8191), self.cluster_node(8192, 16383)
        single, stranger = self.redis(), self.cluster_node(0, 16383)
        empty = self.cluster_node()
        self.meet(one, other)
        for servers in ((one, other), (other, one), (one, empty), (empty, other)):
            self.assertEqual(self.probe(*self.urls(*servers)).dial(), self.where(servers[0]))
        self.assert_refused(self.probe(*self.urls(one, other, stranger)).down(), one, stranger)
        self.assert_refused(self.probe(*self.urls(one, single)).down(), one, single)
        self.assert_refused(self.probe(*self.urls(single, other)).down(), single, other)
        # who holds nothing is nobody to compare with
        self.assert_refused(self.probe(*self.urls(empty, one, stranger)).down(), one, stranger)

    def test_a_user_who_may_not_ask_is_told_once_and_proves_nothing(self):
        servers = self.redis(), self.redis()
        for server in servers:
            server.cli("ACL", "SETUSER", "breaker", "on", ">s3cret", "~*", "-@all", "+ping")
        probe = self.probe("-i", "20", "-u", "breaker", "-p", "s3cret", *self.urls(*servers))
        probe.ask("dial")
        notice = probe.expect("notice")
        self.assertIn(self.where(servers[0]) + ": whether the URLs are one Redis Cluster is not "
                      "known: the user may not run 'info' (NOPERM)", notice)
        self.assertEqual(probe.expect("up"), self.where(servers[0]))
        denied = "errorstat_NOPERM:count="
        wait_until(lambda: int(servers[1].cli("INFO", "errorstats").split(denied)[-1] or 0) >= 4
                   if denied in servers[1].cli("INFO", "errorstats") else False, "more rounds")
        self.assertEqual(probe.command("PING"), {"status": "PONG"})

    def test_what_a_server_repeats_is_not_told_with_the_password(self):
        def script(connection):
            while said := connection.recv(4096):
                connection.sendall(b"+OK\r\n" if b"AUTH" in said else b"-NOPERM s3cret\r\n")
        liar = self.scripted(script)
        probe = self.probe("redis://:s3cret@127.0.0.1:%d" % liar.port,
                           "redis://:s3cret@localhost:%d" % liar.port)
        probe.ask("dial")
        self.assertTrue(probe.expect("notice").endswith("an error that repeats the password"))
        probe.expect("up")

    def test_hanging_up_and_freeing_during_a_round(self):
        one, other = self.redis(), self.redis()
        probe = self.probe("-i", "1", *self.urls(one, other))
        before = probe.fds()
        for _ in range(20):
            probe.ask("dial")
            probe.ask("hang_up")
        self.assertEqual(probe.fds(), before)
        probe.ask("round", "50")
        probe.expect("rounds", 60)
        self.assertEqual(probe.fds(), before)
        probe = self.probe("-i", "1", *self.urls(one, one))
        for _ in range(20):
            probe.dial()
            probe.ask("hang_up")
        probe.ask("dial")
        probe.close()


if __name__ == "__main__":
    main()
