"""The error log: every line an event, as text by its grammar or as JSON by Python's parser, whoever
says it and whatever goes wrong; commands that read it, and some that do not."""

import json
import os
import re
import signal
import subprocess
import sys

import client
import cluster
import harness
from harness import expand, quoted, wait_until

TOKEN = "1718539201234"
CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
num-threads: 2
shutdown-timeout: 10
breaker.token: "@token@"
@extra@
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
      "/app":
        proxy.reverse.url: "http://127.0.0.1:@nobody@/"
"""
CLUSTERED = """
listen: {host: 127.0.0.1, port: @port@}
num-threads: 2
breaker.release: @release@
breaker.keep: {releases: 0, age: 0s}
breaker.cluster:
  app: shop
  redis: "redis://127.0.0.1:@redis@"
  poll: 100ms
  dead-after: 2s
  advertise: "127.0.0.1:@port@"
@extra@
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
"""
VALUE = r'(?:[^ "\\=]+|"(?:[^"\\]|\\["\\])*")'
TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (info|warning|error) breaker: [a-z0-9]+"
                  r"(?: app=[\w.~-]+)? (?:event|state|trouble)=[a-z0-9-]+(?: [a-z0-9-]+=%s)*" % VALUE)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
# has the program that it becomes take its stderr for the journal's
AS_THE_JOURNAL = ("import os, sys; st = os.fstat(2); "
                  "os.environ['JOURNAL_STREAM'] = '%d:%d' % (st.st_dev, st.st_ino); "
                  "os.execv(sys.argv[1], sys.argv[1:])")


class EventsCase(harness.FlavourCase):
    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        os.makedirs(self.scratch("run"))
        os.chmod(self.scratch("run"), 0o777)
        self.path = self.scratch("run", "error.log")
        self.values = {"port": harness.free_port(), "nobody": harness.free_port(), "token": TOKEN,
                       "tree": quoted(self.scratch.tree("tree", {
                           "a.css": b"body {}\n", "large.bin": bytes(16 << 20)}))}

    def text(self, extra="", config=CONFIG):
        return expand(config, extra=extra, **self.values)

    def start(self, extra="", master=True, wrap=()):
        self.server = harness.Server(self.flavour, self.text(extra), master=master, wrap=wrap)
        self.addCleanup(self.server.kill)
        return self.server

    def write(self, text):
        with open(self.server.config_path, "w") as file:
            file.write(text)

    def lines(self, log=None):
        """Those that are whole."""
        with open(log or self.path, errors="surrogateescape") as file:
            return file.read().split("\n")[:-1]

    def events(self, log=None):
        """What is in a log of JSON, which has nothing else in it."""
        found = [json.loads(line) for line in self.lines(log)]
        for event in found:
            self.assertRegex(event["time"], TIME)
            self.assertIn(event["level"], ("info", "warning", "error"))
            self.assertIn(event["component"], ("cluster", "h2o", "holding", "node", "server"))
            self.assertRegex(event["event"], r"\A[a-z0-9-]+\Z")
        return found

    def wait_event(self, name, log=None, **fields):
        def find():
            for event in self.events(log):
                if event["event"] == name and fields.items() <= event.items():
                    return event
        try:
            return wait_until(find, "the event %s %r" % (name, fields), 30)
        except AssertionError as error:
            raise AssertionError("%s in:\n%s" % (error, "\n".join(self.lines(log)))) from None

    def ask(self, target):
        with client.Http1(self.values["port"]) as connection:
            return connection.request(target).status


class OfAServer(EventsCase):
    def test_its_life_is_told_in_json(self):
        server = self.start("error-log: {path: %s, format: json}" % self.path)
        serving = self.wait_event("serving")
        self.assertEqual((serving["worker"], serving["threads"], serving["token"]),
                         (server.pid, 2, TOKEN))
        self.assertIn("127.0.0.1:%d" % self.values["port"], serving["listeners"])
        self.assertIsInstance(serving["ready-after"], float)
        loaded = self.wait_event("loaded", component="node", files=2)
        self.assertEqual(loaded["release"], serving["release"])

        server.signal(signal.SIGHUP)
        took = self.wait_event("took-over", before=serving["worker"])
        self.wait_event("starting", worker=took["worker"], why="SIGHUP")
        self.wait_event("draining", worker=serving["worker"], why="retired")
        self.wait_event("retired", worker=serving["worker"])

        text = self.text("error-log: {path: %s, format: json}" % self.path)
        self.write(text.replace("num-threads: 2", "num-threads: none"))
        server.signal(signal.SIGHUP)
        refused = self.wait_event("reload-refused", level="error", serving=took["worker"])
        self.assertIn("num-threads: got `none`; accepted: a number", refused["reason"])
        # once
        self.assertEqual(sum("num-threads" in line for line in self.lines()), 1)
        self.write(text)

        os.kill(took["worker"], signal.SIGKILL)
        died = self.wait_event("died", level="error", worker=took["worker"])
        self.assertIn("signal 9", died["reason"])
        starting = self.wait_event("starting", why="death")
        self.wait_event("serving", worker=starting["worker"])

        server.signal(signal.SIGUSR2)
        self.wait_event("starting", why="SIGUSR2")
        self.wait_event("upgraded")
        self.wait_event("retired", worker=starting["worker"])
        os.rename(self.path, self.path + ".1")
        server.signal(signal.SIGUSR1)
        wait_until(lambda: os.path.exists(self.path), "the log to be opened anew")
        self.wait_event("reopened", files=2)
        server.stop()
        self.wait_event("draining", why="stopping")
        self.wait_event("stopped")
        self.events(self.path + ".1")

    def test_connections_that_are_cut_are_counted(self):
        server = self.start("error-log: {path: %s, format: json}" % self.path)
        with client.Http1(self.values["port"], receive_buffer=4096) as slow:
            slow.send(client.make_request("/static/%s/large.bin" % TOKEN))
            slow.take_until(b"\r\n\r\n")
            server.signal(signal.SIGTERM)
            self.wait_event("draining", why="stopping")
            server.signal(signal.SIGTERM)
            server.stop()
        self.wait_event("cut", level="warning", why="told-again", connections=1)

    def test_what_requests_bring_stays_within_its_field(self):
        target = b"/app/\xff\xc3\xa4%22\"\\=x y".replace(b" ", b"%20")
        for form in ("text", "json"):
            server = self.start("error-log: {path: %s, format: %s}" % (self.path, form))
            self.assertEqual(self.ask(target), 502)
            server.stop()
            if form == "text":
                for line in self.lines():
                    self.assertRegex(line, r"\A%s\Z" % TEXT.pattern)
                line, = [line for line in self.lines() if "trouble=request" in line]
                self.assertIn(' breaker: h2o trouble=request module=upstream path="/app/', line)
                os.remove(self.path)
            else:
                event = self.wait_event("request", component="h2o", level="warning")
                self.assertEqual(event["path"].split("%22")[1], "\"\\=x%20y")
                self.assertIn("\ufffd\xe4", event["path"])
                self.assertEqual(event["reason"], "Couldn't connect to server")

    def test_a_level_leaves_the_rest_out(self):
        server = self.start("error-log: {level: error}")
        self.ask("/app/x")
        self.write(self.text("no-such-key: 1"))
        server.signal(signal.SIGHUP)
        wait_until(lambda: b"trouble=reload-refused" in server.stderr(), "the refusal")
        for line in server.stderr().decode().splitlines():
            self.assertRegex(line, r"\A\S+ error breaker: server trouble=")
        server.stop()

    def test_a_disk_that_is_full_spoils_one_line_at_most(self):
        """A file that may not grow beyond a size stands for the disk."""
        room, most = 4000, 64 << 20
        with open(self.path, "wb") as log:
            log.truncate(most - room)
        self.start("error-log: {path: %s, format: json}" % self.path,
                   wrap=("prlimit", "--fsize=%d" % most))
        while os.path.getsize(self.path) != most:
            self.ask("/app/full")
        with open(self.path, "r+b") as log:
            log.seek(most - room)
            last = log.read()
            log.seek(0)
            log.write(last)
            log.truncate()
        self.ask("/app/after")
        wait_until(lambda: '"path":"/app/after"' in "".join(self.lines()), "the line after it")
        torn = [line for line in self.lines() if not line.endswith("}")]
        whole = [json.loads(line) for line in self.lines() if line not in torn]
        self.assertLessEqual(len(torn), 1)
        self.assertGreaterEqual(sum(event["event"] == "log-lost" for event in whole), len(torn))
        self.server.stop()

    def test_a_reload_leads_back_to_stderr(self):
        server = self.start("error-log: %s" % self.path)
        self.assertEqual(server.stderr(), b"")
        for extra in ("error-log: stderr", "error-log: {path: stderr, format: json}", ""):
            before = len(server.stderr())
            self.write(self.text(extra))
            server.signal(signal.SIGHUP)
            wait_until(lambda: b"took-over" in server.stderr()[before:], "another worker")
        server.stop()
        self.assertNotIn("stopping", "".join(self.lines()))

    def test_the_journal_is_told_levels_of_plain_lines(self):
        """Of a first start, which has nothing else to say why it ended."""
        program = os.path.join(harness.BIN, harness.PROGRAMS[self.flavour])
        config = self.scratch.write("broken.conf", "no-such-key: 1")
        for words in ("-c", config), ("-c", config, "-t"), ("--no-such-option",):
            done = subprocess.run([sys.executable, "-c", AS_THE_JOURNAL, program, *words],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
            self.assertRegex(done.stderr, rb"\A<3>[^\n]+\n\Z")

    def test_the_journal_is_told_levels(self):
        server = self.start(wrap=[sys.executable, "-c", AS_THE_JOURNAL])
        self.ask("/app/x")
        self.write(self.text("no-such-key: 1"))
        server.signal(signal.SIGHUP)
        wait_until(lambda: b"trouble=reload-refused" in server.stderr(), "the refusal")
        self.write(self.text("error-log: %s" % self.path))
        server.signal(signal.SIGHUP)
        wait_until(lambda: os.path.exists(self.path) and "took-over" in "".join(self.lines()),
                   "another worker")
        server.stop()
        found = set()
        for line in server.exit_stderr.decode().splitlines():
            prefix, level = re.match(r"(<\d>)\S+ (\w+) ", line).groups()
            found.add((prefix, level))
        self.assertEqual(found, {("<6>", "info"), ("<4>", "warning"), ("<3>", "error")})
        for line in self.lines():
            self.assertRegex(line, r"\A\d{4}-")


class Commands(EventsCase):
    def reader(self):
        """A command that notes its process id, and the last that was noted."""
        return '"|echo $$ >> %s; exec cat >> %s"' % (self.scratch("run", "pids"), self.path)

    def pids(self):
        try:
            with open(self.scratch("run", "pids")) as file:
                return [int(line) for line in file]
        except FileNotFoundError:
            return []

    def test_one_reads_what_its_worker_says_and_ends_with_it(self):
        server = self.start("error-log: {path: %s, format: json}" % self.reader())
        for num in range(1, 4):
            wait_until(lambda: len(self.pids()) == num, "the command")
            self.assertTrue(harness.is_alive(self.pids()[-1]))
            wait_until(lambda: sum(map(harness.is_alive, self.pids())) == 1, "those before to end")
            server.signal(signal.SIGUSR1)
            self.ask("/app/%d" % num)
            self.wait_event("request", path="/app/%d" % num)
            if num != 3:
                server.signal((signal.SIGHUP, signal.SIGUSR2)[num - 1])
        server.stop()
        wait_until(lambda: not any(map(harness.is_alive, self.pids())), "the last one to end")
        self.wait_event("stopped")
        self.assertEqual(server.exit_stderr, b"")

    def test_one_that_does_not_read_holds_nobody_up(self):
        gate = self.scratch("run", "gate")
        os.mkfifo(gate)
        os.chmod(gate, 0o666)
        server = self.start('error-log: {path: "|read line < %s; exec cat >> %s", format: json}'
                            % (gate, self.path))
        for _ in range(200):
            self.assertEqual(self.ask("/app/" + "x" * 1000), 502)
        with open(gate, "w") as file:
            file.write("go on\n")
        wait_until(lambda: os.path.exists(self.path), "the command to read")
        wait_until(lambda: self.lines(), "its first lines")
        self.ask("/app/last")
        lost = self.wait_event("log-lost", level="error")
        self.assertGreater(lost["lines"], 0)
        self.wait_event("request", path="/app/last")
        num = sum(event["event"] == "request" for event in self.events())
        self.assertEqual(num + lost["lines"], 201)
        server.stop()

    def test_one_that_has_ended_holds_nobody_up(self):
        server = self.start('error-log: "|exit 7"')
        for _ in range(20):
            self.assertEqual(self.ask("/app/x"), 502)
        self.assertEqual(self.ask("/static/%s/a.css" % TOKEN), 200)
        server.stop()


class OfACluster(EventsCase):
    def join(self, release, extra="", master=False):
        tree = self.scratch.tree("tree-" + release, {
            "%d.css" % i: b"%s %d" % (release.encode(), i) for i in range(10)})
        port = harness.free_port()
        node = harness.Server(self.flavour, expand(
            CLUSTERED, port=port, release=release, redis=self.redis.port, tree=quoted(tree),
            extra=extra), master=master)
        node.port = port
        self.addCleanup(node.kill)
        return node

    def promote(self, release):
        done = harness.subprocess.run(
            [os.path.join(harness.BIN, "breakerctl"), "promote", "--app", "shop", "--redis",
             "redis://127.0.0.1:%d" % self.redis.port, release], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_happens_to_it_is_told_in_json(self):
        self.redis = cluster.Redis()
        self.addCleanup(self.redis.kill)
        self.redis.start()
        log = "error-log: {path: %s, format: json}" % self.path
        node = self.join("a", log)
        synced = self.wait_event("synced", component="cluster", app="shop")
        self.assertIsNone(synced.get("away"))

        other = self.join("b")
        appeared = self.wait_event("appeared", own=False, why="join")
        self.assertIsNone(appeared["before"])
        self.assertRegex(appeared["minted"], TIME)
        held = self.wait_event("held", component="holding", missing=10)
        self.wait_event("fetched", release=held["release"], files=10)
        self.wait_event("complete", release=held["release"], fetched=10)

        self.promote("a")
        moved = self.wait_event("moved", own=True)
        self.assertEqual((moved["before"], moved["app"]), (synced["token"], "shop"))

        self.redis.kill()
        self.wait_event("connection", level="warning")
        self.wait_event("stale", level="warning", token=moved["token"])
        self.redis.start()
        wait_until(lambda: any(event["event"] == "synced" and "away" in event
                               for event in self.events()), "Redis, again")
        self.wait_event("restored")

        other.stop()
        self.wait_event("dropped", release=held["release"])
        node.stop()
        self.wait_event("leaving", told=True)
        self.events()


if __name__ == "__main__":
    harness.main()
