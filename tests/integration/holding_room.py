"""Held releases that are many times larger than what is kept of them: every URL of every one is
answered with its bytes, from an archive and without one, in any order, by several clients at once,
with few descriptors, while somebody reads slowly; and the memory that it takes has a bound."""

import random
import threading

import client
import harness
import holding
from harness import SLOWDOWN, wait_until

MIB = 1 << 20
# what is kept for good, what may be here for now (as much again and 16 MiB), and what a server has
# anyway, pieces that are being sent and what the allocator keeps included
KEPT, FOR_NOW, ANYWAY = 1 * MIB, 17 * MIB, 16 * MIB
LINES = ("breaker.keep: {memory: 1MiB}",
         # no verdict here depends on how long a machine takes
         "breaker.fetch: {timeout: 30s}")
RELEASES = ("a", "b", "c")


def files_of(release):
    """13 MiB: many small files, some that have pages of their own, some that are read on errands."""
    source = random.Random(release)
    files = {"small/%d.js" % i: source.randbytes(3000 + i) for i in range(100)}
    files.update({"mid/%d.css" % i: source.randbytes(90000 + i) for i in range(20)})
    files.update({"large/%d.bin" % i: source.randbytes(3 * MIB // 2 + i) for i in range(7)})
    files["none"] = b""
    return files


FILES = {release: files_of(release) for release in RELEASES}
# 36 MiB: none of them fits into the buffers of a socket
FILES["huge"] = {"huge/%d.bin" % i: bytes([65 + i]) * (6 * MIB) for i in range(6)}
FILES["huge"]["none"] = b""
FILES["own"] = {"own.css": b"own", "none": b""}


class RoomCase(holding.HoldingCase):
    def files_of(self, release):
        return FILES[release]

    def memory(self, server):
        """Bytes that the process alone takes: anonymous and shared memory."""
        fields = {}
        with open("/proc/%d/status" % server.pid, "rb") as file:
            for line in file:
                name, _, value = line.partition(b":")
                fields[name] = value
        return sum(int(fields[name].split()[0]) * 1024 for name in (b"RssAnon", b"RssShmem"))

    def visit(self, server, urls, seed, failures):
        """Asks for every URL, in an order of its own."""
        urls = list(urls)
        random.Random(seed).shuffle(urls)
        try:
            with client.Http1(server.port, timeout=60 * SLOWDOWN) as connection:
                for token, release, path in urls:
                    response = connection.request("/static/%s/%s" % (token, path))
                    if response.status != 200 or response.body != FILES[release][path]:
                        failures.append((release, path, response.status, len(response.body)))
        except Exception as exception:
            failures.append(exception)

    def visit_all(self, server, tokens, clients=3):
        urls = [(token, release, path) for release, token in tokens.items()
                for path in FILES[release]]
        failures = []
        threads = [threading.Thread(target=self.visit, args=(server, urls, seed, failures))
                   for seed in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures[:5], [])
        self.assertEqual(len(failures), 0)

    def check_memory(self, server):
        if SLOWDOWN != 1:
            return
        held = sum(len(body) for release in RELEASES for body in FILES[release].values())
        self.assertGreater(held, 2 * (KEPT + FOR_NOW))
        self.assertLess(self.memory(server), KEPT + FOR_NOW + ANYWAY)

    def begin_slowly(self, server, token, path):
        """A client that takes the head of a large file, and little more for now."""
        connection = client.Http1(server.port, receive_buffer=4096)
        self.addCleanup(connection.close)
        connection.send(client.make_request("/static/%s/%s" % (token, path)))
        return connection

    def end_slowly(self, connection, release, path):
        response = connection.read()
        self.assertEqual(response.status, 200)
        self.assertEqual(response.body, FILES[release][path])


class Archived(RoomCase):
    def archive_all(self):
        tokens = {}
        for release in RELEASES:
            server = self.start(release)
            tokens[release] = self.current(server)
            self.wait_archived(len(tokens))
            server.stop()
        return tokens

    def test_every_url_is_answered_from_the_archive_with_few_descriptors_as_well(self):
        tokens = self.archive_all()
        server = self.start("own", *LINES)
        slow = [(release, "large/%d.bin" % i) for release in RELEASES for i in range(2)]
        connections = [self.begin_slowly(server, tokens[release], path) for release, path in slow]
        self.visit_all(server, tokens)
        self.check_memory(server)
        for connection, (release, path) in zip(connections, slow):
            self.end_slowly(connection, release, path)
        self.visit_all(server, tokens, clients=1)
        server.stop()
        # sanitizers have descriptors of their own
        if SLOWDOWN == 1:
            self.check_few_descriptors(tokens)

    def check_few_descriptors(self, tokens):
        wrap = ("sh", "-c", 'ulimit -n 96; exec "$@"', "sh")
        server = self.start("own", *LINES, "max-connections: 16", wrap=wrap)
        # an eighth stays open
        wait_until(lambda: server.stderr().count(b"event=complete") == len(RELEASES), "all of them")
        before = server.descriptors()
        self.visit_all(server, tokens, clients=8)
        # an eighth that gives way, and connections whose end the server has not seen yet
        self.assertLessEqual(server.descriptors(), before + 96 // 8 + 1 + 8)
        server.stop()


class Fetched(RoomCase, holding.ClusteredCase):
    def test_every_url_of_more_than_is_kept_is_answered_by_peers(self):
        tokens = {}
        for release in RELEASES:
            tokens[release] = self.current(self.join(release, *LINES))
        server = self.join("own", *LINES)
        for release, token in tokens.items():
            wait_until(lambda: self.get(server, token, "none").status == 200, "release " + release)
        self.visit_all(server, tokens, clients=2)
        self.check_memory(server)
        self.visit_all(server, tokens, clients=1)
        server.stop()

    def test_clients_that_take_nothing_shut_nobody_out(self):
        token = self.current(self.join("huge", *LINES))
        server = self.join("own", *LINES)
        wait_until(lambda: self.get(server, token, "none").status == 200, "the release")
        paths = ["huge/%d.bin" % i for i in range(6)]
        # two have room at once
        connections = [self.begin_slowly(server, token, path) for path in paths]
        for connection in connections:
            connection.receive()
            self.assertTrue(connection.buffer.startswith(b"HTTP/1.1 200 "))
        for connection, path in zip(connections, paths):
            self.end_slowly(connection, "huge", path)
        server.stop()


if __name__ == "__main__":
    harness.main()
