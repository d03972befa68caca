"""A link to the master that sentinels name: three sentinels, a master, a replica, and a failover."""

import os
import signal

from link import LinkTest, free_port, main, wait_until

NAME = "my master"


class Sentinel(LinkTest):
    def setUp(self):
        self.master = self.redis("--requirepass", "right", "--masterauth", "right")
        self.replica = self.redis("--requirepass", "right", "--masterauth", "right",
                                  "--replicaof", "127.0.0.1 %d" % self.master.port,
                                  "--repl-diskless-sync-delay", "0")
        self.master.password = self.replica.password = "right"
        self.sentinels = [self.sentinel() for _ in range(3)]

    def sentinel(self, *more, port=None):
        return self.redis('sentinel monitor "%s" 127.0.0.1 %d 2' % (
            "mymaster", (port or self.master.port)),
            "sentinel auth-pass mymaster right", "sentinel down-after-milliseconds mymaster 500",
            "sentinel failover-timeout mymaster 3000", *more, sentinel=True)

    def urls(self, credentials="", sentinels=None):
        return ["redis://%s127.0.0.1:%d" % (credentials, s.port)
                for s in sentinels or self.sentinels]

    def know_each_other(self):
        for sentinel in self.sentinels:
            wait_until(lambda s=sentinel: "num-other-sentinels\n2\n" in
                       s.cli("SENTINEL", "MASTER", "mymaster") + "\n" and
                       "num-slaves\n1\n" in s.cli("SENTINEL", "MASTER", "mymaster") + "\n",
                       "the sentinels to meet", 60)

    def named_by(self, sentinel):
        return sentinel.cli("SENTINEL", "get-master-addr-by-name", "mymaster").split("\n")[-1]

    def test_the_master_is_found_through_any_sentinel(self):
        where = "127.0.0.1:%d" % self.master.port
        probe = self.probe("-s", "mymaster", "-p", "right", *self.urls())
        self.assertEqual(probe.dial(), where)
        self.assertEqual(probe.command("SET", "k", "v"), {"status": "OK"})
        self.sentinels[0].kill()
        self.assertEqual(probe.command("GET", "k"), "v")
        probe.ask("hang_up")
        self.assertEqual(probe.dial(), where)
        self.sentinels[1].kill()
        probe.ask("hang_up")
        self.assertEqual(probe.dial(), where)
        self.sentinels[2].kill()
        probe.ask("hang_up")
        reason = probe.down()
        for sentinel in self.sentinels:
            self.assertIn("127.0.0.1:%d: " % sentinel.port, reason)

    def test_after_a_failover_the_next_dials_reach_the_new_master(self):
        self.know_each_other()
        wait_until(lambda: "master_link_status:up" in self.replica.cli("INFO", "replication"),
                   "the replica to follow", 60)
        probe = self.probe("-s", "mymaster", "-p", "right", "-c", "5000", "-r", "5000",
                           *self.urls(), patient=False)
        self.assertEqual(probe.dial(), "127.0.0.1:%d" % self.master.port)
        self.assertEqual(probe.command("SET", "k", "v"), {"status": "OK"})
        self.master.kill()
        probe.expect("down")

        def is_up():
            probe.ask("dial")
            return probe.next()[0] == "up"
        wait_until(is_up, "the new master", 90)
        probe.ask("peer")
        self.assertEqual(probe.expect("peer"), "127.0.0.1:%d" % self.replica.port)
        self.assertEqual(probe.command("SET", "k", "w"), {"status": "OK"})

        # The old one comes back and may believe for a while that it is the master, and so may a
        # sentinel that has not heard of the failover.
        for sentinel in self.sentinels:
            wait_until(lambda s=sentinel: self.named_by(s) == str(self.replica.port),
                       "all sentinels to agree", 60)
        self.master.start()
        for _ in range(5):
            probe.ask("hang_up")
            self.assertEqual(probe.dial(), "127.0.0.1:%d" % self.replica.port)

    def test_a_master_that_became_a_replica_is_left(self):
        probe = self.probe("-s", "mymaster", "-p", "right", *self.urls())
        probe.dial()
        # no sentinel is to mend it meanwhile
        for sentinel in self.sentinels:
            os.kill(sentinel.process.pid, signal.SIGSTOP)
            self.addCleanup(os.kill, sentinel.process.pid, signal.SIGCONT)
        self.master.cli("REPLICAOF", "127.0.0.1", str(free_port()))
        probe.ask("command", "EVAL", "return redis.call('set', 'k', 'v')", "0")
        reason = probe.expect("down")
        self.assertIn("127.0.0.1:%d: " % self.master.port, reason)
        self.assertIn("replica", reason)

    @staticmethod
    def naming(host, port):
        """A sentinel that says this, whatever it is asked."""
        def script(connection):
            while connection.recv(4096):
                connection.sendall(b"*2\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (
                    len(host), host, len(port), port))
        return script

    def test_who_is_named_must_say_that_it_is_a_master(self):
        liar = self.scripted(self.naming(b"127.0.0.1", b"%d" % self.replica.port))
        dead = self.scripted(self.naming(b"127.0.0.1", b"%d" % free_port()))
        wait_until(lambda: "role:slave" in self.replica.cli("INFO", "replication"), "the replica")
        probe = self.probe("-s", "mymaster", "-p", "right", *self.urls(sentinels=[liar, dead]))
        reason = probe.down()
        self.assertIn("127.0.0.1:%d: sentinels name it, but it is no master" % self.replica.port,
                      reason)
        self.assertIn("connection refused", reason)
        probe = self.probe("-s", "mymaster", "-p", "right",
                           *self.urls(sentinels=[liar, dead, self.sentinels[0]]))
        self.assertEqual(probe.dial(), "127.0.0.1:%d" % self.master.port)

    def test_answers_that_name_no_address(self):
        for host, port in ((b"", b"6379"), (b"a b", b"6379"), (b"h\0", b"6379"), (b"h", b"0"),
                           (b"h", b"65536"), (b"h", b"x"), (b"h", b""), (b"h" * 254, b"1")):
            liar = self.scripted(self.naming(host, port))
            reason = self.probe("-s", "mymaster", *self.urls(sentinels=[liar])).down()
            self.assertIn("this sentinel names no address", reason, (host, port))

    def test_names_that_no_sentinel_knows(self):
        reason = self.probe("-s", NAME, *self.urls()).down()
        self.assertEqual(reason.count("this sentinel does not know the master"), 3)

    def test_what_is_no_sentinel_is_told_so(self):
        server = self.redis()
        reason = self.probe("-s", "mymaster", "redis://127.0.0.1:%d" % server.port).down()
        self.assertIn("SENTINEL: ERR unknown command", reason)

    def test_sentinels_are_told_a_password_only_if_their_url_carries_one(self):
        locked = self.sentinel("requirepass right")
        plain = self.probe("-s", "mymaster", "-p", "right", *self.urls(sentinels=[locked]))
        self.assertIn("SENTINEL: a password is missing (NOAUTH)", plain.down())
        told = self.probe("-s", "mymaster", *self.urls(":right@", sentinels=[locked]))
        self.assertEqual(told.dial(), "127.0.0.1:%d" % self.master.port)
        # An open sentinel refuses AUTH, so this proves that none was sent.
        silent = self.probe("-s", "mymaster", "-p", "right", *self.urls())
        silent.dial()
        told = self.probe("-s", "mymaster", *self.urls(":right@"))
        self.assertIn("AUTH: the server has no password", told.down())

    # ---- while the link is up ----

    def listing(self, named):
        """A sentinel that names the port of this moment, named[0], and counts how often it did."""
        def script(connection):
            while connection.recv(4096):
                port = b"%d" % named[0]
                connection.sendall(b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n" % (len(port), port))
                named.append(named[0])
        return self.scripted(script)

    def test_a_master_that_stands_still_is_left_once_sentinels_name_another(self):
        self.know_each_other()
        wait_until(lambda: "master_link_status:up" in self.replica.cli("INFO", "replication"),
                   "the replica to follow", 60)
        probe = self.probe("-i", "200", "-s", "mymaster", "-p", "right", *self.urls())
        self.assertEqual(probe.dial(), "127.0.0.1:%d" % self.master.port)
        # Nothing is asked of it, so that nothing else can tell.
        os.kill(self.master.process.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.master.process.pid, signal.SIGCONT)
        self.assertEqual(probe.expect("down", 90),
                         "127.0.0.1:%d: sentinels name 127.0.0.1:%d now" % (
                             self.master.port, self.replica.port))
        self.assertEqual(probe.dial(), "127.0.0.1:%d" % self.replica.port)
        self.assertEqual(probe.command("SET", "k", "v"), {"status": "OK"})

    def test_a_command_under_way_ends_when_another_master_is_named(self):
        other = self.redis("--requirepass", "right")
        named = [self.master.port]
        probe = self.probe("-i", "50", "-s", "mymaster", "-p", "right", "-r", "15000",
                           *self.urls(sentinels=[self.listing(named)]))
        probe.dial()
        probe.ask("command", "BLPOP", "never", "0")
        named[0] = other.port
        self.assertIn("sentinels name 127.0.0.1:%d now" % other.port, probe.expect("down"))
        self.assertEqual(probe.dial(), "127.0.0.1:%d" % other.port)

    def check_undisturbed(self, probe, named, rounds=5):
        """The link is as it was after some more answers of a sentinel."""
        probe.dial()
        before, after = probe.fds(), len(named) + rounds
        wait_until(lambda: len(named) >= after, "the sentinels to be asked again")
        self.assertEqual(probe.command("PING"), {"status": "PONG"})
        wait_until(lambda: probe.fds() <= before, "connections to sentinels to be closed")

    def test_who_is_no_master_is_not_gone_to(self):
        wait_until(lambda: "role:slave" in self.replica.cli("INFO", "replication"), "the replica")
        for port in (self.replica.port, free_port(), self.sentinels[0].port):
            named = [self.master.port]
            probe = self.probe("-i", "30", "-s", "mymaster", "-p", "right",
                               *self.urls(sentinels=[self.listing(named)]))
            probe.dial()
            named[0] = port
            after = len(named) + 5
            wait_until(lambda n=named, a=after: len(n) >= a, "the sentinel to be asked again")
            self.assertEqual(probe.command("PING"), {"status": "PONG"})
            probe.close()

    def test_sentinels_that_cannot_be_asked_disturb_nobody(self):
        named = [self.master.port]
        listing = self.listing(named)
        for first in ([], [self.scripted(self.naming(b"", b"0"))],
                      [self.scripted(lambda connection: connection.close())],
                      [self.scripted(lambda connection: connection.sendall(b"+HELLO\r\n"))]):
            probe = self.probe("-i", "30", "-s", "mymaster", "-p", "right",
                               *self.urls(sentinels=first + [listing]))
            self.check_undisturbed(probe, named)
            probe.close()

    def test_without_any_sentinel_the_master_is_kept(self):
        listing = self.listing([self.master.port])
        closing = self.scripted(lambda connection: connection.close())
        probe = self.probe("-i", "30", "-s", "mymaster", "-p", "right",
                           *self.urls(sentinels=[listing, closing]))
        probe.dial()
        before, asked = probe.fds(), len(closing.connections)
        listing.stop()
        wait_until(lambda: len(closing.connections) >= asked + 5, "rounds in vain")
        self.assertEqual(probe.command("PING"), {"status": "PONG"})
        wait_until(lambda: probe.fds() <= before, "connections to sentinels to be closed")

    def test_links_come_and_go_while_sentinels_are_asked(self):
        named = [self.master.port]
        url = self.urls(sentinels=[self.listing(named)])
        probe = self.probe("-i", "1", "-s", "mymaster", "-p", "right", *url)
        before = probe.fds()
        for _ in range(100):
            probe.dial()
            self.assertEqual(probe.command("PING"), {"status": "PONG"})
            probe.ask("hang_up")
        wait_until(lambda: probe.fds() <= before, "connections to sentinels to be closed")
        for _ in range(20):
            probe = self.probe("-i", "1", "-s", "mymaster", "-p", "right", *url)
            probe.dial()
            probe.close()

    def test_the_database_of_the_url_is_the_masters(self):
        url = self.urls()[0] + "/5"
        probe = self.probe("-s", "mymaster", "-p", "right", url)
        probe.dial()
        probe.command("SET", "k", "v")
        self.assertEqual(self.master.cli("-n", "5", "GET", "k"), "v")


if __name__ == "__main__":
    main()
