"""Pages: the literal prefix of a view becomes the current one in the pages of files and of a proxied
application, no browser keeps a page with an old token, and the application hears of the token in
headers that nobody else can send."""

import json
import queue

import application
import client
import harness
from application import LARGE, MODIFIED, PAGE, TAG

TOKEN = "1718539201234"
NEXT = "1718539209999"

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
limit-request-body: 100000
hosts:
  default:
    paths:
      "/":
        breaker.static:
          - {name: "static/{breaker}", path: @tree@}
          - {name: "assets/v{breaker}/pub", path: @tree@}
        breaker.rewrite: ON
        file.dir: @pages@
      "/app":
        breaker.rewrite: ON
        proxy.reverse.url: http://127.0.0.1:@app@/
      "/raw":
        proxy.reverse.url: http://127.0.0.1:@app@/
      "/old":
        redirect: {url: "/app/", status: 301}
"""


def rewritten(page, token=TOKEN):
    return (page.replace(b"/static/{breaker}/", b"/static/%s/" % token.encode())
            .replace(b"/assets/v{breaker}/pub/", b"/assets/v%s/pub/" % token.encode()))


class PagesCase(harness.FlavourCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = harness.Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        cls.tree = cls.scratch.tree("tree", {"page.html": PAGE, "css/site.css": b"body {}\n"})
        cls.pages = cls.scratch.tree("pages", {"index.html": PAGE, "sub/index.html": PAGE,
                                               "large.html": LARGE, "empty.html": b"",
                                               "data.json": PAGE, "bare": PAGE})
        cls.port, app_port = harness.free_port(), harness.free_port()
        cls.app = application.Application(app_port)
        cls.addClassCleanup(cls.app.close)
        cls.app_port = app_port

    @classmethod
    def config(cls, token=TOKEN):
        return harness.expand(CONFIG, port=cls.port, app=cls.app_port, tree=cls.tree,
                              pages=cls.pages, token=token)

    def get(self, target, *headers, method="GET", **request):
        return client.get(self.port, target, method=method, headers=headers, **request)

    def assert_page(self, response, page=PAGE, token=TOKEN, status=200):
        self.assertEqual((response.status, response.body), (status, rewritten(page, token)))
        self.assertIsNone(response.get("last-modified"))
        self.assertIsNone(response.get("content-encoding"))
        self.assertNotIn("immutable", response.get("cache-control") or "")
        length = response.get("content-length")
        self.assertIn(length, (None, str(len(response.body))))


class Rewriting(PagesCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = harness.Server(cls.flavour, cls.config())

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    # ---- files ----

    def test_files_are_rewritten(self):
        for target, page in (("/", PAGE), ("/index.html", PAGE), ("/sub/", PAGE),
                             ("/large.html", LARGE), ("/empty.html", b"")):
            with self.subTest(target):
                self.assert_page(self.get(target), page)

    def test_files_that_are_no_pages_are_left_alone(self):
        for target in ("/data.json", "/bare"):
            response = self.get(target)
            self.assertEqual((response.status, response.body), (200, PAGE))
            self.assertIsNotNone(response.get("last-modified"))

    def test_pages_within_a_view_are_assets(self):
        response = self.get("/static/%s/page.html" % TOKEN)
        self.assertEqual((response.status, response.body), (200, PAGE))
        self.assertEqual(response.get("content-type"), "text/html; charset=utf-8")
        self.assertIsNotNone(response.get("last-modified"))
        self.assertIn("immutable", response.get("cache-control"))

    def test_views_answer_before_the_application(self):
        seen = len(self.app.seen)
        self.assertEqual(self.get("/static/1/css/site.css").status, 301)
        self.assertEqual(self.get("/static/%s/none" % TOKEN).status, 404)
        self.assertEqual(len(self.app.seen), seen)

    def test_head_says_what_get_says(self):
        for target in ("/", "/app/page", "/app/kept", "/app/large", "/data.json"):
            with self.subTest(target):
                got, head = self.get(target), self.get(target, method="HEAD")
                self.assertEqual((head.status, head.body), (got.status, b""))
                for name in ("etag", "last-modified", "content-type"):
                    self.assertEqual(head.get(name), got.get(name))
                self.assertIn(head.get("content-length"), (None, got.get("content-length")))

    def test_ranges_of_pages_are_whole_pages(self):
        for target in ("/", "/app/page", "/app/kept"):
            with self.subTest(target):
                self.assert_page(self.get(target, ("range", "bytes=0-9")))

    # ---- the application ----

    def test_pages_of_the_application_are_rewritten(self):
        for target, page in (("page", PAGE), ("shout", PAGE), ("large", LARGE), ("kept", PAGE),
                             ("unbounded", PAGE)):
            with self.subTest(target):
                self.assert_page(self.get("/app/" + target), page)
        self.assert_page(self.get("/app/error"), status=500)
        self.assert_page(self.get("/app/nowhere"), b"<p>no /static/{breaker}/ here\n", status=404)

    def test_what_is_no_page_passes_untouched(self):
        for target in ("/app/json", "/app/plain", "/raw/page", "/raw/json"):
            with self.subTest(target):
                response = self.get(target)
                self.assertEqual((response.status, response.body), (200, PAGE))
        response = self.get("/app/json")
        self.assertEqual(response.get("last-modified"), MODIFIED)
        # as strong as it was, with a mark that says that it was no page
        self.assertRegex(response.get("etag"), '^"app-1;breaker=p[0-9a-f]{16}"$')
        self.assertEqual(self.get("/raw/json").get("etag"), TAG)

    def test_the_same_over_http2(self):
        with client.Http2(self.port) as connection:
            streams = {connection.start("/app/" + name): page
                       for name, page in (("page", PAGE), ("large", LARGE), ("unbounded", PAGE))}
            streams[connection.start("/")] = PAGE
            for stream, page in streams.items():
                self.assert_page(connection.wait(stream), page)

    def test_the_same_over_http_1_0(self):
        for target, page in (("/app/large", LARGE), ("/app/unbounded", PAGE), ("/", PAGE)):
            with client.Http1(self.port) as connection:
                connection.send(b"GET %s HTTP/1.0\r\n\r\n" % target.encode())
                self.assert_page(connection.read(), page)

    def test_one_connection_takes_page_after_page(self):
        with client.Http1(self.port) as connection:
            for target in ("/app/page", "/", "/app/large", "/app/json", "/app/page"):
                response = connection.request(target)
                self.assertEqual(response.status, 200)
            self.assert_page(response)

    def test_posts_reach_the_application(self):
        response = self.get("/app/form", method="POST", body=b"x" * 50000)
        self.assert_page(response, b"50000 bytes of " + PAGE)

    def test_a_chunk_may_end_anywhere(self):
        """Each piece is sent only when the client has everything that the pieces before decide, so
        every end of a piece is an end of a read too."""
        page = b"<a href=/static/{breaker}/x> <b src=/assets/v{breaker}/pub/y>"
        with client.Http1(self.port) as connection:
            for cut in range(1, len(page)):
                self.app.pieces = queue.Queue()
                self.app.pieces.put(page[:cut])
                connection.send(client.make_request("/app/chunks"))
                connection.take_until(b"\r\n\r\n")
                got = self.chunk(connection)
                # what is not yet decided is at most the longest literal
                self.assertTrue(rewritten(page).startswith(got))
                self.app.pieces.put(page[cut:])
                self.app.pieces.put(None)
                while len(got) < len(rewritten(page)):
                    got += self.chunk(connection)
                self.assertEqual(got, rewritten(page), cut)
                self.assertEqual(connection.take_until(b"\r\n\r\n"), b"0")

    def chunk(self, connection):
        size = int(connection.take_until(b"\r\n"), 16)
        body = connection.take(size)
        self.assertEqual(connection.take(2), b"\r\n")
        return body

    def test_a_page_streams(self):
        """The beginning of a page arrives although its end is not written yet."""
        self.app.pieces = queue.Queue()
        with client.Http1(self.port) as connection:
            connection.send(client.make_request("/app/chunks"))
            self.app.pieces.put(b"<head>" + b"x" * 100)
            connection.take_until(b"\r\n\r\n")
            begun = self.chunk(connection)
            self.assertEqual(begun[:6], b"<head>")
            self.app.pieces.put(None)
            while len(begun) < 106:
                begun += self.chunk(connection)
            self.assertEqual(begun, b"<head>" + b"x" * 100)
            self.assertEqual(connection.take_until(b"\r\n\r\n"), b"0")

    def test_encoded_pages_are_decoded_and_rewritten(self):
        for coding in ("gzip", "deflate", "br", "zstd"):
            with self.subTest(coding):
                response = self.get("/app/encoded?" + coding)
                self.assert_page(response)
                self.assertNotEqual(response.get("etag"), TAG)
                self.assertEqual(response.get("vary"), "accept-encoding")

    def test_an_encoding_that_nobody_reads_is_passed_on_and_not_stored(self):
        self.assert_passed_on(self.get("/app/encoded?x-unknown"), "x-unknown")

    def assert_passed_on(self, response, coding):
        self.assertEqual(response.body, application.ENCODERS[coding](PAGE))
        self.assertEqual(response.get("content-encoding"), coding)
        self.assertIn("no-store", response.get("cache-control"))

    # ---- what the application hears ----

    def echo(self, *headers):
        pairs = json.loads(self.get("/app/echo", *headers).body)
        return sorted((name.lower(), value) for name, value in pairs
                      if name.lower().replace("_", "-").startswith("x-breaker"))

    def test_the_application_hears_of_token_and_prefixes(self):
        self.assertEqual(self.echo(), self.truth())

    def truth(self):
        return [("x-breaker-prefix", "/static/%s/" % TOKEN),
                ("x-breaker-prefix-assets-v-pub", "/assets/v%s/pub/" % TOKEN),
                ("x-breaker-prefix-static", "/static/%s/" % TOKEN),
                ("x-breaker-token", TOKEN)]

    def test_nobody_else_can_tell_it(self):
        for name in ("X-Breaker-Token", "x-breaker-prefix", "X-BREAKER-PREFIX-STATIC",
                     "X-Breaker-Prefix-Other", "X_Breaker_Token", "x-breaker_token"):
            with self.subTest(name):
                self.assertEqual(self.echo((name, "forged"), (name, "twice")), self.truth())
        with client.Http2(self.port) as connection:
            response = connection.request("/app/echo", headers=[("x-breaker-token", "forged")])
            self.assertNotIn(b"forged", response.body)

    def test_other_paths_say_nothing_of_it(self):
        self.assertNotIn(b"reaker-", self.get("/raw/echo").body)

    def test_redirects_work_beside(self):
        response = self.get("/old/page?x")
        self.assertEqual((response.status, response.get("location")), (301, "/app/page?x"))


class Caching(PagesCase):
    """No browser keeps a page with an old token, whatever validators it was given."""

    def serve(self, token):
        server = harness.Server(self.flavour, self.config(token))
        self.addCleanup(server.kill)
        return server

    def test_a_page_is_revalidated_under_its_token_and_fetched_anew_under_another(self):
        for target in ("/app/kept", "/index.html"):
            with self.subTest(target):
                server = self.serve(TOKEN)
                first = self.get(target)
                self.assert_page(first)
                tag = first.get("etag")
                self.assertIsNotNone(tag)
                again = self.get(target, ("if-none-match", tag))
                self.assertEqual((again.status, again.body), (304, b""))
                self.assertEqual(again.get("etag"), tag)
                self.assertIsNone(again.get("last-modified"))
                server.stop()

                server = self.serve(NEXT)
                for headers in ([("if-none-match", tag)],
                                [("if-none-match", tag), ("if-modified-since", MODIFIED)],
                                [("if-modified-since", MODIFIED)], [("if-none-match", TAG)],
                                [("if-none-match", '"x", %s' % tag)],
                                [("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")]):
                    for accept in ([("accept", "text/html,*/*")], [("accept", "*/*")], []):
                        with self.subTest(headers=headers, accept=accept):
                            response = self.get(target, *headers, *accept)
                            self.assert_page(response, token=NEXT)
                            self.assertNotEqual(response.get("etag"), tag)
                server.stop()

    def test_the_application_sees_its_own_tags(self):
        server = self.serve(TOKEN)
        tag = self.get("/app/kept").get("etag")
        self.get("/app/kept", ("if-none-match", tag))
        self.assertIn(("if-none-match", TAG), self.app.last())
        server.stop()
        server = self.serve(NEXT)
        self.get("/app/kept", ("if-none-match", tag))
        self.assertFalse([value for name, value in self.app.last() if name.startswith("if-")])
        server.stop()

    def test_what_is_no_page_keeps_its_validators(self):
        """Over deploys as well: its tag names no token."""
        server = self.serve(TOKEN)
        tag = self.get("/app/json").get("etag")
        server.stop()
        server = self.serve(NEXT)
        self.get("/app/json", ("if-none-match", tag))
        self.assertIn(("if-none-match", TAG), self.app.last())
        response = self.get("/data.json", ("if-none-match", self.get("/data.json").get("etag")))
        self.assertEqual(response.status, 304)
        server.stop()

    def test_what_was_cached_before_the_rewriting_is_not_confirmed(self):
        """Whatever validators the application gave out then, and whoever asks."""
        config = self.config()
        server = harness.Server(self.flavour, config.replace("breaker.rewrite: ON", ""))
        self.addCleanup(server.kill)
        before = {target: self.get(target) for target in ("/app/kept", "/index.html", "/sub/")}
        for response in before.values():
            self.assertEqual((response.status, response.body), (200, PAGE))
        server.stop()
        server = self.serve(TOKEN)
        for target, old in before.items():
            tag, modified = old.get("etag"), old.get("last-modified")
            for headers in ([("if-none-match", tag)], [("if-modified-since", modified)],
                            [("if-none-match", tag), ("if-modified-since", modified)]):
                for accept in ("text/html", "*/*", "application/json", None):
                    with self.subTest(target, headers=headers, accept=accept):
                        more = [("accept", accept)] if accept else []
                        self.assert_page(self.get(target, *headers, *more))
        server.stop()

    def test_both_tokens_give_pages_of_their_own(self):
        tags = []
        for token in (TOKEN, NEXT, TOKEN):
            server = self.serve(token)
            response = self.get("/app/kept")
            self.assert_page(response, token=token)
            tags.append(response.get("etag"))
            server.stop()
        self.assertEqual(tags[0], tags[2])
        self.assertNotEqual(tags[0], tags[1])


class DeadApplication(PagesCase):
    def test_an_application_that_is_gone_is_502_and_the_views_go_on(self):
        server = harness.Server(self.flavour, self.config())
        self.addCleanup(server.kill)
        self.app.close()
        try:
            response = self.get("/app/page")
            self.assertEqual(response.status, 502)
            self.assertNotIn("max-age", response.get("cache-control") or "")
            self.assertEqual(self.get("/static/%s/css/site.css" % TOKEN).status, 200)
        finally:
            type(self).app = application.Application(self.app_port)
            self.addClassCleanup(self.app.close)
        self.assert_page(self.get("/app/page"))
        server.stop()


if __name__ == "__main__":
    harness.trace_allocations()
    harness.main()
