"""A node by itself over real restarts: which tokens lead where, with a history in a state file.
Every start is a deploy of other files under the operator's next token."""

import os

import client
import harness
from harness import FlavourCase, Scratch, Server, expand, quoted

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.state-file: @state@
@lines@
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @site@}
"""

VERSIONS = ["v1.9.0", "v1.10.0", "v1.10.1", "v2.0.0-rc1", "v2.0.0"]
COMMITS = ["e83c5163316f89bfbde7d9ab23ca2e25604af290", "0a1b2c3", "ffffff0", "4b825dc642cb6eb9a060"]
BUILDS = ["9999", "10000", "1", "4711"]
DATES = ["202611230800", "202611231200", "20261123120001", "2026-11-24"]


class AloneCase(FlavourCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        # servers that root starts serve as somebody else
        os.makedirs(self.scratch("state"))
        os.chmod(self.scratch("state"), 0o777)

    def start(self, content, *lines):
        tree = self.scratch.tree("site-" + content, {"css/a.css": content.encode()})
        port = harness.free_port()
        server = Server(self.flavour, expand(CONFIG, port=port, site=quoted(tree),
                                             state=quoted(self.scratch("state", "node")),
                                             lines="\n".join(lines)))
        server.port = port
        self.addCleanup(server.kill)
        return server

    def deploy(self, token, content=None):
        return self.start(content or token, "breaker.token: " + quoted(token))

    def get(self, server, token, path="css/a.css"):
        return client.get(server.port, "/static/%s/%s" % (token, path))

    def current(self, server):
        """What the node hands out: zeros are older than everything."""
        return self.get(server, "0").leads_to.split("/")[2]

    def assert_leads(self, server, old, new):
        response = self.get(server, old)
        self.assertEqual((response.status, response.leads_to,
                          response.get("cache-control")),
                         (301, "/static/%s/css/a.css" % new, "public, max-age=60"))

    def assert_retry(self, server, token):
        response = self.get(server, token)
        self.assertEqual((response.status, response.get("retry-after"),
                          response.get("cache-control")), (503, "3", "no-store"))


class Deploys(AloneCase):
    def check_series(self, tokens, unknown):
        for at, token in enumerate(tokens):
            # the second start has it all from the file
            for _ in range(2):
                server = self.deploy(token)
                response = self.get(server, token)
                self.assertEqual((response.status, response.body), (200, token.encode()))
                for old in tokens[:at]:
                    self.assert_leads(server, old, token)
                    self.assertEqual(self.get(server, old, "none.css").status, 404)
                for other in [*tokens[at + 1:], *unknown]:
                    self.assert_retry(server, other)
                server.stop()

    def test_versions_follow_each_other(self):
        self.check_series(VERSIONS, ["v1.0.0", "v1.9.5", "v3.0.0"])

    def test_commits_follow_each_other(self):
        self.check_series(COMMITS, ["0000000a", "deadbeef", "~"])

    def test_numbers_of_builds_follow_each_other(self):
        self.check_series(BUILDS, ["2", "9998", "10001", "1e3"])

    def test_a_new_release_has_no_urls_that_its_predecessor_takes_for_older_ones(self):
        """As two nodes behind a balancer in the moment between, each with its own file."""
        for before, after in (("v1.9.0", "v1.10.0"), ("4712", "4711"), ("f00", "bad"),
                              ("202611231200", "202611231100"), (None, "202611231200"),
                              (None, "4711")):
            lines = [] if before is None else ["breaker.token: " + quoted(before)]
            server = self.start("before", *lines)
            with self.subTest(before=before, after=after):
                self.assert_retry(server, after)
            server.stop()
            os.unlink(self.scratch("state", "node"))

    def test_minted_tokens_and_those_of_the_operator_follow_each_other(self):
        server = self.start("a")
        first = self.current(server)
        server.stop()
        server = self.deploy("4711", "b")
        self.assert_leads(server, first, "4711")
        self.assert_leads(server, str(int(first) - 1), "4711")
        self.assert_leads(server, str(int(first) - 1) + "-a1b2c3d4", "4711")
        self.assert_retry(server, str(int(first) + 3600000))
        server.stop()
        server = self.start("c")
        last = self.current(server)
        self.assertGreater(int(last), int(first))
        self.assert_leads(server, first, last)
        self.assert_leads(server, "4711", last)
        self.assert_retry(server, "4712")
        server.stop()

    def test_dates_follow_each_other(self):
        for at, token in enumerate(DATES):
            server = self.deploy(token)
            self.assertEqual(self.get(server, token).body, token.encode())
            for old in DATES[:at]:
                self.assert_leads(server, old, token)
            server.stop()


class Conflicts(AloneCase):
    def test_one_token_on_other_files_is_said_once_and_the_later_moves_on(self):
        for files, starts in (("first", 2), ("other", 2)):
            for start in range(starts):
                server = self.deploy("v1", files)
                token = self.current(server)
                self.assertEqual(self.get(server, token).body, files.encode())
                said = server.stderr().count(b"token v1 is that of release ")
                self.assertEqual(said, int(files == "other" and start == 0), server.stderr())
                server.stop()
            if files == "first":
                self.assertEqual(token, "v1")
        self.assertRegex(token, r"^v1\.[0-9]+$")
        # whoever has the first one's URL is led on, and never gets the other bytes under it
        server = self.deploy("v1", "other")
        self.assert_leads(server, "v1", token)
        server.stop()

    def test_one_label_on_other_files_is_said_once_and_the_later_moves_on(self):
        tokens = []
        for files, start in (("first", 0), ("first", 1), ("other", 0), ("other", 1)):
            server = self.start(files, "breaker.release: r1")
            tokens.append(self.current(server))
            self.assertEqual(self.get(server, tokens[-1]).body, files.encode())
            said = server.stderr().count(b"has the label of r1")
            self.assertEqual(said, int(files == "other" and start == 0), server.stderr())
            server.stop()
        self.assertEqual((tokens[0], tokens[2]), (tokens[1], tokens[3]))
        self.assertGreater(int(tokens[2]), int(tokens[0]))

    def test_a_long_history_never_loses_what_is_handed_out(self):
        """More deploys than are remembered; the last one's token survives restarts."""
        tokens = ["r%d" % i for i in range(70)]
        if self.flavour == "uv":
            tokens = tokens[:40]
        for token in tokens:
            server = self.deploy(token)
            self.assertEqual(self.get(server, token).status, 200)
            server.stop()
        server = self.deploy(tokens[-1])
        self.assertEqual(self.get(server, tokens[-1]).body, tokens[-1].encode())
        for old in tokens[-30:-1]:
            self.assert_leads(server, old, tokens[-1])
        server.stop()


if __name__ == "__main__":
    harness.main()
