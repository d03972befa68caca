"""Varnish and Squid, by the recipes of deploy/, in front of two nodes that hold each other's releases,
through a deploy, a rollback and the end of both nodes: whatever URL was ever handed out gives the
bytes of its release, in every encoding, whole and in part, and no cache keeps a page of an old release.
BREAKER_BIN names the servers."""

import re
import zlib

from balancer import Balancer, harness
import brotli
import client
import rollout

CONFIG = rollout.CONFIG + """
        file.dir: @site@
        breaker.rewrite: ON
"""
ENCODINGS = (None, "gzip", "gzip, deflate, br", "br;q=0, gzip")
PAGE = """<!doctype html><title>%s</title><link rel=stylesheet href="/static/{breaker}/css/site.css">"""


def files_of(release):
    return {"index.html": (PAGE % release).encode(),
            "css/site.css": b"body { color: teal } /* of every release */\n" * 200,
            "js/main.js": ("console.log('of %s');\n" % release).encode() * 200,
            "js/only-%s.js" % release: b"console.log('of one release');\n" * 200,
            "img/small.bin": ("%s\0" % release).encode() * 10}


def decoded(response):
    coding = response.get("content-encoding")
    if coding == "gzip":
        return zlib.decompress(response.body, 31)
    if coding == "br":
        return brotli.decompress(response.body)
    assert coding is None, coding
    return response.body


class CacheCase(rollout.RolloutCase):
    """Two nodes, and a cache in front of them that the same requests go through after every step."""

    config, files_of = CONFIG, staticmethod(files_of)

    def begin(self, kind):
        self.ports = [harness.free_port(), harness.free_port()]
        self.running = [self.start("a", port=port) for port in self.ports]
        self.cache = Balancer(kind, self.ports)
        self.addCleanup(self.cache.stop)
        harness.wait_until(lambda: self.ask("/").status == 200, "the cache to have found the nodes")

    def replace(self, index, release):
        self.stop(self.running[index])
        self.running[index] = self.start(release, port=self.ports[index])

    def ask(self, path, *headers, method="GET"):
        with client.Http1(self.cache.port) as connection:
            return connection.request(path, method=method, headers=headers)

    def load_page(self):
        """Returns the release of the page, whose token is remembered."""
        response = self.ask("/")
        found = re.match(rb".*<title>(\w)</title>.*/static/(\d+)/css/site.css", response.body)
        self.assertTrue(response.status == 200 and found, response)
        release, token = (part.decode() for part in found.groups())
        self.assertEqual(self.handed.setdefault(token, release), release)
        return release

    def check_file(self, path, content):
        for encoding in ENCODINGS:
            headers = [("accept-encoding", encoding)] if encoding else []
            response = self.ask(path, *headers)
            self.assertEqual((response.status, decoded(response)), (200, content), (path, encoding))
            # without `immutable` while encodings are being made
            self.assertIn("public, max-age=", response.get("cache-control"))
            head = self.ask(path, *headers, method="HEAD")
            self.assertEqual((head.status, head.body), (200, b""))
            again = self.ask(path, ("if-none-match", response.get("etag")), *headers)
            self.assertEqual(again.status, 304, (path, encoding, response.get("etag")))
        part = self.ask(path, ("range", "bytes=5-24"))
        self.assertEqual((part.status, part.body), (206, content[5:25]), path)

    def check_cache(self):
        for token, release in self.handed.items():
            for path, content in files_of(release).items():
                self.check_file("/static/%s/%s" % (token, path), content)

    def check_all(self):
        """As visitors do who come in turn to either node."""
        pages = {self.load_page() for _ in range(6)}
        self.check_cache()
        for token in self.handed:
            self.assertEqual(self.ask("/static/%s/none" % token).status, 404)
        return pages

    def expect_right_bytes_through_a_deploy(self, kind):
        self.begin(kind)
        self.assertEqual(self.check_all(), {"a"})
        self.replace(0, "b")
        self.assertEqual(self.check_all(), {"a", "b"})
        self.replace(1, "b")
        # as soon as no node has it: no page of the old release comes out of the cache
        self.assertEqual(self.check_all(), {"b"})
        for index in range(2):
            self.replace(index, "a")
        self.assertEqual(self.check_all(), {"a"})
        # what was asked for before is in the cache, and is right
        self.stop(*self.running)
        self.check_cache()


class Varnish(CacheCase):
    def test_every_url_gives_the_bytes_of_its_release_through_a_deploy(self):
        self.expect_right_bytes_through_a_deploy("varnish")


class Squid(CacheCase):
    def test_every_url_gives_the_bytes_of_its_release_through_a_deploy(self):
        self.expect_right_bytes_through_a_deploy("squid")


if __name__ == "__main__":
    harness.main()
