"""Hostile clients over HTTP/2, cleartext and TLS: each kind of flood ends with GOAWAY, its code
ENHANCE_YOUR_CALM and the reason, while others are served, and leaves no memory behind. Clients that
mean no harm, however much they load and cancel, never meet a limit. How many are too many is counted
by the second, but nothing here depends on how long anything takes: floods are as much as a slow
server takes in a second and more, or the limits are low."""

import contextlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time

import browser
import client
import floods
import harness
from h2_frames import (ACK, CALM, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY,
                       HEADERS, PING, PREFACE, PROTOCOL, SENTINEL, SETTINGS, Raw, block, fields,
                       frame, get, rst_stream, settings, window_update)

TOKEN = "1718539201234"
NEWER = "1818539201234"
SMALL, LARGE = ("/static/%s/%s" % (TOKEN, name) for name in ("small.js", "large.js"))
MISSING = "/static/%s/small.js" % NEWER
CONTENT = b"export const small = true;\n"
ASSETS = 2000

CONFIG = """
listen:
  - {host: 127.0.0.1, port: @port@}
  - host: 127.0.0.1
    port: @tls_port@
    ssl: {certificate-file: @cert@, key-file: @key@}
num-threads: 2
breaker.token: "@token@"
@limits@
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@, encodings: OFF}
        file.dir: @pages@
      "/breaker":
        breaker.status: ON
"""

# what each flood ends with; the rest is "too many control frames"
RESETS, ERRORS, EMPTY = "too many resets", "too many errors of streams", \
    "too many frames without a meaning"
REASONS = {
    "resets": RESETS, "resets of large bodies": RESETS, "resets of 503s": RESETS,
    "WINDOW_UPDATE of 0": ERRORS, "WINDOW_UPDATE that overflows": ERRORS,
    "DATA on half-closed streams": ERRORS, "streams that are refused": ERRORS,
    "empty CONTINUATION": "too many CONTINUATION frames",
    "full CONTINUATION": "too long a header block",
    "SETTINGS acknowledgements": EMPTY, "PING acknowledgements": EMPTY, "empty DATA": EMPTY,
    "padding": EMPTY, "unknown frames": EMPTY, "full unknown frames": EMPTY,
    "HPACK references": "too large a list of fields",
}
# what may stay: what the server keeps for the next connections
MEMORY_MAX = 8 << 20


def resident(pid):
    with open("/proc/%d/status" % pid) as file:
        return int(re.search(r"VmRSS:\s*(\d+)", file.read()).group(1)) << 10


class FloodsCase(harness.ServedCase):
    limits = ""

    @classmethod
    def prepare(cls):
        certificate = harness.Certificate(cls.scratch)
        cls.certificate = certificate
        cls.context = client.tls_context(certificate.cert, ("h2",))
        cls.tree = cls.scratch.tree("tree", {
            "small.js": CONTENT, "large.js": b"/" * (1 << 20),
            **{"a%d.js" % index: b"window.loaded = %d;\n" % index for index in range(ASSETS)}})
        cls.pages = cls.scratch.tree("pages", {"index.html": b"<!doctype html><p>page\n"})
        return cls.expand(CONFIG, cert=certificate.cert, key=certificate.key, token=TOKEN,
                          tree=cls.tree, pages=cls.pages, limits=cls.limits)

    def connections(self):
        """A connection of every kind that the flavour has."""
        for context in (None, self.context) if self.flavour == "evloop" else (None,):
            address = self.port if context is None else self.tls_port
            with self.subTest(encrypted=context is not None), \
                    Raw(address, context) as connection:
                yield connection

    def num_floods(self):
        answer = client.get(self.port, "/breaker/json")
        self.assertEqual(answer.status, 200)
        return json.loads(answer.body)["connections"]["floods"]

    def assert_served(self):
        answer = client.get(self.port, SMALL)
        self.assertEqual((answer.status, answer.body), (200, CONTENT))

    def assert_sent_away(self, connection, reason):
        """Reads to the end, and says how the server ended it."""
        end = connection.read_until(lambda got: got.type == GOAWAY)
        self.assertIsNotNone(end, "no GOAWAY")
        code, story = struct.unpack("!I", end.payload[4:8])[0], end.payload[8:].decode()
        self.assertEqual((code, story), (CALM, reason))


class EveryFlood(FloodsCase):
    def flood(self, connection, name):
        """Sends a flood without ever waiting to be read, until the server ends it; what it answers
        meanwhile is read. Floods without an end are sent for as long as that takes."""
        flood = floods.make(name, SMALL, LARGE, MISSING, 20000 if "HPACK" not in name else 50)
        left = memoryview(flood.once + flood.repeated)
        connection.sock.settimeout(harness.DEADLINE_S)
        connection.sock.setblocking(False)
        end = time.monotonic() + harness.DEADLINE_S
        received = b""
        while time.monotonic() < end:
            if not left and flood.is_endless:
                left = memoryview(flood.repeated)
            with contextlib.suppress(OSError):
                left = left[connection.sock.send(left[:65536]):]
            try:
                data = connection.sock.recv(65536)
            except (BlockingIOError, client.ssl.SSLWantReadError):
                continue
            except OSError:
                break
            if not data:
                break
            received += data
        connection.buffer += received
        connection.sock.setblocking(True)

    def test_each_is_sent_away_and_others_are_served(self):
        before, num = resident(self.server.pid), 0
        for name in floods.NAMES:
            for connection in self.connections():
                with self.subTest(flood=name):
                    self.flood(connection, name)
                    end = next((got for got in self.frames(connection) if got.type == GOAWAY),
                               None)
                    self.assertIsNotNone(end, "no GOAWAY")
                    code = struct.unpack("!I", end.payload[4:8])[0]
                    if name == "PRIORITY on itself":
                        # an error of the connection, the first time
                        self.assertEqual(code, 1)
                        continue
                    num += 1
                    if name == "mixture":
                        self.assertEqual(code, CALM)
                    else:
                        self.assertEqual((code, end.payload[8:].decode()),
                                         (CALM, REASONS.get(name, "too many control frames")))
                self.assert_served()
        self.assertEqual(self.num_floods(), num)
        # a sanitizer keeps what was freed
        if harness.SLOWDOWN == 1:
            self.assertLess(resident(self.server.pid) - before, MEMORY_MAX)
        # once a minute and thread, of the two
        self.assertIn(self.server.stderr().count(b"trouble=flood"), range(1, 2 * 5))

    @staticmethod
    def frames(connection):
        """What was received, frame by frame."""
        while len(connection.buffer) >= 9:
            got = connection.read()
            if got is None:
                return
            yield got


class LowLimits(FloodsCase):
    limits = """http2-max-resets: 10
http2-max-stream-errors: 10
http2-max-control-frames: 10
http2-max-empty-frames: 10
http2-max-continuations: 3
http2-max-header-list-size: 4KiB"""

    def resets(self, num):
        return b"".join(get(stream) + rst_stream(stream) for stream in range(1, 2 * num, 2))

    def test_as_much_as_is_allowed_harms_nobody(self):
        allowed = {
            "resets": self.resets(10),
            "empty frames": get(flags=END_HEADERS) + frame(DATA, 0, 1) * 10,
            "unknown frames, one a request more": get() + frame(0x42) * 11,
            "updates of windows, two a request more":
                get() + get(3) + window_update(0, 1) * 12,
            "errors of streams": b"".join(
                get(stream) + window_update(stream, 0) for stream in range(1, 20, 2)),
            "continuations": frame(HEADERS, END_STREAM, 1, block(fields(path=SMALL))) +
                frame(CONTINUATION, 0, 1) * 2 + frame(CONTINUATION, END_HEADERS, 1),
            "fields": get(1, *(("x-%d" % index, "y" * 50) for index in range(45))),
        }
        before = self.num_floods()
        for name, data in allowed.items():
            for connection in self.connections():
                with self.subTest(name):
                    connection.send(data)
                    connection.errors()
                    self.assertEqual([got for got in connection.frames if got.type == GOAWAY], [])
        self.assertEqual(self.num_floods(), before)

    def test_one_more_within_a_second_is_too_much(self):
        reset = self.resets(11)
        header = frame(HEADERS, END_STREAM, 1, block(fields(path=SMALL)))
        # these do not depend on the clock
        beyond = {
            "too many CONTINUATION frames": header + frame(CONTINUATION, 0, 1) * 4,
            "too long a header block": header + frame(CONTINUATION, 0, 1, bytes(4096)),
            "too many fields": frame(HEADERS, END_STREAM | END_HEADERS, 1,
                                     block(fields(path=SMALL)) + b"\xbf" * 129),
            "too large a list of fields":
                get(1, *(("x-%d" % index, "y" * 50) for index in range(48))),
        }
        for reason, data in beyond.items():
            for connection in self.connections():
                with self.subTest(reason):
                    connection.send(data)
                    self.assert_sent_away(connection, reason)
        # and a hundred times as many do, however slow
        for connection in self.connections():
            connection.send(reset + b"".join(
                get(stream) + rst_stream(stream) for stream in range(23, 2000, 2)))
            self.assert_sent_away(connection, RESETS)

    def test_frames_are_counted_wherever_reads_cut_them(self):
        data = get() + frame(0x42, 0, 0, b"abc") * 2 + frame(PING, 0, 0, SENTINEL) * 2
        for connection in self.connections():
            for index in range(len(data)):
                connection.send(data[index:index + 1])
            self.assertEqual(connection.errors(), [])

    def test_an_upgraded_connection_is_counted_too(self):
        with client.connect(self.port) as sock:
            sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings"
                         b"\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
                         % SMALL.encode())
            received = b""
            while b"\r\n\r\n" not in received:
                received += sock.recv(65536)
            self.assertTrue(received.startswith(b"HTTP/1.1 101"))
            sock.sendall(PREFACE + settings() + frame(SETTINGS, ACK) * 2 +
                         frame(0x42) * 2000)
            while data := sock.recv(65536):
                received += data
            self.assertIn(EMPTY.encode(), received)

    def test_a_continuation_is_taken_once_while_the_server_ends(self):
        """libh2o takes nothing of it on a connection that is to end, and would look at it for ever."""
        server = harness.Server(self.flavour, harness.expand(
            CONFIG, port=(port := harness.free_port()), tls_port=harness.free_port(),
            cert=self.certificate.cert, key=self.certificate.key, token=TOKEN, tree=self.tree,
            pages=self.pages, limits=""))
        self.addCleanup(server.kill)
        with Raw(port) as connection:
            # an answer that is longer than its window, so that the connection cannot end
            connection.send(get(1, path=LARGE) + frame(HEADERS, END_STREAM, 3,
                                                       block(fields(path=SMALL))))
            connection.read_until(lambda got: got.type == DATA)
            server.signal(15)
            # told twice: the second one says where it ends
            connection.read_until(lambda got: got.type == GOAWAY)
            connection.read_until(lambda got: got.type == GOAWAY)
            connection.send(frame(CONTINUATION, 0, 3) + frame(PING, 0, 0, SENTINEL))
            end = connection.read_until(lambda got: got.type == GOAWAY)
            # the frame after it is out of place
            self.assertEqual(struct.unpack("!I", end.payload[4:8])[0], PROTOCOL)
        server.stop()


class Harmless(FloodsCase):
    def tearDown(self):
        self.assertEqual(self.num_floods(), 0, self.server.stderr())

    def run_client(self, *command, may_return=(0,)):
        done = subprocess.run(command, capture_output=True, timeout=60 * harness.SLOWDOWN,
                              check=False)
        self.assertIn(done.returncode, may_return, done.stderr.decode() + done.stdout.decode())
        return done.stdout.decode()

    def urls(self, base="http"):
        port = self.port if base == "http" else self.tls_port
        return "%s://localhost:%d/static/%s" % (base, port, TOKEN)

    def schemes(self):
        return ("http", "https") if self.flavour == "evloop" else ("http",)

    def test_curl_loads_everything_at_once(self):
        for scheme in self.schemes():
            with self.subTest(scheme):
                # in cleartext curl 7.88 now and then gives some transfers up as it upgrades (18)
                may_return = (0, 18) if scheme == "http" else (0,)
                out = self.run_client(
                    "curl", "-s", "-k", "--http2", "-Z", "--parallel-max", "300", "-o", "/dev/null",
                    "-w", "%{http_code} %{http_version}\n",
                    "%s/a[0-%d].js" % (self.urls(scheme), ASSETS - 1), may_return=may_return)
                codes = [code for code in out.splitlines() if code != "000 0"]
                self.assertEqual(set(codes), {"200 2"})
                self.assertGreater(len(codes), ASSETS - 300 if scheme == "http" else ASSETS - 1)

    def test_nghttp_and_h2load_ask_for_much(self):
        for scheme in self.schemes():
            with self.subTest(scheme):
                self.run_client("nghttp", "-n", "-m", "50", "-w", "16", "-W", "16",
                                *("%s/a%d.js" % (self.urls(scheme), i) for i in range(200)),
                                self.urls(scheme) + "/large.js")
                out = self.run_client("h2load", "-n", "20000", "-c", "4", "-m", "100",
                                      self.urls(scheme) + "/small.js")
                self.assertIn("20000 succeeded", out)
                # the smallest window makes the most updates: two for each frame of a body
                out = self.run_client("h2load", "-n", "20", "-c", "2", "-m", "10", "-w", "10",
                                      "-W", "10", self.urls(scheme) + "/large.js")
                self.assertIn("20 succeeded", out)

    def test_streams_are_cancelled_page_after_page(self):
        """As browsers cancel: a hundred streams under way, all cancelled, and the next hundred."""
        for connection in self.connections():
            connection.send(window_update(0, 1 << 30))
            stream = 1
            for _ in range(ASSETS // 100):
                ids = range(stream, stream + 200, 2)
                connection.send(b"".join(get(each, path=LARGE) for each in ids))
                connection.send(b"".join(map(rst_stream, ids)))
                stream += 200
            connection.send(get(stream, path=SMALL))
            self.assertEqual(connection.response(stream), (200, CONTENT))

    def test_haproxy_asks_for_many_clients_over_few_connections(self):
        path = self.scratch.write("haproxy", harness.expand("""
defaults
    mode http
    timeout connect 20s
    timeout client 60s
    timeout server 60s
listen front
    bind 127.0.0.1:@front@
    http-reuse always
    server ours 127.0.0.1:@port@ proto h2
""", front=(front := harness.free_port()), port=self.port))
        program = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
        process = subprocess.Popen([program, "-db", "-f", path], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.kill(), process.wait()))
        harness.wait_until(lambda: self.listens(front), "haproxy")
        for _ in range(20):
            socks = [client.connect(front) for _ in range(100)]
            for sock in socks:
                sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                             % SMALL.encode())
            for sock in socks:
                received = b""
                while data := sock.recv(65536):
                    received += data
                self.assertTrue(received.startswith(b"HTTP/1.1 200"), received)
                self.assertTrue(received.endswith(CONTENT))
                sock.close()
        # clients that go away in the middle of an answer are streams that are cancelled
        for _ in range(10):
            socks = [client.connect(front, receive_buffer=4096) for _ in range(50)]
            for sock in socks:
                sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % LARGE.encode())
            for sock in socks:
                self.assertTrue(sock.recv(100))
                client.reset(sock)
        answer = client.get(front, SMALL)
        self.assertEqual((answer.status, answer.body), (200, CONTENT))

    @staticmethod
    def listens(port):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return True
        return False


PAGE = """<!doctype html><body><script>
const base = "/static/%s/", num = %d;
async function load(from, to, cancel) {
    const abort = new AbortController();
    const loads = Array.from({length: to - from}, (_, index) =>
        fetch(base + "a" + (from + index) + ".js?" + cancel, {signal: abort.signal})
            .then(response => response.text()).then(() => true, error => false));
    if (cancel > 0)
        await loads[cancel];
    if (cancel >= 0)
        abort.abort();
    return (await Promise.all(loads)).filter(done => done).length;
}
(async () => {
    const cancelled = [];
    for (const cancel of [0, 50, 500])
        cancelled.push(await load(0, num, cancel));
    // a browser refuses more than so many at once by itself
    let loaded = 0;
    for (let from = 0; from < num; from += 500)
        loaded += await load(from, from + 500, -1);
    document.documentElement.dataset.done = JSON.stringify([cancelled, loaded]);
})();
</script></body>"""


class Browsing(FloodsCase):
    """A page of 2,000 assets, whose loads are cancelled three times, and then done."""

    # only there browsers speak HTTP/2, which they want encrypted
    flavours = ("evloop",)

    def test_a_page_of_many_assets_is_loaded_and_cancelled(self):
        if shutil.which("chromedriver") is None:
            raise AssertionError("chromedriver is missing: install chromium and chromium-driver")
        with open(os.path.join(self.pages, "many.html"), "w") as file:
            file.write(PAGE % (TOKEN, ASSETS))
        chromium = browser.Browser(self.scratch, ("--ignore-certificate-errors",))
        self.addCleanup(chromium.close)
        chromium.open("https://localhost:%d/many.html" % self.tls_port)
        done = harness.wait_until(
            lambda: chromium.run("return document.documentElement.dataset.done"), "the page", 60)
        cancelled, loaded = json.loads(done)
        self.assertEqual(loaded, ASSETS)
        self.assertTrue(any(num < ASSETS for num in cancelled), cancelled)
        protocols = chromium.run("return performance.getEntriesByType('resource')"
                                 ".map(each => each.nextHopProtocol)")
        self.assertIn("h2", protocols)
        self.assertEqual(self.num_floods(), 0)


if __name__ == "__main__":
    harness.main()
