"""h2o's own directives, which do here what they do in h2o: those that its main program has and its
library has not, those that our own directives stand beside, and those that the library spoils."""

import gzip
import json
import os
import pwd
import shutil
import unittest

import brotli

import client
import fastcgi
import harness

TREE = {"css/site.css": b"body {}\n"}
SHARE = "/usr/share/h2o"

HEAD = """\
listen: {host: 127.0.0.1, port: @port@}
breaker.token: T
"""
HOSTS = """\
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
        file.dir: @docs@
"""


class LanguageCase(harness.FlavourCase):
    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.tree = self.scratch.tree("tree", TREE)
        self.docs = self.scratch.tree("docs", {"index.php": b"<?php\n", "index.html": b"<p>\n"})
        self.port = harness.free_port()

    def expand_all(self, text, **values):
        return harness.expand(text, port=self.port, tree=self.tree, docs=self.docs, **values)

    def serve(self, text, **values):
        server = harness.Server(self.flavour, self.expand_all(text, **values))
        self.addCleanup(server.kill)
        return server

    def check(self, text, **values):
        path = self.scratch.write("h2o.conf", self.expand_all(text, **values))
        return harness.run_program(self.flavour, "-c", path, "-t")

    def assert_accepted(self, text, **values):
        self.assertEqual(self.check(text, **values), (0, "configuration OK\n", ""))

    def get(self, target, **request):
        return client.get(self.port, target, **request)


class CustomHandlers(LanguageCase):
    """Files of an extension go to an application; the assets beside them do not."""

    HANDLER = "file.custom-handler: {extension: [.php], " \
              "fastcgi.connect: {port: @socket@, type: unix}}\n"

    def setUp(self):
        super().setUp()
        self.socket = self.scratch("fastcgi.sock")
        application = fastcgi.Application(self.socket)
        self.addCleanup(application.stop)

    def test_a_custom_handler_stands_at_every_level(self):
        host, path = HOSTS.split("    paths:\n")
        for level, text in (
                ("top", HEAD + self.HANDLER + HOSTS),
                ("host", HEAD + host + "    " + self.HANDLER + "    paths:\n" + path),
                ("path", HEAD + HOSTS + "        " + self.HANDLER)):
            with self.subTest(level):
                self.assert_accepted(text, socket=self.socket)
                server = self.serve(text, socket=self.socket)
                answer = self.get("/index.php")
                self.assertEqual(answer.status, 200)
                self.assertIn(b'<p id="script">%s/index.php<' % self.docs.encode(), answer.body)
                self.assertIn(b"/static/{breaker}/css", answer.body)
                self.assertEqual(self.get("/static/T/css/site.css").body, TREE["css/site.css"])
                server.stop()

    def test_its_pages_are_rewritten_as_the_others_at_the_path_are(self):
        server = self.serve(HEAD + "breaker.rewrite: ON\n" + self.HANDLER + HOSTS,
                            socket=self.socket)
        answer = self.get("/index.php")
        self.assertEqual(answer.status, 200)
        self.assertIn(b'href="/static/T/css/site.css"', answer.body)
        self.assertIsNone(answer.get("last-modified"))
        server.stop()

    def test_a_body_of_two_meanings_is_kept_from_it(self):
        server = self.serve(HEAD + self.HANDLER + HOSTS, socket=self.socket)
        with client.Http1(self.port) as connection:
            connection.send(b"POST /index.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
                            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            self.assertEqual(connection.read().status, 400)
        server.stop()


@unittest.skipUnless(shutil.which("valgrind"), "needs valgrind")
@unittest.skipUnless(harness.SLOWDOWN == 1, "a sanitizer watches instead")
class Ends(LanguageCase):
    """What h2o's handlers leave behind when the server ends."""

    def test_no_memory_of_handlers_is_used_after_they_are_freed(self):
        text = self.expand_all("duration-stats: ON\ncompress: [br]\n" + HEAD + CustomHandlers.HANDLER +
                               HOSTS + "      \"/app\":\n        fastcgi.connect: 9\n" +
                               Status.STATUS, socket=self.scratch("nobody.sock"))
        server = harness.Server(self.flavour, text, wrap=("valgrind", "-q"))
        self.addCleanup(server.kill)
        for target, status in (("/index.php", 503), ("/index.html", 200), ("/status/json", 200)):
            self.assertEqual(self.get(target).status, status)
        server.stop()


class UnixSockets(LanguageCase):
    """Applications that listen on a Unix socket, which libuv's TCP does not connect to."""

    HOSTS = """\
hosts:
  default:
    paths:
      "/":
        @directive@
"""

    def test_one_behind_fastcgi_answers(self):
        path = self.scratch("fastcgi.sock")
        application = fastcgi.Application(path)
        self.addCleanup(application.stop)
        server = self.serve(HEAD + self.HOSTS, directive="fastcgi.connect: {port: %s, type: unix}"
                            % path)
        for _ in range(3):
            self.assertEqual(self.get("/page").status, 200)
        server.stop()

    def test_one_behind_the_proxy_answers(self):
        path = self.scratch("node.sock")
        behind = self.serve("listen: {port: %s, type: unix}\n" % path + HOSTS +
                            HEAD.splitlines()[1] + "\n")
        os.chmod(path, 0o777)
        server = self.serve(HEAD + self.HOSTS,
                            directive="proxy.preserve-host: ON\n        "
                            'proxy.reverse.url: "http://[unix:%s]/"' % path)
        for _ in range(3):
            self.assertEqual(self.get("/static/T/css/site.css").body, TREE["css/site.css"])
        server.stop()
        behind.stop()

    def test_one_that_is_away_is_answered_for(self):
        server = self.serve(HEAD + self.HOSTS, directive="fastcgi.connect: {port: %s, type: unix}"
                            % self.scratch("nobody.sock"))
        self.assertEqual(self.get("/page").status, 503)
        server.stop()


@unittest.skipUnless(os.getuid() == 0, "needs root")
@unittest.skipUnless(os.path.exists(SHARE), "needs h2o's programs")
class Spawning(LanguageCase):
    SPAWN = "        fastcgi.spawn: %s\n"

    def user_of(self, user, spawn):
        """Who the application is that a server started by root has spawned."""
        program = shutil.copy(fastcgi.__file__, self.scratch("fastcgi.py"))
        command = "exec /usr/bin/python3 " + program
        server = self.serve(HEAD + user + HOSTS.replace("        file.dir: @docs@\n", "") +
                            self.SPAWN % spawn.replace("@command@", command))
        answer = self.get("/page")
        server.stop()
        self.assertEqual(answer.status, 200)
        uid = int(answer.body.split(b'id="user">')[1].split(b"<")[0])
        return pwd.getpwuid(uid).pw_name

    def test_a_server_of_root_spawns_applications_as_the_user_that_it_becomes(self):
        for user, spawn, spawned in (("", '"@command@"', "nobody"),
                                     ("user: daemon\n", '"@command@"', "daemon"),
                                     ("", '{command: "@command@", user: daemon}', "daemon")):
            with self.subTest(user=user, spawn=spawn):
                self.assertEqual(self.user_of(user, spawn), spawned)


class Tokens(LanguageCase):
    PATH = """\
hosts:
  default:
    paths:
      "/":
"""

    def test_a_token_counts_for_the_views_after_it(self):
        text = HEAD + self.PATH + """\
        - breaker.static: {name: "a/{breaker}", path: @tree@}
        - breaker.token: U
        - breaker.static: {name: "b/{breaker}", path: @tree@}
        - breaker.token: V
          breaker.static: [{name: "c/{breaker}", path: @tree@}, {name: "d/{breaker}", path: @tree@}]
      "/other":
        breaker.static: {name: "{breaker}", path: @tree@}
"""
        server = self.serve(text)
        for prefix in ("/a/T", "/b/U", "/c/V", "/d/V", "/other/T"):
            with self.subTest(prefix):
                self.assertEqual(self.get(prefix + "/css/site.css").status, 200)
        server.stop()

    def test_a_token_that_no_view_follows_is_refused(self):
        status, stdout, stderr = self.check(HEAD + self.PATH + """\
        breaker.static: {name: "a/{breaker}", path: @tree@}
        breaker.token: U
""")
        self.assertEqual((status, stdout), (78, ""))
        self.assertRegex(stderr, r"\A[^\n]*h2o\.conf:8:9: breaker\.token: no view follows[^\n]*\n\Z")

    def test_at_the_top_and_in_a_host_it_counts_wherever_it_stands(self):
        listen, token = HEAD.splitlines(keepends=True)
        for text in (listen + HOSTS + token, listen + HOSTS + "    " + token):
            server = self.serve(text)
            self.assertEqual(self.get("/static/T/css/site.css").status, 200)
            server.stop()


class Compression(LanguageCase):
    """`compress`, over files of `file.dir`; assets of a view are encoded in the background."""

    TEXT = b"".join(b"line %d of a text\n" % i for i in range(5000))

    def setUp(self):
        super().setUp()
        harness.write_tree(self.docs, {"large.txt": self.TEXT, "small.txt": b"a" * 150,
                                       "tiny.txt": b"a" * 99})

    def coding_of(self, accept, target="/large.txt", **request):
        answer = self.get(target, headers=[("Accept-Encoding", accept)], **request)
        self.assertEqual(answer.status, 200)
        coding = answer.get("content-encoding")
        body = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[coding](answer.body)
        if target == "/large.txt" and request.get("method") != "HEAD":
            self.assertEqual(body, self.TEXT)
        self.assertEqual(answer.get("accept-ranges"), "none" if coding else "bytes")
        return coding

    def test_what_is_said_is_what_clients_get(self):
        # what is said; the coding for a client of br, of gzip, of both
        for said, *expected in (("ON", "br", "gzip", "br"),
                                ("OFF", None, None, None),
                                ("[br]", "br", None, "br"),
                                ("[gzip]", None, "gzip", "gzip"),
                                ("[gzip, br]", "br", "gzip", "br"),
                                ("{br: 5}", "br", None, "br"),
                                ("{br: 11, gzip: 9}", "br", "gzip", "br"),
                                ("{br: OFF, gzip: ON}", None, "gzip", "gzip"),
                                ("{br: 0}", "br", None, "br")):
            with self.subTest(said):
                server = self.serve("compress: %s\n" % said + HEAD + HOSTS)
                self.assertEqual([self.coding_of(accept) for accept in ("br", "gzip", "gzip, br")],
                                 expected)
                server.stop()

    def test_small_bodies_stay_as_they_are(self):
        for lines, tiny, small in (("compress: [br]\n", None, "br"),
                                   ("compress-minimum-size: 1000\ncompress: [br]\n", None, None),
                                   ("compress: [br]\ncompress-minimum-size: 10\n", "br", "br")):
            with self.subTest(lines):
                server = self.serve(lines + HEAD + HOSTS)
                self.assertEqual(self.coding_of("br", "/tiny.txt"), tiny)
                self.assertEqual(self.coding_of("br", "/small.txt"), small)
                server.stop()

    def test_pages_are_compressed_after_they_are_rewritten(self):
        page = b'<script src="/static/{breaker}/css/site.css"></script>\n' * 5000
        harness.write_tree(self.docs, {"page.html": page})
        server = self.serve("compress: [br]\nbreaker.rewrite: ON\n" + HEAD + HOSTS)
        for _ in range(3):
            answer = self.get("/page.html", headers=[("Accept-Encoding", "br")])
            self.assertEqual(answer.get("content-encoding"), "br")
            self.assertEqual(answer.values("vary"), ["accept-encoding"])
            self.assertEqual(brotli.decompress(answer.body), page.replace(b"{breaker}", b"T"))
        server.stop()

    def test_streams_of_one_connection_are_compressed_side_by_side(self):
        server = self.serve("compress: [br]\n" + HEAD + HOSTS)
        bodies = []
        with client.Http2(self.port) as connection:
            connection.fetch_all([(i, "/large.txt", [("accept-encoding", "br")]) for i in range(20)],
                                 lambda _, answer: bodies.append(answer.body))
        self.assertEqual([brotli.decompress(body) for body in bodies], [self.TEXT] * 20)
        server.stop()

    def test_what_is_no_compression_is_refused(self):
        for said, words in (("perhaps", ("perhaps", "gzip and br")),
                            ("[zstd]", ("zstd", "gzip, br")),
                            ("{br: 12}", ("br", "12", "0 to 11")),
                            ("{gzip: 0}", ("gzip", "`0`", "1 to 9")),
                            ("{deflate: ON}", ("deflate", "gzip, br"))):
            with self.subTest(said):
                status, _, stderr = self.check("compress: %s\n" % said + HEAD + HOSTS)
                self.assertEqual(status, 78)
                self.assertRegex(stderr, r"\A[^\n]*h2o\.conf:1:\d+: compress: [^\n]+\n\Z")
                for word in words:
                    self.assertIn(word, stderr)


class Status(LanguageCase):
    """The JSON of `status`, which has h2o's own keys."""

    STATUS = """\
      "/status":
        status: ON
"""
    # what h2o 2.2 says of its process
    MAIN = ("server-version", "openssl-version", "current-time", "restart-time", "uptime",
            "generation", "connections", "max-connections", "listeners", "worker-threads",
            "num-sessions")

    def read_status(self, query=""):
        answer = self.get("/status/json" + query)
        self.assertEqual(answer.status, 200)
        return json.loads(answer.body)

    def test_the_process_is_in_it(self):
        server = self.serve("num-threads: 3\nmax-connections: 77\n" + HEAD + HOSTS + self.STATUS)
        self.assertEqual(list(self.read_status())[:len(self.MAIN)], list(self.MAIN))
        self.get("/static/T/css/site.css")
        main = self.read_status("?show=main")
        self.assertEqual(tuple(main), self.MAIN)
        self.assertEqual([main[key] for key in ("worker-threads", "max-connections", "listeners",
                                                "num-sessions", "generation")],
                         [3, 77, 1, 3, None])
        self.assertGreaterEqual(main["connections"], 1)
        self.assertIn("OpenSSL", main["openssl-version"])
        for key in ("current-time", "restart-time"):
            self.assertRegex(main[key], r"\A\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [-+]\d{4}\Z")
        server.stop()

    def test_durations_are_measured_and_the_server_ends_well(self):
        text = "duration-stats: ON\n" + HEAD + HOSTS + self.STATUS
        self.assert_accepted(text)
        server = self.serve(text)
        for target in ("/static/T/css/site.css", "/index.html", "/nothing"):
            self.get(target)
        durations = self.read_status("?show=durations")
        self.assertEqual(sorted(durations), sorted("%s-%d" % (name, share) for name in (
            "connect-time", "header-time", "body-time", "request-total-time", "process-time",
            "response-time", "duration") for share in (0, 25, 50, 75, 99)))
        server.stop()

    def test_durations_may_be_off(self):
        self.assert_accepted("duration-stats: OFF\n" + HEAD + HOSTS)
        status, _, stderr = self.check("duration-stats: perhaps\n" + HEAD + HOSTS)
        self.assertEqual(status, 78)
        self.assertIn("duration-stats: got `perhaps`; accepted: ON", stderr)


class Files(LanguageCase):
    def test_anchors_of_an_included_file_are_known_after_it(self):
        inner = self.scratch.write("inner.conf", self.expand_all(
            '{name: "static/{breaker}", path: &tree @tree@}\n'))
        outer = self.scratch.write("outer.conf", self.expand_all(
            "breaker.static: &view !file @inner@\nfile.dir: &docs @docs@\n", inner=inner))
        server = self.serve(HEAD + """\
hosts:
  default:
    paths:
      "/": !file @outer@
      "/more/":
        breaker.static: [*view, {name: "other/{breaker}", path: *tree}]
        file.dir: *docs
""", outer=outer)
        for target in ("/static/T/css/site.css", "/more/static/T/css/site.css",
                       "/more/other/T/css/site.css"):
            self.assertEqual(self.get(target).status, 200)
        self.assertEqual(self.get("/more/index.html").body, b"<p>\n")
        server.stop()

    def test_an_included_file_knows_no_anchors_of_others(self):
        inner = self.scratch.write("inner.conf", "file.dir: *docs\n")
        status, stdout, stderr = self.check(HEAD + """\
hosts:
  default:
    paths:
      "/": {file.dir: &docs @docs@}
      "/more/": !file @inner@
""", inner=inner)
        self.assertEqual((status, stdout), (78, ""))
        self.assertRegex(stderr, r"\A[^\n]*inner\.conf:1:11: the alias \*docs[^\n]*\n\Z")


if __name__ == "__main__":
    harness.trace_allocations()
    harness.main()
