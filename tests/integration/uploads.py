"""Bodies on their way to an application over HTTP/1.1: they go on as they come, in no more memory
than a few buffers, and what ends too early is nobody's whole body. The application here is a plain
socket that each test plays itself."""

import hashlib
import re
import socket
import threading
import time

import client
import harness

TOKEN = "1718539201234"
LIMIT = 64 << 20
MEBI = 1 << 20

CONFIG = """
num-threads: 1
listen:
  - {host: 127.0.0.1, port: @port@}
  - host: 127.0.0.1
    port: @tls_port@
    ssl: {certificate-file: @cert@, key-file: @key@}
breaker.token: "@token@"
limit-request-body: @limit@
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
        breaker.rewrite: ON
        proxy.reverse.url: http://127.0.0.1:@app@/
        proxy.timeout.keepalive: 0
        proxy.chunked-requests: ON
"""


class Request:
    """A request as the application reads it, piece by piece, off one connection."""

    def __init__(self, sock):
        self.sock = sock
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            piece = sock.recv(65536)
            if not piece:
                raise ConnectionError("no request")
            self.rest += piece
        text, self.rest = self.rest.split(b"\r\n\r\n", 1)
        self.line, *fields = text.decode().split("\r\n")
        self.fields = {name.lower(): value for name, value in (one.split(":", 1) for one in fields)}
        self.fields = {name: value.strip() for name, value in self.fields.items()}

    def read(self, size=65536):
        """Some bytes off the connection; b"" at its end."""
        if self.rest:
            piece, self.rest = self.rest[:size], self.rest[size:]
            return piece
        try:
            return self.sock.recv(size)
        except ConnectionResetError:
            return b""

    def read_exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.read(size - len(data))
            if not piece:
                raise ConnectionError("the body ended after %d bytes" % len(data))
            data += piece
        return data

    def read_line(self):
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.read_exactly(1)
        return line[:-2]

    def body(self):
        if "content-length" in self.fields:
            return self.read_exactly(int(self.fields["content-length"]))
        pieces = []
        while size := int(self.read_line(), 16):
            pieces.append(self.read_exactly(size))
            self.read_exactly(2)
        self.read_line()
        return b"".join(pieces)

    def answer(self, body, status="200 OK", fields=""):
        self.sock.sendall(("HTTP/1.1 %s\r\ncontent-length: %d\r\n%s\r\n" % (status, len(body), fields)
                           ).encode() + body)


class UploadCase(harness.ServedCase):
    @classmethod
    def prepare(cls):
        cls.certificate = harness.Certificate(cls.scratch)
        cls.context = client.tls_context(cls.certificate.cert)
        cls.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        cls.listener.settimeout(20)
        cls.addClassCleanup(cls.listener.close)
        return cls.expand(CONFIG, cert=cls.certificate.cert, key=cls.certificate.key, token=TOKEN,
                          tree=cls.scratch.tree("tree", {"site.css": b"body {}\n"}), limit=LIMIT,
                          app=cls.listener.getsockname()[1])

    def accept(self):
        sock = self.listener.accept()[0]
        sock.settimeout(20)
        self.addCleanup(sock.close)
        return Request(sock)

    def ways(self):
        for context in (None, self.context):
            with self.subTest(encrypted=context is not None):
                with client.Http1(self.port if context is None else self.tls_port,
                                  context) as connection:
                    yield connection

    def play(self, connection, part, request):
        """Runs the application's part beside the client's, and returns what it returned."""
        results = []

        def run():
            try:
                results.append(part(self.accept()))
            except Exception as error:  # pylint: disable=broad-except
                results.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            request(connection)
        finally:
            thread.join(30)
        self.assertEqual(len(results), 1, "the application is still at it")
        if isinstance(results[0], Exception):
            raise results[0]
        return results[0]


def head(size=None, *fields, method="POST", target="/up"):
    framing = "transfer-encoding: chunked" if size is None else "content-length: %d" % size
    return "".join(line + "\r\n" for line in (
        "%s %s HTTP/1.1" % (method, target), "host: localhost", framing, *fields, "")).encode()


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def digest(data):
    return hashlib.sha256(data).hexdigest().encode()


DATA = bytes(range(256)) * 12288  # 3 MiB


class Whole(UploadCase):
    def exchange(self, connection, first, second, expected):
        """The application has the beginning before the client has sent the end."""
        begun = threading.Event()

        def part(request):
            data = request.read_exactly(1)
            begun.set()
            request.rest = data + request.rest
            data = request.body()
            request.answer(digest(data))
            return data

        def send(connection):
            connection.send(first)
            self.assertTrue(begun.wait(20), "nothing came before the end")
            connection.send(second)
            response = connection.read()
            self.assertEqual((response.status, response.body), (200, digest(expected)))

        self.assertEqual(self.play(connection, part, send), expected)

    def test_the_application_reads_a_body_while_it_is_sent(self):
        for connection in self.ways():
            self.exchange(connection, head(len(DATA)) + DATA[:100000], DATA[100000:], DATA)

    def test_so_it_does_one_in_chunks(self):
        for connection in self.ways():
            self.exchange(connection, head() + chunk(DATA[:100000]),
                          chunk(DATA[100000:]) + b"0\r\n\r\n", DATA)

    def test_the_connection_goes_on_after_it(self):
        for connection in self.ways():
            self.exchange(connection, head(len(DATA)) + DATA[:1], DATA[1:], DATA)
            self.assertTrue(connection.is_open())
            self.exchange(connection, head() + chunk(DATA[:1]), chunk(DATA[1:]) + b"0\r\n\r\n", DATA)
            self.assertEqual(connection.request("/static/%s/site.css" % TOKEN).status, 200)

    def test_a_request_right_behind_the_body_is_the_next_one(self):
        asset = client.make_request("/static/%s/site.css" % TOKEN)
        for framed in ((head(len(DATA)) + DATA[:1], DATA[1:]),
                       (head() + chunk(DATA[:1]), chunk(DATA[1:]) + b"0\r\n\r\n")):
            for connection in self.ways():
                self.exchange(connection, framed[0], framed[1] + asset, DATA)
                self.assertEqual(connection.read().body, b"body {}\n")

    def test_a_client_that_waits_for_a_word_gets_it(self):
        def part(request):
            data = request.body()
            request.answer(digest(data))

        def send(connection):
            connection.send(head(len(DATA), "expect: 100-continue"))
            self.assertEqual(connection.take_until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue")
            connection.send(DATA)
            self.assertEqual(connection.read().body, digest(DATA))

        for connection in self.ways():
            self.play(connection, part, send)


class Memory(UploadCase):
    def peak(self):
        with open("/proc/%d/status" % self.server.process.pid, encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) * 1024

    def test_an_application_that_does_not_read_stops_the_client(self):
        size = 48 * MEBI
        before = self.peak()
        may_read = threading.Event()

        def part(request):
            may_read.wait(20)
            request.answer(b"%d" % len(request.body()))

        def send(connection):
            connection.send(head(size))
            connection.sock.settimeout(0.5)
            sent = 0
            try:
                while sent < size:
                    sent += connection.sock.send(bytes(min(size - sent, MEBI)))
                self.fail("everything was taken from a client whose application reads nothing")
            except TimeoutError:
                pass
            connection.sock.settimeout(20)
            may_read.set()
            while sent < size:
                sent += connection.sock.send(bytes(min(size - sent, MEBI)))
            self.assertEqual(connection.read().body, b"%d" % size)

        with client.Http1(self.port) as connection:
            self.play(connection, part, send)
        self.assertLess(self.peak() - before, 8 * MEBI)


class Broken(UploadCase):
    def cut(self, first, end):
        """What comes of it when `end(connection)` follows the beginning: the application never has
        a whole body."""
        begun = threading.Event()

        def part(request):
            begun.set()
            try:
                request.body()
            except ConnectionError:
                return None
            return "a whole body"

        def send(connection):
            begun.clear()
            connection.send(first)
            # what is reset may be thrown away before anybody has read it
            self.assertTrue(begun.wait(20), "the request has not come")
            end(connection)

        for connection in self.ways():
            self.assertIsNone(self.play(connection, part, send))
            self.assertTrue(self.server.alive())
            with client.Http1(self.port) as other:
                self.assertEqual(other.request("/static/%s/site.css" % TOKEN).status, 200)

    def test_a_client_that_goes_takes_its_request_with_it(self):
        for first in (head(len(DATA)) + DATA[:100000], head() + chunk(DATA[:100000])):
            self.cut(first, lambda connection: connection.close())

    def test_so_does_one_that_is_reset(self):
        self.cut(head(len(DATA)) + DATA[:100000], lambda connection: client.reset(connection.sock))

    def test_chunks_that_are_none_are_refused(self):
        def end(connection):
            connection.send(b"zz\r\n")
            self.assertEqual(connection.read().status, 400)
            self.assertEqual(connection.at_end(), b"")

        self.cut(head() + chunk(DATA[:100000]), end)

    def test_chunks_beyond_the_limit_are_refused(self):
        def end(connection):
            piece = chunk(bytes(MEBI))
            try:
                for _ in range(LIMIT // MEBI + 1):
                    connection.send(piece)
            except OSError:
                pass
            self.assertEqual(connection.read().status, 413)

        self.cut(head() + chunk(DATA[:100000]), end)

    def test_an_answer_before_the_end_ends_the_connection(self):
        def part(request):
            request.read_exactly(1)
            request.answer(b"enough", "403 Forbidden", "connection: close\r\n")
            # what closes a connection with bytes in it would take the answer with it
            deadline = time.monotonic() + 20
            while request.read() and time.monotonic() < deadline:
                pass
            request.sock.close()

        def send(connection):
            connection.send(head(LIMIT) + DATA[:100000])
            response = connection.read()
            self.assertEqual((response.status, response.body), (403, b"enough"))
            self.assertEqual(response.get("connection"), "close")
            self.assertEqual(connection.at_end(), b"")

        for connection in self.ways():
            self.play(connection, part, send)

    def test_nothing_of_a_body_becomes_a_request(self):
        """The application answers and never reads; the client's body is full of requests."""
        asset = client.make_request("/static/%s/site.css" % TOKEN)

        def part(request):
            request.answer(b"enough", fields="connection: close\r\n")
            while request.read():
                pass

        def send(connection):
            connection.send(head(len(asset) * 20000) + asset * 10)
            self.assertEqual(connection.read().body, b"enough")
            self.assertEqual(connection.at_end(), b"")

        for connection in self.ways():
            self.play(connection, part, send)


if __name__ == "__main__":
    harness.main()
