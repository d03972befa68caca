"""Media types: charsets by the bytes, one type for scripts, names that mean two things, and types
that libh2o's own map does not know."""

import gzip

import client
import harness

TOKEN = "1718539201234"
LATIN = "Stra\u00dfe".encode("latin-1")
UTF8 = "Stra\u00dfe \U0001f40e".encode()
# packets of a transport stream have 188 bytes
STREAM = (b"G\x40\x00\x10" + b"\x00" * 184) * 8

FILES = {
    "utf8.css": UTF8, "latin.css": LATIN, "ascii.html": b"<p>a</p>", "utf16.txt": b"a\0b\0",
    "empty.txt": b"", "script.js": UTF8, "script.mjs": b"export {}", "script.cjs": b"exports",
    "page.xml": UTF8, "data.json": UTF8, "logo.svg": b"<svg/>", "source.ts": b"let a: number",
    "video.ts": STREAM, "sound.wav": b"RIFF", "book.epub": b"PK", "day.ics": b"BEGIN:VCALENDAR",
    "live.mpd": b"<MPD/>", "part.m4s": b"styp", "photo.heic": b"ftyp", "a.yaml": b"a: 1",
    "icon.ico": b"\0\0\1\0" * 1000, "scan.bmp": b"BM\0\0" * 1000, "font.eot": b"\1\0LP" * 1000,
    "point.cur": b"\0\0\2\0", "page.xsl": b"<xsl/>", "font.woff": b"wOFF",
}

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static:
          - {name: "on/{breaker}", path: @root@}
          - {name: "off/{breaker}", path: @root@, charset: OFF}
      "/own":
        file.mime.addtypes: {"text/own; charset=x": ".css"}
        breaker.static: {name: "{breaker}", path: @root@}
"""


class Media(harness.ServedCase):
    @classmethod
    def prepare(cls):
        return cls.expand(CONFIG, token=TOKEN, root=cls.scratch.tree("site", FILES))

    def get(self, path, headers=()):
        with client.Http1(self.port) as connection:
            return connection.request("/" + path.replace("@", TOKEN), headers=headers)

    def type_of(self, path):
        response = self.get(path)
        self.assertEqual((response.status, response.body), (200, FILES[path.rpartition("/")[2]]))
        return response.get("content-type")

    def test_texts_in_utf8_are_called_that(self):
        for name, expected in (
                ("utf8.css", "text/css; charset=utf-8"), ("latin.css", "text/css"),
                ("ascii.html", "text/html; charset=utf-8"), ("utf16.txt", "text/plain"),
                ("empty.txt", "text/plain; charset=utf-8"),
                ("page.xml", "text/xml; charset=utf-8"), ("data.json", "application/json"),
                ("logo.svg", "image/svg+xml")):
            with self.subTest(name):
                self.assertEqual(self.type_of("on/@/" + name), expected)
                self.assertEqual(self.type_of("off/@/" + name), expected.partition(";")[0])

    def test_a_charset_of_the_operators_own_stays(self):
        self.assertEqual(self.type_of("own/@/utf8.css"), "text/own; charset=x")

    def test_scripts_have_one_type(self):
        for name in ("script.js", "script.mjs", "script.cjs"):
            self.assertEqual(self.type_of("on/@/" + name), "text/javascript; charset=utf-8")
            self.assertEqual(self.type_of("off/@/" + name), "text/javascript")

    def test_a_name_of_videos_and_sources_goes_by_the_bytes(self):
        self.assertEqual(self.type_of("on/@/video.ts"), "video/mp2t")
        self.assertEqual(self.type_of("on/@/source.ts"), "text/plain; charset=utf-8")
        self.assertEqual(self.type_of("off/@/source.ts"), "video/mp2t")

    def test_types_that_libh2o_does_not_know(self):
        for name, expected in (
                ("sound.wav", "audio/wav"), ("book.epub", "application/epub+zip"),
                ("day.ics", "text/calendar; charset=utf-8"), ("live.mpd", "application/dash+xml"),
                ("part.m4s", "video/iso.segment"), ("photo.heic", "image/heic"),
                ("a.yaml", "application/yaml"), ("point.cur", "image/x-icon"),
                ("page.xsl", "application/xslt+xml"), ("font.woff", "font/woff"),
                ("scan.bmp", "image/bmp"), ("icon.ico", "image/x-icon")):
            with self.subTest(name):
                self.assertEqual(self.type_of("on/@/" + name), expected)

    def test_pictures_that_are_not_packed_are_encoded(self):
        for name in ("icon.ico", "scan.bmp", "font.eot"):
            def encoded():
                response = self.get("on/@/" + name, [("accept-encoding", "gzip")])
                return response if response.get("content-encoding") == "gzip" else None
            response = harness.wait_until(encoded, name + " in gzip")
            self.assertEqual(gzip.decompress(response.body), FILES[name])


if __name__ == "__main__":
    harness.main()
