"""Rewriting beyond plain HTML: other types, spellings and headers, events without delay; what is left
as it is and said in the log; what caches may keep; pages that leave compressed."""

import gzip
import os
import queue
import re
import zlib

import application
import client
import fastcgi
import harness

TOKEN = "1718539201234"
LITERAL, PREFIX = b"/static/{breaker}/", b"/static/%s/" % TOKEN.encode()
BODY = (b'{"a":"/static/{breaker}/a.css","b":"\\/static\\/{breaker}\\/b.js","c":"/static/%7Bbreaker%7D/",'
        b'"d":"\\/static\\/%7bbreaker%7d\\/d"}\n')
REWRITTEN = (b'{"a":"@/a.css","b":"\\/static\\/#\\/b.js","c":"@/","d":"\\/static\\/#\\/d"}\n'
             .replace(b"@", PREFIX[:-1]).replace(b"#", TOKEN.encode()))

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
        breaker.rewrite: [xhtml, json, xml, turbo-stream, event-stream, webmanifest, css, js, text/plain]
        proxy.reverse.url: http://127.0.0.1:@app@/
      "/html":
        breaker.rewrite: ON
        proxy.reverse.url: http://127.0.0.1:@app@/
      "/asked":
        breaker.rewrite: {cache-control: no-cache, compress: OFF}
        proxy.reverse.url: http://127.0.0.1:@app@/
      "/squeezed":
        breaker.rewrite: {types: [json]}
        compress: [br]
        proxy.reverse.url: http://127.0.0.1:@app@/
      "/kept":
        breaker.rewrite: ON
        expires: 1 minute
        header.add: "X-Filter: yes"
        proxy.reverse.url: http://127.0.0.1:@app@/
      "/php":
        breaker.rewrite: ON
        fastcgi.connect: {port: @socket@, type: unix}
"""


class RewritingCase(harness.ServedCase):
    @classmethod
    def prepare(cls):
        app_port = harness.free_port()
        cls.app = application.Application(app_port)
        cls.addClassCleanup(cls.app.close)
        php = fastcgi.Application(cls.scratch("socket"))
        cls.addClassCleanup(php.stop)
        return cls.expand(CONFIG, token=TOKEN, app=app_port, socket=cls.scratch("socket"),
                          tree=cls.scratch.tree("tree", {"a.css": b"a{}"}))

    def say(self, target, type_, *headers, body=BODY, status=200, method="GET", asked=()):
        """The answer to a request while the application answers this."""
        fields = [("Content-Type", type_)] if type_ else []
        self.app.answer = (status, fields + list(headers), body)
        return client.get(self.port, target + "/said", method=method, headers=asked)


class Types(RewritingCase):
    def test_the_types_that_are_named_are_rewritten(self):
        for type_ in ("application/xhtml+xml", "application/json", "application/ld+json; charset=utf-8",
                      "application/rss+xml", "text/vnd.turbo-stream.html; charset=utf-8",
                      "application/manifest+json", "text/css", "text/javascript", "TEXT/PLAIN",
                      "text/html"):
            with self.subTest(type_):
                response = self.say("", type_)
                self.assertEqual((response.status, response.body), (200, REWRITTEN))
                self.assertEqual(response.get("cache-control"), "no-cache")

    def test_others_are_not(self):
        for target, type_ in (("", "image/png"), ("", "application/octet-stream"), ("", None),
                              ("/html", "application/json"), ("/html", "text/css"),
                              ("/squeezed", "text/xml")):
            with self.subTest(target, type_=type_):
                response = self.say(target, type_)
                self.assertEqual((response.status, response.body), (200, BODY))
                self.assertIsNone(response.get("cache-control"))

    def test_a_page_by_fastcgi_is_rewritten_and_revalidated(self):
        response = client.get(self.port, "/php/index.php")
        self.assertIn(PREFIX + b"css/site.css", response.body)
        self.assertEqual(response.get("cache-control"), "no-cache")

    def test_headers_are_rewritten_whatever_the_body(self):
        headers = [("Link", "</static/{breaker}/a.css>; rel=preload, </static/%7Bbreaker%7D/b.js>"),
                   ("Location", "/static/{breaker}/a"), ("Content-Location", "/static/%7bbreaker%7d/c"),
                   ("Refresh", "0; url=/static/{breaker}/d"), ("SourceMap", "/static/{breaker}/e.map"),
                   ("X-Other", "/static/{breaker}/")]
        for status, type_ in ((200, "image/png"), (302, "text/html"), (404, None)):
            response = self.say("/html", type_, *headers, status=status)
            for name, value in headers:
                if name != "X-Other":
                    value = re.sub("(?i)%7bbreaker%7d|{breaker}", TOKEN, value)
                self.assertEqual(response.get(name.lower()), value)
            self.assertEqual(response.get("cache-control"), "no-cache")

    def test_an_event_comes_when_it_is_sent(self):
        """Each is sent when the client has the one before: none waits for another, compressed or not,
        although its end may look like the beginning of a prefix."""
        for coding, accept in (("", ""), ("gzip", ""), ("gzip", "gzip"), ("", "gzip")):
            with self.subTest(coding, accept=accept), client.Http1(self.port) as connection:
                self.app.pieces = queue.Queue()
                headers = [("accept-encoding", accept)] if accept else []
                connection.send(client.make_request("/events?" + coding, headers=headers))
                head = None
                inflate = zlib.decompressobj(wbits=31) if coding and accept else None
                for event in (b"data: /static/{breaker}/a\n\n", b"id: 1\ndata: x\n\n", b": /\n\n",
                              b'data: "\\/static\\/{breaker}\\/b"\n\n'):
                    self.app.pieces.put(event)
                    head = head or connection.take_until(b"\r\n\r\n")
                    got, expected = b"", event.replace(b"{breaker}", TOKEN.encode())
                    while len(got) < len(expected):
                        chunk = connection.take(int(connection.take_until(b"\r\n"), 16) + 2)[:-2]
                        got += inflate.decompress(chunk) if inflate else chunk
                    self.assertEqual(got, expected)
                self.app.pieces.put(None)


class Troubles(RewritingCase):
    """What is not rewritten, or nearly not: left as it is, and said."""

    def said(self, words, path):
        return [line for line in self.server.stderr().decode().splitlines()
                if words in line and line.endswith(' for %s"' % path)]

    def assert_said(self, words, path, num=1):
        self.assertEqual([words in line and ": 1, this" in line for line in self.said(words, path)],
                         [True] * num)

    def test_no_transform_is_respected_and_said_once(self):
        packed = gzip.compress(BODY)
        for value in ("no-transform", "public, No-Transform, max-age=60"):
            for target in ("/html", "/squeezed"):
                response = self.say(target, "text/html", ("Cache-Control", value), ("ETag", '"a"'),
                                    ("Content-Encoding", "gzip"), body=packed,
                                    asked=[("accept-encoding", "gzip, br")])
                self.assertEqual((response.body, response.get("content-encoding")), (packed, "gzip"))
                self.assertEqual(response.get("cache-control"), value)
                self.assertEqual(response.get("etag"), '"a"')
        self.assert_said("no-transform", "/html/said")
        self.assert_said("no-transform", "/squeezed/said")
        plain = self.say("/squeezed", "text/html", ("Cache-Control", "no-transform"), body=BODY * 99,
                         asked=[("accept-encoding", "br, gzip")])
        self.assertEqual((plain.body, plain.get("content-encoding")), (BODY * 99, None))

    def test_no_transform_is_confirmed_by_nothing(self):
        self.say("/html", "text/html", ("Cache-Control", "no-transform"), ("ETag", '"a"'),
                 asked=[("if-none-match", '"a"')])
        self.assertFalse([name for name, _ in self.app.last() if name == "if-none-match"])

    def test_a_coding_that_is_none_is_said_and_the_page_rewritten(self):
        response = self.say("/html", "text/html", ("Content-Encoding", "none"))
        self.assertEqual((response.body, response.get("content-encoding")), (REWRITTEN, None))
        self.say("/html", "text/html", ("Content-Encoding", "identity"))
        self.assert_said("no coding", "/html/said")

    def test_a_page_in_utf_16_is_left_and_said(self):
        for charset in ("utf-16", "utf-16-le", "utf-16-be"):
            page = BODY.decode().encode(charset)
            response = self.say("/html", "text/html; charset=" + charset.replace("6-", "6"), body=page)
            self.assertEqual((response.body, response.get("cache-control")), (page, "no-store"))
        self.assert_said("UTF-16", "/html/said")

    def test_a_byte_order_mark_is_seen(self):
        page = BODY.decode().encode("utf-16")
        response = self.say("/asked", "text/html", body=page)
        self.assertEqual(response.body, page)
        self.assert_said("UTF-16", "/asked/said")


class Caches(RewritingCase):
    def control(self, target, *headers, method="GET"):
        return self.say(target, "text/html", *headers, method=method).get("cache-control")

    def test_a_page_that_says_nothing_is_revalidated(self):
        for target in ("", "/html", "/asked"):
            for method in ("GET", "HEAD"):
                self.assertEqual(self.control(target, method=method), "no-cache")

    def test_what_the_application_says_counts(self):
        for value in ("public, max-age=60", "s-maxage=10", "private", "no-store"):
            self.assertEqual(self.control("/html", ("Cache-Control", value)), value)
        self.assertIsNone(self.control("/html", ("Expires", "Fri, 01 Jan 2100 00:00:00 GMT")))

    def test_unless_the_operator_says_otherwise(self):
        for said, expected in (("public, max-age=60", "no-cache"), ("s-maxage=10", "no-cache"),
                               ("private, max-age=5", "private, no-cache"), ("no-store", "no-store")):
            response = self.say("/asked", "text/html", ("Cache-Control", said),
                                ("CDN-Cache-Control", "max-age=60"))
            self.assertEqual(response.get("cache-control"), expected)
            self.assertEqual(response.get("cdn-cache-control"), "max-age=60" if said == "no-store" else None)

    def test_a_304_does_not_bring_back_what_was_taken_out(self):
        tag = self.say("/asked", "text/html", ("ETag", '"a"')).get("etag")
        response = self.say("/asked", None, ("ETag", '"a"'), ("Cache-Control", "max-age=60"), body=b"",
                            status=304, asked=[("if-none-match", tag)])
        self.assertEqual((response.status, response.get("etag")), (304, tag))
        self.assertEqual(response.get("cache-control"), "no-cache")

    def test_what_filters_say_is_as_good_as_what_the_application_says(self):
        response = self.say("/kept", "text/html")
        self.assertEqual((response.get("cache-control"), response.get("x-filter")), ("max-age=60", "yes"))


class Compressed(RewritingCase):
    def test_a_page_that_came_compressed_leaves_compressed(self):
        for name in ("gzip", "br", "deflate", "zstd"):
            packed = application.ENCODERS[name](BODY)
            for accept, expected in (("gzip, br", "gzip"), ("br", None), ("gzip;q=0", None), ("", None)):
                response = self.say("/html", "text/html", ("Content-Encoding", name), ("ETag", '"a"'),
                                    body=packed, asked=[("accept-encoding", accept)] if accept else [])
                self.assertEqual(response.get("content-encoding"), expected)
                self.assertEqual(response.get("vary"), "accept-encoding")
                self.assertTrue(response.get("etag").startswith('W/"a;breaker=s'))
                body = gzip.decompress(response.body) if expected else response.body
                self.assertEqual(body, REWRITTEN)

    def test_its_tag_confirms_it_whatever_the_coding(self):
        packed = gzip.compress(BODY)
        tags = {self.say("/html", "text/html", ("Content-Encoding", "gzip"), ("ETag", '"a"'),
                         body=packed, asked=asked).get("etag")
                for asked in ([("accept-encoding", "gzip")], [])}
        self.assertEqual(len(tags), 1)

    def test_the_coding_of_the_path_goes_first(self):
        response = self.say("/squeezed", "text/html", ("Content-Encoding", "gzip"),
                            body=gzip.compress(BODY * 99), asked=[("accept-encoding", "br, gzip")])
        self.assertEqual(response.get("content-encoding"), "br")
        self.assertEqual(application.brotli.decompress(response.body), REWRITTEN * 99)

    def test_plain_pages_stay_plain(self):
        response = self.say("/html", "text/html", asked=[("accept-encoding", "gzip")])
        self.assertEqual((response.get("content-encoding"), response.body), (None, REWRITTEN))

    def test_it_can_be_turned_off(self):
        response = self.say("/asked", "text/html", ("Content-Encoding", "gzip"),
                            body=gzip.compress(BODY), asked=[("accept-encoding", "gzip")])
        self.assertEqual((response.get("content-encoding"), response.body), (None, REWRITTEN))

    def test_large_ones_over_every_protocol(self):
        page = application.LARGE
        rewritten = page.replace(LITERAL, PREFIX)
        asked = [("accept-encoding", "gzip")]
        response = self.say("/html", "text/html", ("Content-Encoding", "gzip"),
                            body=gzip.compress(page, 1), asked=asked)
        self.assertEqual(gzip.decompress(response.body), rewritten)
        with client.Http2(self.port) as http2:
            response = http2.request("/html/said", headers=asked)
            self.assertEqual((response.get("content-encoding"), gzip.decompress(response.body)),
                             ("gzip", rewritten))
        with client.Http1(self.port) as http1:
            http1.send(b"GET /html/said HTTP/1.0\r\naccept-encoding: gzip\r\n\r\n")
            response = http1.read()
            self.assertEqual((response.get("content-encoding"), response.body), (None, rewritten))


if __name__ == "__main__":
    harness.trace_allocations()
    harness.main()
