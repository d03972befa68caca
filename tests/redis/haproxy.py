"""HAProxy of deploy/haproxy in front of a Redis and its replica: links follow the master, all of them,
and two masters at once are not both used."""

import os
import shutil
import socket
import subprocess
import tempfile

from link import DEADLINE_S, LinkTest, free_port, main, wait_until
from harness import ROOT

RECIPE = os.path.join(ROOT, "deploy", "haproxy", "redis.cfg")
PROGRAM = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
LINKS = 5


class Proxy:
    """HAProxy with a file in a directory of its own."""

    def __init__(self, text, port):
        self.directory = tempfile.mkdtemp(prefix="breaker-haproxy-")
        path = os.path.join(self.directory, "redis.cfg")
        with open(path, "w") as file:
            file.write(text)
        self.log = open(os.path.join(self.directory, "log"), "wb")
        self.process = subprocess.Popen([PROGRAM, "-db", "-f", path], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        self.port = port
        wait_until(self.is_ready, "haproxy")

    def is_ready(self):
        if self.process.poll() is not None:
            with open(os.path.join(self.directory, "log"), errors="replace") as file:
                raise AssertionError("haproxy ended: " + file.read())
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE_S)
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class HAProxy(LinkTest):
    def setUp(self):
        self.assertIsNotNone(PROGRAM, "haproxy is not installed")
        self.first = self.redis()
        self.second = self.redis()
        self.follow(self.second, self.first)
        self.port = free_port()
        self.proxy = self.start_proxy()
        self.url = "redis://127.0.0.1:%d" % self.port
        self.links = [self.probe(self.url) for _ in range(LINKS)]

    def start_proxy(self, *replaced):
        with open(RECIPE) as file:
            text = file.read()
        for old, new in (("bind :6379", "bind 127.0.0.1:%d" % self.port),
                         ("10.0.0.4:6379", "127.0.0.1:%d" % self.first.port),
                         ("10.0.0.5:6379", "127.0.0.1:%d" % self.second.port)) + replaced:
            self.assertIn(old, text)
            text = text.replace(old, new)
        proxy = Proxy(text, self.port)
        self.addCleanup(proxy.stop)
        return proxy

    def follow(self, replica, master):
        replica.cli("REPLICAOF", "127.0.0.1", str(master.port))
        wait_until(lambda: "master_link_status:up" in replica.cli("INFO", "replication"),
                   "the replica to follow", 60)

    def write(self, link):
        """What a node does that finds its link down; the port of the server that took it, or None."""
        link.ask("inside", "up", "command", "SET", "k", "v")
        link.ask("inside", "reply", "command", "CONFIG", "GET", "port")
        link.ask("dial")
        replies = []
        while len(replies) != 2:
            event = link.next()
            if event[0] == "down":
                return None
            replies += event[1:] if event[0] == "reply" else []
        self.assertEqual(replies[0], {"status": "OK"})
        port = int(replies[1][1])
        # it may have gone down by itself meanwhile
        link.ask("hang_up")
        link.ask("peer")
        while link.next()[0] != "peer":
            pass
        return port

    def all_write_to(self, server):
        return [self.write(link) for link in self.links] == [server.port] * LINKS

    def wait_all(self, server, what):
        wait_until(lambda: self.all_write_to(server), "all links to write to " + what, 60)

    def hold(self, server):
        """A link that stays up at this server."""
        self.wait_all(server, "it")
        link = self.probe(self.url)
        link.dial()
        self.assertEqual(link.command("CONFIG", "GET", "port")[1], str(server.port))
        return link

    def test_all_links_follow_the_master(self):
        held = self.hold(self.first)
        self.second.cli("REPLICAOF", "NO", "ONE")
        self.first.cli("REPLICAOF", "127.0.0.1", str(self.second.port))
        held.expect("down")
        held = self.hold(self.second)
        self.first.cli("REPLICAOF", "NO", "ONE")
        self.follow(self.second, self.first)
        held.expect("down")
        self.hold(self.first)

    def test_two_masters_at_once_are_not_both_used(self):
        held = self.hold(self.first)
        self.second.cli("REPLICAOF", "NO", "ONE")
        self.first.kill()
        held.expect("down")
        held = self.hold(self.second)
        # back as a master, while the second one is one too
        self.first.start()
        held.expect("down")
        self.hold(self.first)
        for _ in range(20):
            self.assertTrue(self.all_write_to(self.first))

    def test_without_a_master_nobody_writes(self):
        held = self.hold(self.first)
        self.first.cli("REPLICAOF", "127.0.0.1", str(free_port()))
        held.expect("down")
        wait_until(lambda: {self.write(link) for link in self.links} == {None}, "no link to write")

    def test_a_check_with_a_password(self):
        for server in (self.first, self.second):
            server.cli("ACL", "SETUSER", "haproxy", "on", ">s3cret", "resetchannels", "-@all",
                       "+info")
            server.cli("ACL", "SETUSER", "default", "resetpass", ">other")
            server.password = "other"
        self.port = free_port()
        self.start_proxy(("    #tcp-check", "    tcp-check"), ("${REDIS_PASSWORD}", "s3cret"))
        probe = self.probe("redis://:other@127.0.0.1:%d" % self.port)

        wait_until(lambda: self.write(probe) == self.first.port, "the check to pass")


if __name__ == "__main__":
    main()
