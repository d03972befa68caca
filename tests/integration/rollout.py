"""Deploys, and everything that goes wrong with them, on nodes that hold each other's releases: real
nodes, a real redis-server, no archive. After every step every URL that was ever handed out gives the
bytes of its release on every node that lives, at once: a request waits for what is still on its way,
so nothing here waits for it."""

import http.client
import os
import signal
import subprocess

import client
import cluster
import harness
from harness import BIN, FlavourCase, Scratch, Server, expand, quoted, wait_until

# the time to fetch is no part of the verdict
CONFIG = """
listen: {host: @host@, port: @port@@ssl@}
num-threads: 1
breaker.health: /breaker
breaker.fetch: {timeout: 30s}
breaker.ready-timeout: 60s
@lines@
breaker.cluster:
  app: shop
  redis: "redis://@redis@"
  advertise: auto
  peers: [127.0.0.0/8, "::1"]
@options@
  poll: @poll@
  dead-after: @dead_after@
  start: strict
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @site@}
"""


def files_of(release):
    files = {"css/shared-%d.css" % i: b"shared %d" % i * 50 for i in range(5)}
    files.update({"js/%s.js" % name: ("%s of %s " % (name, release)).encode() * 100
                  for name in ("main", "lazy", "only-" + release)})
    return files


class RolloutCase(FlavourCase):
    flavours = ("evloop",)
    # longer than any test: nobody is overtaken by silence
    dead_after = "600s"
    host, ssl, options, poll = "127.0.0.1", "", "", "200ms"
    # the configuration, and what a release is made of
    config, files_of = CONFIG, staticmethod(files_of)

    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.redis = cluster.Redis()
        self.addCleanup(self.redis.kill)
        self.redis.start()
        self.nodes = []
        # which files a token stands for, of all that were ever handed out
        self.handed = {}

    def start(self, release, *lines, ready=True, port=None):
        site = self.scratch("site-" + release)
        if not os.path.exists(site):
            self.scratch.tree("site-" + release, self.files_of(release))
        port = port or harness.free_port()
        node = Server(self.flavour, expand(self.config, port=port, site=quoted(site),
                                           redis=self.redis_address(), host=self.host, ssl=self.ssl,
                                           dead_after=self.dead_after, options=self.options,
                                           poll=self.poll,
                                           lines="\n".join(lines)), ready=False)
        node.port, node.release, node.lines = port, release, lines
        self.addCleanup(node.kill)
        self.nodes.append(node)
        if ready:
            self.wait_ready(node)
        return node

    def redis_address(self):
        return "127.0.0.1:%d" % self.redis.port

    def get(self, node, path):
        return client.get(node.port, path)

    def wait_ready(self, node):
        node.wait_ready()
        wait_until(lambda: self.get(node, "/breaker/readyz").status == 200, "readyz")

    def deploy(self, release, num, *lines):
        nodes = [self.start(release, *lines, ready=False) for _ in range(num)]
        for node in nodes:
            self.wait_ready(node)
        return nodes

    def stop(self, *nodes):
        for node in nodes:
            node.signal(signal.SIGTERM)
        for node in nodes:
            self.nodes.remove(node)
            node.stop()

    def token(self, node):
        """What the node hands out."""
        location = self.get(node, "/static/0/js/main.js").leads_to
        token = location.split("/")[2]
        self.assertEqual(self.handed.setdefault(token, node.release), node.release)
        return token

    def fetch(self, node, path):
        """The answer, after redirects: those stay within a release."""
        for _ in range(3):
            response = self.get(node, path)
            if response.status != 301:
                return response
            token = response.leads_to.split("/")[2]
            self.assertEqual(self.handed.get(token), self.handed[path.split("/")[2]],
                             "a redirect to another release: %s → %s" % (path, token))
            path = response.leads_to
        raise AssertionError("redirects without end: " + path)

    def check(self):
        """Every URL that was ever handed out, on every node."""
        for node in self.nodes:
            self.token(node)
        for node in self.nodes:
            for token, release in self.handed.items():
                for path, content in self.files_of(release).items():
                    response = self.fetch(node, "/static/%s/%s" % (token, path))
                    self.assertEqual((response.status, response.body), (200, content),
                                     "%s of %s, token %s, on a node of %s:\n%s" % (
                                         path, release, token, node.release,
                                         node.stderr().decode()))
                self.assertEqual(self.fetch(node, "/static/%s/none" % token).status, 404)

    def end(self):
        self.check()
        self.stop(*list(self.nodes))


class Deploys(RolloutCase):
    def test_a_rolling_deploy(self):
        old = self.deploy("a", 3)
        self.check()
        for node in old:
            self.start("b")
            self.check()
            self.stop(node)
            self.check()
        self.end()

    def test_a_rolling_restart_at_the_same_addresses(self):
        self.deploy("a", 2)
        self.check()
        for release in ("b", "c"):
            for node in list(self.nodes):
                self.stop(node)
                self.check()
                self.start(release, port=node.port)
                self.check()
        self.end()

    def test_an_abandoned_canary(self):
        self.deploy("a", 2)
        canary = self.start("b")
        self.check()
        self.stop(canary)
        self.check()
        # who comes later hears of it from the others
        self.start("a")
        self.end()

    def test_a_canary_that_is_killed(self):
        self.deploy("a", 2)
        canary = self.start("b")
        self.check()
        canary.signal(signal.SIGKILL)
        canary.process.wait()
        self.nodes.remove(canary)
        self.end()

    def test_an_old_node_restarts_in_the_middle(self):
        old = self.deploy("a", 2)
        self.start("b")
        self.check()
        self.stop(old[0])
        self.start("a")
        self.check()
        self.stop(old[1])
        self.start("b")
        self.end()

    def test_autoscaling_in_the_middle(self):
        old = self.deploy("a", 2)
        self.deploy("b", 1)
        self.deploy("a", 2)
        self.check()
        self.deploy("b", 2)
        self.check()
        self.stop(*old)
        self.deploy("c", 1)
        self.end()

    def test_a_whole_fleet_is_replaced_at_once(self):
        blue = self.deploy("a", 2)
        self.check()
        green = self.deploy("b", 2)
        # ready means that they have it all: nobody asks them anything before the others are gone
        for node in blue:
            self.token(node)
        self.stop(*blue)
        self.check()
        # and so once more, and the first one lives on still
        self.deploy("c", 2)
        self.stop(*green)
        self.end()

    def test_redis_is_away_in_the_middle(self):
        old = self.deploy("a", 2)
        self.start("b")
        self.check()
        self.redis.kill()
        self.check()
        self.redis.start()
        self.stop(old[0])
        # which may come before others have found Redis again: these look for it when they are asked
        self.start("c")
        self.end()


class Ready(RolloutCase):
    """Nodes that ask Redis once a minute. Who is ready has handed out nothing yet, and from then on
    the others need neither Redis nor the new node to know of it."""

    poll = "60s"

    def setUp(self):
        super().setUp()
        self.old = self.deploy("a", 2)
        # at first they ask often, since others may come
        wait_until(lambda: self.quiet_ms() > 400, "nobody asks Redis any more")

    def quiet_ms(self):
        """How long ago a node asked Redis."""
        _, _, seconds, _, micros, *_ = self.redis("TIME")
        last = self.redis("ZRANGE", "{shop}:breaker:nodes", "-1", "-1", "WITHSCORES")[4]
        return int(seconds) * 1000 + int(micros) // 1000 - int(last)

    def test_redis_goes_when_a_new_node_is_ready(self):
        self.start("b")
        self.redis.kill()
        self.check()
        self.stop(*list(self.nodes))

    def test_a_new_node_goes_when_it_is_ready(self):
        new = self.start("b")
        self.token(new)
        new.kill()
        self.nodes.remove(new)
        self.end()

    def test_a_node_that_is_gone_is_not_waited_for(self):
        self.old[0].kill()
        self.nodes.remove(self.old[0])
        self.start("b")
        self.end()


class Rollbacks(RolloutCase):
    def test_under_a_new_label(self):
        """Same files, another release id: a new entry above."""
        old = self.deploy("a", 2, "breaker.release: v1")
        first = self.token(old[0])
        new = self.deploy("b", 2, "breaker.release: v2")
        self.check()
        self.stop(*old)
        back = self.deploy("a", 2, "breaker.release: v3")
        self.stop(*new)
        self.check()
        self.assertGreater(int(self.token(back[0])), int(first))
        self.end()

    def test_by_promote(self):
        old = self.deploy("a", 2)
        first = self.token(old[0])
        new = self.deploy("b", 1)
        self.check()
        subprocess.run([os.path.join(BIN, "breakerctl"), "promote", "--app", "shop",
                        "--redis", "redis://127.0.0.1:%d" % self.redis.port, self.name_of(first)],
                       check=True, capture_output=True)
        wait_until(lambda: int(self.token(old[0])) > int(self.token(new[0])), "the promoted token")
        self.check()
        self.stop(*new)
        self.end()

    def name_of(self, token):
        return next(release for each, release in self.redis.tokens() if each == token)


class SilentRollback(RolloutCase):
    dead_after = "2s"

    def test_without_a_new_label(self):
        """The old files again, and nobody with the newer ones any more: their token goes on top."""
        old = self.deploy("a", 2)
        new = self.deploy("b", 1)
        self.check()
        self.stop(*new)
        newest = max(self.handed, key=int)
        wait_until(lambda: all(int(self.token(node)) > int(newest) for node in old),
                   "a token above the silent release's", 60)
        self.end()


class Secure(RolloutCase):
    """Nodes whose one listener speaks TLS: they find out by themselves, and check certificates."""

    ssl = ", ssl: {certificate-file: %s, key-file: %s}"

    def setUp(self):
        super().setUp()
        self.certificate = harness.Certificate(self.scratch)
        self.ssl = self.ssl % (self.certificate.cert, self.certificate.key)
        self.options = "  peers-ca-file: " + self.certificate.cert

    def get(self, node, path):
        return client.get(node.port, path, client.tls_context(self.certificate.cert))

    def test_releases_of_others_come_over_tls(self):
        self.start("a")
        self.start("b")
        self.check()
        self.assertRegex("\n".join(self.redis("ZRANGE", "{shop}:breaker:info", "0", "-1")),
                         " https://127.0.0.1:%d " % self.nodes[0].port)
        self.end()


class OverIPv6(RolloutCase):
    host = '"::1"'

    def setUp(self):
        super().setUp()
        # Redis has both addresses; the tests' own commands go the other way
        self.redis.kill()
        self.redis.args = ("--bind", "127.0.0.1", "::1")
        self.redis.start()

    def redis_address(self):
        return "[::1]:%d" % self.redis.port

    def get(self, node, path):
        connection = http.client.HTTPConnection("::1", node.port, timeout=harness.DEADLINE_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            headers = [(name.lower(), value) for name, value in response.getheaders()]
            return client.Response(response.status, headers, response.read(), target=path)
        finally:
            connection.close()

    def test_the_address_is_that_of_the_connection_to_redis(self):
        self.start("a")
        self.start("b")
        self.check()
        self.assertRegex("\n".join(self.redis("ZRANGE", "{shop}:breaker:info", "0", "-1")),
                         r" \[::1\]:%d " % self.nodes[0].port)
        self.end()


if __name__ == "__main__":
    harness.main()
