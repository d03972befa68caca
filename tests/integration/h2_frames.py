"""HTTP/2 frame by frame: what h2spec asks of a server (RFC 9113, RFC 7541), cleartext and encrypted,
and streams that are answered before their body has come. Every error must be told by its code, and
arrive, however much the client is still sending; after each a new connection is served."""

import collections
import struct

import hpack

import client
import harness

TOKEN = "1718539201234"
ASSET = "/static/%s/site.css" % TOKEN
CONTENT = b"body { color: red }\n"
LIMIT = 100000

CONFIG = """
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
        file.dir: @tree@
"""

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 1, 1, 4, 8, 32
NO_ERROR, PROTOCOL, INTERNAL, FLOW_CONTROL, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE, REFUSED, \
    CANCEL, COMPRESSION, CONNECT, CALM = range(12)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SENTINEL = b"sentinel"

Frame = collections.namedtuple("Frame", "type flags stream payload")


def frame(type_, flags=0, stream=0, payload=b"", length=None):
    size = len(payload) if length is None else length
    return struct.pack("!BHBBI", size >> 16, size & 0xffff, type_, flags, stream) + payload


def fields(*more, method="GET", path=ASSET):
    return [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path),
            *more]


def block(pairs):
    """A header block that leaves the dynamic table alone, so that it fits anywhere."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in pairs)


def _text(text):
    data = text.encode("latin-1")
    assert len(data) < 127
    return bytes((len(data),)) + data


def get(stream=1, *more, flags=END_STREAM | END_HEADERS, **request):
    return frame(HEADERS, flags, stream, block(fields(*more, **request)))


def post(stream=1, *more, flags=END_HEADERS):
    return get(stream, *more, method="POST", flags=flags)


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack("!HI", *pair) for pair in pairs))


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", increment))


def rst_stream(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack("!I", code))


class Raw:
    """A connection of which every frame is kept."""

    def __init__(self, address, context=None, first=settings()):
        self.sock = client.connect(address, context)
        self.buffer = b""
        self.frames = []
        self.sock.sendall(PREFACE + first)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def read(self):
        """The next frame; None at the end, which must not be a reset."""
        while True:
            size = int.from_bytes(self.buffer[:3], "big") if len(self.buffer) >= 9 else None
            if size is not None and len(self.buffer) >= 9 + size:
                _, _, type_, flags, stream = struct.unpack("!BHBBI", self.buffer[:9])
                got = Frame(type_, flags, stream, self.buffer[9:9 + size])
                self.buffer = self.buffer[9 + size:]
                self.frames.append(got)
                return got
            data = self.sock.recv(65536)
            if not data:
                return None
            self.buffer += data

    def read_until(self, condition):
        """Reads up to a frame that fulfils the condition, and returns it; None at the end."""
        while True:
            got = self.read()
            if got is None or condition(got):
                return got

    def errors(self):
        """What the server complains of until it has seen everything that was sent: pairs of stream
        (0: the connection) and code."""
        self.send(frame(PING, 0, 0, SENTINEL))
        self.read_until(lambda got: got.type == PING and got.payload == SENTINEL)
        return [(got.stream, struct.unpack("!I", got.payload[-4:] if got.type == RST_STREAM
                                           else got.payload[4:8])[0])
                for got in self.frames if got.type in (RST_STREAM, GOAWAY)]

    def response(self, stream):
        """Reads the answer of a stream to its end; returns (status, body)."""
        def is_end(got):
            return got.type == GOAWAY or got.stream == stream and (
                got.type == RST_STREAM or got.type in (DATA, HEADERS) and got.flags & END_STREAM)

        end = next(filter(is_end, self.frames), None) or self.read_until(is_end)
        if end is None or end.type in (GOAWAY, RST_STREAM):
            raise AssertionError("no answer but %r" % (end,))
        decoder = hpack.Decoder()
        status, body = None, b""
        for got in self.frames:
            if got.type == HEADERS:
                pairs = decoder.decode(got.payload)
                if got.stream == stream:
                    status = int(dict(pairs)[":status"])
            elif got.type == DATA and got.stream == stream:
                body += got.payload
        return status, body


class FramesCase(harness.ServedCase):
    @classmethod
    def prepare(cls):
        certificate = harness.Certificate(cls.scratch)
        cls.context = client.tls_context(certificate.cert, ("h2",))
        return cls.expand(CONFIG, cert=certificate.cert, key=certificate.key, token=TOKEN,
                          limit=LIMIT, tree=cls.scratch.tree("tree", {"site.css": CONTENT,
                                                                     "large": bytes(300000)}))

    def connections(self, **options):
        """A connection of every kind that the flavour has."""
        for context in (None, self.context) if self.flavour == "evloop" else (None,):
            address = self.port if context is None else self.tls_port
            with self.subTest(encrypted=context is not None), \
                    Raw(address, context, **options) as connection:
                yield connection

    def assert_served(self):
        with Raw(self.port) as connection:
            connection.send(get())
            self.assertEqual(connection.response(1), (200, CONTENT))


# what ends the connection, by the numbers of h2spec: what is sent, and the codes that may come
ENDS = {
    "4.2/2 a DATA frame above the maximum": (
        post() + frame(DATA, END_STREAM, 1, bytes(16385)), FRAME_SIZE),
    "4.2/2 one far above it, which goes on": (
        post() + frame(DATA, 0, 1, bytes(200000)) * 5, FRAME_SIZE),
    "4.2/3 a HEADERS frame above it": (
        frame(HEADERS, END_STREAM | END_HEADERS, 1, block(fields()) + bytes(16384)), FRAME_SIZE),
    "4.3/1 a header block that cannot be read": (
        frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82\x86\x84\x41\x8a\x41"), COMPRESSION),
    "4.3/2 PRIORITY within a header block": (
        get(flags=END_STREAM) + frame(PRIORITY, 0, 1, bytes(4) + b"\x0f"), PROTOCOL),
    "4.3/3 HEADERS of another stream within it": (get(flags=END_STREAM) + get(3), PROTOCOL),
    "5.1/1 DATA on an idle stream": (frame(DATA, END_STREAM, 1, b"test"), PROTOCOL),
    "5.1/2 RST_STREAM on one": (rst_stream(1), PROTOCOL),
    "5.1/3 WINDOW_UPDATE on one": (window_update(1, 100), PROTOCOL),
    "5.1/4 CONTINUATION on one": (frame(CONTINUATION, END_HEADERS, 1, block(fields())), PROTOCOL),
    "5.1/6 HEADERS on a half-closed stream": (get() + get(), STREAM_CLOSED),
    "5.1/7 CONTINUATION on one": (
        get() + frame(CONTINUATION, END_HEADERS, 1, block([("a", "b")])), PROTOCOL),
    "5.1/12 HEADERS on a closed stream": (get() + rst_stream(1) + get(), STREAM_CLOSED),
    "5.1/13 CONTINUATION on one": (
        get() + rst_stream(1) + frame(CONTINUATION, END_HEADERS, 1, block(fields())), PROTOCOL),
    "5.1.1/1 an even stream": (get(2), PROTOCOL),
    "5.1.1/2 a smaller number": (get(5) + get(3), {PROTOCOL, STREAM_CLOSED}),
    "5.3.1/1 HEADERS that depend on themselves": (
        frame(HEADERS, END_STREAM | END_HEADERS | WITH_PRIORITY, 1,
              struct.pack("!IB", 1, 255) + block(fields())), PROTOCOL),
    "5.3.1/2 PRIORITY that depends on itself": (
        frame(PRIORITY, 0, 2, struct.pack("!IB", 2, 255)), PROTOCOL),
    "5.4.1/1 an invalid PING": (frame(PING, 0, 3, b"12345678"), PROTOCOL),
    "5.5/2 an unknown frame within a header block": (
        get(flags=END_STREAM) + frame(22, 0, 1, bytes(8)), PROTOCOL),
    "6.1/1 DATA of no stream": (post() + frame(DATA, END_STREAM, 0, b"test"), PROTOCOL),
    "6.1/3 DATA with more padding than bytes": (
        post() + frame(DATA, PADDED | END_STREAM, 1, b"\x06test"), PROTOCOL),
    "6.2/3 HEADERS of no stream": (get(0), PROTOCOL),
    "6.2/4 HEADERS with more padding than bytes": (
        frame(HEADERS, PADDED | END_STREAM | END_HEADERS, 1, b"\xff" + block(fields())[:20]),
        PROTOCOL),
    "6.3/1 PRIORITY of no stream": (frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL),
    "6.4/1 RST_STREAM of no stream": (rst_stream(0), PROTOCOL),
    "6.4/3 RST_STREAM of another length": (get() + frame(RST_STREAM, 0, 1, bytes(3)), FRAME_SIZE),
    "6.5/1 an ACK with a payload": (frame(SETTINGS, ACK, 0, bytes(6)), FRAME_SIZE),
    "6.5/2 SETTINGS of a stream": (frame(SETTINGS, 0, 1, bytes(6)), PROTOCOL),
    "6.5/3 SETTINGS of another length": (frame(SETTINGS, 0, 0, bytes(3)), FRAME_SIZE),
    "6.5.2/1 ENABLE_PUSH of 2": (settings((2, 2)), PROTOCOL),
    "6.5.2/2 an initial window above the maximum": (settings((4, 1 << 31)), FLOW_CONTROL),
    "6.5.2/3 a maximum frame below the initial one": (settings((5, 16383)), PROTOCOL),
    "6.5.2/4 a maximum frame above the maximum": (settings((5, 1 << 24)), PROTOCOL),
    "6.7/3 PING of a stream": (frame(PING, 0, 1, bytes(8)), PROTOCOL),
    "6.7/4 PING of another length": (frame(PING, 0, 0, bytes(6)), FRAME_SIZE),
    "6.8/1 GOAWAY of a stream": (frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
    "6.9/1 WINDOW_UPDATE of 0": (window_update(0, 0), PROTOCOL),
    "6.9/3 WINDOW_UPDATE of another length": (frame(WINDOW_UPDATE, 0, 0, bytes(3)), FRAME_SIZE),
    "6.9.1/2 a window above the maximum": (
        window_update(0, 0x7fffffff) + window_update(0, 0x7fffffff), FLOW_CONTROL),
    "6.10/2 CONTINUATION, then another frame": (
        get(flags=END_STREAM) + frame(CONTINUATION, 0, 1, block([("a", "b")])) +
        frame(DATA, END_STREAM, 1, b"test"), PROTOCOL),
    "6.10/3 CONTINUATION of no stream": (
        get(flags=END_STREAM) + frame(CONTINUATION, END_HEADERS, 0, b""), PROTOCOL),
    "6.10/4 CONTINUATION after the end of a block": (
        post() + frame(CONTINUATION, END_HEADERS, 1, block([("a", "b")])), PROTOCOL),
    "6.10/6 CONTINUATION after DATA": (
        post() + frame(DATA, 0, 1, b"test") + frame(CONTINUATION, END_HEADERS, 1, b""), PROTOCOL),
    "8.1/1 trailers that do not end the stream": (post() + post(), PROTOCOL),
    "8.1.2.1/3 a pseudo field in trailers": (
        post() + frame(DATA, 0, 1, b"test") +
        frame(HEADERS, END_STREAM | END_HEADERS, 1, block([(":method", "GET")])), PROTOCOL),
    "8.2/1 PUSH_PROMISE of a client": (
        get() + frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack("!I", 2) + block(fields())),
        PROTOCOL),
    "hpack 2.3.3/1 an index that is not there": (
        frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\xc6" + block(fields())), COMPRESSION),
    "hpack 4.2/1 a change of the table's size at the end of a block": (
        frame(HEADERS, END_STREAM | END_HEADERS, 1, block(fields()) + b"\x20"), COMPRESSION),
    "hpack 5.2/1 Huffman padding above seven bits": (
        frame(HEADERS, END_STREAM | END_HEADERS, 1,
              block(fields()) + b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"), COMPRESSION),
    "hpack 5.2/2 Huffman padding of zeros": (
        frame(HEADERS, END_STREAM | END_HEADERS, 1,
              block(fields()) + b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90"), COMPRESSION),
    "hpack 5.2/3 Huffman's end of a string": (
        frame(HEADERS, END_STREAM | END_HEADERS, 1, block(fields()) +
              b"\x00\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f"), COMPRESSION),
    "hpack 6.1/1 index 0": (
        frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x80" + block(fields())), COMPRESSION),
    "hpack 6.3/1 a table above the maximum": (
        frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x3f\xe1\xff\x03" + block(fields())),
        COMPRESSION),
}

# what ends a stream, or may end the connection
ENDS_STREAM = {
    "5.1/5 DATA on a half-closed stream": (get() + frame(DATA, END_STREAM, 1, b"x"), STREAM_CLOSED),
    "5.1/8 DATA on a closed one": (
        get() + rst_stream(1) + frame(DATA, END_STREAM, 1, b"x"), STREAM_CLOSED),
    "6.3/2 PRIORITY of another length": (frame(PRIORITY, 0, 1, bytes(4)), FRAME_SIZE),
    "6.9/2 WINDOW_UPDATE of 0 on a stream": (post() + window_update(1, 0), PROTOCOL),
    "6.9.1/3 a stream's window above the maximum": (
        post() + window_update(1, 0x7fffffff) + window_update(1, 0x7fffffff), FLOW_CONTROL),
    "8.1.2.3/2 no :method": (
        frame(HEADERS, END_STREAM | END_HEADERS, 1, block(fields()[1:])), PROTOCOL),
    "8.1.2.3/3 no :scheme": (frame(HEADERS, END_STREAM | END_HEADERS, 1,
                                   block(fields()[:1] + fields()[2:])), PROTOCOL),
    "8.1.2.3/4 no :path": (
        frame(HEADERS, END_STREAM | END_HEADERS, 1, block(fields()[:3])), PROTOCOL),
    "8.1.2.6/1 a length that the body does not have": (
        post(1, ("content-length", "1")) + frame(DATA, END_STREAM, 1, b"test"), PROTOCOL),
    "8.1.2.6/2 nor all of its frames": (
        post(1, ("content-length", "1")) + frame(DATA, 0, 1, b"te") +
        frame(DATA, END_STREAM, 1, b"st"), PROTOCOL),
    "8.1.2.1/1 an unknown pseudo field": (get(1, (":test", "x")), PROTOCOL),
    "8.1.2.1/2 one of answers": (get(1, (":status", "200")), PROTOCOL),
    "8.1.2.1/4 one after others": (
        frame(HEADERS, END_STREAM | END_HEADERS, 1, block([("a", "b"), *fields()])), PROTOCOL),
    "8.1.2.3/5 :method twice": (get(1, (":method", "GET")), PROTOCOL),
    "8.1.2.3/6 :scheme twice": (get(1, (":scheme", "http")), PROTOCOL),
    "8.1.2.3/7 :path twice": (get(1, (":path", "/")), PROTOCOL),
    "8.1.2/1 a name in capitals": (get(1, ("X-Test", "ok")), PROTOCOL),
    "8.1.2.2/1 a Connection": (get(1, ("connection", "keep-alive")), PROTOCOL),
    "8.1.2.2/1 a Transfer-Encoding": (get(1, ("transfer-encoding", "chunked")), PROTOCOL),
    "8.1.2.2/1 an Upgrade": (get(1, ("upgrade", "websocket")), PROTOCOL),
    "8.1.2.2/2 a TE that is not trailers": (get(1, ("te", "trailers, deflate")), PROTOCOL),
}

# what is answered
ANSWERED = {
    "4.1/1 an unknown frame": frame(22, 0, 0, bytes(8)) + get(),
    "4.1/2 undefined flags": frame(PING, 0xfe, 0, bytes(8)) + get(),
    "4.1/3 the reserved bit": get(0x80000001),
    "5.5/1 an unknown setting": settings((255, 1)) + get(),
    "6.5.3/1 the last of several values": settings((4, 100), (4, 1000)) + get(),
    "6.7/2 a PING that is an answer": frame(PING, ACK, 0, b"unheard-") + get(),
    "6.10/1 a block in many pieces": get(flags=END_STREAM) +
        frame(CONTINUATION, 0, 1, block([("a", "b")])) * 3 + frame(CONTINUATION, END_HEADERS, 1),
    "7/1 an unknown error": frame(GOAWAY, 0, 0, struct.pack("!II", 0, 0xff)) + get(),
    "generic 3.2/2 padded HEADERS": frame(
        HEADERS, END_STREAM | END_HEADERS | PADDED, 1, b"\x08" + block(fields()) + bytes(8)),
    "generic 3.2/3 HEADERS with a priority": frame(
        HEADERS, END_STREAM | END_HEADERS | WITH_PRIORITY, 1, bytes(4) + b"\xff" + block(fields())),
    "generic 3.3 PRIORITY on idle, open and closed streams": frame(
        PRIORITY, 0, 1, bytes(4) + b"\x0f") + frame(PRIORITY, 0, 3, bytes(4) + b"\x0f") + get(),
}


class Errors(FramesCase):
    def test_what_ends_the_connection(self):
        for name, (sent, codes) in ENDS.items():
            codes = codes if isinstance(codes, set) else {codes}
            with self.subTest(name):
                for connection in self.connections():
                    connection.send(sent)
                    errors = [code for stream, code in connection.errors() if stream == 0]
                    self.assertTrue(errors and errors[-1] in codes, connection.frames)
                    self.assertIsNone(connection.read())
        self.assert_served()

    def test_what_ends_a_stream(self):
        for name, (sent, code) in ENDS_STREAM.items():
            with self.subTest(name):
                for connection in self.connections():
                    connection.send(sent)
                    self.assertIn(code, [code for _, code in connection.errors()],
                                  connection.frames)
        self.assert_served()

    def test_what_is_answered(self):
        for name, sent in ANSWERED.items():
            with self.subTest(name):
                for connection in self.connections():
                    connection.send(sent)
                    self.assertEqual(connection.response(1), (200, CONTENT))
                    self.assertEqual(connection.errors(), [])

    def test_what_is_no_preface(self):
        for first in (b"INVALID CONNECTION PREFACE\r\n\r\n", PREFACE[:-1] + b"\r"):
            for context in (None, self.context) if self.flavour == "evloop" else (None,):
                sock = client.connect(self.port if context is None else self.tls_port, context)
                with self.subTest(first), sock:
                    sock.sendall(first)
                    received = b""
                    for data in iter(lambda: sock.recv(65536), b""):
                        received += data
                    self.assertNotIn(CONTENT, received)
        self.assert_served()


class Windows(FramesCase):
    def test_one_byte_of_window_is_one_byte_of_body(self):
        for connection in self.connections(first=settings((4, 1))):
            connection.send(get())
            first = connection.read_until(lambda got: got.type == DATA)
            self.assertEqual((first.payload, first.flags), (CONTENT[:1], 0))
            connection.send(settings((4, 0)) + window_update(1, 2))
            second = connection.read_until(lambda got: got.type == DATA)
            self.assertEqual(second.payload, CONTENT[1:2])
            connection.send(settings((4, 1000)))
            self.assertEqual(connection.response(1), (200, CONTENT))

    def test_more_streams_than_allowed_are_refused(self):
        for connection in self.connections(first=settings((4, 0))):
            connection.send(b"".join(post(stream) for stream in range(1, 203, 2)))
            self.assertEqual(connection.errors(), [(201, REFUSED)])


class Early(FramesCase):
    """Bodies beyond the limit, and those that a view does not want: a whole answer, and then a word
    that nothing more is wanted."""

    BODY = frame(DATA, 0, 1, bytes(10000)) * (LIMIT // 10000 + 1)
    TARGETS = ((ASSET, 405), ("/static/1/site.css", 405), ("/site.css", 413), ("/nowhere", 413))
    LENGTH = ("content-length", "900000")

    def post(self, target, *more, stream=1):
        return get(stream, *more, method="POST", path=target, flags=END_HEADERS)

    def is_end(self, got, stream=1):
        return got.stream == stream and got.type == RST_STREAM

    def test_the_answer_is_whole_and_the_reset_is_no_error(self):
        for target, status in self.TARGETS:
            for connection in self.connections():
                connection.send(self.post(target, self.LENGTH) + self.BODY)
                self.assertEqual(connection.response(1)[0], status)
                end = connection.read_until(self.is_end)
                self.assertEqual(end.payload, bytes(4))
                connection.send(get(3))
                self.assertEqual(connection.response(3), (200, CONTENT))
                self.assertEqual(connection.errors(), [(1, NO_ERROR)])

    def test_a_view_does_not_wait_for_the_body(self):
        for more in ((), (("expect", "100-continue"),)):
            for connection in self.connections():
                connection.send(self.post(ASSET, self.LENGTH, *more))
                self.assertEqual(connection.response(1)[0], 405)
                self.assertEqual(connection.read_until(self.is_end).payload, bytes(4))
                connection.send(get(3))
                self.assertEqual(connection.response(3), (200, CONTENT))

    def test_what_was_under_way_is_no_error(self):
        for target, status in self.TARGETS:
            for connection in self.connections():
                connection.send(self.post(target, self.LENGTH) + self.BODY * 3)
                self.assertEqual(connection.response(1)[0], status)
                connection.send(self.BODY + frame(DATA, END_STREAM, 1, b"the end"))
                connection.read_until(self.is_end)
                connection.send(self.BODY + get(3))
                self.assertEqual(connection.response(3), (200, CONTENT))
                self.assertEqual(connection.errors(), [(1, NO_ERROR)])

    def test_an_answer_that_waits_for_its_window_survives_what_comes(self):
        for connection in self.connections(first=settings((4, 0))):
            connection.send(self.post("/site.css") + self.BODY * 3)
            self.assertEqual(connection.errors(), [])
            connection.send(window_update(1, 1000))
            self.assertEqual(connection.response(1)[0], 413)
            self.assertEqual(connection.read_until(self.is_end).payload, bytes(4))

    def test_a_short_body_is_read(self):
        for target in (ASSET, "/static/1/site.css"):
            for connection in self.connections():
                connection.send(self.post(target, ("content-length", "4")) +
                                frame(DATA, END_STREAM, 1, b"test"))
                self.assertEqual(connection.response(1)[0], 405)
                self.assertEqual(connection.errors(), [])

    def test_the_window_of_the_connection_is_given_back(self):
        """Three times as many bytes as its largest, by streams that are answered early."""
        for target, status in self.TARGETS[1:3]:
            for connection in self.connections():
                self.exhaust(connection, target, status)

    def exhaust(self, connection, target, status):
        sent = 0
        for stream in range(1, 401, 2):
            connection.send(self.post(target, self.LENGTH, stream=stream))
            for _ in range(16):
                while 65535 + self.credit(connection) - sent < 16000:
                    self.assertIsNotNone(connection.read())
                connection.send(frame(DATA, 0, stream, bytes(16000)))
                sent += 16000
            self.assertEqual(connection.response(stream)[0], status)
        self.assertTrue({code for _, code in connection.errors()} <= {NO_ERROR, STREAM_CLOSED})

    def credit(self, connection):
        return sum(struct.unpack("!I", got.payload)[0] for got in connection.frames
                   if got.type == WINDOW_UPDATE and got.stream == 0)

    def test_a_client_that_gives_up_is_let_go(self):
        for connection in self.connections(first=settings((4, 0))):
            connection.send(self.post("/site.css") + self.BODY + rst_stream(1) + get(3))
            self.assertEqual(connection.errors(), [])
            connection.send(window_update(3, 1000))
            self.assertEqual(connection.response(3), (200, CONTENT))
            self.assertEqual(connection.errors(), [])

    def test_without_a_length_trailers_may_follow(self):
        for connection in self.connections():
            connection.send(self.post(ASSET) + frame(DATA, 0, 1, bytes(10000)) +
                            frame(HEADERS, END_STREAM | END_HEADERS, 1, block([("a", "b")])))
            self.assertEqual(connection.response(1)[0], 405)
            self.assertEqual(connection.errors(), [])

    def test_clients_that_die_leave_nothing_behind(self):
        for _ in range(20):
            for connection in self.connections():
                connection.send(self.post(ASSET, self.LENGTH) +
                                self.post("/site.css", stream=3) +
                                self.BODY + self.BODY.replace(b"\0\1" + bytes(8), b"\0\3" + bytes(8)))
        self.assert_served()

    def test_a_body_up_to_the_limit_is_read(self):
        for connection in self.connections():
            connection.send(self.post("/site.css") + frame(DATA, 0, 1, bytes(16384)) * 6 +
                            frame(DATA, END_STREAM, 1, bytes(LIMIT - 6 * 16384)))
            self.assertEqual(connection.response(1)[0], 405)
            self.assertEqual(connection.errors(), [])


if __name__ == "__main__":
    harness.main()
