"""HTTP clients for tests: HTTP/1.1 on the bare socket, so that every byte sent is the test's own
and every byte received is accounted for, and HTTP/2 over python3-h2, in cleartext with prior
knowledge or under TLS with ALPN."""

import collections
import select
import socket
import ssl
import struct

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings

import harness


class Response:
    """A response: status, headers as (lower-case name, value) in their order, body."""

    def __init__(self, status, headers, body=b"", reason="", version="", target=None):
        self.status = status
        self.headers = headers
        self.body = body
        self.reason = reason
        self.version = version
        # what was asked for
        self.target = target

    def values(self, name):
        return [value for key, value in self.headers if key == name]

    def get(self, name):
        """The value of a header that may come once; None when it does not come."""
        values = self.values(name)
        if len(values) > 1:
            raise AssertionError("several %s: %r" % (name, values))
        return values[0] if values else None

    @property
    def leads_to(self):
        """The path that Location names, as a browser resolves it; None without one."""
        location = self.get("location")
        if location is None or location.startswith("/"):
            return location
        directory = self.target.split("?")[0].rsplit("/", 1)[0]
        location = location.removeprefix("./")
        while location.startswith("../"):
            directory, location = directory.rsplit("/", 1)[0], location[3:]
        return directory + "/" + location

    def names(self):
        return sorted(name for name, _ in self.headers)

    def __repr__(self):
        return "<%s %r %r>" % (self.status, self.headers, self.body[:200])


class Malformed(AssertionError):
    """The server sent something that is not HTTP."""


def tls_context(cert, alpn=("http/1.1",)):
    context = ssl.create_default_context(cafile=cert)
    context.set_alpn_protocols(list(alpn))
    return context


def connect(address, context=None, timeout=None, receive_buffer=None):
    """A connected socket; the address is a port on loopback or the path of a Unix socket."""
    unix = isinstance(address, str)
    sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout or harness.DEADLINE_S)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(address if unix else ("127.0.0.1", address))
        if not unix:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            sock = context.wrap_socket(sock, server_hostname="localhost")
    except BaseException:
        sock.close()
        raise
    return sock


def reset(sock):
    """Ends a connection with RST, as a client does that dies."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Http1:
    """One HTTP/1.1 connection."""

    def __init__(self, address, context=None, timeout=None, receive_buffer=None):
        self.sock = connect(address, context, timeout, receive_buffer)
        self.buffer = b""
        self.ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def request(self, target, method="GET", headers=(), body=b"", host="localhost"):
        """Sends a well-framed request and reads its response. The target may be bytes."""
        self.send(make_request(target, method, headers, body, host))
        response = self.read(method)
        response.target = target if isinstance(target, str) else target.decode("latin-1")
        return response

    def read(self, method="GET"):
        """Reads the next final response."""
        while True:
            response = self._read_one(method)
            if response.status >= 200:
                return response

    def at_end(self):
        """Waits for the end of the connection; returns whatever came before it."""
        while self.receive():
            pass
        rest, self.buffer = self.buffer, b""
        return rest

    def is_open(self):
        """Whether the server has neither closed nor sent anything more by now."""
        if self.buffer or self.ended:
            return False
        return not select.select([self.sock], [], [], 0)[0]

    def receive(self):
        if self.ended:
            return False
        try:
            data = self.sock.recv(262144)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        if not data:
            self.ended = True
            return False
        self.buffer += data
        return True

    def take(self, size):
        """The next bytes of a body, exactly so many."""
        body = self.take_at_most(size)
        if len(body) != size:
            raise Malformed("the connection ended %d bytes before the body" % (size - len(body)))
        return body

    def take_at_most(self, size):
        """The same, fewer when the connection ends."""
        pieces, have = [], 0
        while have < size and (self.buffer or self.receive()):
            piece, self.buffer = self.buffer[:size - have], self.buffer[size - have:]
            pieces.append(piece)
            have += len(piece)
        return b"".join(pieces)

    def take_until(self, mark):
        while mark not in self.buffer:
            if not self.receive():
                raise Malformed("the connection ended within a head: %r" % self.buffer[:200])
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def _read_one(self, method):
        lines = self.take_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        status, _, reason = rest.partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or not (status.isdigit() and len(status) == 3):
            raise Malformed("status line %r" % lines[0])
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise Malformed("header line %r" % line)
            headers.append((name.lower(), value.strip()))
        response = Response(int(status), headers, reason=reason, version=version)
        response.body = self._read_body(response, method)
        return response

    def _read_body(self, response, method):
        if method == "HEAD" or response.status in (204, 304) or response.status < 200:
            return b""
        if response.get("transfer-encoding") == "chunked":
            return self._read_chunks()
        length = response.get("content-length")
        if length is not None:
            return self.take(int(length))
        return self.at_end()

    def _read_chunks(self):
        pieces = []
        while True:
            size = int(self.take_until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            pieces.append(self.take(size))
            if self.take(2) != b"\r\n":
                raise Malformed("no line end after a chunk")
        while self.take_until(b"\r\n"):
            pass
        return b"".join(pieces)


def make_request(target, method="GET", headers=(), body=b"", host="localhost"):
    """The bytes of an HTTP/1.1 request."""
    if isinstance(target, str):
        target = target.encode()
    head = method.encode() + b" " + target + b" HTTP/1.1\r\n"
    if host is not None:
        head += b"host: " + host.encode() + b"\r\n"
    for name, value in headers:
        head += ("%s: %s\r\n" % (name, value)).encode("latin-1")
    if body:
        head += b"content-length: %d\r\n" % len(body)
    return head + b"\r\n" + body


def get(address, target, context=None, **request):
    """One request over a connection of its own."""
    with Http1(address, context) as connection:
        return connection.request(target, **request)


class Patient(h2.connection.H2Connection):
    """Goes on with the streams that are open when the server says goodbye (RFC 9113 §6.8), which
    python3-h2 does not."""

    def _receive_goaway_frame(self, frame):
        event = h2.events.ConnectionTerminated()
        event.error_code = h2.errors._error_code_from_int(frame.error_code)
        event.last_stream_id = frame.last_stream_id
        event.additional_data = frame.additional_data or None
        return [], [event]


class Http2:
    """One HTTP/2 connection."""

    WINDOW = 1 << 24

    def __init__(self, address, context=None, receive_buffer=None):
        sock = connect(address, context, receive_buffer=receive_buffer)
        if context is not None and sock.selected_alpn_protocol() != "h2":
            sock.close()
            raise AssertionError("h2 was not negotiated")
        self.prepare(sock, context is not None)

    def prepare(self, sock, secure):
        self.sock = sock
        self.secure = secure
        self.h2 = Patient(h2.config.H2Configuration(
            validate_outbound_headers=False, normalize_outbound_headers=False,
            header_encoding="latin-1"))
        self.h2.local_settings = h2.settings.Settings(
            client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: self.WINDOW,
                                         h2.settings.SettingCodes.ENABLE_PUSH: 0})
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(self.WINDOW)
        self.pending = {}
        self.done = {}
        self.ended = False
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def start(self, target, method="GET", headers=(), body=b"", flush=True, scheme=None,
              authority="localhost", end=True):
        """Sends a request, its body without an end where more of it is to follow; returns its stream."""
        stream = self.h2.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", scheme or ("https" if self.secure else "http")),
                  (":authority", authority), (":path", target), *headers]
        self.pending[stream] = Response(0, [], version="HTTP/2")
        self.pending[stream].pieces = []
        self.pending[stream].target = target
        self.h2.send_headers(stream, fields, end_stream=not body)
        if body:
            self.h2.send_data(stream, body, end_stream=end)
        if flush:
            self.flush()
        return stream

    def request(self, target, method="GET", headers=(), body=b""):
        return self.wait(self.start(target, method, headers, body))

    def wait(self, stream):
        """Reads until the response of a stream is complete; None when the stream was reset."""
        while stream not in self.done:
            self.receive()
        return self.done.pop(stream)

    def receive(self):
        data = self.sock.recv(262144)
        if not data:
            self.ended = True
            raise Malformed("the connection ended with %d requests open" % len(self.pending))
        for event in self.h2.receive_data(data):
            self._on_event(event)
        self.flush()

    def _on_event(self, event):
        if isinstance(event, h2.events.ResponseReceived):
            fields = [(str(name), str(value)) for name, value in event.headers]
            response = self.pending[event.stream_id]
            response.status = int(fields[0][1])
            response.headers = fields[1:]
        elif isinstance(event, h2.events.DataReceived):
            self.pending[event.stream_id].pieces.append(event.data)
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            response = self.pending.pop(event.stream_id)
            response.body = b"".join(response.pieces)
            self.done[event.stream_id] = response
        elif isinstance(event, h2.events.StreamReset):
            self.pending.pop(event.stream_id, None)
            self.done[event.stream_id] = None
        elif isinstance(event, h2.events.ConnectionTerminated):
            if event.error_code != h2.errors.ErrorCodes.NO_ERROR:
                raise Malformed("GOAWAY %r" % event.error_code)

    def fetch_all(self, requests, on_response, streams=50):
        """Sends (key, target, headers) for all, some at a time; hears of each answer once."""
        waiting = collections.deque(requests)
        keys = {}
        while waiting or keys:
            while waiting and len(keys) < streams:
                key, target, headers = waiting.popleft()
                keys[self.start(target, headers=headers, flush=False)] = key
            self.flush()
            self.receive()
            for stream in list(self.done):
                on_response(keys.pop(stream), self.done.pop(stream))


def fetch_all_http1(address, context, requests, on_response, pipeline=16):
    """The same over one HTTP/1.1 connection with pipelining."""
    waiting = collections.deque(requests)
    sent = collections.deque()
    with Http1(address, context) as connection:
        while waiting or sent:
            batch = b""
            while waiting and len(sent) < pipeline:
                key, target, headers = waiting.popleft()
                batch += make_request(target, headers=headers)
                sent.append(key)
            if batch:
                connection.send(batch)
            # refill at half, so that neither side runs dry
            while sent and (len(sent) > pipeline // 2 or not waiting):
                on_response(sent.popleft(), connection.read())
