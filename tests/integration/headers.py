"""Headers by pattern, from the node that has the files, from one that only has the archive, and from
a node of the cluster that never had them: a release is answered with what it was published with."""

import glob
import pathlib

import client
import harness
import holding

HEADERS = """headers:
              - "X-All: 1"
              - "Cross-Origin-Embedder-Policy: unsafe-none"
              - {match: "*.js", set: ["X-Script: 1", "X-Script: 2"]}
              - {match: "js/**", set: "x-all: js"}
              - {match: "/*.html", set: "Cross-Origin-Embedder-Policy: require-corp"}
              - {match: "none.*", set: "X-None: 1"}"""
OTHERS = """headers:
              - "X-All: 2"
              - {match: "*.js", set: "X-Script: 3"}"""

FILES = {"a.css": b"a {}\n", "a.js": b"export {}\n", "js/b.js": b"export let b\n",
         "js/deep/c.txt": b"c", "index.html": b"<p>1</p>", "docs/index.html": b"<p>2</p>",
         "same.js": b"one content", "same.txt": b"one content"}
COEP = "cross-origin-embedder-policy"
# of each file what 200, 206 and 304 carry
WANTED = {
    "a.css": {"x-all": ["1"], "x-script": [], COEP: ["unsafe-none"]},
    "a.js": {"x-all": ["1"], "x-script": ["1", "2"], COEP: ["unsafe-none"]},
    "js/b.js": {"x-all": ["js"], "x-script": ["1", "2"], COEP: ["unsafe-none"]},
    "js/deep/c.txt": {"x-all": ["js"], "x-script": [], COEP: ["unsafe-none"]},
    "index.html": {"x-all": ["1"], "x-script": [], COEP: ["require-corp"]},
    "": {"x-all": ["1"], "x-script": [], COEP: ["require-corp"]},
    "docs/": {"x-all": ["1"], "x-script": [], COEP: ["unsafe-none"]},
    "same.js": {"x-all": ["1"], "x-script": ["1", "2"], COEP: ["unsafe-none"]},
    "same.txt": {"x-all": ["1"], "x-script": [], COEP: ["unsafe-none"]},
}

PLAIN_VIEW = '{name: "static/{breaker}", path: @site@, memory-file-limit: 20000}'
VIEW = """
          name: "static/{breaker}"
          path: @site@
          index: index.html
          @options@"""
ALONE = holding.CONFIG.replace(PLAIN_VIEW, VIEW)
CLUSTERED = holding.CLUSTERED.replace(PLAIN_VIEW, VIEW)


class HeadersCase(holding.HoldingCase):
    def files_of(self, release):
        return {"none": b"", **(FILES if release == "a" else {"other.txt": b"other"})}

    def ways(self, server):
        """A request on the fast path, past it, and over HTTP/2."""
        fast = client.Http1(server.port)
        http2 = client.Http2(server.port)
        self.addCleanup(fast.close)
        self.addCleanup(http2.close)
        return (("fast", fast.request), ("http2", http2.request),
                ("libh2o", lambda target, method="GET", headers=():
                 client.get(server.port, target, method=method, headers=headers)))

    def assert_headers(self, server, token):
        for way, request in self.ways(server):
            for path, wanted in WANTED.items():
                target = "/static/%s/%s" % (token, path)
                plain = request(target)
                name = path if path in FILES else path + "index.html"
                self.assertEqual(plain.body, FILES[name])
                tag = plain.get("etag")
                for status, response in (
                        (200, plain), (200, request(target, method="HEAD")),
                        (206, request(target, headers=[("range", "bytes=0-0")])),
                        (304, request(target, headers=[("if-none-match", tag)]))):
                    with self.subTest(path, way=way, status=status):
                        self.assertEqual(response.status, status)
                        for name, values in wanted.items():
                            self.assertEqual(response.values(name), values)
                        self.assertEqual(response.values("x-none"), [])
            other = request("/static/%s/js/nobody.js" % token)
            self.assertEqual((other.status, other.values("x-script")), (404, []))


class Alone(HeadersCase):
    def test_the_node_with_the_files_and_later_its_archive_answer_alike(self):
        server = self.start("a", config=ALONE, options=HEADERS)
        token = self.current(server)
        self.assert_headers(server, token)
        self.wait_archived(1)
        server.stop()
        server = self.start("b", config=ALONE, options=OTHERS)
        self.assert_headers(server, token)
        server.stop()
        # the same view, and the same files in another release
        server = self.start("a", config=ALONE, options=OTHERS)
        self.assertNotEqual(self.current(server), token)
        response = self.get(server, self.current(server), "a.js")
        self.assertEqual((response.values("x-script"), response.values("x-all")), (["3"], ["2"]))
        self.assert_headers(server, token)

    def test_headers_without_patterns_are_archived_as_older_nodes_read_them(self):
        server = self.start("a", config=ALONE, options='headers: ["X-All: 1"]')
        self.wait_archived(1)
        server.stop()
        self.assertEqual([text.split(b"\n")[0] for text in self.manifests()],
                         [b"h2o-breaker manifest 1"])
        server = self.start("a", config=ALONE, options=HEADERS)
        self.wait_archived(2)
        self.assertEqual({text.split(b"\n")[0] for text in self.manifests()},
                         {b"h2o-breaker manifest 1", b"h2o-breaker manifest 2"})

    def manifests(self):
        return [pathlib.Path(path).read_bytes()
                for path in glob.glob(self.archive + "/releases/*/manifest")]


class Clustered(HeadersCase):
    def setUp(self):
        super().setUp()
        self.redis = holding.cluster.Redis()
        self.addCleanup(self.redis.kill)
        self.redis.start()

    def test_a_node_that_never_had_the_files_answers_alike(self):
        first = self.start("a", config=CLUSTERED, options=HEADERS, redis=self.redis.port)
        token = self.current(first)
        second = self.start("b", config=CLUSTERED, options=OTHERS, redis=self.redis.port)
        harness.wait_until(lambda: self.get(second, token, "a.js").status == 200,
                           "the other node's release to be held")
        self.assert_headers(second, token)
        self.assert_headers(first, token)
        # and of it, when the first one is gone
        first.kill()
        third = self.start("c", config=CLUSTERED, options=OTHERS, redis=self.redis.port)
        harness.wait_until(lambda: self.get(third, token, "a.js").status == 200,
                           "the release to be held by a third one")
        self.assert_headers(third, token)


if __name__ == "__main__":
    harness.main()
