"""The fast path against libh2o's HTTP/1: two servers that differ in `breaker.fast-path` alone get
the same bytes and must give the same bytes back, but for the date. So every answer of the fast path
is libh2o's own, whatever came before it on the connection and whatever comes after."""

import hashlib
import os
import random
import re
import signal

import client
import harness
from trees import tag_of

TOKEN = "1718539201234"
OLDER, NEWER = "1718539201233", "1718539201235"
MODIFIED_S = 1704067200
MODIFIED = "Mon, 01 Jan 2024 00:00:00 GMT"
RANDOM = random.Random(20261125)
TEXT = b"".join(b".rule-%d { margin: %dpx }\n" % (i, i % 7) for i in range(2000))
FILES = {"a.txt": b"abcdefghijklmnopqrstuvwxyz", "empty.txt": b"", "style.css": TEXT,
         "dir/index.html": b"<p>index</p>", "dir/b.js": b"export {}\n", "with space.txt": b"space",
         "k32.bin": RANDOM.randbytes(32768), "k50.bin": RANDOM.randbytes(50000),
         "k64.bin": RANDOM.randbytes(65535), "k300.bin": RANDOM.randbytes(300000),
         "m7.bin": RANDOM.randbytes(7 << 20), "m9.bin": RANDOM.randbytes(9 << 20)}

CONFIG = """
breaker.fast-path: @fast@
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
@extra@
hosts:
  default:
    paths:
      "/":
        breaker.static:
          - {name: "static/{breaker}", path: @tree@, index: index.html}
          - {name: "plain/{breaker}", path: @tree@, encodings: OFF, retry-after: 7,
             redirect-max-age: 0, headers: ["X-View: plain"]}
        file.dir: @pages@
      "/sub":
        breaker.static: {name: "static/{breaker}", path: @tree@}
      "/filtered":
        breaker.static: {name: "static/{breaker}", path: @tree@}
        header.add: "X-Filter: yes"
      "/squeezed":
        breaker.static: {name: "static/{breaker}", path: @tree@}
        compress: [gzip, br]
      "/changed":
        breaker.static: {name: "static/{breaker}", path: @tree@, headers: ["X-View: changed"]}
        expires: 1 day
        compress: ON
        header.append: "Cache-Control: stale-while-revalidate=60"
        header.set: "X-View: set"
        header.setifempty: "Location: /nowhere"
        header.unset: Last-Modified
        header.merge: "Content-Type: x"
"""

DATE = re.compile(rb"\r\nDate: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n")


def request(target, *lines, method="GET", version="1.1"):
    head = "%s %s HTTP/%s\r\nHost: localhost\r\n" % (method, target, version)
    return (head + "".join(line + "\r\n" for line in lines) + "\r\n").encode("latin-1")


def url(path, token=TOKEN, view="static"):
    return "/%s/%s/%s" % (view, token, path)


TARGETS = [
    url("a.txt"), url("empty.txt"), url("style.css"), url("dir/b.js"), url("dir/"), url("dir"), url(""),
    url("a.txt") + "?v=1", url("a.txt") + "?", url("none"), url("none") + "?a.txt", url("a.txt/"),
    url("a.txt", OLDER), url("a.txt", OLDER) + "?q=%20x", url("a.txt", OLDER) + "?\"<>{}|^`\\",
    url("none", OLDER), url("a.txt", "0" + TOKEN), url("a.txt", NEWER), url("none", NEWER),
    url("a.txt", "v1.2"), url("a.txt", ""), url("a.txt", "x" * 65), url("a.txt", "a,b"),
    url("a.txt", view="plain"), url("a.txt", OLDER, "plain"), url("a.txt", NEWER, "plain"),
    url("style.css", view="plain"), "/static/" + TOKEN, "/static/", "/static", "/plain",
    "/sub" + url("a.txt"), "/sub" + url("a.txt", OLDER), "/subway" + url("a.txt"), "/sub",
    "/filtered" + url("a.txt"), "/filtered" + url("a.txt", NEWER),
    "/squeezed" + url("style.css"), "/squeezed" + url("a.txt", OLDER), "/changed" + url("style.css"),
    "/changed" + url("a.txt"), "/changed" + url("a.txt", OLDER), "/changed" + url("a.txt", NEWER),
    "/changed" + url("none"), "/changed" + url("k300.bin"),
    "/", "/page.html", "/none.html", url("with%20space.txt"), url("%61.txt"), url("../a.txt"),
    url("./a.txt"), url(".a"), url("dir/../a.txt"), url("..%2fa.txt"), "//static/%s/a.txt" % TOKEN,
    "/static//%s/a.txt" % TOKEN, url("/a.txt"), url("\\a.txt"), url("a\xe9.txt"), url("a" * 300),
    url("k32.bin"), url("k300.bin"), url("m9.bin"),
]

FIELDS = [
    [], ["Accept-Encoding: br"], ["Accept-Encoding: gzip, deflate, br, zstd"],
    ["Accept-Encoding: identity;q=0"], ["Accept-Encoding: *;q=0"], ["accept-encoding:"],
    ["Connection: keep-alive"], ["Range: bytes=0-0"], ["Range: bytes=-5"], ["Range: bytes=3-"],
    ["Range: bytes=0-1,4-5"], ["Range: bytes=99999999-"], ["Range: lines=1-2"], ["Range: bytes=5-2"],
    ["Range: bytes=1-2", "If-Range: " + MODIFIED], ["Range: bytes=1-2", "If-Range: \"other\""],
    ["If-None-Match: *"], ["If-None-Match: \"other\", W/@TAG@"], ["If-None-Match: @TAG@"],
    ["If-None-Match: \"other\""], ["If-Match: @TAG@"], ["If-Match: \"other\""], ["If-Match: *"],
    ["If-Modified-Since: " + MODIFIED], ["If-Modified-Since: Sun, 31 Dec 2023 23:59:59 GMT"],
    ["If-Unmodified-Since: Sun, 31 Dec 2023 23:59:59 GMT"], ["If-Modified-Since: yesterday"],
    ["If-None-Match: \"a\"", "If-None-Match: @TAG@"], ["User-Agent: Mozilla/4.0 (x; MSIE 6.0; y)"],
    ["Cookie: a=b", "Referer: http://localhost/", "Sec-Fetch-Mode: cors", "X-Empty:"],
]

# what ends a connection, or has its own framing; each is the last of its connection
LAST = [
    request(url("a.txt"), "Connection: close"), request(url("a.txt"), version="1.0"),
    request(url("a.txt"), "Connection: keep-alive", version="1.0"),
    request(url("a.txt"), "Connection: Close, TE"), request(url("a.txt"), method="POST"),
    request(url("a.txt"), "Content-Length: 3", method="PUT") + b"abc",
    request(url("a.txt"), "Content-Length: 3", "Content-Length: 4") + b"abcd",
    request(url("a.txt"), "Content-Length: 3", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    request(url("a.txt"), "Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\n\r\n",
    request(url("a.txt"), "Expect: 100-continue", "Content-Length: 1") + b"x",
    request(url("a.txt"), "Expect: nothing", "Content-Length: 1"), request(url("a.txt"), "Expect: x"),
    request(url("a.txt"), method="OPTIONS"), request(url("a.txt"), method="get"),
    request("http://localhost" + url("a.txt")), request("*"), request("?x"), request(url("a" * 9000)),
    request(url("a.txt"), "Upgrade: h2c", "Connection: Upgrade", "HTTP2-Settings: AAMAAABkAAQ"),
    request(url("a.txt"), "Upgrade: websocket", "Connection: upgrade"), request(url("a.txt"), " x: y"),
    request(url("a.txt"), "X: 1", " folded"), request(url("a.txt"), "X : 1"), b"GET / HTTP/1.1\n\n",
    b"\r\n" + request(url("a.txt")), b"\r\n\r\n" + request(url("a.txt")), b"\x16\x03\x01\x00\x05hello",
    b"GET " + url("a.txt").encode() + b" HTTP/1.1\nHost: localhost\n\n", b"GARBAGE\r\n\r\n",
    request(url("a.txt"), *("X-%d: y" % i for i in range(60))),
    request(url("a.txt"), *("X-%d: y" % i for i in range(120))),
]


class Twins(harness.FlavourCase):
    """Two servers, one with the fast path and one without."""

    extra = ""

    @classmethod
    def setUpClass(cls):
        cls.scratch = harness.Scratch()
        cls.servers = []
        try:
            tree = cls.scratch.tree("tree", FILES)
            for name in FILES:
                os.utime(os.path.join(tree, name), (MODIFIED_S, MODIFIED_S))
            pages = cls.scratch.tree("pages", {"page.html": b"<p>page</p>"})
            os.utime(os.path.join(pages, "page.html"), (MODIFIED_S, MODIFIED_S))
            cls.pages = pages
            cls.ports = {}
            for fast in ("ON", "OFF"):
                cls.ports[fast] = harness.free_port()
                cls.servers.append(harness.Server(cls.flavour, harness.expand(
                    CONFIG.replace("@extra@", cls.extra), fast=fast, port=cls.ports[fast],
                    token=TOKEN, tree=tree, pages=pages)))
            for port in cls.ports.values():
                for coding in ("br", "gzip", "zstd"):
                    cls.wait_encoded(port, coding)
        except BaseException:
            cls.end()
            raise

    @classmethod
    def end(cls):
        for server in cls.servers:
            server.kill()
        cls.scratch.remove()

    @classmethod
    def tearDownClass(cls):
        try:
            for server in cls.servers:
                server.stop()
        finally:
            cls.end()

    @staticmethod
    def wait_encoded(port, coding):
        def encoded():
            response = client.get(port, url("style.css"), headers=[("accept-encoding", coding)])
            return response.get("content-encoding") == coding
        harness.wait_until(encoded, "style.css in " + coding)

    def converse(self, port, requests):
        """Sends requests one by one, each when the answer before it has come; returns the answers'
        bytes, up to the end of the connection where it ends."""
        answers = []
        with client.Http1(port) as connection:
            for said in requests:
                connection.send(said)
                answers.append(self.raw_answer(connection, said))
                if connection.ended:
                    break
        return answers

    def raw_answer(self, connection, said):
        try:
            head = connection.take_until(b"\r\n\r\n")
        except client.Malformed:
            return connection.buffer
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        bodiless = said.startswith(b"HEAD") or head.startswith(b"HTTP/1.1 304")
        size = 0 if bodiless or length is None else int(length.group(1))
        return DATE.sub(b"\r\nDate: x\r\n", head + b"\r\n\r\n") + connection.take(size)

    def everything(self, port, said):
        """All that a connection gives back until it ends; the client's side is shut down."""
        with client.Http1(port) as connection:
            connection.send(said)
            connection.sock.shutdown(1)
            return DATE.sub(b"\r\nDate: x\r\n", connection.at_end())

    def assert_same(self, requests):
        fast, slow = (self.converse(self.ports[mode], requests) for mode in ("ON", "OFF"))
        self.assertEqual(len(fast), len(slow))
        for said, one, other in zip(requests, fast, slow):
            if one != other:
                self.fail("%r:\n%r\n%r" % (said[:300], one[:600], other[:600]))
        return fast


class Answers(Twins):
    def test_every_target_with_every_field_on_a_connection_of_its_own(self):
        for target in TARGETS:
            if target.endswith(("m9.bin", "k300.bin")):
                continue
            for fields in FIELDS:
                lines = [line.replace("@TAG@", tag_of(FILES["a.txt"])) for line in fields]
                for method in ("GET", "HEAD"):
                    self.assert_same([request(target, *lines, method=method)])

    def test_statuses_are_those_of_the_table(self):
        expected = {url("a.txt"): 200, url("none"): 404, url("a.txt", OLDER): 301,
                    url("a.txt", NEWER): 503, url("none", OLDER): 404}
        for target, status in expected.items():
            answer = self.assert_same([request(target)])[0]
            self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), answer)

    def test_long_conversations(self):
        """In every order: what libh2o answered before, or will answer, changes no answer."""
        pick = random.Random(7)
        small = [target for target in TARGETS if not target.endswith("m9.bin")]
        for _ in range(40):
            requests = []
            for _ in range(pick.randrange(1, 25)):
                lines = [line.replace("@TAG@", tag_of(FILES["a.txt"])) for line in pick.choice(FIELDS)]
                requests.append(request(pick.choice(small), *lines, method=pick.choice(["GET", "HEAD"])))
            self.assert_same(requests)

    def test_what_ends_a_connection(self):
        for last in LAST:
            for first in ([], [request(url("a.txt"))], [request(url("none")), request("/page.html")]):
                said = b"".join(first) + last
                fast, slow = (self.everything(self.ports[mode], said) for mode in ("ON", "OFF"))
                self.assertEqual(fast, slow, said[:300])

    def test_bodies_of_every_size_and_their_ranges(self):
        for name in ("k32.bin", "k50.bin", "k64.bin", "k300.bin", "m9.bin"):
            content = FILES[name]
            for first, last in ((0, len(content) - 1), (1, 32768), (100, 100), (len(content) - 70000,
                                                                                 len(content) - 1)):
                first = max(first, 0)
                answers = self.assert_same([request(url(name), "Range: bytes=%d-%d" % (first, last))] * 2)
                for answer in answers:
                    self.assertEqual(answer.split(b"\r\n\r\n", 1)[1], content[first:last + 1])
            self.assertEqual(self.assert_same([request(url(name))])[0].split(b"\r\n\r\n", 1)[1], content)


class Pipelines(Twins):
    def test_answers_come_in_order(self):
        pick = random.Random(11)
        names = ["a.txt", "none", "style.css", "k32.bin", "k300.bin", "empty.txt"]
        for _ in range(20):
            requests = [request(url(pick.choice(names))) for _ in range(pick.randrange(2, 60))]
            requests.append(request(url("a.txt"), "Connection: close"))
            fast, slow = (self.everything(self.ports[mode], b"".join(requests))
                          for mode in ("ON", "OFF"))
            self.assertEqual(hashlib.sha256(fast).digest(), hashlib.sha256(slow).digest())

    def test_a_request_in_many_pieces(self):
        said = request(url("a.txt"), "Accept-Encoding: br")
        for size in (1, 7, len(said) - 1):
            with client.Http1(self.ports["ON"]) as connection:
                for at in range(0, len(said), size):
                    connection.send(said[at:at + size])
                self.assertEqual(connection.read().body, FILES["a.txt"])
                self.assertEqual(connection.request(url("a.txt")).body, FILES["a.txt"])

    def test_large_answers_to_a_slow_reader(self):
        """The kernel is full most of the time; nothing is lost, doubled or in another order."""
        names = ["m9.bin", "a.txt", "k300.bin", "k32.bin", "none", "k50.bin", "k64.bin"] * 3
        said = b"".join(request(url(name)) for name in names)
        with client.Http1(self.ports["ON"], receive_buffer=4096) as connection:
            connection.send(said)
            for name in names:
                response = connection.read()
                self.assertEqual(hashlib.sha256(response.body).digest(),
                                 hashlib.sha256(FILES.get(name, b"not found\n")).digest(), name)

    def test_many_bodies_of_one_size_to_a_slow_reader(self):
        """Wherever the kernel is full: what is left then is of every length."""
        for name in ("k32.bin", "k50.bin", "k64.bin", "k300.bin"):
            said = request(url(name)) * 120
            with client.Http1(self.ports["ON"], receive_buffer=4096) as connection:
                connection.send(said)
                for _ in range(120):
                    self.assertEqual(connection.read().body, FILES[name], name)
                self.assertEqual(connection.request(url("a.txt")).body, FILES["a.txt"])

    def test_clients_that_go_away_in_the_middle(self):
        server = self.servers[0]
        with client.Http1(self.ports["ON"]) as connection:
            connection.request(url("a.txt"))
            before = server.descriptors()
            for turn in range(200):
                rude = client.Http1(self.ports["ON"], receive_buffer=4096)
                rude.send(request(url("m9.bin")) * (turn % 3 + 1))
                if turn % 2:
                    rude.take_at_most(turn * 1000)
                client.reset(rude.sock)
            harness.wait_until(lambda: server.descriptors() <= before, "the descriptors to be closed")
            self.assertEqual(connection.request(url("a.txt")).body, FILES["a.txt"])


class WithAName(Twins):
    extra = "server-name: twin/1.0" + "-" * 2000

    def test_the_longest_redirect(self):
        target = url("a.txt", OLDER) + "?" + "\"" * 8192
        self.assert_same([request(target[:8192])])

    def test_the_server_field_is_where_libh2o_writes_it(self):
        for target in (url("a.txt"), url("none"), url("a.txt", OLDER), url("a.txt", NEWER)):
            for fields in ([], ["Range: bytes=1-2"], ["If-None-Match: *"]):
                answer = self.assert_same([request(target, *fields)])[0]
                self.assertIn(b"\r\nServer: twin/1.0", answer)


class Shutdown(Twins):
    def test_what_was_begun_is_finished_and_what_is_idle_ends(self):
        idle = client.Http1(self.ports["ON"])
        self.addCleanup(idle.close)
        slow = client.Http1(self.ports["ON"], receive_buffer=4096)
        self.addCleanup(slow.close)
        self.assertEqual(idle.request(url("a.txt")).status, 200)
        slow.send(request(url("m9.bin")))
        slow.take_until(b"\r\n\r\n")
        self.servers[0].signal(signal.SIGTERM)
        self.assertEqual(idle.at_end(), b"")
        self.assertEqual(slow.take(len(FILES["m9.bin"])), FILES["m9.bin"])
        self.assertEqual(slow.at_end(), b"")


if __name__ == "__main__":
    harness.trace_allocations()
    harness.main()
