"""Nodes that agree through Redis: real servers, a real redis-server on loopback, and what a deploy
and an outage do to them. A node's token is read from where its redirects lead."""

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import client
import harness
from harness import FlavourCase, Scratch, Server, expand, quoted, run_program, wait_until

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
num-threads: 2
@lines@
breaker.cluster:
  app: shop
  redis: "redis://127.0.0.1:@redis@"
@options@
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @site@}
"""

SINGLE = """
listen: {host: 127.0.0.1, port: @port@}
breaker.state-file: @state@
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @site@}
"""

LEDGER = "{shop}:breaker"
TIME = rb"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Redis:
    """A redis-server of the test's own, without persistence: what restarts is empty."""

    def __init__(self, *args, seeded=True):
        self.port = harness.free_port()
        self.args = args
        self.process = None
        self.seeded = seeded

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", *self.args],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, "redis-server")
        # an empty ledger makes nodes wait for survivors first, which costs two seconds
        if self.seeded:
            self("ZADD", LEDGER, "1", "1 seed")
        return self

    def answers(self):
        try:
            self("PING")
            return True
        except OSError:
            return False

    def __call__(self, *words):
        """Sends a command and returns the lines of its reply."""
        with socket.create_connection(("127.0.0.1", self.port), harness.DEADLINE_S) as sock:
            for command in [*self.greeting(), words, ("QUIT",)]:
                sock.sendall(b"*%d\r\n" % len(command) + b"".join(
                    b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in command))
            return sock.makefile("rb").read().decode().split("\r\n")

    def greeting(self):
        for flag, value in zip(self.args, self.args[1:]):
            if flag == "--requirepass":
                yield ("AUTH", value)

    def tokens(self):
        """The tokens of the ledger, oldest first, with their releases."""
        members = [line for line in self("ZRANGE", LEDGER, "0", "-1") if " " in line]
        return [tuple(member.split(" ")) for member in members if member != "1 seed"]

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Traffic:
    """Asks a node for one URL again and again; whatever is not 200 is kept."""

    def __init__(self, port, target):
        self.port, self.target = port, target
        self.failures, self.count = [], 0
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ends.is_set():
            try:
                with client.Http1(self.port) as connection:
                    for _ in range(50):
                        response = connection.request(self.target)
                        self.count += 1
                        if response.status != 200:
                            self.failures.append(response)
            except Exception as error:
                self.failures.append(error)
                return

    def stop(self):
        self.ends.set()
        self.thread.join()


class ClusterCase(FlavourCase):
    """Nodes and a Redis, cleared away whatever happens."""

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        # servers that root starts serve as somebody else
        os.makedirs(self.scratch("state"))
        os.chmod(self.scratch("state"), 0o777)

    def redis(self, *args, start=True, **options):
        redis = Redis(*args, **options)
        self.addCleanup(redis.kill)
        return redis.start() if start else redis

    def node(self, redis, site="a", options=(), lines=(), ready=True, env=None, others=(),
             url=None):
        """`others`: more servers of Redis in its list, after the first; `url`: its own instead."""
        tree = self.scratch("site-" + site)
        # nodes that are about to load it must not see it written anew
        if not os.path.exists(tree):
            self.scratch.tree("site-" + site, {"css/a.css": b"a{content:'%s'}" % site.encode()})
        # with a Redis that runs no start may be so slow that the node goes its own way
        start = "open" if redis.process is None else "strict"
        options = {"poll": "200ms", "dead-after": "30s", "start": start, **dict(options)}
        port = harness.free_port()
        text = expand(CONFIG, port=port, redis=redis.port, site=quoted(tree),
                      lines="\n".join(lines),
                      options="\n".join("  %s: %s" % each for each in options.items()))
        if others:
            urls = ["redis://127.0.0.1:%d" % each.port for each in (redis, *others)]
            text = re.sub(r"^  redis: .*", "  redis: " + json.dumps(urls), text, flags=re.M)
        if url is not None:
            text = re.sub(r"^  redis: .*", "  redis: " + url, text, flags=re.M)
        server = Server(self.flavour, text, ready=False, env=env)
        server.port = port
        self.addCleanup(server.kill)
        if ready:
            server.wait_ready()
        return server

    def state_line(self, name="node"):
        return "breaker.state-file: " + quoted(self.scratch("state", name))

    def get(self, node, token, path="css/a.css"):
        return client.get(node.port, "/static/%s/%s" % (token, path))

    def token(self, node):
        """What the node hands out; None while it lets nobody in."""
        try:
            response = self.get(node, "0")
        except ConnectionRefusedError:
            return None
        self.assertEqual(response.status, 301)
        return response.leads_to.split("/")[2]

    def wait_token(self, node, token):
        wait_until(lambda: self.token(node) == token, "the token " + token)

    def wait_log(self, node, pattern, count=1):
        wait_until(lambda: len(re.findall(pattern, node.stderr())) >= count,
                   "a line like %r in %r" % (pattern, node.stderr()))


class Agreement(ClusterCase):
    def test_nodes_of_the_same_files_started_together_have_one_token(self):
        redis = self.redis()
        nodes = [self.node(redis, ready=False) for _ in range(3)]
        for node in reversed(nodes):
            node.wait_ready()
        (entry,) = wait_until(redis.tokens, "an entry")
        for node in nodes:
            self.wait_token(node, entry[0])
            response = self.get(node, entry[0])
            self.assertEqual((response.status, response.body), (200, b"a{content:'a'}"))
        self.assertEqual(redis.tokens(), [entry])
        for node in nodes:
            node.stop()

    def test_an_empty_redis_is_given_time_for_survivors_and_then_a_token(self):
        redis = self.redis(seeded=False)
        nodes = [self.node(redis, ready=False) for _ in range(2)]
        for node in nodes:
            node.wait_ready()
        self.assertEqual(self.token(nodes[0]), self.token(nodes[1]))
        for node in nodes:
            node.stop()

    def test_releases_have_tokens_of_their_own_and_redirects_go_forward(self):
        redis = self.redis()
        fast = {"poll": "100ms", "dead-after": "1s"}
        old = self.node(redis, "a", fast)
        new = self.node(redis, "b", fast)
        old_token, new_token = self.token(old), self.token(new)
        self.assertLess(int(old_token), int(new_token))
        # the old node has heard of the new release and has not its bytes
        wait_until(lambda: self.get(old, new_token).status == 503, "503 for the newer token")
        self.assertEqual(self.get(old, new_token).get("cache-control"), "no-store")
        self.assertTrue(self.get(old, new_token).get("retry-after"))
        response = self.get(new, old_token)
        self.assertEqual(response.status, 301)
        self.assertEqual(response.leads_to, "/static/%s/css/a.css" % new_token)
        # an old node may still hand out the older URL
        wait_until(lambda: self.get(new, old_token).get("cache-control") == "no-store",
                   "redirects that are not stored")
        self.assertEqual(self.get(old, old_token).status, 200)
        self.assertEqual(self.get(new, new_token).status, 200)
        self.wait_log(old, rb"event=appeared token=%s before=- release=\S+ own=no why=join "
                           rb"other-release=- minted=\S+Z\n" % new_token.encode())
        old.stop()
        wait_until(lambda: "max-age" in self.get(new, old_token).get("cache-control"),
                   "redirects that are stored once the old release is gone")
        new.stop()

    def test_the_operators_token_and_release_are_the_clusters(self):
        redis = self.redis()
        lines = ["breaker.token: v1.2", "breaker.release: r7"]
        nodes = [self.node(redis, lines=lines) for _ in range(2)]
        for node in nodes:
            self.assertEqual(self.token(node), "v1.2")
        ((token, release),) = redis.tokens()
        self.assertEqual(token, "v1.2")
        self.assertRegex(release, "^r7~[0-9A-Za-z_-]{43}$")
        for node in nodes:
            node.stop()

    def test_an_operators_next_token_leads_nobody_back_whatever_it_looks_like(self):
        """The old node polls so rarely that it has not heard of the new release, but from who asks."""
        rare = {"poll": "20s", "dead-after": "60s"}
        for before, after in ((None, "4711"), ("9999", "10000"), ("9999", "7"), ("f00", "bad"),
                              (None, "202611231200"), ("202611231200", "202611231100-a1b2c3d4")):
            redis = self.redis()
            lines = [] if before is None else ["breaker.token: " + quoted(before)]
            old = self.node(redis, "a", rare, lines)
            new = self.node(redis, "b", rare, ["breaker.token: " + quoted(after)])
            old_token = self.token(old)
            with self.subTest(before=before, after=after):
                self.assertEqual(self.token(new), after)
                self.assertEqual(self.get(old, after).status, 503)
                response = self.get(new, old_token)
                self.assertEqual((response.status, response.leads_to),
                                 (301, "/static/%s/css/a.css" % after))
            old.stop()
            new.stop()
            redis.kill()

    def test_one_label_on_different_files_is_two_releases_and_is_said(self):
        redis = self.redis()
        first = self.node(redis, "a", lines=["breaker.release: r1"])
        later = self.node(redis, "b", lines=["breaker.release: r1"])
        self.assertNotEqual(self.token(first), self.token(later))
        for node, token in zip((first, later), redis.tokens()):
            self.wait_token(node, token[0])
        self.wait_log(later, rb"trouble=label-reused release=r1~[\w-]{43} other-release=r1~")
        first.stop()
        later.stop()

    def test_one_operators_token_on_different_files_is_said_and_the_later_moves_on(self):
        redis = self.redis()
        fast = {"poll": "100ms", "dead-after": "1s"}
        first = self.node(redis, "a", fast, ["breaker.token: v1"])
        later = self.node(redis, "b", fast, ["breaker.token: v1"])
        moved = self.token(later)
        self.assertRegex(moved, r"^v1\.\d{13}$")
        self.assertEqual(self.token(first), "v1")
        self.wait_log(later, rb"trouble=token-conflict token=v1 other-release=[\w-]{43} "
                             rb"release=[\w-]{43} moved-on-to=" + re.escape(moved.encode()))
        self.wait_log(first, rb"trouble=token-conflict token=v1 other-release=[\w-]{43} "
                             rb"release=[\w-]{43} other-moved-on-to=" +
                      re.escape(moved.encode()))
        self.assertEqual(self.get(first, "v1").body, b"a{content:'a'}")
        self.assertEqual(self.get(later, moved).body, b"a{content:'b'}")
        response = self.get(later, "v1")
        self.assertEqual((response.status, response.leads_to),
                         (301, "/static/%s/css/a.css" % moved))
        wait_until(lambda: self.get(first, moved).status == 503, "503 for the newer token")
        first.stop()
        later.stop()

    def test_eight_nodes_started_in_any_order_end_on_one_token(self):
        """Some of them before Redis is there, under tokens of their own; whatever any of them handed
        out leads to the file afterwards, everywhere."""
        rng = random.Random(8)
        redis = self.redis(start=False)
        nodes, handed_out = [], set()
        for at in rng.sample(range(8), 8):
            if len(nodes) == 3:
                for node in nodes[:2]:
                    node.wait_ready()
                    handed_out.add(wait_until(lambda n=node: self.token(n), "a token of its own"))
                redis.start()
            nodes.append(self.node(redis, ready=False, options={"start": "open"},
                                   lines=[self.state_line("node-%d" % at)]))
            time.sleep(rng.choice((0, 0, 0.05, 0.3)))
        for node in nodes:
            node.wait_ready()

        def agree():
            handed_out.update(token for token in map(self.token, nodes) if token is not None)
            newest = redis.tokens()[-1][0]
            return all(self.token(node) == newest for node in nodes)
        wait_until(agree, "eight nodes to agree")
        self.assertEqual(len({release for _, release in redis.tokens()}), 1)
        self.assertTrue(handed_out)
        current = redis.tokens()[-1][0]
        for node in nodes:
            for token in handed_out:
                response = self.get(node, token)
                if token == current:
                    self.assertEqual((response.status, response.body), (200, b"a{content:'a'}"))
                else:
                    self.assertEqual((response.status, response.leads_to),
                                     (301, "/static/%s/css/a.css" % current))
            node.stop()

    def test_nodes_that_adopt_any_share_a_token_over_different_files(self):
        redis = self.redis()
        nodes = [self.node(redis, site, {"adopt": "any"}) for site in ("a", "b")]
        (entry,) = redis.tokens()
        self.assertEqual(entry[1], "any")
        for node in nodes:
            self.wait_token(node, entry[0])
            node.stop()

    def test_a_suffix_names_the_release(self):
        redis = self.redis()
        node = self.node(redis, options={"token-suffix": "ON"})
        ((token, release),) = redis.tokens()
        self.assertRegex(token, r"^\d{13}-[0-9A-Za-z_-]{8}$")
        self.assertEqual(token[14:], release[:8])
        self.wait_token(node, token)
        node.stop()


class Outage(ClusterCase):
    def test_redis_killed_and_restarted_empty_changes_no_token_and_no_answer(self):
        redis = self.redis()
        nodes = [self.node(redis, site) for site in ("a", "a", "b")]
        tokens = [self.token(node) for node in nodes]
        before = redis.tokens()
        self.assertEqual(len(before), 2)
        traffic = [Traffic(node.port, "/static/%s/css/a.css" % token)
                   for node, token in zip(nodes, tokens)]
        redis.kill()
        for node in nodes:
            self.wait_log(node, rb"state=stale")
        redis.start()
        wait_until(lambda: redis.tokens() == before, "the entries, asserted again")
        for node in nodes:
            self.wait_log(node, rb"state=stale[^$]*state=synced[^\n]* since=\S+Z away=\d+\.\d+s\n")
            # every line of a cluster has its time
            for line in node.stderr().splitlines():
                if b"breaker: cluster " in line:
                    self.assertRegex(line, TIME + rb" (info|warning) breaker: cluster app=shop ")
        for each in traffic:
            each.stop()
            self.assertEqual(each.failures, [])
            self.assertGreater(each.count, 0)
        self.assertEqual([self.token(node) for node in nodes], tokens)
        for node in nodes:
            node.stop()

    def test_a_stopped_redis_holds_nobody_up(self):
        redis = self.redis()
        node = self.node(redis)
        token = self.token(node)
        os.kill(redis.process.pid, signal.SIGSTOP)
        try:
            self.wait_log(node, rb"state=stale")
            self.assertEqual(self.get(node, token).status, 200)
            # nothing to wait for: the answer comes without a refresh
            self.assertEqual(self.get(node, "9999999999999").status, 503)
        finally:
            os.kill(redis.process.pid, signal.SIGCONT)
        self.wait_log(node, rb"state=stale[^$]*state=synced")
        self.assertEqual(self.token(node), token)
        node.stop()

    def test_a_start_without_redis_serves_and_moves_forward_when_it_joins(self):
        redis = self.redis(start=False)
        node = self.node(redis)
        own = self.token(node)
        self.assertEqual(self.get(node, own).status, 200)
        redis.start()
        wait_until(redis.tokens, "the node's entry")
        self.wait_log(node, rb"state=synced")
        joined = self.token(node)
        self.assertGreaterEqual(int(joined), int(own))
        self.assertIn(self.get(node, own).status, (200, 301))
        self.assertEqual(self.get(node, joined).status, 200)
        node.stop()

    def test_a_restart_without_redis_has_the_same_token_by_its_state_file(self):
        redis = self.redis()
        node = self.node(redis, lines=[self.state_line()])
        token = self.token(node)
        node.stop()
        redis.kill()
        # not even the policy that waits for Redis makes it wait
        node = self.node(redis, options={"start": "strict"}, lines=[self.state_line()])
        self.assertEqual(self.token(node), token)
        node.stop()

    def test_a_damaged_state_file_is_told_and_not_used(self):
        redis = self.redis()
        with open(self.scratch("state", "node"), "w") as file:
            file.write("h2o-breaker state 1\nown 1 1 r1\n")
        os.chmod(self.scratch("state", "node"), 0o666)
        node = self.node(redis, lines=[self.state_line()])
        self.wait_log(node, rb"trouble=state-file")
        self.wait_token(node, redis.tokens()[-1][0])
        node.stop()

    def test_a_hostile_redis_is_lived_through_and_served_through(self):
        """Whatever a server may do to a link, at the connection or at the script."""
        sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "redis"))
        import hostile
        import link
        sys.path.pop(0)
        acts = [act for act, _, _ in hostile.CASES.values()]
        seen = []

        def script(connection):
            at = len(seen)
            seen.append(at)
            if at % 2:
                connection.recv(65536)
            acts[at // 2 % len(acts)](connection)
        server = link.Scripted(script)
        self.addCleanup(server.stop)
        redis = self.redis(start=False)
        redis.port = server.port
        node = self.node(redis, options={"poll": "100ms", "dead-after": "1s", "start": "open"},
                         lines=[self.state_line()])
        token = self.token(node)
        traffic = Traffic(node.port, "/static/%s/css/a.css" % token)
        wait_until(lambda: len(seen) >= 12, "connections", 60)
        traffic.stop()
        self.assertEqual(traffic.failures, [])
        self.assertGreater(traffic.count, 0)
        self.assertEqual(self.token(node), token)
        # and the rest of them all at once, by nodes enough
        others = [self.node(redis, ready=False, options={"poll": "100ms", "dead-after": "1s",
                                                         "start": "open"}) for _ in range(6)]
        wait_until(lambda: len(seen) >= 2 * len(acts), "every act", 240)
        for each in [node, *others]:
            self.assertEqual(self.get(each, self.token(each)).status, 200)
            each.stop()

    def test_the_strict_policy_serves_nothing_before_the_first_agreement(self):
        redis = self.redis(start=False)
        node = self.node(redis, options={"start": "strict"}, ready=False)
        self.wait_log(node, rb"waiting for the cluster's token")
        self.assertIsNone(self.token(node))
        self.assertNotIn("READY=1", node.notify.receive())
        redis.start()
        # whoever is let in gets the cluster's token
        token = wait_until(lambda: self.token(node), "an answer")
        self.assertEqual(token, redis.tokens()[-1][0])
        node.wait_ready()
        self.wait_token(node, redis.tokens()[-1][0])
        node.stop()

    def test_a_server_that_never_became_ready_stops_well(self):
        node = self.node(self.redis(start=False), options={"start": "strict"}, ready=False)
        self.wait_log(node, rb"waiting for the cluster's token")
        node.stop()

    def test_the_policy_wait_waits_for_its_timeout(self):
        node = self.node(self.redis(start=False),
                         options={"start": "wait", "start-timeout": "2s"}, ready=False)
        self.wait_log(node, rb"waiting for the cluster's token")
        self.assertIsNone(self.token(node))
        node.wait_ready()
        self.assertEqual(self.get(node, self.token(node)).status, 200)
        node.stop()

    def test_a_wrong_password_is_said_once_and_the_node_serves(self):
        redis = self.redis("--requirepass", "right-secret")
        path = self.scratch.write("key", "wrong-secret\n")
        node = self.node(redis, options={"password-file": quoted(path), "start": "open"})
        self.assertEqual(self.get(node, self.token(node)).status, 200)

        def is_refused_often():
            counts = re.findall(r"errorstat_WRONGPASS:count=(\d+)", "\n".join(
                redis("INFO", "errorstats")))
            return counts and int(counts[0]) >= 3
        wait_until(is_refused_often, "three attempts")
        self.assertEqual(len(re.findall(rb"trouble=", node.stderr())), 1)
        self.assertIn(b"%s has no other one" % path.encode(), node.stderr())
        self.assertNotIn(b"secret", node.stderr())
        node.stop()

    def test_a_password_that_is_changed_in_its_file_is_taken_from_there(self):
        redis = self.redis("--requirepass", "first-secret")
        path = self.scratch.write("key", "first-secret\n")
        node = self.node(redis, options={"password-file": quoted(path)})
        self.wait_log(node, rb"state=synced")
        redis("CONFIG", "SET", "requirepass", "second-secret")
        self.scratch.write("key", "second-secret\n")
        redis.args = ("--requirepass", "second-secret")
        redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        wait_until(lambda: len(re.findall(rb"state=synced", node.stderr())) == 2,
                   "the node to be back")
        self.assertNotIn(b"secret", node.stderr())
        node.stop()

    def test_a_redis_that_asks_for_certificates_gets_one(self):
        ours = harness.Certificate(self.scratch)
        os.chmod(ours.key, 0o644)
        port = harness.free_port()
        redis = self.redis("--tls-port", str(port), "--tls-cert-file", ours.cert, "--tls-key-file",
                           ours.key, "--tls-ca-cert-file", ours.cert)
        url = "rediss://127.0.0.1:%d" % port
        node = self.node(redis, url=url, options={
            "ca-file": quoted(ours.cert), "cert-file": quoted(ours.cert),
            "key-file": quoted(ours.key)})
        self.wait_log(node, rb"state=synced")
        stranger = self.node(redis, url=url, options={"ca-file": quoted(ours.cert),
                                                      "start": "open"})
        self.wait_log(stranger, rb"trouble=connection .*TLS: the server wants a certificate")
        for each in (node, stranger):
            each.stop()

    def test_two_redis_that_are_not_one_cluster_are_not_used(self):
        one, other = self.redis(), self.redis()
        nodes = [self.node(one, site, options={"start": "open"}, others=[other]) for site in "ab"]
        for node in nodes:
            self.wait_log(node, rb"trouble=connection .*127.0.0.1:%d: it is another server than "
                          rb"127.0.0.1:%d;" % (other.port, one.port))
            self.assertEqual(self.get(node, self.token(node)).status, 200)
        # neither has been asked for a token
        self.assertEqual((one.tokens(), other.tokens()), ([], []))
        # one of them may be the right one
        other.kill()
        for node in nodes:
            self.wait_log(node, rb"state=synced")
            node.stop()

    def test_the_right_password_by_file_and_by_environment(self):
        redis = self.redis("--requirepass", "right-secret")
        secret = self.scratch.write("secret", "right-secret\n")
        node = self.node(redis, options={"password-file": quoted(secret)})
        self.wait_token(node, redis.tokens()[-1][0])
        other = self.node(redis, options={"password-env": "BREAKER_TEST_PASSWORD"},
                          env={"BREAKER_TEST_PASSWORD": "right-secret"})
        self.assertEqual(self.token(other), self.token(node))
        for each in (node, other):
            self.wait_log(each, rb"state=synced")
            self.assertNotIn(b"secret", each.stderr())
            each.stop()


class News(ClusterCase):
    """A poll comes only once a minute here: what is known sooner was asked for."""

    SLOW = {"poll": "60s", "dead-after": "180s"}

    def wait_answer(self, node, token, status):
        """On a slow machine the wait of the first request may be over before the refresh is."""
        def answer():
            response = self.get(node, token)
            self.assertIn(response.status, (status, 503))
            return response if response.status == status else None
        return wait_until(answer, "%d for %s" % (status, token), 5)

    def test_a_deploy_of_a_peer_is_answered_instead_of_503(self):
        redis = self.redis()
        lines = ["breaker.release: r1"]
        old = self.node(redis, options=self.SLOW, lines=["breaker.token: v1", *lines])
        new = self.node(redis, options=self.SLOW, lines=["breaker.token: v2", *lines])
        self.assertEqual(self.token(new), "v2")
        self.assertEqual(self.wait_answer(old, "v2", 200).body, b"a{content:'a'}")
        self.assertEqual(self.get(old, "v1").leads_to, "/static/v2/css/a.css")
        for node in (old, new):
            node.stop()

    def test_a_token_that_nobody_knows_is_not_found_after_a_refresh(self):
        redis = self.redis()
        node = self.node(redis, options=self.SLOW)
        self.wait_answer(node, "v9", 404)
        node.stop()

    def test_a_decimal_token_that_nobody_knows_is_tried_again_later(self):
        redis = self.redis()
        node = self.node(redis, options=self.SLOW)
        response = self.get(node, "9999999999999")
        self.assertEqual(response.status, 503)
        self.assertEqual(response.get("retry-after"), "3")
        node.stop()

    def test_clients_that_go_away_while_they_wait_leave_no_trace(self):
        redis = self.redis()
        node = self.node(redis, options=self.SLOW)
        token = self.token(node)
        os.kill(redis.process.pid, signal.SIGSTOP)
        try:
            with client.Http2(node.port) as connection:
                for _ in range(20):
                    stream = connection.start("/static/v9/css/a.css", flush=False)
                    connection.h2.reset_stream(stream)
                connection.flush()
                # the connection lives, and its next request is answered
                response = connection.request("/static/%s/css/a.css" % token)
                self.assertEqual(response.status, 200)
                for _ in range(20):
                    connection.start("/static/v9/css/a.css")
            for _ in range(100):
                connection = client.Http1(node.port)
                connection.send(client.make_request("/static/v9/css/a.css"))
                client.reset(connection.sock)
            self.assertEqual(self.get(node, token).status, 200)
        finally:
            os.kill(redis.process.pid, signal.SIGCONT)
        self.wait_answer(node, "v9", 404)
        # with a request left behind the node could not be freed
        node.stop()

    def test_more_than_there_is_room_for_are_answered_at_once(self):
        redis = self.redis()
        node = self.node(redis, options=self.SLOW)
        os.kill(redis.process.pid, signal.SIGSTOP)
        try:
            with contextlib.ExitStack() as stack:
                # BREAKER_PARKED_MAX is 2048
                connections = [stack.enter_context(client.Http2(node.port)) for _ in range(24)]
                streams = [(each, each.start("/static/9999999999999/css/a.css", flush=False))
                           for each in connections for _ in range(90)]
                for each in connections:
                    each.flush()
                for each, stream in streams:
                    self.assertEqual(each.wait(stream).status, 503)
        finally:
            os.kill(redis.process.pid, signal.SIGCONT)
        node.stop()


class Configuration(ClusterCase):
    flavours = ("evloop",)

    def refuse(self, options, *expected, hidden="s3cret", lines=""):
        tree = self.scratch.tree("site", {"a.css": b"a{}"})
        text = "\n".join(["listen: 8080", lines, "breaker.cluster:", *options, "hosts:",
                          "  default:", "    paths:", '      "/":',
                          "        breaker.static:",
                          '          - {name: "static/{breaker}", path: %s}' % quoted(tree),
                          '          - {name: "more/{breaker}", path: %s}' % quoted(tree)])
        path = self.scratch.write("h2o.conf", text)
        status, stdout, stderr = run_program(self.flavour, "-c", path, "-t")
        self.assertNotEqual(status, 0, stdout)
        self.assertEqual(len(stderr.splitlines()), 1, stderr)
        self.assertIn(path, stderr)
        for each in expected:
            self.assertIn(each, stderr)
        self.assertNotIn(hidden, stderr)

    def test_what_is_wrong_is_named_and_secrets_are_not(self):
        app, redis = "  app: shop", "  redis: redis://127.0.0.1:6379"
        for options, *expected in [
                ([redis], ":4:", "`app` is missing"),
                ([app], "`redis` is missing"),
                (["  app: a b", redis], "app", "accepted: 1 to 64"),
                ([app, "  redis: http://:s3cret@h:1"], ":4:", "URL 1 of Redis"),
                ([app, "  redis: [redis://h, {s3cret: 1}]"], "redis", "sequence of at most 16"),
                ([app, "  redis: redis://user:s3cret@h:99999"], "URL 1 of Redis"),
                ([app, redis, "  start: soon"], ":6:", "start: got `soon`", "open, wait, strict"),
                ([app, redis, "  adopt: all"], "adopt: got `all`", "release, any"),
                ([app, redis, "  poll: 1x"], "poll: got `1x`", "30s, 1500ms"),
                ([app, redis, "  poll: 10ms"], "poll", "accepted: 100 to 60000 ms"),
                ([app, redis, "  poll: 999999999999999999999s"], "poll", "at most a day"),
                ([app, redis, "  dead-after: 2s"], "dead-after", "three polls (3000 ms)"),
                ([app, redis, "  advertise: here"], "advertise", "host:port"),
                ([app, redis, "  advertise: here:70000"], "advertise", "host:port"),
                ([app, redis, "  token-suffix: maybe"], "token-suffix", "ON, OFF"),
                ([app, redis, "  password: s3cret"], ":6:", "unknown key `password`; accepted: app"),
                ([app, redis, "  password-file: /none"], "password-file", "/none"),
                ([app, redis, "  password-file: /dev/null"], "password-file", "1 to 1023"),
                ([app, redis, "  password-env: NOT_SET_HERE"], "password-env", "NOT_SET_HERE"),
                ([app, "  redis: rediss://h", "  ca-file: /none"],
                 "/none: CA certificates in PEM cannot be read: No such file or directory"),
                ([app, "  redis: rediss://h", "  cert-file: /none"], "/none: a certificate in PEM"),
                ([app, "  redis: rediss://h", "  key-file: /none"], "/none: a key needs the"),
                ([app, redis, "  advertise: 10.0.0.7:8080", "  peers-ca-file: /none"],
                 "peers-ca-file: got `/none`; accepted: a file of certificates in PEM"),
        ]:
            with self.subTest(options=options):
                self.refuse(options, *expected)

    def test_views_with_different_tokens_cannot_agree(self):
        tree = self.scratch.tree("site", {"a.css": b"a{}"})
        text = """
listen: 8080
breaker.cluster: {app: shop, redis: "redis://127.0.0.1:6379"}
hosts:
  default:
    paths:
      "/a":
        breaker.token: v1
        breaker.static: {name: "static/{breaker}", path: @site@}
      "/b":
        breaker.static: {name: "static/{breaker}", path: @site@}
"""
        path = self.scratch.write("h2o.conf", expand(text, site=quoted(tree)))
        status, _, stderr = run_program(self.flavour, "-c", path, "-t")
        self.assertNotEqual(status, 0)
        self.assertIn("all views must have the same", stderr)

    def test_several_urls_without_sentinel_are_warned_of(self):
        tree = self.scratch.tree("site", {"a.css": b"a{}"})
        for options, warns in (({}, True), ({"sentinel": "shop"}, False)):
            text = expand(CONFIG, port=8080, redis=1, site=quoted(tree), lines="",
                          options="".join("  %s: %s\n" % each for each in options.items()))
            text = re.sub(r"( +redis:) (.*)", r'\1 [\2, "redis://:s3cret@127.0.0.1:2"]', text)
            path = self.scratch.write("h2o.conf", text)
            status, stdout, stderr = run_program(self.flavour, "-c", path, "-t")
            self.assertEqual((status, stdout), (0, "configuration OK\n"), stderr)
            self.assertEqual(len(stderr.splitlines()), int(warns), stderr)
            self.assertEqual("several URLs without sentinel must be the seeds of one Redis "
                             "Cluster" in stderr, warns, stderr)
            self.assertNotIn("s3cret", stderr)

    def test_a_check_connects_to_nothing_and_writes_nothing(self):
        tree = self.scratch.tree("site", {"a.css": b"a{}"})
        for text in (expand(CONFIG, port=8080, redis=1, site=quoted(tree), options="",
                            lines=self.state_line()),
                     expand(SINGLE, port=8080, site=quoted(tree),
                            state=quoted(self.scratch("state", "node")))):
            path = self.scratch.write("h2o.conf", text)
            status, stdout, stderr = run_program(self.flavour, "-c", path, "-t")
            self.assertEqual((status, stdout, stderr), (0, "configuration OK\n", ""))
            self.assertEqual(os.listdir(self.scratch("state")), [])


class Single(ClusterCase):
    def start(self, site):
        port = harness.free_port()
        tree = self.scratch.tree("site-" + site, {"css/a.css": site.encode()})
        server = Server(self.flavour, expand(SINGLE, port=port, site=quoted(tree),
                                             state=quoted(self.scratch("state", "node"))))
        server.port = port
        self.addCleanup(server.kill)
        return server

    def restart(self, site):
        server = self.start(site)
        token = self.token(server)
        self.assertEqual(self.get(server, token).status, 200)
        server.stop()
        return token

    def test_a_single_node_remembers_its_token_as_well(self):
        first = self.restart("a")
        self.assertEqual(self.restart("a"), first)
        second = self.restart("b")
        self.assertGreater(int(second), int(first))
        self.assertEqual(self.restart("b"), second)

    def test_a_single_node_that_goes_back_to_a_release_leads_everybody_forward(self):
        first, second = self.restart("a"), self.restart("b")
        server = self.start("a")
        third = self.token(server)
        self.assertGreater(int(third), int(second))
        self.assertEqual(self.get(server, third).body, b"a")
        for token in (first, second):
            response = self.get(server, token)
            self.assertEqual((response.status, response.leads_to),
                             (301, "/static/%s/css/a.css" % third))
        server.stop()


if __name__ == "__main__":
    harness.main()
