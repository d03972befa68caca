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

LEDGER, NODES = "{shop}:breaker", "{shop}:breaker:nodes"
INFO = "{shop}:breaker:info"
USERS = os.path.join(harness.ROOT, "deploy", "redis", "users.acl")
OK, UNKNOWN, USAGE, REDIS = 0, 1, 2, 3


class Redis:
    """A redis-server of the test's own, without persistence."""

    def __init__(self, *args, user=None, password=None):
        self.port = harness.free_port()
        self.login = ([] if password is None else
                      [("AUTH", password) if user is None else ("AUTH", user, password)])
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
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
        """(address of the client, the arguments as text) of each script, as they come."""
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
        self.assertEqual(stderr != "", expect != OK and stdout == "", stderr)
        return stdout if stdout else stderr

    def json(self, redis, *args, **options):
        return json.loads(self.ctl(redis, "--json", *args, **options))

    def ledger(self, redis):
        """(token, release) of what Redis has, oldest first."""
        return [tuple(line.split(" ")) for line in redis("ZRANGE", LEDGER, 0, -1) if " " in line]

    def token_of(self, node):
        response = client.get(node.port, "/static/0/css/a.css")
        self.assertEqual(response.status, 301)
        return re.match(r"/static/([^/]+)/", response.get("location")).group(1)


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
                while not asked.endswith(b"releases\r\n$0\r\n\r\n"):
                    got = sock.recv(65536)
                    self.assertNotEqual(got, b"")
                    asked += got
                sock.sendall(reply)
        return self.end(process)

    def test_answers_that_the_script_does_not_give(self):
        digest, entry, node = b"$40\r\n" + b"0" * 40, b"$14\r\n1 000 r1 - - 0", b"$12\r\n1 a r1 - - 0"
        good = (b"*8\r\n%s\r\n:5\r\n:1\r\n:1000\r\n*1\r\n%s\r\n*0\r\n*1\r\n%s\r\n$0\r\n\r\n" %
                (digest, entry, node))
        status, stdout, stderr = self.answer(good)
        self.assertEqual((status, stderr), (OK, ""))
        self.assertIn("token 000, release r1", stdout)
        for reply in (b"+OK\r\n", b"*0\r\n", good.replace(b"*8", b"*7"), b":1\r\n", b"$-1\r\n",
                      good.replace(entry, b"$-1"), good.replace(entry, b":1"),
                      good.replace(entry, b"$14\r\nx 000 r1 - - 0"), good.replace(b":5", b":-5"),
                      good.replace(b"*1\r\n" + entry, b"$-1"),
                      good.replace(b"*1\r\n" + node, b"$-1"),
                      good.replace(b"*0\r\n", b"$-1\r\n"),
                      b"-ERR \x1b[2J" + b"x" * 3000 + b"\r\n", good[:-10], b"", b"HTTP/1.1 200\r\n"):
            status, stdout, stderr = self.answer(reply)
            with self.subTest(reply):
                self.assertEqual((status, stdout), (REDIS, ""), stderr)
                self.assertNotIn("\x1b", stderr)
                self.assertEqual(stderr.count("\n"), 1)
        # what no node wrote is left out
        for other in (b"$-1", b":1", b"$2\r\n1 ", b"$12\r\n1 \x1b r1 - - 0", b"$13\r\n1 a r1 - - 0 "):
            status, stdout, stderr = self.answer(good.replace(node, other))
            with self.subTest(other):
                self.assertEqual((status, stderr), (OK, ""))
                self.assertNotIn("NODE", stdout)

    def test_tables_line_up(self):
        def strings(*lines):
            return b"*%d\r\n" % len(lines) + b"".join(b"$%d\r\n%s\r\n" % (len(line), line)
                                                     for line in lines)
        status, stdout, stderr = self.answer(
            b"*8\r\n$40\r\n" + b"0" * 40 + b"\r\n:100000\r\n:2\r\n:1000\r\n" +
            strings(b"1000 000000001000 r1 - - 0", b"2000 v2 r2 - - 0", b"3000 v3 r1 - - 0") +
            strings() +
            strings(b"99900 a40b0749e03a6214 r1 - v3 1",
                    b"60000 e9dda1dd814aba39 r1 10.0.0.7:8080 v3 1") + b"$0\r\n\r\n")
        self.assertEqual((status, stderr), (OK, ""))
        self.assertEqual(stdout.split("\n", 1)[1], """
  SINCE                     TOKEN         LIVE  SILENT  RELEASE
* 1970-01-01T00:00:03.000Z  v3               1       1  r1
  1970-01-01T00:00:02.000Z  v2               0       0  r2
  1970-01-01T00:00:01.000Z  000000001000                r1

  NODE    ADDRESS        ID                   LAST SEEN  RELEASE
  live    -              a40b0749e03a6214     0.1 s ago  r1
  silent  10.0.0.7:8080  e9dda1dd814aba39    40.0 s ago  r1
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
        redis("ZADD", INFO, "0", b"\x1b[2J r1 - v1 1", "0", "id r1 a b c", "0", "id r1 a:1 v1 1",
              "0", b"\xff r1 a:1 v1 1", "0", "@birth")
        redis("ZADD", NODES, "4", "r1 a:1 id")
        said = self.ctl(redis, "status")
        self.assertNotIn("\x1b", said)
        cluster = self.json(redis, "status")
        self.assertEqual([entry["release"] for entry in cluster["ledger"]], ["r1"])
        self.assertEqual([(node["address"], node["id"], node["seen_ms"])
                          for node in cluster["releases"][0]["nodes"]], [("a:1", "id", 4)])


class Status(CtlCase):
    def test_nothing_known(self):
        redis = self.redis()
        said = self.ctl(redis, "status", expect=UNKNOWN)
        self.assertEqual(said, "app shop at 127.0.0.1:%d: no token is known\n" % redis.port)
        cluster = self.json(redis, "status", expect=UNKNOWN)
        self.assertIsNone(cluster["newest"])
        self.assertEqual((cluster["ledger"], cluster["releases"]), ([], []))
        self.assertEqual(redis("KEYS", "*"), ["*0", "+OK", ""])

    def test_nodes_of_two_releases(self):
        redis = self.redis()
        older = self.node(redis, "a")
        newer = self.node(redis, "b")
        cluster = self.json(redis, "status")
        self.assertEqual((cluster["app"], cluster["redis"]), ("shop", "127.0.0.1:%d" % redis.port))
        self.assertEqual([entry["token"] for entry in cluster["ledger"]],
                         [self.token_of(newer), self.token_of(older)])
        self.assertEqual(cluster["newest"], cluster["ledger"][0])
        self.assertEqual([(entry["token"], entry["release"])
                          for entry in reversed(cluster["ledger"])], self.ledger(redis))
        for entry in cluster["ledger"]:
            self.assertEqual(entry["order"], int(entry["token"]))
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(entry["order"] // 1000))
            self.assertEqual(entry["time"], "%s.%03dZ" % (at, entry["order"] % 1000))
        self.assertEqual([release["token"] for release in cluster["releases"]],
                         [self.token_of(newer), self.token_of(older)])
        for release, node in zip(cluster["releases"], (newer, older)):
            self.assertEqual((release["live"], release["silent"]), (1, 0))
            self.assertEqual([each["address"] for each in release["nodes"]],
                             ["127.0.0.1:%d" % node.port])
            self.assertRegex(release["nodes"][0]["id"], "^[0-9a-f]{16}$")
            self.assertEqual(cluster["now_ms"] - release["nodes"][0]["seen_ms"],
                             release["nodes"][0]["ago_ms"])

        said = self.ctl(redis, "status").splitlines()
        token, release = self.ledger(redis)[1]
        self.assertIn("token %s, release %s" % (token, release[:8]), said[0])
        rows = [line.split() for line in said[3:5]]
        self.assertEqual(rows, [["*", cluster["ledger"][0]["time"], self.token_of(newer), "1", "0",
                                 cluster["ledger"][0]["digest"][:8]],
                                [cluster["ledger"][1]["time"], self.token_of(older), "1", "0",
                                 cluster["ledger"][1]["digest"][:8]]])
        self.assertEqual([(line.split()[0], line.split()[1]) for line in said[7:]],
                         [("live", "127.0.0.1:%d" % node.port) for node in (newer, older)])
        newer.stop()
        older.stop()

    def test_a_node_that_is_gone_is_silent(self):
        redis = self.redis()
        staying, going = self.node(redis, "a"), self.node(redis, "a")

        def count():
            release = self.json(redis, "--dead-after", "1", "status")["releases"][0]
            return release["live"], release["silent"]
        wait_until(lambda: count() == (2, 0), "two live nodes")
        going.signal(signal.SIGKILL)
        going.wait_exit()
        wait_until(lambda: count() == (1, 1), "one silent node")

        def shown():
            rows = self.ctl(redis, "--dead-after", "1", "status").splitlines()[-2:]
            return sorted(tuple(row.split()[:2]) for row in rows)
        wait_until(lambda: shown() == [("live", "127.0.0.1:%d" % staying.port),
                                       ("silent", "127.0.0.1:%d" % going.port)], "both to be shown")
        staying.stop()


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
        before = self.ledger(redis)
        for name, meant in (("r1", ("r1~" + one, "r1~" + other)), ("n4bQgYhM", (labelled, clash))):
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
        self.assertEqual((response.status, response.get("location")),
                         (301, "/static/%s/css/a.css" % token))
        wait_until(lambda: get(newer, token).status == 503, "the other release's node to know")
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

    def anonymous(self, redis):
        login, redis.login = redis.login, []
        try:
            return redis("PING")
        finally:
            redis.login = login


if __name__ == "__main__":
    harness.main()
