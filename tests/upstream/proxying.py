"""What the tests of this folder share: a server before an application, the ways to it, and what
becomes of a request as its client sees it."""

import os
import statistics
import sys
import threading
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

# pylint: disable=wrong-import-position
import h2.exceptions
import h2.stream

import client
import harness

# of a body that is sent over HTTP/2, before the server has said how much it takes
PIECE = 16384
# what libh2o ends a body in chunks with that it gives up
GIVEN_UP = b"1\r\n"
ASSET = b"body { color: red }\n" * 40
TOKEN = "1718539201234"
ASSET_PATH = "/static/%s/site.css" % TOKEN
# generous: what it is for are assets that wait for an application
ASSET_LATE_S = 1.0

LISTEN = """
num-threads: 1
limit-request-body: 4294967296
listen:
  - {host: 127.0.0.1, port: @port@}
  - host: 127.0.0.1
    port: @tls_port@
    ssl: {certificate-file: @cert@, key-file: @key@}
breaker.token: "%s"
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
""" % TOKEN

# the ways to a server, by flavour: libh2o's libuv side has no HTTP/2 over TLS
HTTP1, HTTP2, TLS_HTTP1, TLS_HTTP2 = "http1", "http2", "tls http1", "tls http2"
FRONTS = {"evloop": (HTTP1, HTTP2, TLS_HTTP1, TLS_HTTP2), "uv": (HTTP1, HTTP2, TLS_HTTP1)}


_initialize_content_length = h2.stream.H2Stream._initialize_content_length


def _without_304(stream, headers):
    """python3-h2 wants the body of a 304 that says how long its body would be."""
    status = dict(headers).get(b":status", dict(headers).get(":status"))
    if status not in (b"304", "304"):
        _initialize_content_length(stream, headers)


h2.stream.H2Stream._initialize_content_length = _without_304


class Outcome:
    """What came of a request. `whole` says whether it came to a proper end; without a status nothing
    that is an answer came at all."""

    def __init__(self, status=None, headers=(), body=b"", whole=False, version="HTTP/1.1"):
        self.status = status
        self.headers = list(headers)
        self.body = body
        self.whole = whole
        self.version = version

    def values(self, name):
        return [value for key, value in self.headers if key == name]

    def __repr__(self):
        return "%s answer %s %r %r" % ("whole" if self.whole else "cut", self.status, self.headers,
                                       self.body[:200])


class Way1(client.Http1):
    """HTTP/1.1, with answers that may be cut."""

    def ask(self, target, method="GET", headers=(), body=b""):
        try:
            self.send(client.make_request(target, method, headers, body))
        except OSError:
            pass
        return self.outcome(method)

    def outcome(self, method="GET"):
        while True:
            try:
                lines = self.take_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            except client.Malformed:
                return Outcome()
            version, status, *_ = lines[0].split(" ")
            if version != "HTTP/1.1" or len(status) != 3:
                raise client.Malformed("status line %r" % lines[0])
            headers = []
            for line in lines[1:]:
                name, colon, value = line.partition(":")
                if not colon or not name or name != name.strip() or set(line) & set("\r\n\0"):
                    raise client.Malformed("header line %r" % line)
                headers.append((name.lower(), value.strip()))
            if int(status) >= 200 or int(status) == 101:
                outcome = Outcome(int(status), headers)
                self._body(outcome, method)
                return outcome

    def _body(self, outcome, method):
        lengths, codings = outcome.values("content-length"), outcome.values("transfer-encoding")
        if method == "HEAD" or outcome.status in (101, 204, 304):
            outcome.whole = True
        elif codings:
            if codings != ["chunked"] or lengths:
                raise client.Malformed("%r with %r" % (codings, lengths))
            self._chunks(outcome)
        elif lengths:
            if len(lengths) != 1 or not lengths[0].isdigit():
                raise client.Malformed("Content-Length %r" % lengths)
            outcome.body = self.take_at_most(int(lengths[0]))
            outcome.whole = len(outcome.body) == int(lengths[0])
        else:
            outcome.body = self.at_end()
            outcome.whole = True

    def _chunks(self, outcome):
        try:
            # libh2o ends a body that it gives up with a line that is no size, and half a chunk
            while size := int(self.take_until(b"\r\n").split(b";")[0], 16):
                piece = self.take_at_most(size)
                outcome.body += piece
                if len(piece) < size or self.take(2) != b"\r\n":
                    raise ValueError
            while self.take_until(b"\r\n"):
                pass
            outcome.whole = True
        except (client.Malformed, ValueError):
            rest = self.at_end()
            if rest not in (b"", GIVEN_UP):
                raise client.Malformed("a body that was cut is followed by %r" % rest) from None

    def is_usable(self):
        return self.is_open()


class Way2(client.Http2):
    """HTTP/2, likewise."""

    def ask(self, target, method="GET", headers=(), body=b""):
        return self.outcome(self.start(target, method, headers, body))

    def prepare(self, sock, secure):
        self.started = {}
        # what is left of bodies, by stream
        self.bodies = {}
        super().prepare(sock, secure)

    def start(self, target, method="GET", headers=(), body=b"", flush=True, **options):
        first, rest = body[:PIECE], body[PIECE:]
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        stream = super().start(target, method, headers, first, flush, end=not rest, **options)
        self.started[stream] = self.pending[stream]
        if rest:
            self.bodies[stream] = rest
            self._go_on(stream)
        return stream

    def receive(self):
        try:
            super().receive()
            for stream in list(self.bodies):
                self._go_on(stream)
        except h2.exceptions.ProtocolError as error:
            raise client.Malformed("%s: %s" % (type(error).__name__, error)) from None

    def _go_on(self, stream):
        """Sends what the other side has room for of a body."""
        if stream not in self.pending:
            del self.bodies[stream]
            return
        while rest := self.bodies[stream]:
            size = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if size <= 0:
                break
            self.bodies[stream] = rest[size:]
            self.h2.send_data(stream, rest[:size], end_stream=len(rest) <= size)
            self.flush()
        else:
            del self.bodies[stream]

    def outcome(self, stream):
        response = self.started.pop(stream)
        try:
            whole = self.wait(stream) is not None
        except client.Malformed:
            if not self.ended:
                raise
            whole = False
        body = response.body if whole else b"".join(response.pieces)
        return Outcome(response.status or None, response.headers, body, whole, "HTTP/2")

    def is_usable(self):
        return not self.ended


class Watch(threading.Thread):
    """Asks for an asset all the while, over a connection of its own, and remembers the worst."""

    def __init__(self, port):
        super().__init__()
        self.port = port
        self.took_s = []
        self.wrong = []
        self.is_wanted = True
        self.start()

    def run(self):
        while self.is_wanted:
            try:
                with client.Http1(self.port) as connection:
                    while self.is_wanted:
                        self.ask(connection)
                        time.sleep(0.002)
            except (AssertionError, OSError) as error:
                self.wrong.append(repr(error))
                time.sleep(0.05)

    def ask(self, connection):
        began = time.monotonic()
        response = connection.request(ASSET_PATH)
        self.took_s.append(time.monotonic() - began)
        if (response.status, response.body) != (200, ASSET):
            self.wrong.append(repr(response))

    def stop(self):
        """Ends it; returns what was wrong."""
        self.is_wanted = False
        self.join()
        if not self.took_s:
            return self.wrong + ["no asset was asked for"]
        late = [took for took in self.took_s if took > ASSET_LATE_S * harness.SLOWDOWN]
        print("%d assets: median %.1f ms, 99th percentile %.1f ms, worst %.1f ms" % (
            len(self.took_s), 1000 * statistics.median(self.took_s),
            1000 * sorted(self.took_s)[len(self.took_s) * 99 // 100], 1000 * max(self.took_s)),
              file=sys.stderr)
        return self.wrong + (["%d assets came late, the last one after %.1f s"
                              % (len(late), late[-1])] if late else [])


class ProxyCase(harness.ServedCase):
    """A server before applications that `prepare_paths` starts; the ways to it."""

    @classmethod
    def prepare_paths(cls):
        """Returns the paths of the configuration, by their names: {path: lines}."""
        raise NotImplementedError

    @classmethod
    def prepare(cls):
        cls.certificate = harness.Certificate(cls.scratch)
        cls.contexts = {TLS_HTTP1: client.tls_context(cls.certificate.cert),
                        TLS_HTTP2: client.tls_context(cls.certificate.cert, ("h2",))}
        config = cls.expand(LISTEN, cert=cls.certificate.cert, key=cls.certificate.key,
                            tree=cls.scratch.tree("tree", {"site.css": ASSET}))
        paths = cls.prepare_paths()
        # the view is at the root, too
        for path, lines in sorted(paths.items(), key=lambda each: each[0] != "/"):
            config += "      %s:\n" % harness.quoted(path) if path != "/" else ""
            config += "".join("        %s\n" % line for line in lines)
        return config

    @classmethod
    def setUpClass(cls):
        cls.applications = []
        try:
            super().setUpClass()
        except BaseException:
            for application in cls.applications:
                application.close()
            raise

    @classmethod
    def with_application(cls, application):
        cls.applications.append(application)
        return application

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            for application in cls.applications:
                application.close()

    def open(self, front):
        """A connection of the test's."""
        way = self.connect(front)
        self.addCleanup(way.close)
        return way

    def connect(self, front):
        port = self.tls_port if front.startswith("tls") else self.port
        kind = Way2 if front.endswith("2") else Way1
        return kind(port, self.contexts.get(front))

    @property
    def fronts(self):
        return FRONTS[self.flavour]


def memory_kib(pid, field="VmHWM"):
    with open("/proc/%d/status" % pid) as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise AssertionError("no %s" % field)


def forget_peak(pid):
    """Has VmHWM begin anew."""
    with open("/proc/%d/clear_refs" % pid, "w") as file:
        file.write("5")
