"""Files that are encoded by their names: svgz always, others by an option of the view; from the node
that has the files and from one that never had them."""

import gzip

import brotli
import zstandard

import client
import harness
import headers
import holding

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>\n" * 20
WASM = b"\0asm\1\0\0\0" + bytes(range(256)) * 40
SCRIPT = b"export const answer = 42\n" * 200
LARGE = bytes(range(256)) * 4096


def zst(data):
    return zstandard.ZstdCompressor(level=3).compress(data)


FILES = {
    "logo.svgz": gzip.compress(SVG), "plain.svgz": SVG,
    "app.wasm.gz": gzip.compress(WASM), "app.wasm.br": brotli.compress(WASM),
    "build.data.gz": gzip.compress(LARGE), "build.data.br": brotli.compress(LARGE),
    "large.data.gz": gzip.compress(LARGE, 0), "main.js.br": brotli.compress(SCRIPT),
    "main.js.zst": zst(SCRIPT), "x.symbols.json.br": brotli.compress(b'{"symbol": 1}' * 50),
    "g.unityweb": gzip.compress(WASM), "g.wasm.unityweb": gzip.compress(WASM),
    "b.data.unityweb": brotli.compress(LARGE), "both.js": SCRIPT,
    "both.js.gz": gzip.compress(SCRIPT), "both.js.gz.gz": gzip.compress(gzip.compress(SCRIPT)),
    "logo.svgz.br": brotli.compress(gzip.compress(SVG)), "backup.tar.gz": gzip.compress(b"tar"),
    "dump.gz": gzip.compress(b"dump"), "not.js.gz": SCRIPT, "not.js.br": SCRIPT[:100],
    "cut.js.gz": gzip.compress(SCRIPT)[:-9], "empty.js.gz": b"", ".hidden.gz": b"",
}
JS, WASM_TYPE, OCTETS = "text/javascript", "application/wasm", "application/octet-stream"
# with the option and without: coding and type
WANTED = {
    "logo.svgz": [("gzip", "image/svg+xml")] * 2,
    "plain.svgz": [(None, "image/svg+xml")] * 2,
    "app.wasm.gz": [("gzip", WASM_TYPE), (None, "application/gzip")],
    "app.wasm.br": [("br", WASM_TYPE), (None, OCTETS)],
    "build.data.gz": [("gzip", OCTETS), (None, "application/gzip")],
    "build.data.br": [("br", OCTETS), (None, OCTETS)],
    "large.data.gz": [("gzip", OCTETS), (None, "application/gzip")],
    "main.js.br": [("br", JS), (None, OCTETS)],
    "main.js.zst": [("zstd", JS), (None, "application/zstd")],
    "x.symbols.json.br": [("br", "application/json"), (None, OCTETS)],
    "g.unityweb": [(None, OCTETS)] * 2,
    "g.wasm.unityweb": [("gzip", WASM_TYPE), (None, OCTETS)],
    "b.data.unityweb": [("br", OCTETS), (None, OCTETS)],
    "both.js.gz": [("gzip", JS), (None, "application/gzip")],
    "backup.tar.gz": [(None, "application/gzip")] * 2,
    "dump.gz": [(None, "application/gzip")] * 2,
    "not.js.gz": [(None, "application/gzip")] * 2,
    "not.js.br": [(None, OCTETS)] * 2,
    "cut.js.gz": [(None, "application/gzip")] * 2,
    "empty.js.gz": [(None, "application/gzip")] * 2,
}
NOTICE = b"served without Content-Encoding"


class CodedCase(headers.HeadersCase):
    def files_of(self, release):
        return {"none": b"", **(FILES if release == "a" else {"other.txt": b"other"})}

    def assert_coded(self, server, token, has_option):
        for way, request in self.ways(server):
            for path, wanted in WANTED.items():
                with self.subTest(path, way=way):
                    self.assert_one(request, "/static/%s/%s" % (token, path), FILES[path],
                                    *wanted[0 if has_option else 1])

    def assert_one(self, request, target, body, coding, media_type):
        # what is not coded by its name is negotiated
        asked = ("identity", "gzip, br, zstd", "") if coding is not None else ("identity",)
        for accepted in [[]] + [[("accept-encoding", value)] for value in asked]:
            response = request(target, headers=accepted)
            self.assertEqual((response.status, response.body), (200, body))
            self.assertEqual(response.get("content-type").partition(";")[0], media_type)
            self.assertEqual(response.get("content-encoding"), coding)
            self.assertEqual(response.get("content-length"), str(len(body)))
        if coding is None:
            return
        tag = response.get("etag")
        self.assertTrue(tag.startswith('"'))
        self.assertEqual(response.values("vary"), [])
        self.assertEqual(response.get("content-type"), media_type)
        self.assertIn("immutable", response.get("cache-control"))
        response = request(target, headers=[("accept-encoding", "identity;q=0")])
        self.assertEqual((response.status, response.body), (200, body))
        response = request(target, headers=[("if-none-match", tag)])
        self.assertEqual((response.status, response.get("content-encoding")), (304, None))
        response = request(target, headers=[("range", "bytes=5-9"), ("if-range", tag)])
        self.assertEqual((response.status, response.body), (206, body[5:10]))
        self.assertEqual(response.get("content-encoding"), coding)
        self.assertEqual(response.get("content-range"), "bytes 5-9/%d" % len(body))


class Alone(CodedCase):
    def test_with_the_option_names_say_what_the_bytes_are(self):
        server = self.start("a", config=headers.ALONE,
                            options="encoded-names: ON\n          memory-file-limit: 100000")
        self.assert_coded(server, self.current(server), True)
        told = [line for line in server.stderr().split(b"\n") if NOTICE in line]
        for name in (b"plain.svgz", b"not.js.gz", b"not.js.br", b"cut.js.gz", b"empty.js.gz"):
            self.assertEqual(sum(b"/" + name + b":" in line for line in told), 1, name)
        self.assertEqual(len(told), 5)

    def test_without_it_only_svgz_does(self):
        server = self.start("a", config=headers.ALONE, options="encoded-names: OFF")
        self.assert_coded(server, self.current(server), False)
        self.assertEqual(server.stderr().count(NOTICE), 1)

    def test_a_sibling_is_an_encoding_and_a_file_of_its_own(self):
        server = self.start("a", config=headers.ALONE, options="encoded-names: ON")
        token = self.current(server)
        for coding, body in (("gzip", FILES["both.js.gz"]), ("identity", SCRIPT)):
            response = client.get(server.port, "/static/%s/both.js" % token,
                                  headers=[("accept-encoding", coding)])
            self.assertEqual(response.body, body)
            self.assertEqual(response.get("vary"), "accept-encoding")
        # nothing is encoded twice, by a sibling or by us
        for path in ("both.js.gz", "logo.svgz"):
            response = client.get(server.port, "/static/%s/%s" % (token, path),
                                  headers=[("accept-encoding", "br, gzip")])
            self.assertEqual((response.get("content-encoding"), response.body),
                             ("gzip", FILES[path]))

    def test_the_archive_keeps_what_the_names_said(self):
        server = self.start("a", config=headers.ALONE, options="encoded-names: ON")
        token = self.current(server)
        self.wait_archived(1)
        server.stop()
        server = self.start("b", config=headers.ALONE, options="encoded-names: OFF")
        self.assert_coded(server, token, True)


class Clustered(CodedCase):
    def test_a_node_that_never_had_the_files_answers_alike(self):
        redis = holding.cluster.Redis()
        self.addCleanup(redis.kill)
        redis.start()
        first = self.start("a", config=headers.CLUSTERED, options="encoded-names: ON",
                           redis=redis.port)
        token = self.current(first)
        second = self.start("b", config=headers.CLUSTERED, options="encoded-names: OFF",
                            redis=redis.port)
        for path in WANTED:
            harness.wait_until(lambda: self.get(second, token, path).status == 200,
                               "the other node's files")
        self.assert_coded(second, token, True)


if __name__ == "__main__":
    harness.main()
