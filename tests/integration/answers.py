"""What every answer of a view says, whatever its status: to pages of other origins, and to caches."""

import client
import harness

TOKEN = "1718539201234"
OLDER, NEWER = "1718539201233", "1718539201235"
SHOP, LOCAL = "https://shop.example", "http://localhost:3000"

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static:
          - {name: "any/{breaker}", path: @tree@}
          - {name: "one/{breaker}", path: @tree@, allow-origin: "https://shop.example",
             timing-allow-origin: "*", resource-policy: cross-origin,
             headers: ["Access-Control-Expose-Headers: ETag", "X-Other: 1"]}
          - {name: "some/{breaker}", path: @tree@,
             allow-origin: ["https://shop.example", "http://localhost:3000"]}
          - {name: "plain/{breaker}", path: @tree@, encodings: OFF,
             allow-origin: ["https://shop.example", "http://localhost:3000"]}
          - {name: "closed/{breaker}", path: @tree@, allow-origin: OFF}
"""


class AnswersCase(harness.ServedCase):
    @classmethod
    def prepare(cls):
        return cls.expand(CONFIG, token=TOKEN, tree=cls.scratch.tree("tree", {"a.js": b"export {}\n"}))

    def setUp(self):
        self.connection = client.Http1(self.port)
        self.addCleanup(self.connection.close)

    def answers(self, view, *headers):
        """An answer of every kind, over HTTP/1.1 on the fast path and past it, and over HTTP/2:
        (name, response)."""
        ways = (("fast", self.connection.request),
                ("libh2o", lambda target, method="GET", headers=():
                 client.get(self.port, target, method=method, headers=headers)))
        asset = "/%s/%s/a.js" % (view, TOKEN)
        tag = client.get(self.port, asset).get("etag")
        asked = (
            (200, asset, "GET", ()), (206, asset, "GET", (("range", "bytes=1-2"),)),
            (304, asset, "GET", (("if-none-match", tag),)), (200, asset, "HEAD", ()),
            (206, asset, "GET", (("range", "bytes=0-0,2-2,4-5"),)),
            (301, "/%s/%s/a.js" % (view, OLDER), "GET", ()), (404, asset + "x", "GET", ()),
            (503, "/%s/%s/a.js" % (view, NEWER), "GET", ()), (405, asset, "POST", ()),
            (412, asset, "GET", (("if-match", '"x"'),)),
            (416, asset, "GET", (("range", "bytes=100-"),)),
            (414, asset + "?" + "x" * 9000, "GET", ()))
        with client.Http2(self.port) as http2:
            for status, target, method, extra in asked:
                for way, request in ways + (("http2", http2.request),):
                    response = request(target, method=method, headers=extra + headers)
                    name = "%s %s over %s" % (method, target[:60], way)
                    self.assertEqual(response.status, status, name)
                    yield name, response
            if view in ("any", "some"):
                response = self.connection.request(
                    asset, headers=(("accept-encoding", "identity;q=0"),) + headers)
                self.assertEqual(response.status, 406)
                yield "406", response


class CrossOrigin(AnswersCase):
    def assert_all(self, view, headers, **wanted):
        for name, response in self.answers(view, *headers):
            with self.subTest(name, headers=headers):
                for field, value in wanted.items():
                    self.assertEqual(response.values(field.replace("_", "-")),
                                     [] if value is None else [value])

    def test_every_answer_says_what_the_view_says(self):
        for headers in ((), (("origin", SHOP),), (("origin", "https://other.example"),)):
            self.assert_all("any", headers, access_control_allow_origin="*")
            self.assert_all("closed", headers, access_control_allow_origin=None)
            self.assert_all("one", headers, access_control_allow_origin=SHOP,
                            timing_allow_origin="*", cross_origin_resource_policy="cross-origin",
                            access_control_expose_headers="ETag")

    def test_of_a_list_the_origin_of_the_request_is_named(self):
        for view in ("some", "plain"):
            for origin in (SHOP, LOCAL):
                self.assert_all(view, (("origin", origin),), access_control_allow_origin=origin)
            for origin in ("https://other.example", "https://shop.example.evil", "http://localhost",
                           "https://shop.exampl", SHOP + " " + LOCAL, "null", "*", ""):
                self.assert_all(view, (("origin", origin),), access_control_allow_origin=None)
            self.assert_all(view, (), access_control_allow_origin=None)
            self.assert_all(view, (("origin", SHOP), ("origin", LOCAL)),
                            access_control_allow_origin=None)

    def test_answers_by_a_list_depend_on_the_origin(self):
        for view, encoded in (("some", "accept-encoding, origin"), ("plain", "origin")):
            for headers in ((), (("origin", SHOP),), (("origin", "https://other.example"),)):
                for name, response in self.answers(view, *headers):
                    is_asset = response.status in (200, 206, 304)
                    self.assertEqual(response.values("vary"), [encoded if is_asset else "origin"], name)
        for name, response in self.answers("any"):
            is_asset = response.status in (200, 206, 304)
            self.assertEqual(response.values("vary"), ["accept-encoding"] if is_asset else [], name)

    def test_other_headers_stay_those_of_assets(self):
        for name, response in self.answers("one"):
            self.assertEqual(response.get("x-other"),
                             "1" if response.status in (200, 206, 304) else None, name)


class Preflights(AnswersCase):
    def ask(self, target, origin=SHOP, method="GET", *headers):
        fields = (("access-control-request-method", method), *headers)
        if origin is not None:
            fields += (("origin", origin),)
        with client.Http2(self.port) as http2:
            by_http2 = http2.request(target, "OPTIONS", fields)
        response = client.get(self.port, target, method="OPTIONS", headers=fields)
        self.assertEqual((by_http2.status, by_http2.body), (response.status, response.body))
        for name in ("access-control-allow-origin", "access-control-allow-methods",
                     "access-control-allow-headers", "access-control-max-age", "cache-control"):
            self.assertEqual(by_http2.get(name), response.get(name))
        return response

    def test_a_preflight_is_answered_for_every_path_of_the_view(self):
        for path in ("%s/a.js" % TOKEN, "%s/none" % TOKEN, "%s/a.js" % OLDER, "%s/a.js" % NEWER,
                     "x/a.js"):
            response = self.ask("/any/" + path)
            self.assertEqual((response.status, response.body), (204, b""))
            self.assertEqual(response.get("access-control-allow-origin"), "*")
            self.assertEqual(response.get("access-control-allow-methods"), "GET, HEAD")
            self.assertEqual(response.get("access-control-max-age"), "86400")
            self.assertIsNone(response.get("access-control-allow-headers"))
            self.assertIsNone(response.get("content-length"))
            self.assertIsNone(response.get("transfer-encoding"))

    def test_the_headers_that_are_asked_for_are_allowed(self):
        target = "/any/%s/a.js" % TOKEN
        for names in ("x-requested-with", "authorization,x-a, x-b", "a" * 1024):
            response = self.ask(target, SHOP, "GET", ("access-control-request-headers", names))
            self.assertEqual(response.get("access-control-allow-headers"), names)
        for names in ("", "a" * 1025, "a;b", "a\xe9", "a\"b"):
            response = self.ask(target, SHOP, "GET", ("access-control-request-headers", names))
            self.assertEqual(response.status, 204)
            self.assertIsNone(response.get("access-control-allow-headers"))

    def test_of_a_list_the_origin_of_the_preflight_is_named(self):
        target = "/some/%s/a.js" % TOKEN
        for origin, allowed in ((SHOP, SHOP), (LOCAL, LOCAL), ("https://other.example", None),
                                (None, None)):
            response = self.ask(target, origin)
            self.assertEqual(response.status, 204)
            self.assertEqual(response.get("access-control-allow-origin"), allowed)
        self.assertEqual(self.ask("/one/%s/a.js" % TOKEN).get("access-control-expose-headers"), "ETag")

    def test_a_connection_goes_on_after_a_preflight(self):
        target = "/any/%s/a.js" % TOKEN
        for _ in range(3):
            response = self.connection.request(
                target, "OPTIONS", (("origin", SHOP), ("access-control-request-method", "GET")))
            self.assertEqual(response.status, 204)
            self.assertEqual(self.connection.request(target).body, b"export {}\n")

    def test_other_options_requests_and_closed_views_get_405(self):
        response = self.connection.request("/any/%s/a.js" % TOKEN, "OPTIONS", (("origin", SHOP),))
        self.assertEqual((response.status, response.get("allow")), (405, "GET, HEAD"))
        response = self.ask("/closed/%s/a.js" % TOKEN)
        self.assertEqual(response.status, 405)
        self.assertIsNone(response.get("access-control-allow-origin"))


if __name__ == "__main__":
    harness.main()
