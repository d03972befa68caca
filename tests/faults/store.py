"""A private Redis: started, killed, stopped, restored, its clock set. Its data lie in a dump that
is written on demand only, so that a restart brings back exactly what the fault says; or now and
then as well, as Debian's configuration has it."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import time

import harness

PASSWORD = "right"
APP = "faults"
LEDGER = "{%s}:breaker" % APP
NODES, STATE, INFO = LEDGER + ":nodes", LEDGER + ":state", LEDGER + ":info"
DEBIAN_SAVE = "3600 1 300 100 60 10000"
CLOCK_LIBRARY = os.path.join(harness.BIN, "redis-clock.so")


class Down(Exception):
    """Redis cannot be asked now."""


class Refused(Exception):
    """Redis answered with an error."""


def ask(port, *words, timeout=5, password=PASSWORD):
    """One command over a connection of its own."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as sock:
            stream = sock.makefile("rwb")
            if password is not None:
                _send(stream, "AUTH", password)
                _read(stream)
            _send(stream, *words)
            return _read(stream)
    except OSError as error:
        raise Down(str(error)) from error


def _send(stream, *words):
    encoded = [str(word).encode() for word in words]
    stream.write(b"*%d\r\n" % len(encoded))
    stream.write(b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded))
    stream.flush()


def _read(stream):
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise Down("it hung up")
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        raise Refused(rest.decode())
    if kind == b"+":
        return rest.decode()
    if kind == b":":
        return int(rest)
    if int(rest) == -1:
        return None
    if kind == b"$":
        return stream.read(int(rest) + 2)[:-2].decode("latin-1")
    return [_read(stream) for _ in range(int(rest))]


def has_clock():
    """Whether the clock of a Redis can be set."""
    return os.path.exists(CLOCK_LIBRARY)


class Redis:
    def __init__(self, *arguments, port=None, saves=""):
        self.scratch = harness.Scratch()
        self.port = port or harness.free_port()
        self.arguments = list(arguments)
        self.process = None
        self.saves = saves
        self.old_since = None
        self.offset_s = 0
        self.set_clock(0)
        self.start()

    def command(self):
        return ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port),
                "--dir", self.scratch.path, "--save", self.saves, "--requirepass", PASSWORD,
                "--masterauth", PASSWORD, "--repl-diskless-sync-delay", "0", *self.arguments]

    def start(self):
        with open(self.scratch("log"), "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.environment())
        harness.wait_until(self.is_up, "redis-server on port %d" % self.port)

    def environment(self):
        if not has_clock():
            return None
        return dict(os.environ, LD_PRELOAD=CLOCK_LIBRARY, BREAKER_TEST_CLOCK=self.scratch("clock"))

    def set_clock(self, offset_s):
        """Sets it so many seconds ahead of the machine's, at once."""
        self.offset_s = offset_s
        # in place: it is mapped
        with open(self.scratch("clock"), "r+b" if self.process else "wb") as file:
            file.write(struct.pack("=q", offset_s * 1000000))

    def is_up(self):
        try:
            return self.ask("PING") == "PONG"
        except (Down, Refused):
            return False

    def ask(self, *words):
        return ask(self.port, *words)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def now_ms(self):
        seconds, micros = self.ask("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    # ---- the dump ----

    def save(self):
        def is_saved():
            try:
                return self.ask("SAVE") == "OK"
            except Refused:  # it is at it by itself
                return False
        harness.wait_until(is_saved, "the dump")

    def keep_dump(self):
        """Sets today's data aside, for a day when they are old."""
        self.save()
        shutil.copy(self.scratch("dump.rdb"), self.scratch("old.rdb"))
        self.old_since = time.monotonic()

    def bring_old_dump(self):
        shutil.copy(self.scratch("old.rdb"), self.scratch("dump.rdb"))

    def drop_dump(self):
        if os.path.exists(self.scratch("dump.rdb")):
            os.unlink(self.scratch("dump.rdb"))

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.scratch.remove()


class Sentinel(Redis):
    """One of those that watch a master."""

    def __init__(self, master_port):
        self.master_port = master_port
        super().__init__()

    def command(self):
        path = self.scratch("sentinel.conf")
        if not os.path.exists(path):
            self.scratch.write("sentinel.conf", "\n".join((
                "port %d" % self.port, "bind 127.0.0.1", "dir " + self.scratch.path,
                "sentinel monitor shop 127.0.0.1 %d 2" % self.master_port,
                "sentinel auth-pass shop " + PASSWORD,
                "sentinel down-after-milliseconds shop 400",
                "sentinel failover-timeout shop 2000", "")))
        return ["redis-server", path, "--sentinel"]

    def ask(self, *words):
        return ask(self.port, *words, password=None)

    def knows_all(self):
        fields = self.ask("SENTINEL", "MASTER", "shop")
        known = dict(zip(fields[::2], fields[1::2]))
        return known["num-other-sentinels"] == "2" and known["num-slaves"] == "1"


class Guarded:
    """A master, a replica and three sentinels; looks like a Redis where the master is meant."""

    def __init__(self):
        first = Redis()
        second = Redis("--replicaof", "127.0.0.1", str(first.port))
        self.pair = [first, second]
        self.sentinels = [Sentinel(first.port) for _ in range(3)]
        for sentinel in self.sentinels:
            harness.wait_until(sentinel.knows_all, "the sentinels to meet", 60)

    def by_role(self, role):
        for redis in self.pair:
            try:
                if redis.ask("ROLE")[0] == role:
                    return redis
            except (Down, Refused):
                pass
        return None

    def is_named(self, redis):
        """Whether all sentinels send clients there."""
        return all(sentinel.ask("SENTINEL", "get-master-addr-by-name", "shop")[1] ==
                   str(redis.port) for sentinel in self.sentinels)

    def is_whole(self):
        """The replica follows the master, and the sentinels know it."""
        master, replica = self.by_role("master"), self.by_role("slave")
        if master is None or replica is None:
            return False
        role = replica.ask("ROLE")
        return (role[2] == master.port and role[3] == "connected" and self.is_named(master) and
                all(sentinel.knows_all() for sentinel in self.sentinels))

    def wait_whole(self):
        harness.wait_until(self.is_whole, "a replica that follows", 60)

    def ask(self, *words):
        """Asks the one that the sentinels name; an old master may still believe that it is one."""
        for redis in self.pair:
            if self.is_named(redis):
                return redis.ask(*words)
        raise Down("the sentinels name no one master")

    def now_ms(self):
        return int(time.time() * 1000)

    def stop(self):
        for each in self.sentinels + self.pair:
            each.stop()
