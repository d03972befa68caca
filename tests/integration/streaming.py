"""Files above breaker.fetch's file-limit, which are not copied but streamed through from a node that
has them: through gates that count, slow down, spoil and cut what passes between real nodes. Whatever
happens, an answer that ends well has the very bytes."""

import os
import re
import select
import socket
import threading
import time

import client
import cluster
import harness
from harness import FlavourCase, Scratch, Server, expand, quoted, wait_until

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
@lines@
breaker.fetch: {file-limit: 1MiB}
breaker.cluster:
  app: shop
  redis: "redis://127.0.0.1:@redis@"
  advertise: "127.0.0.1:@advertised@"
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @site@}
"""

MIB = 1 << 20
LENGTH = 4 * MIB + 16000
BLOB = re.compile(rb"GET /\.well-known/h2o-breaker/blob/\w+ ")


def bytes_of(release):
    return b"".join(b"%s %012d " % (release.encode() * 2, i) for i in range(LENGTH // 16))


def files_of(release):
    return {"large.bin": bytes_of(release), "none": b"", "small.js": release.encode() * 50}


class Gate:
    """A port before a node: what other nodes ask passes through it. Of what a connection brings beyond
    `free` bytes the rest passes slowly while it `is_slow`; the byte at `spoils_at` is another one, as
    the test says."""

    def __init__(self):
        self.server_port = None
        self.free = MIB
        self.is_slow = self.is_cut = False
        self.spoils_at = None
        self.num_asked = 0  # for blobs
        self.num_slowed = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ends = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.server_port))
            except OSError:
                continue
            self.ends += (near, far)
            threading.Thread(target=self.carry_asks, args=(near, far), daemon=True).start()
            threading.Thread(target=self.carry, args=(far, near), daemon=True).start()

    def carry_asks(self, source, sink):
        try:
            while piece := source.recv(65536):
                self.num_asked += len(BLOB.findall(piece))
                sink.sendall(piece)
        except OSError:
            pass
        finally:
            self.end(source, sink)

    def carry(self, source, sink):
        passed = 0
        try:
            while piece := source.recv(65536):
                if self.spoils_at is not None and passed <= self.spoils_at < passed + len(piece):
                    at = self.spoils_at - passed
                    piece = piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1:]
                passed += len(piece)
                if passed > self.free:
                    self.hold(piece, sink)
                else:
                    sink.sendall(piece)
        except OSError:
            pass
        finally:
            self.end(source, sink)

    def hold(self, piece, sink):
        """Not silent, and far from done for as long as a test may take."""
        self.num_slowed += self.is_slow
        while piece and self.is_slow:
            if self.is_cut:
                raise OSError
            sink.sendall(piece[:1024])
            piece = piece[1024:]
            time.sleep(0.02)
        sink.sendall(piece)

    def cut(self):
        self.is_cut = True
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @staticmethod
    def end(*ends):
        for end in ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.cut()
        self.listener.close()


class Reader:
    """A GET over HTTP/1.1 that is read as far as the test says."""

    def __init__(self, port, target, headers=()):
        self.http = client.Http1(port)
        self.http.send(client.make_request(target, headers=headers))
        lines = self.http.take_until(b"\r\n\r\n").decode().lower().split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = dict(line.split(": ", 1) for line in lines[1:])
        self.length = int(self.headers["content-length"])
        self.body = b""

    def read(self, size):
        self.body += self.http.take_at_most(size)
        return self.body

    def read_what_is_there(self):
        while select.select([self.http.sock], [], [], 0)[0] and self.http.receive():
            pass
        return self.read(len(self.http.buffer))

    def read_all(self):
        return self.read(self.length - len(self.body))


class StreamingCase(FlavourCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.redis = cluster.Redis()
        self.addCleanup(self.redis.kill)
        self.redis.start()
        self.num_sites = 0

    def gate(self):
        gate = Gate()
        self.addCleanup(gate.close)
        return gate

    def join(self, release, *lines, gate=None):
        self.num_sites += 1
        site = self.scratch.tree("site-%d" % self.num_sites, files_of(release)) or \
            self.scratch("site-%d" % self.num_sites)
        port = harness.free_port()
        server = Server(self.flavour, expand(
            CONFIG, port=port, advertised=gate.port if gate else port, redis=self.redis.port,
            site=quoted(site), lines="\n".join(lines)))
        server.port = port
        if gate:
            gate.server_port = port
        self.addCleanup(server.kill)
        return server

    def current(self, server):
        """What the node hands out: zeros are older than everything."""
        return client.get(server.port, "/static/0/none").leads_to.split("/")[2]

    def start(self, *lines, num_holders=1):
        """Nodes of a release behind a gate each, and one of another that holds it without its large
        file; the URL of that file."""
        self.gates = [self.gate() for _ in range(num_holders)]
        self.holders = [self.join("a", gate=gate) for gate in self.gates]
        token = self.current(self.holders[0])
        self.node = self.join("b", *lines)
        self.url = "/static/%s/large.bin" % token
        wait_until(lambda: b"event=complete" in self.node.stderr(), "release a on node b")
        self.asked_before = self.num_asked()

    def num_asked(self):
        """For how many blobs the holders were asked since the start."""
        return sum(gate.num_asked for gate in self.gates) - getattr(self, "asked_before", 0)

    def slow_down(self, **how):
        """From 1 MiB of the large file on nothing gets on, for as long as the test wants."""
        for gate in self.gates:
            gate.is_slow = True
            gate.spoils_at = how.get("spoils_at")

    def chosen(self):
        """The number of the holder that the large file comes from now."""
        wait_until(lambda: any(gate.num_slowed for gate in self.gates), "a transfer")
        return [bool(gate.num_slowed) for gate in self.gates].index(True)

    def speed_up(self, *numbers):
        for number in numbers or range(len(self.gates)):
            self.gates[number].is_slow = False

    def kill(self, number):
        self.holders[number].kill()
        self.gates[number].cut()

    def get(self, **options):
        return client.get(self.node.port, self.url, **options)

    def reader(self, **options):
        return Reader(self.node.port, self.url, **options)

    def assert_right(self, body):
        # not assertEqual, which takes minutes to show the difference
        self.assertTrue(body == bytes_of("a"), "%d bytes" % len(body))

    def assert_cut(self, reader):
        """Ended visibly, and not well."""
        body = reader.read_all()
        self.assertLess(len(body), reader.length)
        self.assertTrue(reader.http.ended)


class Streaming(StreamingCase):
    def test_a_node_that_lacks_a_large_file_has_it_come(self):
        self.start()
        response = self.get()
        self.assertEqual(response.status, 200)
        self.assertEqual(int(response.get("content-length")), LENGTH)
        self.assertIn("max-age=31536000", response.get("cache-control"))
        self.assert_right(response.body)
        # what was fetched is here for a while
        self.assert_right(self.get().body)
        self.assertEqual(self.num_asked(), 1)
        self.assertNotIn(b"trouble", self.node.stderr())

    def test_it_is_sent_while_it_comes(self):
        self.start()
        self.slow_down()
        with client.Http2(self.node.port) as http2:
            stream = http2.start(self.url)
            reader = self.reader()
            self.assertEqual((reader.status, reader.length), (200, LENGTH))
            reader.read(MIB // 2)
            while sum(map(len, http2.pending[stream].pieces)) < MIB // 2:
                http2.receive()
            self.assertEqual(self.chosen(), 0)
            self.speed_up()
            self.assert_right(reader.read_all())
            self.assert_right(http2.wait(stream).body)
        self.assertEqual(self.num_asked(), 1)

    def test_what_needs_no_bytes_waits_for_none(self):
        self.start()
        head = self.get(method="HEAD")
        self.assertEqual((head.status, int(head.get("content-length"))), (200, LENGTH))
        etag = head.get("etag")
        self.assertEqual(self.get(headers=[("if-none-match", etag)]).status, 304)
        self.assertEqual(self.get(headers=[("if-match", '"x"')]).status, 412)
        self.assertEqual(self.get(headers=[("range", "bytes=%d-" % LENGTH)]).status, 416)
        self.assertEqual(self.num_asked(), 0)

    def test_ranges_are_answered_with_their_bytes(self):
        self.start()
        for first, last in ((0, 0), (0, 99), (2 * MIB, 3 * MIB), (LENGTH - 5, LENGTH - 1)):
            with self.subTest("%d-%d" % (first, last)):
                response = self.get(headers=[("range", "bytes=%d-%d" % (first, last))])
                self.assertEqual(response.status, 206)
                self.assertEqual(response.get("content-range"),
                                 "bytes %d-%d/%d" % (first, last, LENGTH))
                self.assertTrue(response.body == bytes_of("a")[first:last + 1])
        several = self.get(headers=[("range", "bytes=0-9,3000000-3000009")])
        self.assertEqual(several.status, 206)
        for first in (0, 3000000):
            self.assertIn(b"\r\n\r\n" + bytes_of("a")[first:first + 10] + b"\r\n", several.body)
        self.assertEqual(self.num_asked(), 1)

    def test_a_range_is_not_ended_before_all_was_checked(self):
        self.start()
        self.slow_down()
        reader = self.reader(headers=[("range", "bytes=1000-300999")])
        self.assertEqual((reader.status, reader.length), (206, 300000))
        self.assertEqual(self.chosen(), 0)
        # a last piece is kept back, however much of it has come
        reader.read(300000 - 65536)
        self.assertLess(len(reader.read_what_is_there()), 300000)
        self.speed_up()
        self.assertTrue(reader.read_all() == bytes_of("a")[1000:301000])

    def test_many_clients_share_one_transfer_and_go_as_they_like(self):
        self.start()
        self.slow_down()
        readers = [self.reader() for _ in range(10)]
        for reader in readers:
            reader.read(100000)
        for reader in readers[:5]:
            client.reset(reader.http.sock)
        self.assertEqual(self.chosen(), 0)
        self.speed_up()
        bodies = [None] * 5

        def read(i):
            bodies[i] = readers[5 + i].read_all()

        threads = [threading.Thread(target=read, args=(i,)) for i in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for body in bodies:
            self.assert_right(body)
        self.assertEqual(self.num_asked(), 1)

    def test_another_holder_goes_on_where_one_is_killed(self):
        self.start(num_holders=2)
        self.slow_down()
        reader = self.reader()
        reader.read(MIB // 2)
        chosen = self.chosen()
        self.speed_up(1 - chosen)
        self.kill(chosen)
        self.assert_right(reader.read_all())
        self.assertEqual(self.num_asked(), 2)

    def test_without_another_holder_the_answer_is_cut(self):
        self.start()
        self.slow_down()
        with client.Http2(self.node.port) as http2:
            stream = http2.start(self.url)
            reader = self.reader()
            reader.read(MIB // 2)
            while not http2.pending[stream].pieces:
                http2.receive()
            self.kill(self.chosen())
            self.assert_cut(reader)
            # a stream is reset, its connection goes on
            self.assertIsNone(http2.wait(stream))
            self.assertEqual(http2.request(self.url, method="HEAD").status, 200)
        self.assertIn(b"trouble=streaming", self.node.stderr())
        response = self.get()
        self.assertEqual((response.status, response.get("retry-after")), (503, "3"))

    def test_wrong_bytes_are_never_ended_well(self):
        self.start()
        self.slow_down(spoils_at=2 * MIB)
        whole = self.reader()
        part = self.reader(headers=[("range", "bytes=0-299999")])
        self.assertEqual(self.chosen(), 0)
        self.speed_up()
        self.assert_cut(whole)
        self.assert_cut(part)
        self.gates[0].spoils_at = None
        wait_until(lambda: (response := self.get()).status == 200 and
                   response.body == bytes_of("a"), "the right bytes")

    def test_with_an_archive_it_is_kept_and_given_to_others(self):
        archive = self.scratch("archive")
        os.makedirs(archive)
        # servers that root starts serve as somebody else
        os.chmod(archive, 0o777)
        self.start("breaker.archive: " + quoted(archive))
        self.assert_right(self.get().body)
        kept = [os.path.join(where, name) for where, _, names in os.walk(archive) for name in names]
        wait_until(lambda: any(os.path.getsize(path) == LENGTH for path in kept), "the file")
        self.kill(0)
        self.assert_right(self.get().body)
        third = self.join("c")
        wait_until(lambda: client.get(third.port, self.url).status == 200, "node c has it")
        self.assert_right(client.get(third.port, self.url).body)

    def test_a_client_that_goes_away_leaves_the_file_to_the_next(self):
        self.start()
        self.slow_down()
        reader = self.reader()
        reader.read(1000)
        client.reset(reader.http.sock)
        self.speed_up()
        self.assert_right(self.get().body)
        self.assertEqual(self.num_asked(), 1)

    def test_a_file_that_is_larger_than_what_the_disk_keeps_is_left_to_others(self):
        self.start("breaker.keep: {disk: 1MiB}")
        wait_until(lambda: self.get().status == 503, "it is known")
        self.assertEqual(self.get(method="HEAD").status, 200)
        self.assertEqual(self.num_asked(), 0)
        self.assertIn(b"trouble=keep", self.node.stderr())

    def test_it_ends_well_with_a_transfer_under_way(self):
        self.start()
        self.slow_down()
        reader = self.reader()
        reader.read(1000)
        self.node.signal(15)
        self.speed_up()
        self.assert_right(reader.read_all())
        self.node.stop()


if __name__ == "__main__":
    harness.main()
