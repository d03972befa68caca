"""The seed behaviour over real HTTP: what a request gets by the age of its token, for several
views, placeholders anywhere in a name, tokens of every kind, and tokens set before and after
views."""

import re
import time

import client
import harness

TOKEN = "1718539201234"
OLDER = "1718539201233"
NEWER = "1718539201235"

FILES = {
    "css/site.css": b"body { background: url(../img/dot.svg) }\n",
    "img/dot.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>\n",
    "a b.txt": b"blank\n",
    "caf\u00e9.txt": b"accent\n",
    "100%.txt": b"percent\n",
    "q?.txt": b"question\n",
    "empty.js": b"",
    "deep/er/and/deeper/leaf.json": b"{}\n",
    ".hidden": b"secret\n",
    ".well-known/there.txt": b"well known\n",
}
OTHER = {"site.css": b"other view\n", "css/site.css": b"other, deeper\n"}

LONG = "public, max-age=31536000, immutable"
SHORT = "public, max-age=60"

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static:
          name: static/{breaker}
          path: @tree@
      "/assets":
        breaker.static:
          name: v{breaker}.d/pub
          path: @other@
"""


class SeedCase(harness.ServedCase):
    token = TOKEN

    @classmethod
    def prepare(cls):
        tree = cls.scratch.tree("tree", FILES)
        other = cls.scratch.tree("other", OTHER)
        return cls.expand(CONFIG, token=cls.token, tree=tree, other=other)

    def setUp(self):
        self.connection = client.Http1(self.port)
        self.addCleanup(self.connection.close)

    def get(self, target, method="GET", headers=()):
        return self.connection.request(target, method, headers)

    def assert_short_refusal(self, response):
        self.assertEqual(response.get("cache-control"), "no-store")
        self.assertEqual(response.get("x-content-type-options"), "nosniff")
        self.assertRegex(response.get("content-type"), r"^text/plain")
        self.assertIsNone(response.get("etag"))
        self.assertLess(len(response.body), 200)

    def assert_served(self, response, body):
        self.assertEqual((response.status, response.body), (200, body))
        self.assertEqual(response.get("cache-control"), LONG)
        self.assertIsNone(response.get("expires"))
        self.assertIsNone(response.get("set-cookie"))

    def assert_redirect(self, response, location):
        self.assertEqual((response.status, response.leads_to), (301, location))
        self.assertEqual(response.get("cache-control"), SHORT)
        self.assertEqual(response.get("content-length"), "0")
        self.assertIsNone(response.get("expires"))

    def assert_retry(self, response):
        self.assertEqual((response.status, response.get("retry-after")), (503, "3"))
        self.assert_short_refusal(response)

    def assert_not_found(self, response):
        self.assertEqual(response.status, 404)
        self.assert_short_refusal(response)


class Table(SeedCase):
    def test_matching_token_serves_every_file_for_a_year(self):
        for path, body in FILES.items():
            if path.startswith(".hidden"):
                continue
            encoded = "".join(chr(b) if re.match(rb"[A-Za-z0-9./]", bytes([b])) else "%%%02X" % b
                              for b in path.encode())
            with self.subTest(path):
                self.assert_served(self.get("/static/%s/%s" % (TOKEN, encoded)), body)

    def test_matching_token_without_such_a_file_is_404(self):
        for path in ("no.css", "css", "css/", "css/site.css/", "", "css/site.cs", "css/site.csss",
                     ".hidden", "CSS/site.css", "css/site.css%20", "a+b.txt"):
            with self.subTest(path):
                self.assert_not_found(self.get("/static/%s/%s" % (TOKEN, path)))

    def test_older_token_is_redirected_with_its_query(self):
        for tail in ("css/site.css", "css/site.css?", "css/site.css?v=1&w=%2F%20+", "a%20b.txt",
                     "a%20b.txt?x=a%20b", "caf%C3%A9.txt", "caf%c3%a9.txt", "100%25.txt",
                     "q%3F.txt?q", "css/%73ite.css", "%63ss/site.css?%63", "empty.js?a?b??c",
                     "deep/er/and/deeper/leaf.json?/../..", ".well-known/there.txt"):
            with self.subTest(tail):
                response = self.get("/static/%s/%s" % (OLDER, tail))
                self.assert_redirect(response, "/static/%s/%s" % (TOKEN, tail))
                again = self.get(response.leads_to)
                self.assertEqual(again.status, 200)

    def test_older_token_without_such_a_file_is_404(self):
        for tail in ("no.css", "css", "css/", "", ".hidden", "css/site.css/?x"):
            with self.subTest(tail):
                self.assert_not_found(self.get("/static/%s/%s" % (OLDER, tail)))

    def test_newer_token_is_asked_to_come_back(self):
        for tail in ("css/site.css", "css/site.css?v=1", "not-here-yet.css"):
            with self.subTest(tail):
                self.assert_retry(self.get("/static/%s/%s" % (NEWER, tail)))

    def test_decimal_tokens_are_ordered_by_value(self):
        for token, status in (("1", 301), ("0", 301), ("9", 301), ("999999999999", 301),
                              ("01718539201233", 301), ("17185392012340", 503),
                              ("1718539201235", 503), ("99999999999999999999999999", 503),
                              ("1718539201234000000000000000000000000000000000", 503)):
            with self.subTest(token):
                self.assertEqual(self.get("/static/%s/css/site.css" % token).status, status)

    def test_another_spelling_of_the_value_is_redirected(self):
        for token in ("01718539201234", "0000001718539201234", "0" * 51 + TOKEN):
            with self.subTest(token):
                self.assert_redirect(self.get("/static/%s/css/site.css?q" % token),
                                     "/static/%s/css/site.css?q" % TOKEN)

    def test_what_is_no_token_is_404(self):
        for token in ("", "%20", "a%20b", "{breaker", "%7Bbreaker%7D%7D", "a" * 65, "1" * 65, "a,b",
                      "caf%C3%A9", "a@b", "-%00", "+1", "1718539201234%20", "%3F"):
            with self.subTest(token):
                self.assert_not_found(self.get("/static/%s/css/site.css" % token))

    def test_an_escaped_token_is_the_same_token(self):
        response = self.get("/static/%31718539201234/css/site.css")
        self.assert_served(response, FILES["css/site.css"])

    def test_head_is_get_without_a_body(self):
        for target in ("/static/%s/css/site.css" % TOKEN, "/static/%s/empty.js" % TOKEN,
                       "/static/%s/no" % TOKEN, "/static/%s/css/site.css?x" % OLDER,
                       "/static/%s/css/site.css" % NEWER):
            with self.subTest(target):
                got, head = self.get(target), self.get(target, "HEAD")
                self.assertEqual(head.status, got.status)
                self.assertEqual(strip(head.headers), strip(got.headers))
                self.assertEqual(head.body, b"")

    def test_other_methods_are_refused(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "get",
                       "GETX"):
            for token in (TOKEN, OLDER, NEWER):
                with self.subTest(method=method, token=token):
                    response = client.get(self.port, "/static/%s/css/site.css" % token,
                                          method=method)
                    self.assertEqual((response.status, response.get("allow")),
                                     (405, "GET, HEAD"))
                    self.assert_short_refusal(response)

    def test_views_do_not_mix(self):
        self.assert_served(self.get("/assets/v%s.d/pub/site.css" % TOKEN), OTHER["site.css"])
        self.assert_served(self.get("/assets/v%s.d/pub/css/site.css" % TOKEN),
                           OTHER["css/site.css"])
        self.assert_not_found(self.get("/assets/v%s.d/pub/img/dot.svg" % TOKEN))
        self.assert_not_found(self.get("/static/%s/site.css" % TOKEN))

    def test_placeholder_inside_a_segment(self):
        self.assert_redirect(self.get("/assets/v%s.d/pub/site.css?x" % OLDER),
                             "/assets/v%s.d/pub/site.css?x" % TOKEN)
        self.assert_retry(self.get("/assets/v%s.d/pub/site.css" % NEWER))
        self.assert_not_found(self.get("/assets/v.d/pub/site.css"))

    def test_paths_outside_the_views_belong_to_others(self):
        for target in ("/", "/static", "/static/", "/static/" + TOKEN, "/staticc/%s/x" % TOKEN,
                       "/assets/%s.d/pub/site.css" % TOKEN, "/assets/v%s/pub/site.css" % TOKEN,
                       "/assets/v%s.d/site.css" % TOKEN):
            with self.subTest(target):
                response = self.get(target)
                self.assertEqual(response.status, 404)
                self.assertNotIn("immutable", response.get("cache-control") or "")

    def test_nothing_but_an_asset_is_cacheable_for_long(self):
        for target in ("/static/%s/no" % TOKEN, "/static/%s/css/site.css" % NEWER,
                       "/static/%s/css/site.css" % OLDER, "/static//css/site.css", "/", "/nowhere",
                       "/static/%s/..%%2f..%%2fetc/passwd" % TOKEN):
            with self.subTest(target):
                self.assertNotRegex(self.get(target).get("cache-control") or "",
                                    r"immutable|max-age=[0-9]{3}")

    def test_the_same_over_http2(self):
        with client.Http2(self.port) as connection:
            served = connection.request("/static/%s/css/site.css" % TOKEN)
            self.assert_served(served, FILES["css/site.css"])
            redirect = connection.request("/static/%s/css/site.css?a=%%20" % OLDER)
            self.assert_redirect(redirect, "/static/%s/css/site.css?a=%%20" % TOKEN)
            self.assert_retry(connection.request("/static/%s/css/site.css" % NEWER))
            self.assert_not_found(connection.request("/static/%s/no" % TOKEN))
            refused = connection.request("/static/%s/css/site.css" % TOKEN, method="DELETE")
            self.assertEqual((refused.status, refused.get("allow")), (405, "GET, HEAD"))
            head = connection.request("/static/%s/css/site.css" % TOKEN, method="HEAD")
            self.assertEqual((head.status, head.body), (200, b""))
            self.assertEqual(strip(head.headers), strip(served.headers))


class OpaqueTokens(SeedCase):
    token = "v1.2.3"

    def test_opaque_tokens_are_ordered_bytewise(self):
        for token, status in (("v1.2.3", 200), ("v1.2.2", 301), ("v1.2", 301), ("V9", 301),
                              ("v1.2.4", 503), ("v1.2.3-rc1", 503), ("w", 503), ("~", 503),
                              ("1718539201234", 301), ("9" * 64, 301)):
            with self.subTest(token):
                self.assertEqual(self.get("/static/%s/css/site.css" % token).status, status)

    def test_redirect_leads_to_the_opaque_token(self):
        self.assert_redirect(self.get("/static/1718539201234/css/site.css?x"),
                             "/static/v1.2.3/css/site.css?x")


class LongestToken(SeedCase):
    token = "-._~" + "Zz09" * 15

    def test_a_token_of_64_characters_serves(self):
        self.assert_served(self.get("/static/%s/css/site.css" % self.token),
                           FILES["css/site.css"])


class ScopedTokens(harness.ServedCase):
    """A token holds for the views below the level where it is set; others keep theirs."""

    CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "1000"
hosts:
  default:
    paths:
      "/one":
        breaker.static: {name: "{breaker}", path: @tree@}
      "/two":
        breaker.token: "2000"
        breaker.static:
          - {name: "a/{breaker}", path: @tree@}
          - {name: "b-{breaker}/b", path: @other@}
      "/three":
        breaker.static: {name: "x/y/{breaker}/z", path: @other@}
"""

    @classmethod
    def prepare(cls):
        return cls.expand(cls.CONFIG, tree=cls.scratch.tree("tree", FILES),
                          other=cls.scratch.tree("other", OTHER))

    def test_each_view_goes_by_its_own_token(self):
        views = (("/one/%s/css/site.css", 1000, FILES["css/site.css"]),
                 ("/two/a/%s/css/site.css", 2000, FILES["css/site.css"]),
                 ("/two/b-%s/b/site.css", 2000, OTHER["site.css"]),
                 ("/three/x/y/%s/z/site.css", 1000, OTHER["site.css"]))
        with client.Http1(self.port) as connection:
            for pattern, token, body in views:
                with self.subTest(pattern):
                    served = connection.request(pattern % token)
                    self.assertEqual((served.status, served.body), (200, body))
                    older = connection.request(pattern % (token - 1))
                    self.assertEqual((older.status, older.leads_to),
                                     (301, pattern % token))
                    newer = connection.request(pattern % (token + 1))
                    self.assertEqual((newer.status, newer.get("retry-after")), (503, "3"))


class ViewOptions(harness.ServedCase):
    """What a view's further options change in its answers."""

    CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "1000"
hosts:
  default:
    paths:
      "/":
        breaker.static:
          - name: plain/{breaker}
            path: @tree@
          - name: own/{breaker}
            path: @tree@
            cache-max-age: 600
            redirect-max-age: 0
            retry-after: 17
            allow-origin: https://shop.example
            timing-allow-origin: "*"
            resource-policy: cross-origin
            headers: ["X-One: 1", "Strict-Transport-Security: max-age=1"]
            index: index.html
            dotfiles: ON
            encodings: OFF
          - name: closed/{breaker}
            path: @tree@
            allow-origin: OFF
            redirect-max-age: 7
"""

    @classmethod
    def prepare(cls):
        files = dict(FILES, **{"index.html": b"<p>root\n", "deep/index.html": b"<p>deep\n"})
        return cls.expand(cls.CONFIG, tree=cls.scratch.tree("tree", files))

    def get(self, target, **request):
        return client.get(self.port, target, **request)

    def test_headers_of_assets(self):
        own = self.get("/own/1000/css/site.css", headers=[("accept-encoding", "gzip, br, zstd")])
        self.assertEqual(own.get("cache-control"), "public, max-age=600, immutable")
        self.assertEqual(own.get("access-control-allow-origin"), "https://shop.example")
        self.assertEqual(own.get("timing-allow-origin"), "*")
        self.assertEqual(own.get("cross-origin-resource-policy"), "cross-origin")
        self.assertEqual((own.get("x-one"), own.get("strict-transport-security")),
                         ("1", "max-age=1"))
        self.assertIsNone(own.get("content-encoding"))
        self.assertIsNone(own.get("vary"))
        plain = self.get("/plain/1000/css/site.css")
        self.assertEqual(plain.get("access-control-allow-origin"), "*")
        self.assertIsNone(plain.get("timing-allow-origin"))
        self.assertIsNone(plain.get("cross-origin-resource-policy"))
        self.assertEqual(plain.get("vary").lower(), "accept-encoding")
        closed = self.get("/closed/1000/css/site.css")
        self.assertIsNone(closed.get("access-control-allow-origin"))

    def test_a_304_keeps_the_headers_that_a_cache_updates(self):
        tag = self.get("/own/1000/css/site.css").get("etag")
        response = self.get("/own/1000/css/site.css", headers=[("if-none-match", tag)])
        self.assertEqual((response.status, response.get("etag")), (304, tag))
        self.assertEqual(response.get("cache-control"), "public, max-age=600, immutable")
        self.assertEqual(response.get("access-control-allow-origin"), "https://shop.example")
        self.assertEqual(response.get("x-one"), "1")

    def test_caching_of_redirects(self):
        for view, expected in (("plain", SHORT), ("own", "no-store"),
                               ("closed", "public, max-age=7")):
            response = self.get("/%s/999/css/site.css" % view)
            self.assertEqual((response.status, response.get("cache-control")), (301, expected))

    def test_retry_after(self):
        self.assertEqual(self.get("/own/1001/css/site.css").get("retry-after"), "17")

    def test_index_files_only_where_they_are_asked_for(self):
        for path, body in (("", b"<p>root\n"), ("deep/", b"<p>deep\n")):
            self.assertEqual(self.get("/plain/1000/" + path).status, 404)
            response = self.get("/own/1000/" + path)
            self.assertEqual((response.status, response.body), (200, body))
            self.assertEqual(response.get("content-type"), "text/html; charset=utf-8")
        self.assertEqual(self.get("/own/1000/css/").status, 404)
        redirect = self.get("/own/999/deep/?q")
        self.assertEqual((redirect.status, redirect.leads_to), (301, "/own/1000/deep/?q"))

    def test_dotfiles_only_where_they_are_asked_for(self):
        self.assertEqual(self.get("/plain/1000/.hidden").status, 404)
        self.assertEqual(self.get("/own/1000/.hidden").body, FILES[".hidden"])
        self.assertEqual(self.get("/plain/1000/.well-known/there.txt").status, 200)


class MintedToken(harness.FlavourCase):
    """Without breaker.token the token is the time of configuration in milliseconds."""

    CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
"""

    def test_the_token_is_the_time_of_start_in_milliseconds(self):
        scratch = harness.Scratch()
        self.addCleanup(scratch.remove)
        port = harness.free_port()
        config = harness.expand(self.CONFIG, port=port, tree=scratch.tree("tree", FILES))
        before = int(time.time() * 1000)
        server = harness.Server(self.flavour, config)
        self.addCleanup(server.kill)
        after = int(time.time() * 1000)
        response = client.get(port, "/static/0/css/site.css")
        self.assertEqual(response.status, 301)
        found = re.fullmatch(r"/static/([0-9]{12,})/css/site\.css", response.leads_to)
        self.assertIsNotNone(found, response.leads_to)
        self.assertLessEqual(before, int(found.group(1)))
        self.assertLessEqual(int(found.group(1)), after)
        self.assertEqual(client.get(port, response.leads_to).status, 200)
        server.stop()


def strip(headers):
    """Headers without those that tell the moment of the answer."""
    return sorted((name, value) for name, value in headers if name != "date")


if __name__ == "__main__":
    harness.main()
