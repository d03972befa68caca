"""Clients of every kind that go on without an end while a server is reloaded, replaced or killed:
each has its own thread, and whatever is not what it should be is kept, with the time in which its
connection lived. And the application that some of them speak to, through the server."""

import collections
import contextlib
import hashlib
import http.server
import random
import socket
import ssl
import threading
import time

import client

PIECE = bytes(range(256)) * 64
UPGRADE = (b"GET /application/ HTTP/1.1\r\nhost: localhost\r\n"
           b"connection: upgrade\r\nupgrade: websocket\r\n\r\n")
PROXY_HEADER = (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + socket.inet_aton("192.0.2.7")
                + socket.inet_aton("127.0.0.1") + b"\x9c\x40\x00\x50")


class Application:
    """Says of what it is sent how long it is and its digest; an upgraded connection is echoed."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            said = b"%d %s" % (len(body), hashlib.sha256(body).hexdigest().encode())
            self.send_response(200)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self):
            self.send_response(101)
            self.send_header("connection", "upgrade")
            self.send_header("upgrade", "websocket")
            self.end_headers()
            self.close_connection = True
            for piece in iter(lambda: self.rfile.read1(65536), b""):
                self.wfile.write(piece)

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, *_):
            """A worker that is killed leaves it in the middle."""

    def __init__(self):
        self.server = self.Server(("127.0.0.1", 0), self.Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Failure:
    """What went wrong on a connection that was asked for at `began`."""

    def __init__(self, kind, began, error):
        self.kind, self.began, self.ended, self.error = kind, began, time.monotonic(), error

    @property
    def is_refusal(self):
        return isinstance(self.error, (ConnectionRefusedError, FileNotFoundError))

    @property
    def is_reset(self):
        return isinstance(self.error, (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)) or (
            isinstance(self.error, client.Malformed) and "the connection ended" in str(self.error))

    def __repr__(self):
        return "<%s after %.3f s: %r>" % (self.kind, self.ended - self.began, self.error)


class Traffic:
    """All of them. The case has the addresses, a certificate, and says what the files are."""

    def __init__(self, case, on_failure=None):
        self.case, self.on_failure = case, on_failure
        self.failures = []
        self.num = collections.Counter()
        self.lock = threading.Lock()
        self.is_over = threading.Event()
        self.context = client.tls_context(case.certificate.cert)
        self.threads = [threading.Thread(target=self.run, args=args) for args in self.kinds()]
        for thread in self.threads:
            thread.start()

    def kinds(self):
        case, tls = self.case, self.context
        port, tls_port = case.port, case.tls_port
        yield "kept", self.keep, port, None, 0
        yield "kept", self.keep, tls_port, tls, 0
        yield "idle", self.keep, port, None, 1
        yield "idle", self.keep, tls_port, tls, 1
        for address, context in ((port, None), (case.values["unix"], None), (tls_port, tls)):
            yield "single", self.ask_once, address, context
        yield "fresh", self.hesitate, port
        yield "handshake", self.shake_hands, tls_port
        yield "proxied", self.introduce, case.values["proxy_port"]
        yield "slow", self.load_slowly, port, None
        yield "slow", self.load_slowly, tls_port, tls
        yield "upload", self.upload, port, None
        yield "upload", self.upload, tls_port, tls
        yield "tunnel", self.talk, port, None
        yield "tunnel", self.talk, tls_port, tls
        yield "http2", self.ask_over_http2, port, None
        if case.flavour == "evloop":
            yield ("http2", self.ask_over_http2, tls_port,
                   client.tls_context(case.certificate.cert, ("h2",)))

    def run(self, kind, ask, *args):
        with self.lock:
            self.num[kind] += 0
        while not self.is_over.is_set():
            began = time.monotonic()
            try:
                ask(kind, *args)
            except Exception as error:
                self.failures.append(Failure(kind, began, error))
                if self.on_failure is not None:
                    self.on_failure(self.failures[-1])
                # who finds a door closed need not ask a thousand times a second
                self.pause(0.01)

    def count(self, kind):
        with self.lock:
            self.num[kind] += 1

    def pause(self, at_most_s):
        """Within which a reload may begin or end."""
        self.is_over.wait(random.uniform(0, at_most_s))

    def check(self, kind, response):
        if response is None or response.status != 200 or response.body != self.case.content:
            raise AssertionError("got %r" % response)
        self.count(kind)

    def keep(self, kind, address, context, at_most_s):
        """Requests on one connection until the server says that it was the last one."""
        with client.Http1(address, context) as connection:
            while not self.is_over.is_set():
                response = connection.request(self.case.url)
                self.check(kind, response)
                if response.get("connection") == "close":
                    return
                self.pause(at_most_s)

    def ask_once(self, kind, address, context):
        self.check(kind, client.get(address, self.case.url, context))

    def hesitate(self, kind, address):
        """A connection whose request comes later."""
        with client.Http1(address) as connection:
            self.pause(1)
            self.check(kind, connection.request(self.case.url))

    def introduce(self, kind, address):
        """A proxy whose header comes in two parts, and the request after it."""
        with client.Http1(address) as connection:
            for part in (PROXY_HEADER[:20], PROXY_HEADER[20:]):
                connection.send(part)
                self.pause(0.5)
            self.check(kind, connection.request(self.case.url))

    def shake_hands(self, kind, address):
        """A handshake that takes its time, before each of its messages and in the middle of one."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with client.connect(address) as sock:
            def exchange(act):
                while True:
                    try:
                        return act()
                    except ssl.SSLWantReadError:
                        sent = outgoing.read()
                        for part in (sent[:50], sent[50:]):
                            self.pause(0.3)
                            sock.sendall(part)
                        data = sock.recv(65536)
                        if not data:
                            raise client.Malformed("the connection ended in the handshake") from None
                        incoming.write(data)
            exchange(tls.do_handshake)
            tls.write(client.make_request(self.case.url, headers=[("connection", "close")]))
            sock.sendall(outgoing.read())
            received = b""
            while not received.endswith(b"\r\n\r\n" + self.case.content):
                received += exchange(lambda: tls.read(65536))
        if not received.startswith(b"HTTP/1.1 200 "):
            raise AssertionError("got %r" % received[:200])
        self.count(kind)

    def load_slowly(self, kind, address, context):
        large = self.case.large
        # with less room the kernel counts a reader that a machine holds up as one that is gone
        with client.Http1(address, context, receive_buffer=262144) as connection:
            connection.send(client.make_request(self.case.large_url))
            connection.take_until(b"\r\n\r\n")
            num, pieces = 0, []
            while num != len(large):
                pieces.append(connection.take(min(65536, len(large) - num)))
                num += len(pieces[-1])
                time.sleep(0.005)
        if b"".join(pieces) != large:
            raise AssertionError("wrong bytes")
        self.count(kind)

    def upload(self, kind, address, context):
        body = PIECE * 20
        with client.Http1(address, context) as connection:
            connection.send(b"POST /application/ HTTP/1.1\r\nhost: localhost\r\n"
                            b"content-length: %d\r\n\r\n" % len(body))
            for at in range(0, len(body), len(PIECE)):
                connection.send(body[at:at + len(PIECE)])
                self.pause(0.05)
            response = connection.read()
        said = b"%d %s" % (len(body), hashlib.sha256(body).hexdigest().encode())
        if response.status != 200 or response.body != said:
            raise AssertionError("got %r" % response)
        self.count(kind)

    def talk(self, kind, address, context):
        """A WebSocket, as far as a proxy knows of it."""
        with client.Http1(address, context) as connection:
            connection.send(UPGRADE)
            head = connection.take_until(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101 "):
                raise AssertionError("got %r" % head)
            for number in range(30):
                said = b"%d." % number * 100
                connection.send(said)
                if connection.take(len(said)) != said:
                    raise AssertionError("wrong bytes")
                self.pause(0.1)
        self.count(kind)

    def ask_over_http2(self, kind, address, context):
        """Requests, two at a time, until the server says goodbye."""
        with Parting(address, context) as connection:
            while not self.is_over.is_set() and not connection.is_parting:
                streams = [connection.start(self.case.url) for _ in range(2)]
                for stream in streams:
                    response = connection.wait(stream)
                    if response is not None or not connection.is_unseen(stream):
                        self.check(kind, response)
                self.pause(0.1)

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def describe(self):
        """The figures of a run."""
        refused = sum(failure.is_refusal for failure in self.failures)
        resets = sum(failure.is_reset for failure in self.failures)
        return "%s; %d refused, %d reset, %d failed otherwise" % (
            ", ".join("%d %s" % (num, kind) for kind, num in self.num.items()),
            refused, resets, len(self.failures) - refused - resets)


class Parting(client.Http2):
    """A connection of HTTP/2 whose server may say goodbye, and what it has not seen then (RFC 9113
    §6.8), which may be asked anew elsewhere."""

    def __init__(self, *args, **options):
        # the last streams that it named
        self.goodbyes = []
        super().__init__(*args, **options)

    @property
    def is_parting(self):
        return bool(self.goodbyes)

    def is_unseen(self, stream):
        return self.is_parting and stream > self.goodbyes[-1]

    def flush(self):
        """Who finds that the server has gone reads what it has said before."""
        try:
            super().flush()
        except OSError:
            with contextlib.suppress(OSError):
                for data in iter(lambda: self.sock.recv(65536), b""):
                    for event in self.h2.receive_data(data):
                        self._on_event(event)
            self.give_up_unseen()
            if not self.is_parting or self.pending:
                raise

    def give_up_unseen(self):
        for stream in [stream for stream in self.pending if self.is_unseen(stream)]:
            del self.pending[stream]
            self.done[stream] = None

    def _on_event(self, event):
        super()._on_event(event)
        if isinstance(event, client.h2.events.ConnectionTerminated):
            self.goodbyes.append(event.last_stream_id)
            self.give_up_unseen()
