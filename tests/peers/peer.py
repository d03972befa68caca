"""A client of peers on a string (probe.c), and peers for it: servers that answer as nodes do, and
servers that do whatever a test says. Nothing sleeps where it can wait for a condition with a
deadline."""

import base64
import hashlib
import hmac
import json
import os
import selectors
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from harness import (BIN, DEADLINE_S, REPORTS, Certificate, Scratch,  # noqa: E402,F401
                     wait_until)

WRAPPER = shlex.split(os.environ.get("BREAKER_PROBE_WRAPPER", ""))
KEY, OTHER_KEY = b"\x11" * 32, b"\x22" * 32
PREFIX = "/.well-known/h2o-breaker/"
# a machine may be slow; what must time out in a test says so itself
PATIENT = ["-t", "15000"]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def make_manifest(files, view="static/{breaker}", time_s=1700000000):
    """The text of a release's manifest, its id and its bytes: {path: content}."""
    head = "h2o-breaker manifest 1\nview %s\nmax-age 31536000\nindex index.html\nencodings on\n" % view
    lines = ["file %s %s %d text/plain" % (path, sha256(data), len(data))
             for path, data in sorted(files.items())]
    text = head + "".join("%s %d\n" % (line, time_s) for line in lines)
    digest = hashlib.sha256((head + "".join(line + "\n" for line in lines)).encode()).digest()
    return text.encode(), base64.urlsafe_b64encode(digest).decode().rstrip("=")


def signature(key, path, seconds):
    text = "GET\n%s\n%d\n" % (path, seconds)
    return "%d %s" % (seconds, hmac.new(key, text.encode(), hashlib.sha256).hexdigest())


def is_signed(headers, path, keys):
    value = headers.get("x-breaker-auth", "")
    seconds = value.split(" ")[0]
    if not seconds.isdigit() or abs(int(seconds) - time.time()) > 30:
        return False
    return value in [signature(key, path, int(seconds)) for key in keys]


def answer(status, body=b"", member=True, headers=""):
    return ("HTTP/1.1 %d X\r\ncontent-length: %d\r\n%s%s\r\n" % (
        status, len(body), "x-breaker-member: 1\r\n" if member else "", headers)).encode() + body


class Server:
    """A server on loopback whose connections are served in a thread of their own each. Every request
    is handed to `act(connection, path, headers)`, which returns whether to go on."""

    def __init__(self, act, address="127.0.0.1", certificate=None):
        self.act = act
        self.tls = None
        if certificate is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate.cert, certificate.key)
        self.listener = socket.create_server((address, 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.address = "%s:%d" % (address, self.port)
        self.asked = []
        self.connections = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            rest = b""
            while True:
                while b"\r\n\r\n" not in rest:
                    chunk = connection.recv(65536)
                    if not chunk:
                        return
                    rest += chunk
                head, rest = rest.split(b"\r\n\r\n", 1)
                lines = head.decode().split("\r\n")
                headers = {name.lower(): value.strip() for name, value in
                           (line.split(":", 1) for line in lines[1:])}
                path = lines[0].split(" ")[1]
                self.asked.append(path)
                if not self.act(connection, path, headers):
                    return
        except OSError:
            pass
        finally:
            connection.close()

    def stop(self):
        if self.listener.fileno() < 0:
            return
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(DEADLINE_S)
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()


class Node(Server):
    """A peer that behaves: `blobs` by their hash, `manifests` by their release, `held`."""

    def __init__(self, blobs=(), manifests=(), held=(), keys=(KEY,), certificate=None):
        self.blobs = {sha256(blob): blob for blob in blobs}
        self.manifests = dict(manifests)
        self.held = dict(held)
        self.keys = keys
        self.busy = 0  # how many times it says so first
        self.ranges = []  # where it was asked to go on
        super().__init__(self.answer, certificate=certificate)

    def find(self, path):
        kind, _, rest = path[len(PREFIX):].partition("/")
        if kind == "held":
            return ("h2o-breaker held 1\n" + "".join(
                "%s %s\n" % (release, "complete" if whole else "partial")
                for release, whole in self.held.items() if rest in ("", release))).encode()
        return {"blob": self.blobs, "manifest": self.manifests}[kind].get(rest)

    def answer(self, connection, path, headers):
        if not is_signed(headers, path, self.keys):
            connection.sendall(answer(404, b"not found", member=False))
        elif self.busy > 0:
            self.busy -= 1
            connection.sendall(answer(503))
        elif (found := self.find(path)) is None:
            connection.sendall(answer(404))
        else:
            connection.sendall(self.part(found, headers))
        return True

    def part(self, found, headers):
        if "range" not in headers:
            return answer(200, found)
        first = int(headers["range"].removeprefix("bytes=").rstrip("-"))
        self.ranges.append(first)
        return answer(206, found[first:], headers="content-range: bytes %d-%d/%d\r\n" % (
            first, len(found) - 1, len(found)))


class Probe:
    """One client in a process of its own. What it prints is read as [event, …] lists; notices are
    set apart."""

    def __init__(self, *arguments, patient=True):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            WRAPPER + [os.path.join(BIN, "peers_probe")] + (PATIENT if patient else []) +
            list(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.rest = b""
        self.notices = []
        self.waiting = []

    def say(self, *words):
        self.process.stdin.write("\t".join(str(word) for word in words).encode() + b"\n")
        self.process.stdin.flush()

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def next(self, deadline_s=DEADLINE_S):
        """The next event that is no notice, or None when the process ended before it."""
        return self.waiting.pop(0) if self.waiting else self.read(deadline_s)

    def read(self, deadline_s):
        end = time.monotonic() + deadline_s
        while True:
            while b"\n" not in self.rest:
                if not self.selector.select(max(0, end - time.monotonic())):
                    raise AssertionError("no event in %d s\n%s" % (deadline_s, self.said()))
                chunk = os.read(self.process.stdout.fileno(), 1 << 20)
                if not chunk:
                    return None
                self.rest += chunk
            line, self.rest = self.rest.split(b"\n", 1)
            event = json.loads(line)
            if event[0] != "notice":
                return event
            self.notices.append(event[1])

    def expect(self, event, deadline_s=DEADLINE_S):
        got = self.next(deadline_s)
        if got is None or got[0] != event:
            raise AssertionError("expected %s, got %r; %r\n%s" % (event, got, self.notices,
                                                                  self.said()))
        return got[1:]

    def asked(self):
        """The number of the ask that was just made; what comes of others may be told before it."""
        while (event := self.read(DEADLINE_S)) is not None and event[0] != "asked":
            self.waiting.append(event)
        if event is None:
            raise AssertionError("no ask was taken\n" + self.said())
        return event[1]

    def know(self, *peers, own="127.0.0.1:1", keys=(KEY,), offset_ms=0):
        """Names peers, (address, release) each, and keys."""
        self.say("keys", offset_ms, *(key.hex() for key in keys))
        self.say("peers", own, *(word for peer in peers for word in peer))

    def ask_blob(self, data, release, priority="ahead", length=None):
        digest = data if isinstance(data, str) else sha256(data)
        self.say("blob", digest, len(data) if length is None else length, release, priority)
        return self.asked()

    def ask_manifest(self, release, priority="ahead"):
        self.say("manifest", release, priority)
        return self.asked()

    def blob(self, data, release, **options):
        """Asks for a blob and returns the event that comes of it, without the ask's number."""
        ask = self.ask_blob(data, release, **options)
        event = self.next()
        assert event is not None, self.said()
        assert event[1] == ask, event
        return [event[0]] + event[2:]

    def manifest(self, release):
        ask = self.ask_manifest(release)
        event = self.next()
        assert event is not None, self.said()
        assert event[1] == ask, event
        return [event[0]] + event[2:]

    def ask_spool(self, data, release):
        self.say("spool", data if isinstance(data, str) else sha256(data), len(data), release)
        return self.asked()

    def spool(self, data, release):
        """Asks for a blob that goes into a spool: ["spool", hash, length] or ["nobody", why,
        milliseconds, hash, length] with what has come."""
        ask = self.ask_spool(data, release)
        event = self.next()
        assert event is not None, self.said()
        assert event[1] == ask, event
        return [event[0]] + event[2:]

    def held(self):
        self.say("held")
        ask = self.asked()
        got = self.expect("held")
        assert got[0] == ask
        return got[1]

    def make_known(self, release):
        self.say("known", release)

    def heard(self):
        """What the client says after the next peer has answered: "not", "partly" or "wholly"."""
        return self.expect("heard")[0]

    def fds(self):
        self.say("fds")
        return self.expect("fds")[0]

    def close(self):
        """Frees the client and waits for the end, which must come by itself and without a report."""
        try:
            self.say("free")
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            status = self.process.wait(DEADLINE_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.selector.close()
        said = self.said()
        self.errors.close()
        if status != 0 or REPORTS.search(said.encode()):
            raise AssertionError("the probe ended with %d:\n%s" % (status, said))


class PeersTest(unittest.TestCase):
    def node(self, *arguments, **options):
        node = Node(*arguments, **options)
        self.addCleanup(node.stop)
        return node

    def server(self, act, **options):
        server = Server(act, **options)
        self.addCleanup(server.stop)
        return server

    def probe(self, *arguments, **options):
        probe = Probe(*arguments, **options)
        self.addCleanup(self.end_probe, probe)
        return probe

    @staticmethod
    def end_probe(probe):
        if not probe.process.stdout.closed:
            probe.close()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    unittest.main(verbosity=2, warnings="ignore")
