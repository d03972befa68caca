"""Reloads and replacements of the program under load, workers that die, logs that are rotated, and
what a service manager hears of it: the ports never close, no request fails, and what cannot start
leaves everything as it was, with one line that says why.

`reload.py --reloads 1000 --upgrades 50 --kills 60 --pause 1 Load` is the long run."""

import ctypes
import os
import platform
import re
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
import unittest

import client
import cluster
import harness
import traffic
from harness import wait_until

TOKEN = "1718539201234"
LARGE = bytes(range(256)) * 4096 * 8
CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
listen:
  host: 127.0.0.1
  port: @tls_port@
  ssl: {certificate-file: @cert@, key-file: @key@}
listen: {type: unix, port: @unix@}
@more_listeners@
num-threads: @threads@
shutdown-timeout: @shutdown_timeout@
breaker.token: "@token@"
@extra@
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
@more_paths@
"""
COUNTS = {"--reloads": 30, "--upgrades": 4, "--kills": 4, "--pause": 0}


def tells_mounts_apart():
    return tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= (6, 8)


class Opened:
    """Which files of a directory are opened, by inotify(7)."""

    IN_OPEN, IN_ISDIR = 0x20, 0x40000000

    def __init__(self, directory):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0 or libc.inotify_add_watch(self.fd, directory.encode(), self.IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), directory)

    def names(self):
        """Those that were opened since the last call."""
        names, events = [], b""
        try:
            events = os.read(self.fd, 1 << 20)
        except BlockingIOError:
            pass
        while events:
            _, mask, _, size = struct.unpack_from("iIII", events)
            if not mask & self.IN_ISDIR:
                names.append(events[16:16 + size].rstrip(b"\0").decode())
            events = events[16 + size:]
        return names

    def close(self):
        os.close(self.fd)


class ReloadCase(harness.FlavourCase):
    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.port, self.tls_port = harness.free_port(), harness.free_port()
        self.certificate = harness.Certificate(self.scratch)
        os.makedirs(self.scratch("run"))
        os.chmod(self.scratch("run"), 0o777)
        self.values = {"port": self.port, "tls_port": self.tls_port, "threads": 2, "token": TOKEN,
                       "cert": self.certificate.cert, "key": self.certificate.key, "extra": "",
                       "more_listeners": "", "more_paths": "", "shutdown_timeout": 60,
                       "unix": self.scratch("run", "sock"),
                       "tree": self.scratch.tree("tree", {"a.css": b"body {}\n" * 100,
                                                          "large.bin": LARGE})}

    def text(self, **values):
        self.values.update(values)
        return harness.expand(CONFIG, **self.values)

    def start(self, args=(), **values):
        self.server = harness.Server(self.flavour, self.text(**values), args=args, master=True)
        self.addCleanup(self.server.kill)
        return self.server

    def write(self, text):
        with open(self.server.config_path, "w") as file:
            file.write(text)

    def lines(self):
        return self.server.stderr().decode("utf-8", "replace").splitlines()

    def count(self, text):
        self.server.notify.receive()
        return sum(text in line for line in self.lines())

    def reload(self, number=signal.SIGHUP, **values):
        """Until another worker serves."""
        self.write(self.text(**values))
        self.server.reload(number)

    def fail_to_reload(self, text, number=signal.SIGHUP):
        """Returns the line that says why."""
        self.write(text)
        num_lines, workers = len(self.lines()), self.server.workers()
        self.server.signal(number)
        wait_until(lambda: any("trouble=reload-refused" in line for line in self.lines()[num_lines:]),
                   "the old worker to be left")
        self.assertEqual(self.server.workers()[-1], workers[-1])
        # those before may be on their way out still
        lines = [line for line in self.lines()[num_lines:] if "event=retired" not in line]
        # who is started, and why it does not serve
        self.assertEqual(len(lines), 2, lines)
        return lines[1]

    def wait_until_old(self, tree):
        """Until a load remembers the files."""
        newest = max(os.stat(os.path.join(tree, name)).st_ctime for name in os.listdir(tree))
        wait_until(lambda: time.time() > newest + 3, "the files to be old enough")

    def get(self, path="/static/%s/a.css" % TOKEN, port=None, context=None):
        return client.get(port or self.port, path, context)

    def end(self):
        self.server.stop()
        for pid in self.server.workers():
            self.assertFalse(harness.is_alive(pid))


class Anew(ReloadCase):
    """What is read anew."""

    def test_files_and_configuration(self):
        server = self.start()
        pid = server.process.pid
        self.scratch.tree("tree", {"b.css": b"b {}\n"})
        self.assertEqual(self.get("/static/%s/b.css" % TOKEN).status, 404)
        self.reload(extra="server-name: anew")
        response = self.get("/static/%s/b.css" % TOKEN)
        self.assertEqual((response.status, response.body), (200, b"b {}\n"))
        self.assertEqual(response.get("server"), "anew")
        self.assertEqual(server.process.pid, pid)
        self.end()

    def reload_until_ready(self, number, **values):
        """As `systemctl reload` waits: nothing but READY=1 ends it."""
        self.write(self.text(**values))
        before = self.server.notify.receive().count("READY=1")
        self.server.signal(number)
        while self.server.notify.receive().count("READY=1") == before:
            select.select([self.server.notify.sock], [], [], 60)

    def test_whoever_connects_after_it_meets_the_new_configuration(self):
        # the more threads the longer the worker before takes to close its listeners
        self.start(threads=24)
        for number in range(20):
            name = "number-%d" % number
            self.reload_until_ready(signal.SIGUSR2 if number % 5 == 4 else signal.SIGHUP,
                                    extra="server-name: " + name)
            self.assertEqual({self.get().get("server") for _ in range(10)}, {name})
        self.end()

    def test_it_comes_to_an_end_when_the_worker_before_stands_still(self):
        self.start()
        pid, = self.server.workers()
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(lambda: harness.is_alive(pid) and os.kill(pid, signal.SIGKILL))
        self.reload_until_ready(signal.SIGHUP, extra="server-name: anew")
        self.reload_until_ready(signal.SIGHUP, extra="server-name: newer")
        self.assertEqual(self.get().get("server"), "newer")
        os.kill(pid, signal.SIGCONT)
        self.end()

    def is_trusted(self, context):
        try:
            return self.get(port=self.tls_port, context=context).status == 200
        except ssl.SSLError:
            return False

    def test_a_certificate(self):
        self.start()
        old = client.tls_context(self.certificate.cert)
        with client.Http1(self.tls_port, old) as kept:
            self.assertEqual(kept.request("/static/%s/a.css" % TOKEN).status, 200)
            new = harness.Certificate(self.scratch, "renewed")
            os.replace(new.cert, self.certificate.cert)
            os.replace(new.key, self.certificate.key)
            self.reload()
            context = client.tls_context(self.certificate.cert)
            self.assertEqual(self.get(port=self.tls_port, context=context).status, 200)
            self.assertFalse(self.is_trusted(old))
            # who was connected goes on with what was agreed
            last = kept.request("/static/%s/a.css" % TOKEN)
            self.assertEqual((last.status, last.get("connection")), (200, "close"))
        self.end()

    def test_listeners_come_and_go(self):
        self.start()
        path, further = self.values["unix"], harness.free_port()
        text = self.text(extra="listen: {host: 127.0.0.1, port: %d}" % further)
        self.write(text.replace("listen: {type: unix, port: %s}\n" % path, ""))
        self.server.reload()
        self.assertEqual(self.get(port=further).status, 200)
        self.assertEqual(self.get().status, 200)
        self.assertFalse(os.path.exists(path))
        self.reload(extra="")
        self.assertEqual(self.get(port=path).status, 200)

        def is_refused():
            with socket.socket() as sock:
                return sock.connect_ex(("127.0.0.1", further)) != 0
        wait_until(is_refused, "the port to be closed")
        self.end()
        self.assertFalse(os.path.exists(path))

    def test_more_threads_and_fewer(self):
        self.start()
        for threads in (4, 1, 3):
            self.reload(threads=threads)
            # every queue of the port has somebody who accepts from it
            for _ in range(30):
                self.assertEqual(self.get().status, 200)
        self.end()

    @unittest.skipUnless(tells_mounts_apart(), "before Linux 6.8 every file is read")
    def test_files_to_which_nothing_happened_are_not_opened(self):
        server, tree = self.start(), self.scratch("tree")
        first = self.get()
        self.wait_until_old(tree)
        # what had just changed when it was loaded is read once more
        self.reload()
        opened = Opened(tree)
        self.addCleanup(opened.close)
        for _ in range(2):
            self.reload()
            self.assertEqual(opened.names(), [])
            self.assertEqual(self.get().body, first.body)
            self.assertEqual(self.get("/static/%s/large.bin" % TOKEN).body, LARGE)
        self.scratch.tree("tree", {"a.css": b"BODY {}\n" * 100})
        opened.names()
        self.reload()
        self.assertEqual(opened.names(), ["a.css"])
        self.assertEqual(self.get().body, b"BODY {}\n" * 100)
        # a program that may be another one reads everything
        server.signal(signal.SIGUSR2)
        wait_until(lambda: self.count("event=upgraded"), "the new program")
        self.assertEqual(sorted(opened.names()), ["a.css", "large.bin"])
        self.assertEqual(self.get().body, b"BODY {}\n" * 100)
        self.end()

    @unittest.skipUnless(os.geteuid() == 0, "it takes root to become a user")
    def test_another_user_reads_everything(self):
        self.start(extra="user: nobody")
        self.wait_until_old(self.scratch("tree"))
        # what had just changed when it was loaded is read once more
        self.reload()
        opened = Opened(self.scratch("tree"))
        self.addCleanup(opened.close)
        self.reload(extra="user: daemon")
        self.assertEqual(sorted(opened.names()), ["a.css", "large.bin"])
        self.assertEqual(self.get().status, 200)
        self.end()

    def test_an_unchanged_tree_keeps_its_token(self):
        config = self.text().replace('breaker.token: "%s"\n' % TOKEN, "")
        self.server = harness.Server(self.flavour, config, master=True)
        self.addCleanup(self.server.kill)
        location = self.get("/static/1/a.css").leads_to
        for number in (signal.SIGHUP, signal.SIGUSR2):
            self.server.reload(number)
            self.assertEqual(self.get("/static/1/a.css").leads_to, location)
            self.assertEqual(self.get(location).status, 200)
        self.end()


CLUSTER = """
listen: {host: 127.0.0.1, port: @port@}
num-threads: 2
breaker.health: /breaker
breaker.ready-timeout: 60m
breaker.fetch: {timeout: 30s}
@archive@
breaker.cluster:
  app: shop
  redis: "redis://127.0.0.1:@redis@"
  poll: 250ms
  advertise: "127.0.0.1:@port@"
  start: strict
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
"""


class OfACluster(ReloadCase):
    """Nobody waits for more than an hour of ready-timeout: whatever is waited for in vain is seen."""
    flavours = ("evloop",)

    def setUp(self):
        super().setUp()
        self.redis = cluster.Redis()
        self.addCleanup(self.redis.kill)
        self.redis.start()
        os.makedirs(self.scratch("archive"))
        os.chmod(self.scratch("archive"), 0o777)

    def node(self, tree, archive=""):
        port = harness.free_port()
        server = harness.Server(self.flavour, harness.expand(
            CLUSTER, port=port, redis=self.redis.port, archive=archive, tree=tree), master=True)
        server.port = port
        self.addCleanup(server.kill)
        return server

    def location(self, server, before=()):
        """The file under the token that is handed out: zeros are older than everything."""
        location = self.get("/static/0/a.css", port=server.port).leads_to
        self.assertNotIn(location, before)
        return location

    def ready(self, server):
        return self.get("/breaker/readyz", port=server.port).status == 200

    def expect_all(self, server, handed):
        for path, content in handed.items():
            response = self.get(path, port=server.port)
            self.assertEqual((response.status, response.body), (200, content), path)

    def expect_releases_to_follow_and_stay(self, archive):
        tree = self.values["tree"]
        server = self.node(tree, archive)
        handed = {self.location(server): b"body {}\n" * 100}
        for number in range(1, 4):
            content = b"body { order: %d }\n" % number
            self.scratch.tree("tree", {"a.css": content})
            server.reload()
            self.assertTrue(self.ready(server))
            handed[self.location(server, handed)] = content
            self.expect_all(server, handed)
        # files that are the same again are the same release
        tokens = self.redis.tokens()
        server.reload()
        self.assertEqual(self.location(server), list(handed)[-1])
        self.assertEqual(self.redis.tokens(), tokens)
        server.stop()

    def test_its_releases_follow_each_other_and_stay(self):
        self.expect_releases_to_follow_and_stay("breaker.archive: " + self.scratch("archive"))

    def test_without_an_archive_they_come_from_the_worker_before(self):
        self.expect_releases_to_follow_and_stay("")

    def test_with_an_archive_others_have_a_release_before_its_worker_serves(self):
        other = self.node(self.scratch.tree("other", {"a.css": b"other\n"}))
        server = self.node(self.values["tree"], "breaker.archive: " + self.scratch("archive"))
        handed = [self.location(server)]
        for number in range(3):
            content = b"body { order: %d }\n" % number
            self.scratch.tree("tree", {"a.css": content})
            server.reload()
            handed.append(path := self.location(server, handed))
            # without asking the node whose release it is
            server.signal(signal.SIGSTOP)
            self.expect_all(other, {path: content})
            server.signal(signal.SIGCONT)
        other.stop()
        server.stop()

    def test_a_worker_that_dies_is_replaced_without_waiting_for_what_others_serve(self):
        other = self.node(self.scratch.tree("other", {"a.css": b"other\n"}))
        server = self.node(self.values["tree"])
        path = self.location(server)
        # it lives, as far as anybody knows, and gives nothing
        other.signal(signal.SIGSTOP)
        os.kill(server.workers()[-1], signal.SIGKILL)
        self.assertEqual(self.get(path, port=server.port).status, 200)
        self.assertFalse(self.ready(server))
        other.signal(signal.SIGCONT)
        wait_until(lambda: self.ready(server), "what the other one serves")
        other.stop()
        server.stop()


class Refused(ReloadCase):
    """What cannot start: the old worker serves on, and one line says why."""

    def test_a_configuration_that_is_broken(self):
        self.start()
        why = self.fail_to_reload(self.text(extra="no-such-key: 1"))
        self.assertRegex(why, r"h2o.conf:\d+:1: .*no-such-key")
        self.assertEqual(self.get().status, 200)
        self.reload(extra="")
        self.end()

    def test_a_certificate_that_does_not_match_its_key(self):
        self.start()
        other = harness.Certificate(self.scratch, "other")
        why = self.fail_to_reload(self.text(key=other.key))
        self.assertIn("key", why)
        self.end()

    def test_a_directory_that_is_gone(self):
        self.start()
        why = self.fail_to_reload(self.text(tree=self.scratch("none")))
        self.assertIn(self.scratch("none"), why)
        self.assertEqual(self.get().status, 200)
        self.end()

    def test_a_port_that_is_taken(self):
        self.start()
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            why = self.fail_to_reload(
                self.text(extra="listen: {host: 127.0.0.1, port: %d}" % port))
        self.assertRegex(why, "h2o.conf:.*127.0.0.1:%d: the address is in use" % port)
        self.assertEqual(self.get().status, 200)
        # nothing is left of it
        self.reload(extra="")
        self.end()

    def test_a_program_that_is_none(self):
        directory = self.scratch("bin")
        os.mkdir(directory)
        program = os.path.join(directory, harness.PROGRAMS[self.flavour])
        shutil.copy2(os.path.join(harness.BIN, harness.PROGRAMS[self.flavour]), program)
        self.server = harness.Server(self.flavour, self.text(), directory=directory,
                                     master=True)
        self.addCleanup(self.server.kill)
        for content in (b"no program\n", b"#!/bin/sh\nexit 7\n"):
            with open(program + ".new", "wb") as file:
                file.write(content)
            os.chmod(program + ".new", 0o755)
            os.replace(program + ".new", program)
            self.server.signal(signal.SIGUSR2)
            wait_until(lambda: self.count("trouble=reload-refused") == 1 + (content[0] == b"#"[0]),
                       "the old worker to be left")
            self.assertEqual(self.get().status, 200)
        # the program that runs can still be started
        self.reload()
        self.end()


class Worker(ReloadCase):
    def test_one_that_is_killed_is_replaced_and_the_port_never_closes(self):
        self.start()
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGKILL):
            with socket.socket() as early:
                pid = self.server.workers()[-1]
                os.kill(pid, number)
                early.connect(("127.0.0.1", self.port))
                wait_until(lambda: not harness.is_alive(pid), "the worker to be dead")
                self.assertEqual(self.get().status, 200)
        self.assertEqual(self.count("was killed by signal"), 3)
        self.end()

    def test_signals_of_others_do_nothing_to_it(self):
        self.start()
        pid, = self.server.workers()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP,
                       signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
            os.kill(pid, number)
        self.assertEqual(self.get().status, 200)
        self.assertEqual(self.server.workers(), [pid])
        self.end()

    def test_no_signal_ends_them_but_those_that_stop_and_those_of_faults(self):
        self.start()
        pid, = self.server.workers()
        meant = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1,
                 signal.SIGUSR2, signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN,
                 signal.SIGTTOU, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS,
                 signal.SIGFPE, signal.SIGSEGV, signal.SIGSYS}
        for number in signal.valid_signals() - meant:
            for process in (self.server.process.pid, pid):
                os.kill(process, number)
        self.assertEqual(self.get().status, 200)
        self.reload(extra="server-name: anew")
        self.assertFalse(self.count("trouble="))
        self.end()

    def test_programs_that_it_starts_get_signals_as_they_are(self):
        states = [self.scratch("states", name) for name in ("access", "errors")]
        command = '"|grep ^Sig /proc/self/status >%s; exec cat >/dev/null"'
        self.scratch.tree("states", {})
        os.chmod(self.scratch("states"), 0o777)
        self.start(extra="access-log: %s\nerror-log: %s" % tuple(command % path for path in states))
        for path in states:
            wait_until(lambda: os.path.exists(path) and "SigCgt" in open(path).read(), "the command")
            with open(path) as file:
                signals = dict(line.split() for line in file)
            # 32 and 33 are libc's own
            self.assertEqual(int(signals["SigIgn:"], 16) & ~(3 << 31), 0)
            self.assertEqual(int(signals["SigBlk:"], 16), 0)
        self.end()

    def test_it_goes_when_the_master_is_killed(self):
        self.start()
        pid, = self.server.workers()
        with client.Http1(self.port) as kept:
            self.assertEqual(kept.request("/static/%s/a.css" % TOKEN).status, 200)
            self.server.process.kill()
            self.server.process.wait()
            wait_until(lambda: self.count("the master is gone"), "the worker to notice")
            self.assertEqual(kept.request("/static/%s/a.css" % TOKEN).status, 200)
        wait_until(lambda: not harness.is_alive(pid), "the worker to end")
        self.start()
        self.end()


class Signals(ReloadCase):
    def test_what_is_asked_while_the_program_is_replaced_is_done_by_the_next_one(self):
        server = self.start()
        before = self.count("event=starting")
        server.signal(signal.SIGUSR2)
        wait_until(lambda: self.count("event=starting") > before, "the next worker to start")
        server.signal(signal.SIGHUP)
        wait_until(lambda: self.count("event=took-over") == 2, "another worker after that", 60)
        self.assertEqual(self.count("event=upgraded"), 1)
        self.end()

    def test_sigquit_drains_as_sigterm_does(self):
        for number in (signal.SIGQUIT, signal.SIGTERM, signal.SIGINT):
            server = self.start()
            with client.Http1(self.port, receive_buffer=4096) as slow:
                slow.send(client.make_request("/static/%s/large.bin" % TOKEN))
                head = slow.take_until(b"\r\n\r\n")
                self.assertIn(b" 200 ", head)
                server.signal(number)
                wait_until(lambda: self.count("event=draining"), "the server to stop")
                self.assertEqual(slow.take(len(LARGE)), LARGE)
            self.assertEqual(server.wait_exit(), 0)

    def test_a_second_one_cuts(self):
        server = self.start()
        with client.Http1(self.port, receive_buffer=4096) as slow:
            slow.send(client.make_request("/static/%s/large.bin" % TOKEN))
            slow.take_until(b"\r\n\r\n")
            server.signal(signal.SIGTERM)
            wait_until(lambda: self.count("event=draining"), "the server to stop")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait_exit(), 0)

    def test_sigusr1_opens_logs_anew(self):
        log, errors = self.scratch("run", "access.log"), self.scratch("run", "error.log")
        text = self.text(extra="access-log: %s\nerror-log: %s" % (log, errors))
        self.server = harness.Server(self.flavour, text, master=True)
        self.addCleanup(self.server.kill)
        # a log's directory is seldom the user's that serves
        os.chmod(self.scratch("run"), 0o755)

        def num_lines(path):
            with open(path) as file:
                return len(file.readlines())
        for directory in range(2):
            self.get("/static/%s/none" % TOKEN)
            wait_until(lambda: num_lines(log) == 1, "a line of the log")
            for path in (log, errors):
                os.rename(path, path + ".1")
            self.server.signal(signal.SIGUSR1)
            wait_until(lambda: os.path.exists(log) and os.path.exists(errors), "new logs")
            wait_until(lambda: self.opens(log), "the worker to have it")
        self.get("/static/%s/none" % TOKEN)
        wait_until(lambda: num_lines(log) == 1, "a line of the new log")
        self.assertEqual(num_lines(log + ".1"), 1)
        self.server.signal(signal.SIGHUP)
        wait_until(lambda: "SIGHUP" in open(errors).read(), "the master's own line")
        self.end()

    def opens(self, path):
        """Whether the worker has the file at this path open."""
        found = os.stat(path)
        for pid in self.server.workers():
            for name in os.listdir("/proc/%d/fd" % pid):
                try:
                    each = os.stat("/proc/%d/fd/%s" % (pid, name))
                except OSError:
                    continue
                if (each.st_dev, each.st_ino) == (found.st_dev, found.st_ino):
                    return True
        return False


class Asked(ReloadCase):
    """`--reload` and `--upgrade`, which say how it went."""

    def begin(self, option, pid=None):
        program = os.path.join(harness.BIN, harness.PROGRAMS[self.flavour])
        process = subprocess.Popen([program, option, str(pid or self.server.process.pid)],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def ask(self, *words):
        """The exit status, and what was printed."""
        process = self.begin(*words)
        return process.wait(harness.DEADLINE_S * 3), process.stdout.read()

    def test_it_is_done_when_the_program_ends(self):
        self.start()
        for number in range(10):
            for option in "--reload", "--upgrade":
                name = "%s-%d" % (option, number)
                self.write(self.text(extra="server-name: " + name))
                self.assertEqual(self.ask(option), (0, ""))
                self.assertEqual(self.get().get("server"), name)
        self.end()

    def test_a_refusal_has_its_status_and_its_reason(self):
        server = self.start()
        self.write("nonsense")
        for option in "--reload", "--upgrade":
            status, text = self.ask(option)
            self.assertEqual(status, 78)
            self.assertRegex(text, r"\Ah2o-breaker: process %d goes on as before: .*h2o\.conf:1:1: .*\n\Z"
                             % server.process.pid)
        wait_until(lambda: server.notify.receive()[-1].startswith(
            "STATUS=serving; the last reload was refused: "), "the manager to know")
        self.write(self.text())
        self.assertEqual(self.ask("--reload"), (0, ""))
        wait_until(lambda: "STATUS=serving" in server.notify.receive()[-2:], "nothing of it")
        self.end()

    def test_all_that_ask_at_once_hear_of_it(self):
        self.start()
        processes = [self.begin(option) for option in ["--reload", "--upgrade"] * 10]
        self.assertEqual([process.wait(harness.DEADLINE_S * 3) for process in processes], [0] * 20)
        self.end()

    def test_a_server_that_ends_answers(self):
        server = self.start()
        # which has no answer for whoever asks: it reads nothing
        worker, = server.workers()
        os.kill(worker, signal.SIGSTOP)
        self.addCleanup(lambda: harness.is_alive(worker) and os.kill(worker, signal.SIGKILL))
        server.signal(signal.SIGTERM)
        wait_until(lambda: self.ask("--reload")[0] == 69, "an answer")
        os.kill(worker, signal.SIGCONT)
        server.stop()
        self.assertEqual(self.ask("--reload"), (69, "h2o-breaker: process %d cannot be asked: "
                                                "No such process\n" % server.process.pid))

    def test_only_a_process_can_be_asked(self):
        for word in "", "0", "-1", "1x", "99999999999":
            process = subprocess.run([os.path.join(harness.BIN, harness.PROGRAMS[self.flavour]),
                                      "--reload=" + word], capture_output=True, text=True,
                                     check=False)
            self.assertEqual(process.returncode, 64)
            self.assertIn("a process id is expected", process.stderr)


class Manager(ReloadCase):
    """What a service manager sees and gives."""

    def test_it_hears_of_reloads(self):
        server = self.start()
        self.reload()
        wait_until(lambda: server.notify.receive().count("READY=1") == 2, "READY=1 once more")
        lines = server.notify.lines
        self.assertIn("RELOADING=1", lines)
        self.assertRegex("\n".join(lines), r"(?m)^MONOTONIC_USEC=\d+$")
        said = [line for line in lines if not line.startswith("STATUS=")]
        self.assertEqual([line.split("=")[0] for line in said],
                         ["READY", "MAINPID", "RELOADING", "MONOTONIC_USEC", "READY", "MAINPID"])
        self.assertEqual([line for line in said if line.startswith("MAINPID")],
                         ["MAINPID=%d" % server.process.pid] * 2)
        self.fail_to_reload("nonsense")
        wait_until(lambda: server.notify.receive().count("READY=1") == 3, "READY=1 all the same")
        server.signal(signal.SIGTERM)
        wait_until(lambda: "STOPPING=1" in server.notify.receive(), "STOPPING=1")
        server.stop()

    def test_its_sockets_are_used(self):
        given = socket.create_server(("127.0.0.1", self.port), backlog=64)
        path = self.values["unix"]
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(path)
        unix.listen()
        os.chmod(path, 0o777)
        for args in ((), ("--no-master",)):
            script = ('import os, sys\n'
                      'for i, fd in enumerate((%d, %d)): os.dup2(fd, 3 + i)\n'
                      'os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2")\n'
                      'os.execv(sys.argv[1], sys.argv[1:])' % (given.fileno(), unix.fileno()))
            self.server = harness.Server(
                self.flavour, self.text(), args=args, wrap=[sys.executable, "-c", script],
                pass_fds=(given.fileno(), unix.fileno()), master=True)
            self.addCleanup(self.server.kill)
            self.assertEqual(self.get().status, 200)
            self.assertEqual(self.get(port=path).status, 200)
            if not args:
                self.reload(number=signal.SIGUSR2)
                self.assertEqual(self.get().status, 200)
            self.server.stop()
            # both stay the manager's
            self.assertTrue(os.path.exists(path))
            with socket.create_connection(("127.0.0.1", self.port)):
                pass
            given.accept()[0].close()
        given.close()
        unix.close()


    def test_one_that_no_listen_names_is_said(self):
        with socket.create_server(("127.0.0.1", 0)) as given:
            line = "LISTEN_FDS: no `listen` names 127.0.0.1:%d" % given.getsockname()[1]
            script = ('import os, sys\n'
                      'os.dup2(%d, 3)\n'
                      'os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")\n'
                      'os.execv(sys.argv[1], sys.argv[1:])' % given.fileno())
            for args in ((), ("--no-master",)):
                self.server = harness.Server(
                    self.flavour, self.text(), args=args, wrap=[sys.executable, "-c", script],
                    pass_fds=(given.fileno(),), master=True)
                self.addCleanup(self.server.kill)
                wait_until(lambda: self.count(line) == 1, line)
                self.server.stop()


# on a machine that stands still for a while nobody outlives a limit
PATIENT = {"extra": "handshake-timeout: 10m\nhttp1-request-timeout: 10m\nhttp2-idle-timeout: 10m",
           "shutdown_timeout": "10m"}


class Late(ReloadCase):
    """Connections that the worker has when it retires, and that begin after that."""

    def setUp(self):
        super().setUp()
        self.values.update(PATIENT)

    def connect(self, port):
        worker = self.server.workers()[-1]
        before = len(os.listdir("/proc/%d/fd" % worker))
        sock = client.connect(port)
        wait_until(lambda: len(os.listdir("/proc/%d/fd" % worker)) > before, "the worker to have it")
        return sock

    def retire(self):
        before = self.count("event=draining")
        self.reload()
        wait_until(lambda: self.count("event=draining") > before, "the old one to know")

    def expect_two_goodbyes(self, sock, context):
        """The first leaves a second for requests that are on their way."""
        connection = traffic.Parting.__new__(traffic.Parting)
        connection.goodbyes = []
        if context is not None:
            sock = context.wrap_socket(sock, server_hostname="localhost")
        with connection:
            connection.prepare(sock, context is not None)
            while len(connection.goodbyes) < 2:
                stream = connection.start("/static/%s/a.css" % TOKEN)
                response = connection.wait(stream)
                if response is None:
                    self.assertTrue(connection.is_unseen(stream))
                else:
                    self.assertEqual(response.status, 200)
            self.assertEqual(connection.goodbyes[0], 2 ** 31 - 1)
            self.assertLessEqual(connection.goodbyes[1], stream)

    def test_http2_is_told_to_go(self):
        self.start()
        kinds = [(self.port, None)]
        if self.flavour == "evloop":
            kinds.append((self.tls_port, client.tls_context(self.certificate.cert, ("h2",))))
        for port, context in kinds:
            with self.connect(port) as sock:
                self.retire()
                self.expect_two_goodbyes(sock, context)
        self.end()

    def test_http1_is_answered_and_ends(self):
        self.start()
        for port, context in ((self.port, None),
                              (self.tls_port, client.tls_context(self.certificate.cert))):
            with self.connect(port) as sock:
                self.retire()
                connection = client.Http1.__new__(client.Http1)
                connection.buffer, connection.ended = b"", False
                connection.sock = sock if context is None else context.wrap_socket(
                    sock, server_hostname="localhost")
                with connection:
                    response = connection.request("/static/%s/a.css" % TOKEN)
                    # the first one may come before all threads have heard of it
                    while response.get("connection") != "close":
                        self.assertEqual(response.status, 200)
                        response = connection.request("/static/%s/a.css" % TOKEN)
                    self.assertEqual(response.status, 200)
        self.end()


class LoadCase(ReloadCase):
    """A server that is asked without an end, by clients of every kind."""

    url, content = "/static/%s/a.css" % TOKEN, b"body {}\n" * 100
    large_url, large = "/static/%s/large.bin" % TOKEN, LARGE

    def setUp(self):
        super().setUp()
        self.application = traffic.Application()
        self.addCleanup(self.application.stop)
        port = self.values["proxy_port"] = harness.free_port()
        self.values["more_listeners"] = (
            "listen: {host: 127.0.0.1, port: %d, proxy-protocol: ON}" % port)
        self.values["more_paths"] = MORE_PATHS % self.application.port
        self.values.update(PATIENT)

    def load(self, on_failure=None):
        load = traffic.Traffic(self, on_failure)
        self.addCleanup(load.stop)
        return load


MORE_PATHS = """\
      "/application":
        proxy.reverse.url: "http://127.0.0.1:%d/"
        proxy.websocket: ON"""


class Load(LoadCase):
    def expect_no_failure(self, count, number):
        server = self.start()
        # from here on the master has as much as it will ever have of what workers have loaded
        self.wait_until_old(self.scratch("tree"))
        self.reload(number)
        if number == signal.SIGUSR2:
            wait_until(lambda: self.count("event=upgraded"), "the new program")
        wait_until(lambda: len(server.workers()) == 1, "the old worker to end")
        before = self.descriptors(), self.resident()
        # the long run ends long after them
        load = self.load(lambda failure: print(failure, flush=True))
        num = 0
        # until every kind of client has met some
        while num < count or min(load.num.values()) < 3:
            self.reload(number)
            num += 1
        load.stop()
        print("%d times, %s; " % (num, load.describe()), end="", flush=True)
        self.assertEqual(load.failures[:5], [])
        wait_until(lambda: len(server.workers()) == 1, "the old workers to end", 60)
        wait_until(lambda: self.descriptors() <= before[0], "as few descriptors as before")
        print("descriptors of the master %d and %d, memory %d and %d KiB: " % (
            before[0], self.descriptors(), before[1] >> 10, self.resident() >> 10), end="",
            flush=True)
        self.assertLess(self.resident() - before[1], 2 << 20)
        self.assertEqual(self.count("event=cut"), 0)
        self.end()

    def descriptors(self):
        """Those of the master."""
        return len(os.listdir("/proc/%d/fd" % self.server.process.pid))

    def resident(self):
        with open("/proc/%d/statm" % self.server.process.pid) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def test_no_request_fails_while_the_server_is_reloaded(self):
        self.expect_no_failure(COUNTS["--reloads"], signal.SIGHUP)

    def test_no_request_fails_while_the_program_is_replaced(self):
        self.expect_no_failure(COUNTS["--upgrades"], signal.SIGUSR2)

    def test_only_what_is_in_flight_is_lost_when_workers_are_killed(self):
        server, load, kills = self.start(), self.load(), []
        for number in range(COUNTS["--kills"]):
            before = sum(load.num.values())
            # connections wait meanwhile, and then there are answers again
            wait_until(lambda: sum(load.num.values()) > before + 100, "answers", 60)
            time.sleep(COUNTS["--pause"])
            pid = server.workers()[-1]
            began = time.monotonic()
            os.kill(pid, (signal.SIGKILL, signal.SIGSEGV)[number % 2])
            wait_until(lambda: not harness.is_alive(pid), "the worker to be dead")
            # until then one of its threads may have accepted more
            kills.append((began, time.monotonic()))
        before = sum(load.num.values())
        wait_until(lambda: sum(load.num.values()) > before + 100, "answers", 60)
        load.stop()
        print("%d times, %s: " % (len(kills), load.describe()), end="", flush=True)
        self.assertEqual([failure for failure in load.failures if failure.is_refusal], [])
        # whatever was lost was open when a worker was killed
        self.assertEqual([failure for failure in load.failures
                          if not any(failure.began <= dead and failure.ended >= began
                                     for began, dead in kills)], [])
        self.assertEqual(self.count("was killed by signal"), len(kills))
        self.end()


class Many(LoadCase):
    """As many workers as may finish what was open."""

    flavours = ("evloop",)

    def test_a_reload_waits_while_64_workers_have_connections(self):
        small = self.scratch.tree("small", {"a.css": self.content})
        server, tunnels = self.start(tree=small), []
        while len(server.workers()) != 65:
            tunnel = client.Http1(self.port)
            self.addCleanup(tunnel.close)
            tunnel.send(traffic.UPGRADE)
            tunnel.take_until(b"\r\n\r\n")
            tunnels.append(tunnel)
            self.reload()
        before = self.count("event=took-over")
        server.signal(signal.SIGHUP)
        wait_until(lambda: self.count("event=reload-waits why=SIGHUP retiring=64"), "the log to say so")
        self.assertEqual(self.get().status, 200)
        self.assertEqual(self.count("event=took-over"), before)
        tunnels.pop(0).close()
        wait_until(lambda: self.count("event=took-over") > before, "another worker")
        self.assertEqual(self.count("event=reload-waits"), 1)
        for tunnel in tunnels:
            tunnel.close()
        self.end()


if __name__ == "__main__":
    for name in list(COUNTS):
        if name in sys.argv:
            at = sys.argv.index(name)
            COUNTS[name] = int(sys.argv[at + 1])
            del sys.argv[at:at + 2]
    harness.main()
