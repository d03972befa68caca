"""breakerctl against a real Redis and real nodes: what it prints, what it changes, how it exits."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import unittest

import client
import harness
from harness import DEADLINE_S, Scratch, Server, expand, quoted, wait_until

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
@lines@
breaker.cluster:
  app: shop
  redis: "redis://@credentials@127.0.0.1:@redis@"
  poll: 200ms
  advertise: 127.0.0.1:@port@
@options@
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @site@}
"""

LEDGER, NODES, INFO = "{shop}:breaker", "{shop}:breaker:nodes", "{shop}:breaker:info"
USERS = os.path.join(harness.ROOT, "deploy", "redis", "users.acl")
OK, UNKNOWN, USAGE, REDIS = 0, 1, 2, 3


class Redis:
    """A redis-server of the test's own, without persistence."""

    def __init__(self, *args, user=None, password=None):
        self.port = harness.free_port()
        self.args = args
        self.login = ([] if password is None else
                      [("AUTH", password) if user is None else ("AUTH", user, password)])
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             *self.args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        wait_until(self.answers, "redis-server")

    def answers(self):
        try:
            return "+PONG" in self("PING")
        except OSError:
            return False

    def connect(self, *commands):
        sock = socket.create_connection(("127.0.0.1", self.port), DEADLINE_S)
        for command in [*self.login, *commands]:
            words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
            sock.sendall(b"*%d\r\n" % len(words) +
                         b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        return sock

    def __call__(self, *words):
        """Sends a command and returns the lines of its reply."""
        with self.connect(words, ("QUIT",)) as sock:
            return sock.makefile("rb").read().decode().split("\r\n")[len(self.login):]

    def kill(self):
        self.process.kill()
        self.process.wait()


class Monitor:
    """Every command that a Redis carries out, in their order."""

    def __init__(self, redis):
        self.sock = redis.connect(("MONITOR",))
        self.file = self.sock.makefile("r", encoding="utf-8", errors="replace", newline="\r\n")
        assert self.file.readline() == "+OK\r\n"

    def evals(self):
        """(address of the client, the arguments as text) of each command, as they come."""
        for line in self.file:
            match = re.match(r'\+\S+ \[\d+ (\S+)\] "EVAL(?:SHA)?" (.*)', line, re.IGNORECASE)
            if match:
                yield match.groups()

    def close(self):
        self.file.close()
        self.sock.close()


class CtlCase(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)

    def redis(self, *args, **options):
        redis = Redis(*args, **options)
        self.addCleanup(redis.kill)
        return redis

    def node(self, redis, site, options=(), lines=(), credentials=""):
        tree = self.scratch.tree("site-" + site, {"css/a.css": b"a{content:'%s'}" % site.encode()})
        port = harness.free_port()
        server = Server("evloop", expand(
            CONFIG, port=port, redis=redis.port, site=quoted(tree), credentials=credentials,
            lines="\n".join(lines), options="\n".join("  " + option for option in options)))
        server.port = port
        self.addCleanup(server.kill)
        return server

    def url(self, redis, credentials=""):
        return "redis://%s127.0.0.1:%d" % (credentials, redis.port)

    def start(self, *args, env=(), stdout=subprocess.PIPE):
        environment = {name: value for name, value in harness.ENVIRONMENT.items()
                       if not name.startswith("BREAKER_")}
        return subprocess.Popen([os.path.join(harness.BIN, "breakerctl"), *args],
                                stdin=subprocess.DEVNULL, stdout=stdout,
                                stderr=subprocess.PIPE, env=dict(environment, **dict(env)))

    def end(self, process):
        """(status, stdout, stderr) of a process that must end by itself and without a fault."""
        try:
            stdout, stderr = process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise AssertionError("breakerctl went on running")
        if harness.REPORTS.search(stderr):
            raise AssertionError("it reports a fault:\n" + stderr.decode("utf-8", "replace"))
        return process.returncode, (stdout or b"").decode(), stderr.decode()

    def run_ctl(self, *args, **options):
        return self.end(self.start(*args, **options))

    def ctl(self, redis, *args, expect=OK, credentials=""):
        """What it prints about the application `shop`, when it exits as expected."""
        status, stdout, stderr = self.run_ctl("--redis", self.url(redis, credentials), "--app",
                                              "shop", *args)
        self.assertEqual(status, expect, stdout + stderr)
        self.assertEqual(stderr != "", expect != OK, stderr)
        return stdout if stdout else stderr

    def json(self, redis, *args, **options):
        return json.loads(self.ctl(redis, "--json", *args, **options))

    def ledger(self, redis):
        """(token, release) of what Redis has, oldest first."""
        return [tuple(line.split(" ")) for line in redis("ZRANGE", LEDGER, 0, -1) if " " in line]

    def token_of(self, node):
        response = client.get(node.port, "/static/0/css/a.css")
        self.assertEqual(response.status, 301)
        return re.match(r"/static/([^/]+)/", response.leads_to).group(1)


class CommandLine(CtlCase):
    def test_help_and_version(self):
        status, stdout, stderr = self.run_ctl("--help")
        self.assertEqual((status, stderr), (OK, ""))
        for word in ("status", "promote", "--redis", "--dead-after", "Exit status"):
            self.assertIn(word, stdout)
        status, stdout, stderr = self.run_ctl("--version")
        self.assertEqual((status, stderr), (OK, ""))
        self.assertRegex(stdout, r"^breakerctl \d+\.\d+\.\d+\n$")

    def test_wrong_usage_is_told_before_redis_is_asked(self):
        where = ["--redis", "redis://127.0.0.1:1", "--app", "shop"]
        empty = self.scratch.write("empty", "\n")
        for args, word in (
                ([*where], "a command is missing"),
                ([*where, "start"], "unknown command start"),
                ([*where, "status", "x"], "unexpected argument x"),
                ([*where, "promote"], "promote takes one release"),
                ([*where, "promote", "a", "b"], "promote takes one release"),
                ([*where, "promote", "a b"], "a release is"),
                ([*where, "promote", ".."], "a release is"),
                ([*where, "status", "--force"], "--force is for promote"),
                ([*where, "promote", "r1", "--all"], "--all is for status"),
                ([*where, "status", "--colour"], "unknown option --colour"),
                ([*where, "status", "-x"], "unknown option -x"),
                ([*where, "status", "--urls=redis://:hunter2@a"], "unknown option --urls;"),
                ([*where, "redis://:hunter2@a"], "unknown command redis;"),
                ([*where, "status", "--sentinel"], "missing for --sentinel"),
                ([*where, "status", "--timeout", "0"], "--timeout: got `0`"),
                ([*where, "status", "--timeout", "1s"], "--timeout: got `1s`"),
                ([*where, "status", "--timeout", "nan"], "--timeout: got `nan`"),
                ([*where, "status", "--dead-after", "1e9"], "--dead-after: got `1e9`"),
                ([*where, "status", "--password-file", "/no/such"], "/no/such: No such file"),
                ([*where, "status", "--password-file", empty], "a password of 1 to 1023 bytes"),
                ([*where, "status", "--ca-file", "/no/such.pem"], "/no/such.pem"),
                ([*where * 9, "--redis", "redis://a"] + where * 8 + ["status"], "more than 16"),
                (["--app", "shop", "status"], "--redis URL, or BREAKER_REDIS, is missing"),
                (["--redis", "redis://a", "status"], "--app NAME, or BREAKER_APP, is missing"),
                (["--redis", "redis://a", "--app", "a/b", "status"], "--app: accepted"),
                (["--redis", "redis://:hunter2@", "--app", "a", "status"], "URL 1 of Redis")):
            status, stdout, stderr = self.run_ctl(*args)
            with self.subTest(args):
                self.assertEqual((status, stdout), (USAGE, ""), stderr)
                self.assertTrue(stderr.startswith("breakerctl: "), stderr)
                self.assertIn(word, stderr)
                self.assertEqual(stderr.count("\n"), 1, stderr)
                self.assertNotIn("hunter2", stderr)

    def test_the_environment_says_what_the_command_line_does_not(self):
        redis = self.redis()
        redis("ZADD", LEDGER, "1000", "000000001000 r1")
        dead = "redis://127.0.0.1:%d" % harness.free_port()
        env = {"BREAKER_REDIS": "%s %s" % (dead, self.url(redis)), "BREAKER_APP": "shop"}
        status, stdout, stderr = self.run_ctl("status", env=env)
        self.assertEqual((status, stderr), (OK, ""))
        self.assertIn("release r1", stdout)
        self.assertEqual(self.run_ctl("status", "--redis", dead, env=env)[0], REDIS)
        self.assertEqual(self.run_ctl("status", "--app", "other", env=env)[0], UNKNOWN)

    def test_options_may_stand_behind_the_command(self):
        redis = self.redis()
        redis("ZADD", LEDGER, "1000", "000000001000 -r1")
        status, stdout, _ = self.run_ctl("promote", "--app", "shop", "--redis", self.url(redis),
                                         "--", "-r1")
        self.assertEqual((status, stdout), (OK, "000000001000\n"))

    def test_output_that_cannot_be_written_is_no_success(self):
        redis = self.redis()
        with open("/dev/full", "wb") as full:
            process = self.start("--redis", self.url(redis), "--app", "shop", "status", stdout=full)
            status, _, stderr = self.end(process)
        self.assertEqual(status, 74)
        self.assertIn("cannot write", stderr)


class Trouble(CtlCase):
    def test_a_wrong_password_is_told_and_not_shown(self):
        redis = self.redis("--requirepass", "right", password="right")
        for credentials in (":hunter2@", ""):
            said = self.ctl(redis, "status", credentials=credentials, expect=REDIS)
            self.assertIn("127.0.0.1:%d: " % redis.port, said)
            self.assertNotIn("hunter2", said)
        wrong, right = self.scratch.write("wrong", "hunter2\n"), self.scratch.write("p", "right\n")
        said = self.ctl(redis, "--password-file", wrong, "status", expect=REDIS)
        self.assertIn("wrong user or password", said)
        self.assertNotIn("hunter2", said)
        self.ctl(redis, "--password-file", right, "status", expect=UNKNOWN)
        # the file goes before the URL
        self.ctl(redis, "--password-file", right, "status", credentials=":hunter2@",
                 expect=UNKNOWN)

    def test_no_redis(self):
        redis = self.redis()
        redis.kill()
        for command in (["status"], ["promote", "r1"], ["promote", "--force", "r1"]):
            self.assertIn("connection refused", self.ctl(redis, *command, expect=REDIS))

    def silent_server(self):
        sock = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(sock.close)
        return "127.0.0.1:%d" % sock.getsockname()[1]

    def test_a_server_that_says_nothing_is_given_up_in_time(self):
        where = self.silent_server()
        began = time.monotonic()
        status, stdout, stderr = self.run_ctl("--redis", "redis://" + where, "--app", "shop",
                                              "--timeout", "0.3", "status")
        self.assertEqual((status, stdout), (REDIS, ""))
        self.assertIn(where, stderr)
        self.assertLess(time.monotonic() - began, DEADLINE_S)

    def answer(self, reply):
        """What comes of `status` when the answer to it is these bytes and the end."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(DEADLINE_S)
            process = self.start("--redis", "redis://127.0.0.1:%d" % listener.getsockname()[1],
                                 "--app", "shop", "status")
            with listener.accept()[0] as sock:
                sock.settimeout(DEADLINE_S)
                asked = b""
                while not asked.endswith(b"$0\r\n\r\n"):
                    got = sock.recv(65536)
                    self.assertNotEqual(got, b"")
                    asked += got
                sock.sendall(reply)
        return self.end(process)

    def make_answer(self, ledger=(), releases=(), nodes=(), next_id=b""):
        """The script's answer, at second 100 of the epoch."""
        def strings(lines):
            return b"*%d\r\n" % len(lines) + b"".join(b"$%d\r\n%s\r\n" % (len(line), line)
                                                     for line in lines)
        return (b"*8\r\n$40\r\n" + b"0" * 40 + b"\r\n:100000\r\n:2\r\n:1000\r\n" + strings(ledger) +
                strings(releases) + strings(nodes) + b"$%d\r\n%s\r\n" % (len(next_id), next_id))

    def test_answers_that_the_script_does_not_give(self):
        entry, release, node = b"1 000 r1 - - 0", b"r1 0 30000 -", b"1 a r1 - 000 1"
        good = self.make_answer([entry], [release], [node])
        status, stdout, stderr = self.answer(good)
        self.assertEqual((status, stderr), (OK, ""))
        self.assertIn("token 000, release r1", stdout)
        line = b"$%d\r\n%s" % (len(entry), entry)
        for reply in (b"+OK\r\n", b"*0\r\n", good.replace(b"*8", b"*7"), b":1\r\n", b"$-1\r\n",
                      good.replace(line, b"$-1"), good.replace(line, b":1"),
                      good.replace(entry, b"x 000 r1 - - 0"), good.replace(b":100000", b":-5"),
                      good.replace(entry, b"1 000 r1 x - 0"), good.replace(b":2\r\n", b"+2\r\n"),
                      good.replace(b"*1\r\n" + line, b"$-1"),
                      b"-ERR \x1b[2J" + b"x" * 3000 + b"\r\n", good[:-10], b"", b"HTTP/1.1 200\r\n"):
            status, stdout, stderr = self.answer(reply)
            with self.subTest(reply):
                self.assertEqual((status, stdout), (REDIS, ""), stderr)
                self.assertNotIn("\x1b", stderr)
                self.assertEqual(stderr.count("\n"), 1)
        # what no node wrote is left out
        for other in (b"", b"1 ", b"1 \x1b r1 - 000 1", b"1 a r1 - 000 1 ", b"1 a r1 - 000"):
            status, stdout, stderr = self.answer(self.make_answer([entry], [release], [other]))
            with self.subTest(other):
                self.assertEqual((status, stderr), (OK, ""))
                self.assertNotIn("NODE", stdout)

    def test_tables_line_up_and_what_is_wrong_stands_before_them(self):
        one, other = b"r3~" + b"a" * 43, b"r3~" + b"b" * 43
        status, stdout, stderr = self.answer(self.make_answer(
            [b"1000 000000001000 r1 - - 0", b"2000 v2 " + one + b" join - 2500",
             b"3000 v2.3000 " + other + b" conflict " + one + b" 3000",
             b"4000 v4 r1 silence " + other + b" 4000"],
            [b"r1 0 30000 h:1", one + b" 40000 10000 -", b"r5 100 0 -"],
            [b"60000 e9dda1dd814aba39 r1 10.0.0.7:8080 v4 5000",
             b"99900 a40b0749e03a6214 r1 - 000000001000 6000",
             b"99800 b40b0749e03a6214 r1 - v4 0",
             b"99700 c40b0749e03a6214 r5 - - 7000"]))
        self.assertEqual((status, stderr), (OK, ""))
        title, rest = stdout.split("\n", 1)
        self.assertRegex(title, r"^app shop at \S+: token v4, release r1; 2 nodes in touch$")
        self.assertEqual(rest, """\
! token conflict: r3~bbbbbbbb had a token of r3~aaaaaaaa, and has v2.3000 instead
! label in use: r3~bbbbbbbb and r3~aaaaaaaa have the same label, but other files or headers
! dead-after differs: 0.0 s to 30.0 s; of two the longer one decides, and 0 means never

  MINTED                    TOKEN         WHY       OVER         RELEASE
* 1970-01-01T00:00:04.000Z  v4            silence   r3~bbbbbbbb  r1
  1970-01-01T00:00:03.000Z  v2.3000       conflict  r3~aaaaaaaa  r3~bbbbbbbb
  1970-01-01T00:00:02.500Z  v2            join      -            r3~aaaaaaaa
  1970-01-01T00:00:01.000Z  000000001000  -         -            r1

  LIVE  SILENT  BEHIND  SILENT FOR  DEAD AFTER  TOKEN    RELEASE
     2       1       1       0.0 s      30.0 s  v4       r1
     0       0       0           -           -  v2.3000  r3~bbbbbbbb
     0       0       0      40.0 s      10.0 s  v2       r3~aaaaaaaa
     1       0       1       0.1 s       never  -        r5

  NODE    STATE   TOKEN         IN TOUCH SINCE               LAST SEEN  ADDRESS        ID                RELEASE
  silent  synced  v4            1970-01-01T00:00:05.000Z    40.0 s ago  10.0.0.7:8080  e9dda1dd814aba39  r1
  live    behind  000000001000  1970-01-01T00:00:06.000Z     0.1 s ago  -              a40b0749e03a6214  r1
  live    synced  v4            -                            0.2 s ago  -              b40b0749e03a6214  r1
  live    behind  -             1970-01-01T00:00:07.000Z     0.3 s ago  -              c40b0749e03a6214  r5
""")

    def test_one_server_that_says_nothing_leaves_time_for_the_next(self):
        redis = self.redis()
        status, _, stderr = self.run_ctl("--redis", "redis://:x@" + self.silent_server(), "--redis",
                                         self.url(redis), "--app", "shop", "--timeout", "4",
                                         "status")
        self.assertEqual(status, UNKNOWN, stderr)

    def test_no_password_stands_in_the_process_title(self):
        process = self.start("--redis", "redis://:hunter2@" + self.silent_server(), "--app", "shop",
                             "--timeout", "600", "status")

        def command_line():
            with open("/proc/%d/cmdline" % process.pid) as file:
                return file.read()
        try:
            wait_until(lambda: "--redis" in command_line() and "hunter2" not in command_line(),
                       "the URL to be covered")
            self.assertIsNone(process.poll())
        finally:
            process.kill()
            process.communicate()

    def test_keys_of_another_type_are_told_and_left_alone(self):
        redis = self.redis()
        redis("SET", LEDGER, "mine")
        for command in (["status"], ["promote", "--force", "r1"]):
            self.assertIn("WRONGTYPE", self.ctl(redis, *command, expect=REDIS))
        self.assertIn("mine", redis("GET", LEDGER))

    def test_what_others_wrote_into_the_keys_is_not_printed(self):
        redis = self.redis()
        redis("ZADD", LEDGER, "1000", "000000001000 r1", "2000", "\x1b[2J r2", "3000", "x")
        redis("ZADD", NODES, "1", "@birth", "2", b"r1 \x1b[2J id", "4", "r1 a:1 id")
        redis("ZADD", INFO, "0", "@birth", "0", b"id \x1b[2J a:1 t 1", "0", "b r1 a:1 t",
              "0", "id r1 a:1 - 3", "0", b"c r1 a:1 \xff 1", "0", b"d r1 a:\x1b - 1")
        said = self.ctl(redis, "status")
        self.assertNotIn("\x1b", said)
        cluster = self.json(redis, "status")
        self.assertEqual([entry["release"] for entry in cluster["ledger"]], ["r1"])
        self.assertEqual([(node["address"], node["id"], node["seen_ms"])
                          for node in cluster["releases"][0]["nodes"]], [("a:1", "id", 4)])


class Status(CtlCase):
    def status(self, redis, expect=UNKNOWN, credentials="", app="shop", args=("status",)):
        return self.run_ctl("--redis", self.url(redis, credentials), "--app", app, *args)

    def test_nothing_known(self):
        redis = self.redis()
        status, stdout, stderr = self.status(redis)
        where = "app shop at 127.0.0.1:%d" % redis.port
        self.assertEqual((status, stdout), (UNKNOWN, where + ": no token is known\n"))
        self.assertIn("nothing is known of the application shop", stderr)
        cluster = self.json_of_nothing(redis)
        self.assertIsNone(cluster["newest"])
        self.assertEqual((cluster["ledger"], cluster["releases"], cluster["troubles"]),
                         ([], [], []))
        self.assertEqual(redis("KEYS", "*"), ["*0", "+OK", ""])

    def json_of_nothing(self, redis):
        status, stdout, _ = self.status(redis, args=("--json", "status"))
        self.assertEqual(status, UNKNOWN)
        return json.loads(stdout)

    def test_a_wrong_application_is_told_with_those_that_there_are(self):
        redis = self.redis()
        redis("ACL", "SETUSER", "nobody", "on", "nopass", "~*", "+eval", "+evalsha", "+time",
              "+zrange", "+zscore", "+zcard", "+hgetall", "+hmget")
        for app in ("blog", "wiki"):
            redis("ZADD", "{%s}:breaker" % app, "1000", "000000001000 r1")
        redis("SET", "{}:breaker", "1")
        redis("SET", b"{\x1b}:breaker", "1")
        redis("SET", "{%s}:breaker" % ("x" * 65), "1")
        for args in (("status",), ("promote", "r1")):
            status, _, stderr = self.status(redis, app="blgo", args=args)
            self.assertEqual(status, UNKNOWN)
            self.assertRegex(stderr, r"^breakerctl: nothing is known of the application blgo at "
                             r"\S+; Redis has (blog, wiki|wiki, blog)\n$")
            # a user that may not look for them is told where the name stands
            status, _, stderr = self.status(redis, app="blgo", credentials="nobody:x@", args=args)
            self.assertEqual(status, UNKNOWN, stderr)
            self.assertRegex(stderr, r"application blgo at \S+; nodes have the name as `app`")

    def test_nodes_of_two_releases(self):
        redis = self.redis()
        older = self.node(redis, "a")
        newer = self.node(redis, "b")
        cluster = self.json(redis, "status")
        self.assertEqual((cluster["app"], cluster["redis"]), ("shop", "127.0.0.1:%d" % redis.port))
        # nodes are counted once a second
        self.assertIn(cluster["fleet"], (1, 2))
        self.assertEqual([entry["token"] for entry in cluster["ledger"]],
                         [self.token_of(newer), self.token_of(older)])
        self.assertEqual(cluster["newest"], cluster["ledger"][0])
        self.assertEqual([(entry["token"], entry["release"])
                          for entry in reversed(cluster["ledger"])], self.ledger(redis))
        for entry in cluster["ledger"]:
            self.assertEqual(entry["order"], int(entry["token"]))
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(entry["order"] // 1000))
            self.assertEqual(entry["time"], "%s.%03dZ" % (at, entry["order"] % 1000))
            self.assertEqual((entry["why"], entry["over"]), ("join", None))
            self.assertLessEqual(entry["minted_ms"], cluster["now_ms"])
        self.assertEqual([release["token"] for release in cluster["releases"]],
                         [self.token_of(newer), self.token_of(older)])
        for release, node in zip(cluster["releases"], (newer, older)):
            self.assertEqual((release["live"], release["silent"], release["behind"]), (1, 0, 0))
            self.assertEqual(release["dead_after_ms"], 30000)
            self.assertLess(release["silent_ms"], 30000)
            (member,) = release["nodes"]
            self.assertEqual((member["address"], member["token"], member["state"]),
                             ("127.0.0.1:%d" % node.port, release["token"], "synced"))
            self.assertRegex(member["id"], "^[0-9a-f]{16}$")
            self.assertEqual(cluster["now_ms"] - member["seen_ms"], member["ago_ms"])
            self.assertLessEqual(member["since_ms"], member["seen_ms"])
        self.assertEqual(cluster["troubles"], [])
        newer.stop()
        older.stop()

    def test_a_node_that_is_stopped_is_listed_no_more_and_a_killed_one_is_silent(self):
        redis = self.redis()
        leaving, killed, staying = (self.node(redis, "a") for _ in range(3))

        def shown():
            return sorted((node["address"], node["live"])
                          for release in self.json(redis, "--dead-after", "1",
                                                   "status")["releases"]
                          for node in release["nodes"])

        def expected(**lives):
            nodes = {"leaving": leaving, "killed": killed, "staying": staying}
            return sorted(("127.0.0.1:%d" % nodes[name].port, is_live)
                          for name, is_live in lives.items())
        wait_until(lambda: shown() == expected(leaving=True, killed=True, staying=True),
                   "three live nodes")
        # told at once: nobody waits for it to be silent
        leaving.stop()
        self.assertEqual(shown(), expected(killed=True, staying=True))
        killed.signal(signal.SIGKILL)
        killed.wait_exit()
        wait_until(lambda: shown() == expected(killed=False, staying=True), "one silent node")
        said = self.ctl(redis, "--dead-after", "1", "status").splitlines()
        # what needs a look comes first
        self.assertEqual([line.split()[0] for line in said[-2:]], ["silent", "live"])
        staying.stop()

    def test_a_stopped_redis_holds_no_stop_up_for_long(self):
        redis = self.redis()
        node = self.node(redis, "a")
        os.kill(redis.process.pid, signal.SIGSTOP)
        try:
            node.stop()
        finally:
            os.kill(redis.process.pid, signal.SIGCONT)

    def test_ten_thousand_nodes_are_counted_and_some_of_them_shown(self):
        redis = self.redis()
        redis("ZADD", LEDGER, "1000", "000000001000 r1", "2000", "000000002000 r2")
        now_ms = int(redis("TIME")[2]) * 1000
        ids = ["%016x" % at for at in range(10000)]
        for first in range(0, 10000, 500):
            nodes, info = [], []
            for at in range(first, first + 500):
                release = "r%d" % (1 + at % 2)
                nodes += [now_ms, "%s 10.0.0.1:80 %s" % (release, ids[at])]
                info += ["0", "%s %s 10.0.0.1:80 00000000%d000 5" % (ids[at], release, 1 + at % 2)]
            redis("ZADD", NODES, *nodes)
            redis("ZADD", INFO, *info)
        cluster = self.json(redis, "--dead-after", "600", "status")
        self.assertEqual([(release["release"], release["live"], release["behind"])
                          for release in cluster["releases"]], [("r2", 5000, 0), ("r1", 5000, 0)])
        self.assertEqual(sorted(node["id"] for release in cluster["releases"]
                                for node in release["nodes"]), ids)
        lines = self.ctl(redis, "--dead-after", "600", "status").splitlines()
        self.assertEqual(lines[-1], "  ... and 9950 more; --all shows them")
        self.assertEqual(sum("10.0.0.1:80" in line for line in lines), 50)
        self.assertTrue(any(line.split()[:3] == ["5000", "0", "0"] for line in lines))
        lines = self.ctl(redis, "--dead-after", "600", "--all", "status").splitlines()
        self.assertEqual(sum("10.0.0.1:80" in line for line in lines), 10000)


class Conflicts(CtlCase):
    """Two sets of bytes that the operator calls the same."""

    def start_both(self, redis):
        return [self.node(redis, site, lines=['breaker.token: "v1"', "breaker.release: r1"])
                for site in ("a", "b")]

    def check_own_bytes(self, nodes):
        def two_tokens():
            answers = [client.get(node.port, "/static/0/css/a.css") for node in nodes]
            tokens = [(answer.leads_to or "").split("/")[2:3] for answer in answers]
            return tokens if [] not in tokens and tokens[0] != tokens[1] else None
        tokens = [token for token, in wait_until(two_tokens, "a token for each")]
        for node, site, token in zip(nodes, "ab", tokens):
            response = client.get(node.port, "/static/%s/css/a.css" % token)
            self.assertEqual((response.status, response.body),
                             (200, b"a{content:'%s'}" % site.encode()))
        return tokens

    def wait_said(self, nodes, *patterns):
        for node in nodes:
            for pattern in patterns:
                wait_until(lambda n=node, p=pattern: re.search(p, n.stderr()),
                           "a line like %r in %r" % (pattern, node.stderr()))

    def check_status(self, redis, tokens):
        def troubles():
            found = self.json(redis, "status")
            kinds = sorted(trouble["kind"] for trouble in found["troubles"])
            states = [[node["state"] for node in release["nodes"]] for release in found["releases"]]
            return found if (kinds == ["label-reused", "token-conflict"] and
                             states == [["synced"], ["synced"]]) else None
        # one node brings the entries of both, so the other may still be missing
        cluster = wait_until(troubles, "both troubles and both nodes in the status")
        conflict = next(each for each in cluster["troubles"] if each["kind"] == "token-conflict")
        entries = {entry["release"]: entry for entry in cluster["ledger"]}
        self.assertEqual(entries[conflict["release"]]["why"], "conflict")
        self.assertEqual(entries[conflict["release"]]["over"], conflict["other"])
        self.assertLessEqual({conflict["token"]}, set(tokens))
        said = self.ctl(redis, "status")
        self.assertIn("! token conflict: r1~", said)
        self.assertIn("! label in use: r1~", said)

    SAID = (rb"trouble=token-conflict", rb"trouble=label-reused")

    def test_while_redis_is_there_both_say_it(self):
        redis = self.redis()
        nodes = self.start_both(redis)
        wait_until(lambda: len(self.ledger(redis)) == 2, "two entries")
        tokens = self.check_own_bytes(nodes)
        self.assertEqual(tokens[0], "v1")
        self.assertRegex(tokens[1], r"^v1\.\d{13}$")
        self.wait_said(nodes, *self.SAID)
        self.assertRegex(nodes[0].stderr(),
                         rb"token-conflict token=v1 [^\n]* other-moved-on-to=v1\.\d{13}\n")
        self.assertRegex(nodes[1].stderr(), rb"token-conflict token=v1 [^\n]* moved-on-to=v1\.")
        self.check_status(redis, tokens)
        for node in nodes:
            node.stop()

    def test_both_alone_until_redis_comes_and_again_when_it_comes_back_empty(self):
        redis = self.redis()
        redis.kill()
        nodes = self.start_both(redis)
        for node, site in zip(nodes, "ab"):
            response = client.get(node.port, "/static/v1/css/a.css")
            self.assertEqual((response.status, response.body),
                             (200, b"a{content:'%s'}" % site.encode()))
        redis.start()
        wait_until(lambda: len(self.ledger(redis)) == 2, "two entries")
        self.wait_said(nodes, *self.SAID)
        tokens = self.check_own_bytes(nodes)
        self.check_status(redis, tokens)
        before = self.ledger(redis)
        redis.kill()
        redis.start()
        wait_until(lambda: self.ledger(redis) == before, "the entries, asserted again")
        self.assertEqual(self.check_own_bytes(nodes), tokens)
        self.check_status(redis, tokens)
        for node in nodes:
            node.stop()

    def test_another_dead_after_is_said_and_shown(self):
        redis = self.redis()
        nodes = [self.node(redis, "a"), self.node(redis, "b", options=["dead-after: 20s"])]
        for node, own, other in zip(nodes, (b"30.0s", b"20.0s"), (b"20.0s", b"30.0s")):
            self.wait_said([node], rb"trouble=dead-after own=%s others=%s " % (own, other))
        (trouble,) = self.json(redis, "status")["troubles"]
        self.assertEqual(trouble, {"kind": "dead-after", "shortest_ms": 20000,
                                   "longest_ms": 30000})
        for node in nodes:
            node.stop()


class Promote(CtlCase):
    def test_an_unknown_release_is_refused_and_entered_by_force(self):
        redis = self.redis()
        redis("ZADD", LEDGER, "4102444800000", "4102444800000 r1")
        said = self.ctl(redis, "promote", "r2", expect=UNKNOWN)
        self.assertIn("knows no release r2", said)
        self.assertEqual(self.ledger(redis), [("4102444800000", "r1")])
        token = self.ctl(redis, "promote", "--force", "r2").strip()
        # the next order, and r2's spread of 984
        self.assertEqual(token, "4102444800985")
        self.assertEqual(self.ledger(redis), [("4102444800000", "r1"), (token, "r2")])
        # to force a known one is no different from not forcing it
        token = self.ctl(redis, "promote", "--force", "r1").strip()
        self.assertEqual(self.ledger(redis)[-1], (token, "r1"))
        self.assertEqual(len(self.ledger(redis)), 3)

    def test_a_release_is_named_by_id_label_or_digest(self):
        one, other = "n4bQgYhM" + "a" * 35, "n4bQgYhN" + "b" * 35
        labelled, clash, plain = "r1~" + one, "r2~" + one, other
        names = {labelled: labelled, "r1": labelled, "r2": clash, plain: plain,
                 "n4bQgYhNb": plain, "n4bQgYhN": plain}
        for name, meant in names.items():
            redis = self.redis()
            for at, release in enumerate((labelled, clash, plain, "top")):
                redis("ZADD", LEDGER, 1000 + at, "%012d %s" % (1000 + at, release))
            with self.subTest(name):
                said = self.json(redis, "promote", name)["newest"]
                self.assertEqual(said["release"], meant)
                self.assertEqual(said["digest"], meant[-43:])
                self.assertEqual(said["label"], meant[:-44] or None)
        redis("ZADD", LEDGER, "5", "000000000005 r1~" + other)
        for name, meant in (("r2~n4bQgYhM", clash), ("000000001001", clash),
                            ("r1~" + one[:8], labelled), ("r1~" + other[:9], "r1~" + other)):
            with self.subTest(name):
                said = self.json(redis, "promote", name)["newest"]
                self.assertEqual(said["release"], meant)
        before = self.ledger(redis)
        redis("ZADD", LEDGER, "6", "r2 r4")
        before = self.ledger(redis)
        for name, meant in (("r1", ("r1~" + one, "r1~" + other)), ("n4bQgYhM", (labelled, clash)),
                            ("r2", (clash, "r4"))):
            said = self.ctl(redis, "promote", "--force", name, expect=UNKNOWN)
            self.assertIn("is the name of 2 releases", said)
            for release in meant:
                self.assertIn(release, said)
        self.assertIn("knows no release n4bQgYh;", self.ctl(redis, "promote", "n4bQgYh",
                                                            expect=UNKNOWN))
        self.assertEqual(self.ledger(redis), before)

    def test_what_is_on_top_keeps_its_token(self):
        redis = self.redis()
        redis("ZADD", LEDGER, "1000", "000000001000 r1", "2000", "000000002000 r2")
        for _ in range(2):
            status, stdout, stderr = self.run_ctl("--redis", self.url(redis), "--app", "shop",
                                                  "promote", "r2")
            self.assertEqual((status, stdout), (OK, "000000002000\n"))
            self.assertIn("the newest already", stderr)
        self.assertEqual(len(self.ledger(redis)), 2)
        said = self.json(redis, "promote", "r2")
        self.assertEqual((said["promoted"], said["newest"]["token"]), (False, "000000002000"))
        said = self.json(redis, "promote", "r1")
        self.assertEqual((said["promoted"], said["newest"]["release"]), (True, "r1"))
        self.assertEqual(self.ledger(redis)[-1], (said["newest"]["token"], "r1"))
        self.assertGreater(said["newest"]["order"], 2000)

    def test_new_tokens_look_like_the_release_s_others(self):
        # of another release: r1 mints the next order and its spread of 983
        later = "4102444800000"
        for token, order, expected in (
                ("1718539201234", "1718539201234", "4102444800984"),
                ("1718539201234-a1b2c3d4", "1718539201234", "4102444800984-a1b2c3d4"),
                ("000000001000", "1000", "4102444800984"),
                ("v1.2.3", "1718539201234", "v1.2.3.4102444800984"),
                ("v1.2.3.1718539201234", "1718539201234", "v1.2.3.4102444800984"),
                # digits that are not the order are the operator's
                ("20261123", "1718539201234", "20261123.4102444800984"),
                (".1718539201234", "1718539201234", ".1718539201234.4102444800984"),
                ("1718539201234-" + "x" * 40, "1718539201234",
                 "1718539201234-" + "x" * 36 + ".4102444800984")):
            redis = self.redis()
            redis("ZADD", LEDGER, order, token + " r1", later, later + " r2")
            with self.subTest(token):
                self.assertEqual(self.ctl(redis, "promote", "r1").strip(), expected)
                self.assertEqual(self.ledger(redis)[-1], (expected, "r1"))
            redis.kill()

    def roll_back(self, lines=("", "")):
        """Two nodes, the release of the first promoted over that of the second."""
        redis = self.redis()
        older = self.node(redis, "a", lines=[lines[0]])
        newer = self.node(redis, "b", lines=[lines[1]])
        kept = self.token_of(newer)
        before = self.token_of(older)
        release = dict(self.ledger(redis))[before]
        monitor = Monitor(redis)
        self.addCleanup(monitor.close)
        token = self.ctl(redis, "promote", release).strip()
        self.assertEqual(self.ledger(redis)[-1], (token, release))
        wait_until(lambda: self.token_of(older) == token, "the node to follow")
        self.assertEqual(self.token_of(newer), kept)

        def get(node, asked):
            return client.get(node.port, "/static/%s/css/a.css" % asked)
        self.assertEqual(get(older, token).body, b"a{content:'a'}")
        # what was handed out before leads to the new one
        response = get(older, before)
        self.assertEqual((response.status, response.leads_to),
                         (301, "/static/%s/css/a.css" % token))
        # nodes that advertise hold each other's releases
        wait_until(lambda: get(newer, token).body == b"a{content:'a'}",
                   "the other release's node to know")
        self.check_polls(monitor, '"promote"', '%s %s' % (token, release), release)
        older.stop()
        newer.stop()
        return token

    def check_polls(self, monitor, act, entry, release):
        """The first poll of a node of the release after the promotion hears of it: the second one
        asserts it as the node's own."""
        evals = monitor.evals()
        promoter = next(address for address, text in evals if act in text)
        polls = {}
        for address, text in evals:
            if address == promoter or '"%s" "127.0.0.1:' % release not in text:
                continue
            polls[address] = polls.get(address, 0) + 1
            if polls[address] == 2:
                self.assertIn(entry, text)
                return

    def test_nodes_follow_within_two_polls(self):
        self.assertRegex(self.roll_back(), r"^\d{13}$")

    def test_nodes_with_an_operator_s_token_follow_as_well(self):
        token = self.roll_back(('breaker.token: "v1"', 'breaker.token: "v2"'))
        self.assertRegex(token, r"^v1\.\d{13}$")

    def test_promotions_at_once_leave_one_order(self):
        redis = self.redis()
        redis("ZADD", LEDGER, "1000", "000000001000 r1", "2000", "000000002000 r2")
        started = [self.start("--redis", self.url(redis), "--app", "shop", "promote",
                              "r%d" % (1 + i % 2)) for i in range(12)]
        printed = set()
        for process in started:
            status, stdout, stderr = self.end(process)
            self.assertEqual(status, OK, stderr)
            printed.add(stdout.strip())
        entries = self.ledger(redis)
        self.assertLessEqual(printed, {token for token, _ in entries})
        # nobody was put above himself
        for (_, one), (_, next_one) in zip(entries, entries[1:]):
            self.assertNotEqual(one, next_one)


class Users(CtlCase):
    def test_the_users_of_the_example_suffice_and_may_do_no_more(self):
        with open(USERS) as file:
            users = file.read()
        acl = self.scratch.write("users.acl", users.replace(" on ", " on >s3cret "))
        redis = self.redis("--aclfile", acl, user="admin", password="s3cret")
        older = self.node(redis, "a", credentials="breaker:s3cret@")
        newer = self.node(redis, "b", credentials="breaker:s3cret@")
        tokens = self.token_of(older), self.token_of(newer)
        self.assertEqual([token for token, _ in self.ledger(redis)], list(tokens))
        release = dict(self.ledger(redis))[tokens[0]]
        password = self.scratch.write("password", "s3cret")
        for user, promoted in (("breakerctl", OK), ("viewer", REDIS)):
            login = ["--user", user, "--password-file", password]
            self.ctl(redis, *login, "status")
            self.ctl(redis, *login, "promote", release if promoted == OK else
                     dict(self.ledger(redis))[tokens[1]], expect=promoted)
            # another application's keys are not theirs
            status, _, stderr = self.run_ctl("--redis", self.url(redis), *login, "--app", "other",
                                             "status")
            self.assertEqual(status, REDIS)
            self.assertIn("the user may not use the keys (NOPERM)", stderr)
        wait_until(lambda: self.token_of(older) == self.ledger(redis)[-1][0], "the node to follow")
        self.assertIn("-NOAUTH", " ".join(self.anonymous(redis)))
        status, _, stderr = self.run_ctl("--redis", self.url(redis), "--app", "shop", "status")
        self.assertEqual(status, REDIS)
        self.assertIn("a password is missing (NOAUTH)", stderr)
        for node in (older, newer):
            node.stop()

    def test_the_users_of_the_example_suffice_for_the_versions_before(self):
        with open(USERS) as file:
            acl = self.scratch.write("users.acl", file.read().replace(" on ", " on >s3cret "))
        redis = self.redis("--aclfile", acl, user="admin", password="s3cret")
        for user in ("breaker", "breakerctl"):
            for command in ("ZREMRANGEBYRANK", "ZREMRANGEBYSCORE"):
                said = redis("ACL", "DRYRUN", user, command, "{shop}:breaker", "0", "1")
                self.assertNotIn("permission", " ".join(said))

    def anonymous(self, redis):
        login, redis.login = redis.login, []
        try:
            return redis("PING")
        finally:
            redis.login = login


if __name__ == "__main__":
    harness.main()
