"""What an application cannot take: time that was not given, memory, the turn of others.

    tests/upstream/bounds.py evloop            # 64 MB go up and down
    tests/upstream/bounds.py --large           # 2 GB"""

import gzip
import os
import resource
import socket
import sys
import threading
import time
import zlib

import proxying
from expected import cut, either, failed, late, refused, right
from hostile_answers import CHUNKED, HELLO, OK
from proxying import HTTP1, HTTP2, TLS_HTTP2, client, harness
from scripted import CLOSE, SILENCE, Application, answer

IS_LARGE = "--large" in sys.argv
LARGE = (2 << 30) if IS_LARGE else (64 << 20)
BLOCK = os.urandom(1 << 16) * 4
# what a server may keep of a body that passes through, both directions and all buffers
PASSING_KIB = 24 << 10
# what the kernel keeps of it on both sides, at most
IN_SOCKETS = 24 << 20
BRIEF_MS = 300


def large_body(exchange):
    """As much as there is to be, as fast as it is taken; how far it came stands in the application."""
    total = exchange.application.total = LARGE
    exchange.send(OK + b"Content-Length: %d\r\n\r\n" % total)
    while exchange.application.sent < total:
        piece = BLOCK[:total - exchange.application.sent]
        exchange.send(piece)
        exchange.application.sent += len(piece)


def swallow(exchange):
    """Reads a body, looks at every byte of it and keeps none."""
    request, application = exchange.request, exchange.application
    is_chunked = request.values("transfer-encoding") == ["chunked"]
    left = 0 if is_chunked else int(request.values("content-length")[0])
    while True:
        if is_chunked and left == 0:
            left = int(exchange.take_until(b"\r\n"), 16)
            if left == 0:
                exchange.take_until(b"\r\n")
                break
        if left == 0:
            break
        piece = exchange.take_some(left)
        at = application.received % len(BLOCK)
        if (BLOCK * 2)[at:at + len(piece)] != piece:
            raise AssertionError("other bytes after %d" % application.received)
        application.received += len(piece)
        left -= len(piece)
        if is_chunked and left == 0:
            exchange.take(2)
    # none is left to be read
    request.fields = [field for field in request.fields
                      if field[0] not in ("content-length", "transfer-encoding")]


def page_of(pack):
    """A page whose 256 MiB are nothing but zeros."""
    def send(exchange):
        for piece in pack():
            exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        exchange.send(b"0\r\n\r\n")
    return send


def gzip_bomb():
    packer = zlib.compressobj(wbits=31)
    for _ in range(256):
        if piece := packer.compress(bytes(1 << 20)):
            yield piece
    yield packer.flush()


def html(coding):
    return OK + b"Content-Type: text/html\r\nContent-Encoding: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % coding


PACKED = gzip.compress(b"<p>/static/{breaker}/a.css\n" * 1000)
SCRIPTS = {
    "/silent": [SILENCE], "/silent-head": [OK + b"X-A: ", SILENCE], "/silent-line": [b"HTT", SILENCE],
    "/silent-hints": [b"HTTP/1.1 103 X\r\n\r\n", SILENCE],
    "/silent-body": [OK + b"Content-Length: 10\r\n\r\nhello", SILENCE],
    "/silent-start": [OK + b"Content-Length: 5\r\n\r\n", SILENCE],
    "/silent-chunk": [CHUNKED + b"5\r\nhe", SILENCE], "/silent-size": [CHUNKED + b"5\r\nhello\r\n", SILENCE],
    "/silent-end": [CHUNKED + b"5\r\nhello\r\n0\r\n", SILENCE],
    "/large": [large_body],
    "/bomb-gzip": [html(b"gzip"), page_of(gzip_bomb)],
    "/bomb-cut": [html(b"gzip"), b"1000\r\n" + PACKED[:100], CLOSE],
    "/bomb-junk": [html(b"gzip"), b"%x\r\n%s\r\n0\r\n\r\n" % (len(PACKED) + 5, PACKED + b"junk!")],
    "/bomb-plain": [html(b"gzip"), b"5\r\nhello\r\n0\r\n\r\n"],
    "/bomb-crc": [html(b"gzip"), b"%x\r\n%s\r\n0\r\n\r\n" % (len(PACKED), PACKED[:-8] + b"12345678")],
    "/fields-20": [answer(HELLO, *[b"X-%d: 1" % at for at in range(18)])],
    "/fields-21": [answer(HELLO, *[b"X-%d: 1" % at for at in range(40)])],
    "/bytes-1000": [answer(HELLO, b"X-A: " + b"x" * 900)],
    "/bytes-5000": [answer(HELLO, b"X-A: " + b"x" * 5000)],
}


class Bounds(proxying.ProxyCase):
    @classmethod
    def prepare_paths(cls):
        port = harness.free_port()
        cls.application = cls.with_application(Application(("127.0.0.1", port), cls.answer_to))
        cls.application.sent = cls.application.received = 0
        cls.gate = threading.Event()
        cls.busy = cls.most_busy = 0
        url = "proxy.reverse.url: http://127.0.0.1:%d/" % port
        brief = "proxy.timeout.io: %d" % BRIEF_MS
        # a listener whose queue is full lets nobody in and refuses nobody
        cls.deaf = socket.socket()
        cls.deaf.bind(("127.0.0.1", 0))
        cls.deaf.listen(0)
        cls.waiting = []
        for _ in range(3):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(cls.deaf.getsockname())
            cls.waiting.append(waiting)
        return {"/app": [url, "proxy.timeout.io: 20000", "proxy.chunked-requests: ON"],
                "/brief": [url, brief, "proxy.timeout.first-byte: %d" % BRIEF_MS],
                "/first": [url, "proxy.timeout.io: 20000", "proxy.timeout.first-byte: %d" % BRIEF_MS],
                "/deaf": ["proxy.reverse.url: http://127.0.0.1:%d/" % cls.deaf.getsockname()[1],
                          "proxy.timeout.connect: %d" % BRIEF_MS],
                "/nobody": ["proxy.reverse.url: http://127.0.0.1:%d/" % harness.free_port()],
                "/pages": [url, "breaker.rewrite: ON"],
                "/small": [url, "proxy.max-fields: 20", "proxy.max-header-bytes: 2000"],
                "/few": [url, "proxy.max-connections: 2"]}

    @classmethod
    def tearDownClass(cls):
        for sock in [cls.deaf, *cls.waiting]:
            sock.close()
        super().tearDownClass()

    @classmethod
    def answer_to(cls, request):
        path = request.target.partition("?")[0]
        if path == "/gate":
            return [cls.wait_at_gate, answer(HELLO)]
        if path == "/deaf":
            return [cls.wait_at_gate, CLOSE], []
        if path == "/swallow":
            return [swallow], [answer(HELLO)]
        if path == "/swallow-late":
            return [cls.wait_at_gate, swallow], [answer(HELLO)]
        return SCRIPTS.get(path)

    @classmethod
    def wait_at_gate(cls, exchange):
        with exchange.application.lock:
            cls.busy += 1
            cls.most_busy = max(cls.most_busy, cls.busy)
        cls.gate.wait(harness.DEADLINE_S)
        with exchange.application.lock:
            cls.busy -= 1

    def together(self, front, targets):
        """All of them at once, each on a connection of its own; the outcomes."""
        outcomes = [None] * len(targets)

        def ask(at, target):
            with self.connect(front) as way:
                outcomes[at] = way.ask(target)
        threads = [threading.Thread(target=ask, args=each) for each in enumerate(targets)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return outcomes

    def settled(self, value, what):
        """Waits until a number has stopped growing for half a second; returns it."""
        last, since = value(), time.monotonic()

        def is_still():
            nonlocal last, since
            now = value()
            if now != last:
                last, since = now, time.monotonic()
            return time.monotonic() - since > 0.5
        harness.wait_until(is_still, what, 60)
        return last


class Silence(Bounds):
    HEADS = ("/silent", "/silent-head", "/silent-line", "/silent-hints")
    BODIES = ("/silent-body", "/silent-start", "/silent-chunk", "/silent-size", "/silent-end")

    def test_silence_ends_at_every_stage(self):
        for front in self.fronts:
            with self.subTest(front):
                targets = ["/brief" + name for name in self.HEADS + self.BODIES]
                for target, outcome in zip(targets, self.together(front, targets)):
                    if target.removeprefix("/brief") in self.HEADS:
                        self.assertEqual(late(outcome), "", target)
                    else:
                        body = b"hello" if "silent-body" not in target else b"hello" + b"\0" * 5
                        self.assertEqual(either(late, cut(body))(outcome), "", target)

    def test_the_first_byte_has_a_time_of_its_own(self):
        self.assertEqual(late(self.open(HTTP1).ask("/first/silent")), "")

    def test_who_does_not_let_us_in_is_late_and_who_is_not_there_is_502(self):
        for front in self.fronts:
            with self.subTest(front):
                self.assertEqual(late(self.open(front).ask("/deaf/a")), "")
                self.assertEqual(refused(self.open(front).ask("/nobody/a")), "")

    def test_one_that_is_silent_delays_no_other(self):
        self.gate.clear()
        ways = [self.open(HTTP1) for _ in range(100)]
        for way in ways:
            way.send(client.make_request("/app/gate"))
        harness.wait_until(lambda: type(self).busy == 100, "100 requests under way")
        watch = proxying.Watch(self.port)
        with self.connect(HTTP1) as way:
            for at in range(200):
                self.assertEqual(way.ask("/app/%d" % at).body, b"/%d" % at)
        self.assertEqual(watch.stop(), [])
        self.gate.set()
        for way in ways:
            self.assertEqual(way.outcome().body, HELLO)


class Leaving(Bounds):
    """Clients that go while the application is still thinking."""

    @classmethod
    def prepare_paths(cls):
        paths = super().prepare_paths()
        cls.log = cls.scratch("left.log")
        paths["/few"].append("access-log: {path: %s, format: '%%s %%U'}" % harness.quoted(cls.log))
        return paths

    def reset(self, way):
        client.reset(way.sock)

    def end(self, way):
        way.close()

    def logged(self):
        with open(self.log, encoding="ascii") as file:
            return file.read().splitlines()

    def begin(self, target, ways):
        """A request on each, all of which have come to the application."""
        before = len(self.application.asked(target))
        for way in ways:
            if isinstance(way, proxying.Way2):
                way.start("/app" + target)
            else:
                way.send(client.make_request("/app" + target))
        harness.wait_until(lambda: len(self.application.asked(target)) == before + len(ways), "the requests")

    def test_their_requests_go_along(self):
        for front in self.fronts:
            for leave in (self.reset, self.end):
                with self.subTest(front, how=leave.__name__):
                    ways = [self.connect(front) for _ in range(20)]
                    self.begin("/silent", ways)
                    descriptors = self.server.descriptors()
                    for way in ways:
                        leave(way)
                    # its connection, and the application's
                    harness.wait_until(lambda: self.server.descriptors() <= descriptors - 40,
                                       "the connections' end")

    def test_one_that_sends_nothing_more_has_left(self):
        way = self.open(HTTP1)
        self.begin("/silent", [way])
        way.sock.shutdown(socket.SHUT_WR)
        outcome = way.outcome()
        self.assertEqual((outcome.status, outcome.values("connection")), (499, ["close"]))
        self.assertEqual(way.at_end(), b"")

    def test_the_log_has_those_of_http2_as_well(self):
        for front in (front for front in self.fronts if front.endswith("2")):
            with self.subTest(front):
                before = self.logged().count("499 /few/silent")
                asked = len(self.application.asked("/silent"))
                way = self.connect(front)
                way.start("/few/silent")
                harness.wait_until(lambda: len(self.application.asked("/silent")) == asked + 1, "the request")
                self.reset(way)
                harness.wait_until(lambda: self.logged().count("499 /few/silent") == before + 1, "its line")

    def test_what_was_sent_ahead_is_no_end(self):
        for front in (HTTP1, proxying.TLS_HTTP1):
            with self.subTest(front):
                self.gate.clear()
                way, leaving = self.open(front), self.connect(HTTP1)
                way.send(client.make_request("/app/gate"))
                harness.wait_until(lambda: type(self).busy == 1, "a request under way")
                way.send(client.make_request("/app/a") + client.make_request("/app/b"))
                # once one that began later has been missed
                self.begin("/silent", [leaving])
                descriptors = self.server.descriptors()
                leaving.close()
                harness.wait_until(lambda: self.server.descriptors() <= descriptors - 2, "another one's end")
                self.gate.set()
                self.assertEqual([way.outcome().body for _ in range(3)], [HELLO, b"/a", b"/b"])

    def test_their_uploads_go_along(self):
        """One that has come whole, and one whose application does not read, so that we do not."""
        head = b"POST /app/%s HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n"
        for front in (HTTP1, proxying.TLS_HTTP1):
            for leave in (self.reset, self.end):
                with self.subTest(front, how=leave.__name__):
                    self.gate.clear()
                    before = len(self.application.asked("/silent"))
                    whole, stuck = self.connect(front), self.connect(front)
                    whole.send(head % (b"silent", 20000) + bytes(10000))
                    stuck.send(head % (b"deaf", LARGE))
                    harness.wait_until(lambda: type(self).busy == 1, "a request under way")
                    whole.send(bytes(10000))
                    harness.wait_until(lambda: len(self.application.asked("/silent")) == before + 1, "the other")
                    stuck.sock.settimeout(0.3)
                    with self.assertRaises(TimeoutError):
                        while True:
                            stuck.send(BLOCK)
                    descriptors = self.server.descriptors()
                    leave(whole)
                    # an orderly end would wait for what was sent before it
                    self.reset(stuck)
                    harness.wait_until(lambda: self.server.descriptors() <= descriptors - 4,
                                       "the connections' end")
                    self.gate.set()
                    harness.wait_until(lambda: type(self).busy == 0, "the application's end")

    def test_their_places_are_others(self):
        """Of two, which are all that there are; and one who waits for a place leaves, too."""
        body = b"x" * 1000
        upload = (b"POST /few/upload HTTP/1.1\r\nhost: a\r\ncontent-length: 2000\r\n\r\n" + body)
        for front in (HTTP1, proxying.TLS_HTTP1):
            for leave in (self.reset, self.end):
                with self.subTest(front, how=leave.__name__):
                    before = len(self.application.asked("/silent"))
                    with open(self.log, "w", encoding="ascii"):
                        pass
                    ways = [self.connect(front) for _ in range(2)]
                    for way in ways:
                        way.send(client.make_request("/few/silent"))
                    harness.wait_until(lambda: len(self.application.asked("/silent")) == before + 2, "both")
                    waiting = self.connect(front), self.connect(front)
                    waiting[0].send(client.make_request("/few/waits"))
                    waiting[1].send(upload)
                    last = self.open(front)
                    last.send(client.make_request("/few/last"))
                    for way in waiting:
                        leave(way)
                    harness.wait_until(lambda: len(self.logged()) == 2, "those that waited")
                    self.assertEqual(sorted(self.logged()), ["499 /few/upload", "499 /few/waits"])
                    leave(ways[0])
                    self.assertEqual(last.outcome().body, b"/last")
                    leave(ways[1])
                    harness.wait_until(lambda: len(self.logged()) == 5, "the others")
                    self.assertEqual(self.logged().count("499 /few/silent"), 2)
        self.assertEqual(self.application.asked("/waits") + self.application.asked("/upload"), [])


class Numbers(Bounds):
    def test_fields_and_bytes_of_a_head_have_the_bounds_that_are_set(self):
        for front in self.fronts:
            with self.subTest(front):
                way = self.open(front)
                for target, expected in (("/fields-20", right()), ("/fields-21", refused),
                                         ("/bytes-1000", right()), ("/bytes-5000", refused)):
                    self.assertEqual(expected(way.ask("/small" + target)), "", target)

    def test_no_more_connections_than_are_wanted(self):
        type(self).busy = type(self).most_busy = 0
        self.gate.clear()
        ways = [self.open(HTTP1) for _ in range(6)]
        for way in ways:
            way.send(client.make_request("/few/gate"))
        harness.wait_until(lambda: type(self).busy == 2, "two requests under way")
        self.assertEqual(self.open(HTTP1).ask("/app/other").status, 200)
        self.assertEqual(type(self).busy, 2)
        self.gate.set()
        for way in ways:
            self.assertEqual(way.outcome().body, HELLO)
        self.assertEqual(type(self).most_busy, 2)


class Descriptors(harness.FlavourCase):
    """A server that may open nothing more, on connections that it has."""

    def test_without_a_descriptor_pages_fail_and_assets_are_served(self):
        scratch = harness.Scratch()
        self.addCleanup(scratch.remove)
        port, own = harness.free_port(), harness.free_port()
        application = Application(("127.0.0.1", port))
        self.addCleanup(application.close)
        # limits of a process of somebody else's may not be set
        server = harness.Server(self.flavour, """
user: %d
num-threads: 1
listen: {host: 127.0.0.1, port: %d}
breaker.token: "1"
hosts: {default: {paths: {"/": {
  breaker.static: {name: "static/{breaker}", path: %s}, proxy.reverse.url: "http://127.0.0.1:%d/"}}}}
""" % (os.getuid(), own, scratch.tree("tree", {"a.css": b"a {}"}), port))
        self.addCleanup(server.kill)
        with client.Http1(own) as first, client.Http1(own) as second:
            for connection in (first, second):
                self.assertEqual(connection.request("/static/1/a.css").status, 200)
            limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (0, limits[1]))
            for _ in range(3):
                self.assertEqual(first.request("/page").status, 502)
                self.assertEqual(second.request("/static/1/a.css").body, b"a {}")
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
            self.assertEqual(first.request("/page").status, 200)
        server.stop()


class Memory(Bounds):
    """The peak of what is in memory, in KiB, before and after."""

    def setUp(self):
        self.open(HTTP1).ask("/app/before")
        proxying.forget_peak(self.server.pid)
        self.before = proxying.memory_kib(self.server.pid)
        self.application.sent = 0

    def grown(self):
        return proxying.memory_kib(self.server.pid) - self.before

    def test_a_large_answer_passes_through_few_bytes_of_memory(self):
        for front in self.fronts:
            with self.subTest(front):
                self.application.sent = 0
                way = self.connect(front)
                self.addCleanup(way.close)
                self.assertEqual(self.count(way, front), LARGE)
                self.assertLess(self.grown(), PASSING_KIB)

    def count(self, way, front):
        """The bytes of a large answer, each of which is looked at and none of which is kept."""
        if front.endswith("1"):
            way.send(client.make_request("/app/large"))
            way.take_until(b"\r\n\r\n")
            got = 0
            while got < LARGE:
                piece = way.take_at_most(min(len(BLOCK), LARGE - got))
                if piece != BLOCK[:len(piece)]:
                    raise AssertionError("other bytes after %d" % got)
                got += len(piece)
            return got
        stream = way.start("/app/large")
        sizes = Sizes()
        way.pending[stream].pieces = sizes
        way.wait(stream)
        return sizes.total

    def test_a_client_that_does_not_read_stops_the_application(self):
        for front in (HTTP1, HTTP2):
            with self.subTest(front):
                self.application.sent = 0
                port = self.port
                way = (proxying.Way1 if front == HTTP1 else proxying.Way2)(port, receive_buffer=4096)
                self.addCleanup(way.close)
                if front == HTTP1:
                    way.send(client.make_request("/app/large"))
                else:
                    way.start("/app/large")
                harness.wait_until(lambda: self.application.sent > 0, "the first bytes")
                sent = self.settled(lambda: self.application.sent, "the application to be stopped")
                self.assertLess(sent, min(LARGE, IN_SOCKETS + (32 << 20)))
                self.assertLess(self.grown(), PASSING_KIB)
                way.close()

    def test_a_large_upload_passes_through_few_bytes_of_memory(self):
        for front in set(self.fronts) - {HTTP2, TLS_HTTP2}:
            for size, head in ((LARGE, b"content-length: %d" % LARGE),
                               (LARGE, b"transfer-encoding: chunked")):
                with self.subTest(front, head=head):
                    self.application.received = 0
                    way = self.open(front)
                    way.send(b"POST /app/swallow HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n\r\n")
                    for _ in range(size // len(BLOCK)):
                        way.send(BLOCK if b"length" in head else b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK))
                    if b"chunked" in head:
                        way.send(b"0\r\n\r\n")
                    self.assertEqual(right()(way.outcome()), "")
                    self.assertEqual(self.application.received, size)
                    self.assertLess(self.grown(), PASSING_KIB)

    def test_an_upload_over_http2_arrives(self):
        size = 8 << 20
        for front in set(self.fronts) & {HTTP2, TLS_HTTP2}:
            with self.subTest(front):
                self.application.received = 0
                outcome = self.open(front).ask("/app/swallow", "POST", body=BLOCK * (size // len(BLOCK)))
                self.assertEqual(right()(outcome), "")
                self.assertEqual(self.application.received, size)

    def test_an_application_that_does_not_read_stops_the_client(self):
        for front in set(self.fronts) - {HTTP2, TLS_HTTP2}:
            with self.subTest(front):
                self.application.received = 0
                self.gate.clear()
                way = self.open(front)
                way.send(b"POST /app/swallow-late HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % LARGE)
                sender = Sender(way)
                sent = self.settled(lambda: sender.sent, "the client to be stopped")
                self.assertLess(sent, min(LARGE, IN_SOCKETS + (24 << 20)))
                self.assertLess(self.grown(), PASSING_KIB)
                self.gate.set()
                sender.join()
                self.assertEqual(right()(way.outcome()), "")
                self.assertEqual(self.application.received, LARGE)

    def test_bombs_in_pages_take_little_memory(self):
        way = self.open(HTTP1)
        way.send(client.make_request("/pages/bomb-gzip", headers=[("accept-encoding", "gzip")]))
        way.take_until(b"\r\n\r\n")
        unpacker, total = zlib.decompressobj(wbits=31), 0
        while size := int(way.take_until(b"\r\n"), 16):
            total += len(unpacker.decompress(way.take(size)))
            self.assertEqual(way.take(2), b"\r\n")
        self.assertEqual(total, 256 << 20)
        self.assertLess(self.grown(), PASSING_KIB)

    def test_pages_that_are_not_packed_as_they_say_end_visibly(self):
        for front in self.fronts:
            for name in ("cut", "junk", "plain", "crc"):
                with self.subTest(front, name=name):
                    outcome = self.open(front).ask("/pages/bomb-" + name,
                                                   headers=[("accept-encoding", "gzip")])
                    if name == "cut":
                        self.assertEqual(failed()(outcome), "")
                    self.assertIn(outcome.status, (200, 502))
            self.assertEqual(self.open(front).ask("/app/after").status, 200)


class Sender(threading.Thread):
    """Sends a body as fast as it is taken."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.sent = 0
        self.start()

    def run(self):
        for _ in range(LARGE // len(BLOCK)):
            self.way.send(BLOCK)
            self.sent += len(BLOCK)


class Sizes(list):
    """Takes pieces, and keeps none."""

    total = 0

    def append(self, piece):
        at = self.total % len(BLOCK)
        if (BLOCK * 2)[at:at + len(piece)] != piece:
            raise AssertionError("other bytes after %d" % self.total)
        self.total += len(piece)


if __name__ == "__main__":
    sys.argv = [word for word in sys.argv if word != "--large"]
    # what they have in common has no tests
    del Bounds
    harness.main()
