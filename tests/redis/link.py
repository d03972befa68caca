"""A link to Redis on a string (probe.c) and real Redis servers for it. Servers live in a directory of
their own and are ended by their process. Nothing sleeps where it can wait for a condition with a
deadline. BREAKER_PROBE_WRAPPER, "valgrind -q …" say, goes before the probe."""

import json
import os
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from harness import BIN, DEADLINE_S, REPORTS, free_port, wait_until  # noqa: E402

WRAPPER = shlex.split(os.environ.get("BREAKER_PROBE_WRAPPER", ""))
# servers on one loaded machine may be slow; what must time out in a test says so itself
PATIENT = ["-c", "15000", "-r", "15000"]


class Probe:
    """One link in a process of its own. What it prints is read as [event, …] lists."""

    def __init__(self, *arguments, patient=True, addresses=None):
        environment = dict(os.environ)
        if addresses is not None:
            environment["BREAKER_PROBE_ADDRESSES"] = " ".join(addresses)
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            WRAPPER + [os.path.join(BIN, "redis_probe")] + (PATIENT if patient else []) +
            list(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            env=environment)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.rest = b""

    def ask(self, *words):
        line = b"\t".join(w if isinstance(w, bytes) else w.encode() for w in words)
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def said(self):
        """What it printed to stderr until now."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def next(self, deadline_s=DEADLINE_S):
        """The next event, or None when the process ended before it."""
        end = time.monotonic() + deadline_s
        while b"\n" not in self.rest:
            if not self.selector.select(max(0, end - time.monotonic())):
                raise AssertionError("no event in %d s\n%s" % (deadline_s, self.said()))
            chunk = os.read(self.process.stdout.fileno(), 1 << 20)
            if not chunk:
                return None
            self.rest += chunk
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def expect(self, event, deadline_s=DEADLINE_S):
        """The next event, which must be this one; returns what comes with it."""
        got = self.next(deadline_s)
        if got is None or got[0] != event:
            raise AssertionError("expected %s, got %r\n%s" % (event, got, self.said()))
        return got[1] if len(got) > 1 else None

    def dial(self):
        self.ask("dial")
        return self.expect("up")

    def down(self, deadline_s=DEADLINE_S):
        self.ask("dial")
        return self.expect("down", deadline_s)

    def command(self, *words):
        self.ask("command", *words)
        return self.expect("reply")

    def fds(self):
        self.ask("fds")
        return self.expect("fds")

    def close(self):
        """Frees the link and waits for the end, which must come by itself and without a report."""
        try:
            self.ask("free")
        except BrokenPipeError:
            pass
        return self.end()

    def end(self):
        try:
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
        return said


class FullBacklog:
    """A listener that accepts nothing and has no room for more."""

    def __init__(self):
        self.sockets = [socket.create_server(("127.0.0.1", 0), backlog=0)]
        self.port = self.sockets[0].getsockname()[1]
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.sockets.append(filler)

    def stop(self):
        for each in self.sockets:
            each.close()


class Redis:
    """A redis-server of its own on loopback."""

    def __init__(self, *arguments, port=None, sentinel=False, tls=False):
        self.directory = tempfile.mkdtemp(prefix="breaker-redis-")
        self.port = free_port() if port is None else port
        self.arguments = arguments
        self.sentinel = sentinel
        self.tls = tls
        self.password = None
        self.process = None
        self.start()

    def start(self):
        command = ["redis-server"]
        if self.sentinel:
            path = os.path.join(self.directory, "sentinel.conf")
            if not os.path.exists(path):
                with open(path, "w") as file:
                    file.write("port %d\nbind 127.0.0.1\ndir %s\n%s\n" % (
                        self.port, self.directory, "\n".join(self.arguments)))
            command += [path, "--sentinel"]
        else:
            command += ["--bind", "127.0.0.1", "-::1", "--save", "", "--dir", self.directory,
                        "--port" if not self.tls else "--tls-port", str(self.port)]
            command += ["--port", "0"] if self.tls else []
            command += list(self.arguments)
        self.log = open(os.path.join(self.directory, "log"), "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log)
        wait_until(self.is_ready, "redis-server on port %d: %s" % (self.port, self.output()))

    def output(self):
        with open(os.path.join(self.directory, "log"), errors="replace") as file:
            return file.read()

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError("redis-server ended: " + self.output())
        return "eady to accept connections" in self.output() or "Sentinel ID is" in self.output()

    def cli(self, *words, check=True):
        command = ["redis-cli", "-p", str(self.port)]
        environment = dict(os.environ)
        if self.password is not None:
            environment["REDISCLI_AUTH"] = self.password
        done = subprocess.run(command + list(words), capture_output=True, text=True,
                              timeout=DEADLINE_S, env=environment, check=False)
        if check and done.returncode != 0:
            raise AssertionError("%r: %s%s" % (words, done.stdout, done.stderr))
        return done.stdout.strip()

    def kill(self):
        """Like a crash: nothing is said to anybody."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class Scripted:
    """A server on loopback that treats every connection as `script(connection)` says, in a thread of
    its own each. What scripts find broken is their peer's business."""

    def __init__(self, script, port=0, address="127.0.0.1"):
        self.script = script
        self.listener = socket.create_server((address, port))
        self.port = self.listener.getsockname()[1]
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
            self.script(connection)
        except OSError:
            pass

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


class LinkTest(unittest.TestCase):
    def redis(self, *arguments, **options):
        server = Redis(*arguments, **options)
        self.addCleanup(server.stop)
        return server

    def scripted(self, script):
        server = Scripted(script)
        self.addCleanup(server.stop)
        return server

    def probe(self, *arguments, **options):
        probe = Probe(*arguments, **options)
        self.addCleanup(self.end_probe, probe)
        return probe

    @staticmethod
    def end_probe(probe):
        if probe.process.poll() is None or not probe.process.stdout.closed:
            probe.close()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    unittest.main(verbosity=2, warnings="ignore")
