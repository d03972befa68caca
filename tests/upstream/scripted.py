"""An application that says what a test has written down, byte by byte.

An answer is a list of steps: bytes are sent; a function is called with the exchange; CLOSE, HALF,
RESET and SILENCE end the connection, orderly, in one direction, with RST, or by saying nothing more
until the other side gives up; PAUSE lets what was sent arrive by itself. After the last step the next
request on the connection is awaited. Every request that came whole is written down."""

import select
import socket
import struct
import threading
import time

CLOSE, HALF, RESET, SILENCE, PAUSE = "close", "half", "reset", "silence", "pause"
# bytes that an endless answer comes to at most, so that an unbounded reader is found out
ENDLESS_MAX = 64 << 20
PAUSE_S = 0.01


class Request:
    """A request as it came. `at` says where: (number of the connection, number on it)."""

    def __init__(self, head, at):
        self.head = head
        self.at = at
        lines = head.split(b"\r\n")
        self.line = lines[0]
        self.method, _, rest = lines[0].decode("latin-1").partition(" ")
        self.target, _, self.version = rest.rpartition(" ")
        self.fields = []
        for line in lines[1:]:
            name, _, value = line.decode("latin-1").partition(":")
            self.fields.append((name.lower(), value.strip()))
        self.body = b""

    def values(self, name):
        return [value for key, value in self.fields if key == name]

    def names(self):
        return [name for name, _ in self.fields]


class Ended(Exception):
    """The other side has closed, or nothing more is to be said here."""


class Exchange:
    """One connection of the application."""

    def __init__(self, application, sock, number):
        self.application = application
        self.sock = sock
        self.number = number
        self.count = 0
        self.buffer = b""
        self.request = None

    def receive(self):
        try:
            data = self.sock.recv(262144)
        except OSError:
            data = b""
        if not data:
            raise Ended
        self.buffer += data

    def take(self, size):
        while len(self.buffer) < size:
            self.receive()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def take_some(self, most):
        """What is there, some bytes at least."""
        if not self.buffer:
            self.receive()
        data, self.buffer = self.buffer[:most], self.buffer[most:]
        return data

    def take_until(self, mark):
        while mark not in self.buffer:
            self.receive()
        data, self.buffer = self.buffer.split(mark, 1)
        return data

    def read_head(self):
        self.request = Request(self.take_until(b"\r\n\r\n"), (self.number, self.count))
        self.count += 1
        return self.request

    def read_body(self):
        """Whatever body the head tells of."""
        request = self.request
        if request.values("transfer-encoding") == ["chunked"]:
            pieces = []
            while size := int(self.take_until(b"\r\n"), 16):
                pieces.append(self.take(size + 2)[:-2])
            self.take_until(b"\r\n")
            request.body = b"".join(pieces)
        else:
            request.body = self.take(int((request.values("content-length") or ["0"])[0]))

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            raise Ended from None

    def do(self, step):
        if callable(step):
            step(self)
        elif step == PAUSE:
            time.sleep(PAUSE_S)
        elif step == HALF:
            self.sock.shutdown(socket.SHUT_WR)
        elif step == SILENCE:
            while True:
                self.receive()
        elif step == RESET:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Ended
        elif step == CLOSE:
            raise Ended
        else:
            self.send(step)

    def say(self, request, steps):
        try:
            for step in steps:
                self.do(step)
        finally:
            self.application.note_end(request)

    def serve(self):
        """Requests until the connection ends."""
        try:
            if self.application.context:
                self.sock = self.application.context.wrap_socket(self.sock, server_side=True)
            for step in self.application.greeting:
                self.do(step)
            while True:
                request = self.read_head()
                early, steps = self.application.answer(request)
                for step in early:
                    self.do(step)
                self.read_body()
                self.application.note(request)
                self.say(request, steps)
        except (Ended, OSError):
            pass
        finally:
            self.sock.close()


def endless(piece, before=b""):
    """A step that sends `piece` until the other side has had enough."""
    def send(exchange):
        exchange.send(before)
        block = piece * max(1, 65536 // len(piece))
        for _ in range(ENDLESS_MAX // len(block)):
            exchange.send(block)
    return send


def answer(body=b"", *fields, status=b"200 OK"):
    """An answer as it should be."""
    head = b"".join(field + b"\r\n" for field in fields)
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, head, len(body), body)


class Application:
    """Listens in threads of this process. `answer_to` maps a request to steps, or to a pair of what is
    done before the request's body is read and afterwards; where it returns None, the answer names
    the request's target. `greeting` is done on each new connection; `context` is one of TLS."""

    def __init__(self, address, answer_to=lambda request: None, greeting=(), context=None):
        self.answer_to = answer_to
        self.greeting = greeting
        self.context = context
        self.seen = []
        # the targets whose answers have been sent, as far as the other side wanted
        self.ended = set()
        self.lock = threading.Lock()
        self.connections = []
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        family = socket.AF_INET6 if ":" in str(address[0]) and family != socket.AF_UNIX else family
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(address)
        self.listener.listen(512)
        self.is_open = True
        self.thread = threading.Thread(target=self.accept)
        self.thread.start()

    def accept(self):
        while True:
            try:
                sock = self.listener.accept()[0]
            except OSError:
                return
            if not self.is_open:
                sock.close()
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                exchange = Exchange(self, sock, len(self.connections))
                self.connections.append(sock)
            threading.Thread(target=exchange.serve, daemon=True).start()

    def answer(self, request):
        found = self.answer_to(request)
        if found is None:
            found = [answer(request.target.encode("latin-1"))]
        return found if isinstance(found, tuple) else ((), found)

    def note(self, request):
        with self.lock:
            self.seen.append(request)

    def note_end(self, request):
        with self.lock:
            self.ended.add(request.target)

    def asked(self, target):
        """The requests for a target, by now."""
        with self.lock:
            return [request for request in self.seen if request.target == target]

    def last(self, target):
        return self.asked(target)[-1]

    def end_connections(self):
        """Ends every connection as an application does that is restarted."""
        with self.lock:
            for sock in self.connections:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.is_open = False
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        self.end_connections()


def wait_readable(sock, deadline_s):
    return bool(select.select([sock], [], [], deadline_s)[0])
