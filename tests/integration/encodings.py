"""Encodings over restarts: with a cache the second server makes none of them, believes nothing that
it finds, and serves on where the directory is of no use. Files are told apart by their inode
numbers, so nothing here depends on how long anything takes."""

import functools
import gzip
import hashlib
import os
import random

import brotli
import zstandard

import client
import harness

TOKEN = "1718539201234"
DECODERS = {
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}
SUFFIXES = {"br": "br", "gzip": "gz", "zstd": "zst"}

CONFIG = """
@extra@
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@@more@}
"""


def text(size, seed):
    """Words that compress."""
    source = random.Random(seed)
    words = [bytes(source.choices(b"abcdefghij", k=source.randint(2, 9))) for _ in range(200)]
    return b" ".join(source.choice(words) for _ in range(size // 5))[:size]


EARLY, LONG = "public, max-age=60", "public, max-age=31536000, immutable"
TREE = {"css/site.css": text(3000, 1), "js/large.js": text(300000, 2), "page.html": text(9000, 3)}
NOISE = random.Random(4).randbytes(2000)


class Encodings(harness.FlavourCase):
    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.port = harness.free_port()
        self.tree = self.scratch.tree("tree", {**TREE, "noise.txt": NOISE})
        self.cache = self.scratch("cache")
        os.mkdir(self.cache)
        os.chmod(self.cache, 0o777)

    def start(self, extra, more=""):
        config = harness.expand(CONFIG, port=self.port, token=TOKEN, tree=self.tree, extra=extra,
                                more=more)
        server = harness.Server(self.flavour, config)
        self.addCleanup(server.kill)
        return server

    def start_with_cache(self, more=""):
        return self.start("breaker.encoding-cache: %s\n%s" % (harness.quoted(self.cache), more))

    def encoded(self, path, coding):
        """The body in this encoding, once it is there."""
        def ask():
            response = connection.request("/static/%s/%s" % (TOKEN, path),
                                          headers=[("Accept-Encoding", coding)])
            self.assertEqual(response.status, 200)
            return response.body if response.get("content-encoding") == coding else None
        with client.Http1(self.port) as connection:
            return harness.wait_until(ask, "%s in %s" % (path, coding), 60)

    def wait_encoded(self):
        """Waits for every encoding, checks each, returns their bytes."""
        bodies = {}
        for path, expected in TREE.items():
            for coding, decode in DECODERS.items():
                bodies[path, coding] = self.encoded(path, coding)
                self.assertEqual(decode(bodies[path, coding]), expected)
        return bodies

    def files(self):
        """Of every file in the cache its inode number."""
        return {name: os.lstat(os.path.join(self.cache, name)).st_ino
                for name in os.listdir(self.cache)}

    def wait_files(self, number):
        """Waits until there are so many files and none in the making."""
        def complete():
            files = self.files()
            done = len(files) == number and not any(".new-" in name for name in files)
            return files if done else None
        return harness.wait_until(complete, "%d files in the cache" % number, 60)

    def path_of(self, path, coding):
        digest = hashlib.sha256(TREE[path]).hexdigest()
        prefix = "%s.%s-" % (digest, SUFFIXES[coding])
        names = [name for name in self.files() if name.startswith(prefix)]
        self.assertEqual(len(names), 1)
        return os.path.join(self.cache, names[0])

    def test_a_restart_makes_none_again(self):
        server = self.start_with_cache()
        bodies = self.wait_encoded()
        # three for each text, and of the noise that it is not worth encoding
        files = self.wait_files(3 * len(TREE) + 3)
        server.stop()
        for path, coding in bodies:
            with open(self.path_of(path, coding), "rb") as file:
                self.assertEqual(file.read(), bodies[path, coding])

        server = self.start_with_cache("breaker.encoding-cpu: 50")
        self.assertEqual(self.wait_encoded(), bodies)
        server.stop()
        self.assertEqual(self.files(), files)
        self.assertNotIn(b"encoding cache", server.exit_stderr)

    def test_what_was_spoilt_is_told_made_again_and_replaced(self):
        server = self.start_with_cache()
        bodies = self.wait_encoded()
        files = self.wait_files(3 * len(TREE) + 3)
        server.stop()
        torn, false = self.path_of("page.html", "br"), self.path_of("css/site.css", "gzip")
        os.truncate(torn, 100)
        with open(false, "wb") as file:
            file.write(gzip.compress(b"another text"))
        leftover = os.path.join(self.cache, "breaker.new-0000000000000001")
        with open(leftover, "wb") as file:
            file.write(b"of a killed process")

        server = self.start_with_cache()
        self.assertEqual(self.wait_encoded(), bodies)
        harness.wait_until(lambda: not os.path.exists(leftover), "the leftover to go")
        now = self.wait_files(3 * len(TREE) + 3)
        server.stop()
        self.assertEqual(server.exit_stderr.count(b"encoding cache"), 1)
        changed = {os.path.basename(torn), os.path.basename(false)}
        self.assertEqual({name for name in now if now[name] != files.get(name)} - changed, set())
        for path, coding in (("page.html", "br"), ("css/site.css", "gzip")):
            with open(self.path_of(path, coding), "rb") as file:
                self.assertEqual(file.read(), bodies[path, coding])

        server = self.start_with_cache()
        self.assertEqual(self.wait_encoded(), bodies)
        server.stop()
        self.assertNotIn(b"encoding cache", server.exit_stderr)
        self.assertEqual(self.files(), now)

    def test_two_servers_share_a_directory(self):
        first, first_port = self.start_with_cache(), self.port
        self.port = harness.free_port()
        second = self.start_with_cache()
        bodies = self.wait_encoded()
        self.port = first_port
        self.assertEqual(self.wait_encoded(), bodies)
        self.wait_files(3 * len(TREE) + 3)
        for server in (first, second):
            server.stop()
            self.assertNotIn(b"encoding cache", server.exit_stderr)

    def test_a_directory_that_is_of_no_use_is_told_once(self):
        self.cache = self.scratch.write("file", "not a directory")
        server = self.start_with_cache()
        self.wait_encoded()
        server.stop()
        self.assertEqual(server.exit_stderr.count(b"encoding cache"), 1)
        self.assertIn(b"Not a directory", server.exit_stderr)

    def ages(self, path):
        """What answers with the bytes as they are say to caches, in every way and of every kind."""
        target = "/static/%s/%s" % (TOKEN, path)
        found = set()
        with client.Http1(self.port) as fast, client.Http2(self.port) as http2:
            for request in (fast.request, http2.request, functools.partial(client.get, self.port)):
                plain = request(target)
                self.assertIsNone(plain.get("content-encoding"))
                self.assertEqual(plain.get("vary"), "accept-encoding")
                for status, response in (
                        (200, plain), (200, request(target, method="HEAD")),
                        (206, request(target, headers=[("range", "bytes=1-2")])),
                        (304, request(target, headers=[("if-none-match", plain.get("etag"))]))):
                    self.assertEqual(response.status, status)
                    found.add(response.get("cache-control"))
        return found

    def test_until_there_are_encodings_nobody_keeps_the_bytes_for_long(self):
        # a hundredth of a processor takes minutes for this tree
        harness.write_tree(self.tree, {"%d.js" % i: text(100000, i) for i in range(100)})
        harness.write_tree(self.tree, {"last.css": text(200000, 5), "short.css": b"a {}" * 60,
                                       "noise.bin": NOISE})
        self.start_with_cache("breaker.encoding-cpu: 1")
        self.assertEqual(self.ages("last.css"), {EARLY})
        # what is too small and what is no text is not waited for
        for path in ("short.css", "noise.bin"):
            self.assertEqual(self.ages(path), {LONG})

    def test_afterwards_they_are_kept_and_what_is_not_worth_encoding_as_well(self):
        harness.write_tree(self.tree, {"noise.css": NOISE})
        self.start("")
        self.wait_encoded()
        for path in (*TREE, "noise.css"):
            harness.wait_until(lambda: self.ages(path) == {LONG}, path + " to be kept")

    def test_an_age_of_the_views_own_that_is_shorter_stays(self):
        server = self.start("", ", cache-max-age: 5")
        harness.wait_until(lambda: self.ages("js/large.js") == {"public, max-age=5, immutable"},
                           "the view's own age")
        server.stop()
        harness.write_tree(self.tree, {"%d.js" % i: text(100000, i) for i in range(100)})
        harness.write_tree(self.tree, {"last.css": text(200000, 5)})
        self.start("breaker.encoding-cpu: 1", ", cache-max-age: 5")
        self.assertEqual(self.ages("last.css"), {"public, max-age=5"})

    def test_with_a_cache_a_restart_has_them_from_the_first_answer_on(self):
        server = self.start_with_cache()
        bodies = self.wait_encoded()
        files = self.wait_files(3 * len(TREE) + 3)
        server.stop()
        # what is not brought before the first answer takes minutes
        server = self.start_with_cache("breaker.encoding-cpu: 1")
        with client.Http1(self.port) as connection:
            for (path, coding), body in bodies.items():
                response = connection.request("/static/%s/%s" % (TOKEN, path),
                                              headers=[("accept-encoding", coding)])
                self.assertEqual((response.get("content-encoding"), response.body), (coding, body))
                self.assertEqual(response.get("cache-control"), LONG)
        for path in (*TREE, "noise.txt"):
            self.assertEqual(self.ages(path), {LONG})
        # and of what has changed it has not
        harness.write_tree(self.tree, {"%d.js" % i: text(100000, i) for i in range(100)})
        server.stop()
        server = self.start_with_cache("breaker.encoding-cpu: 1")
        self.assertEqual(self.ages("99.js"), {EARLY})
        self.assertEqual(self.ages("page.html"), {LONG})
        server.stop()
        self.assertNotIn(b"encoding cache", server.exit_stderr)
        self.assertLessEqual(files.items(), self.files().items())

    def test_a_stop_does_not_wait_for_the_encodings(self):
        # a hundredth of a processor would take minutes for this tree
        harness.write_tree(self.tree, {"%d.js" % i: text(100000, i) for i in range(100)})
        server = self.start_with_cache("breaker.encoding-cpu: 1")
        self.encoded("css/site.css", "gzip")
        server.stop()
        self.assertLess(len(self.files()), 303)


if __name__ == "__main__":
    harness.main()
