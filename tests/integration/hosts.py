"""Whom a request is for: Host and authority with and without a port, absolute-form targets;
several Hosts and what is no host. And what `expires` of libh2o may do to our answers."""

import client
import fastcgi
import harness

TOKEN, OLDER, NEWER = "1718539201234", "1718539201233", "1718539201235"

ONE_HOST = """
breaker.fast-path: @fast@
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "@path@":
        breaker.static: {name: "static/{breaker}", path: @tree@}
"""

SEVERAL = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  "one.example":
    paths:
      "/":
        breaker.static: {name: "one/{breaker}", path: @tree@}
        setenv: {OWN_OF_ONE: secret}
        file.dir: @one@
      "/plain":
        breaker.rewrite: ON
        file.dir: @one@
  "two.example":
    paths:
      "/sub":
        breaker.static: {name: "two/{breaker}", path: @tree@}
      "/plain":
        file.dir: @two@
      "/app":
        setenv: {OWN_OF_TWO: two}
        fastcgi.connect: {port: @socket@, type: unix}
      "/":
        file.dir: @two@
  "*.three.example":
    paths:
      "/": {file.dir: @three@}
"""


def raw(target, *lines, method="GET", version="1.1"):
    return ("%s %s HTTP/%s\r\n" % (method, target, version)
            + "".join(line + "\r\n" for line in lines) + "\r\n").encode("latin-1")


class OneHost(harness.FlavourCase):
    """On the fast path and past it, with a view at the root of the host and below it."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = harness.Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        tree = cls.scratch.tree("tree", {"a.js": b"export {}\n"})
        cls.servers = []
        for fast in ("ON", "OFF"):
            for path in ("/", "/sub"):
                port = harness.free_port()
                server = harness.Server(cls.flavour, harness.expand(
                    ONE_HOST, fast=fast, path=path, port=port, token=TOKEN, tree=tree))
                cls.addClassCleanup(server.kill)
                server.at = (port, path.rstrip("/") + "/static/%s/a.js")
                cls.servers.append(server)

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers:
            server.stop()

    def ask_each(self, lines, start="", token=TOKEN, **options):
        for server in self.servers:
            port, path = server.at
            with client.Http1(port) as connection:
                connection.send(raw(start + path % token, *lines, **options))
                yield connection.read(options.get("method", "GET"))

    def test_an_absolute_form_is_answered_as_its_path(self):
        for start in ("http://localhost", "http://shop.example:8080", "HTTP://Shop.Example",
                      "https://shop.example", "http://127.0.0.1:", "http://[::1]:80"):
            for host in (["Host: localhost"], ["Host: other.example"], ["Host:"], []):
                for token, status in ((TOKEN, 200), (OLDER, 301), (NEWER, 503)):
                    for method in ("GET", "HEAD"):
                        for response in self.ask_each(host, start, token, method=method):
                            self.assertEqual(response.status, status, (start, host, token))
                            if status == 200 and method == "GET":
                                self.assertEqual(response.body, b"export {}\n")
                            if status == 301:
                                self.assertEqual(response.get("location"), "../%s/a.js" % TOKEN)
        for response in self.ask_each(["Host: x"], "http://x", method="POST"):
            self.assertEqual(response.status, 405)

    def test_a_connection_goes_on_after_an_absolute_form(self):
        for server in self.servers:
            port, path = server.at
            with client.Http1(port) as connection:
                for start in ("", "http://x", "", "http://y:1", "http://z"):
                    response = connection.request(start + path % TOKEN)
                    self.assertEqual((response.status, response.body), (200, b"export {}\n"))

    def test_an_absolute_form_without_a_host_is_no_target(self):
        for start in ("http://", "http://:80", "http://user@x", "http://a b", "http://x:99999",
                      "http://x:y", "http://[::1", "http://a\\b"):
            for response in self.ask_each(["Host: x"], start):
                self.assertIn(response.status, (400, 404), start)
                self.assertNotIn("max-age", response.get("cache-control") or "")

    def test_several_hosts_and_what_is_no_host_are_400(self):
        for lines in (["Host: a", "Host: a"], ["Host: a", "X: y", "host: b"], ["Host: a", "HOST:"],
                      ["Host: a/b"], ["Host: a b"], ["Host: user@a"], ["Host: a:b"], ["Host: a:99999"],
                      ["Host: [::1"], ["Host: []"], ["Host: a:80:80"], ["Host: a\xff"], ["Host: a?b"],
                      ["Host: <a>"], ["Host: [unix:/a"], ["Host: [unix:/a b]"],
                      ["Host: http://a"], ["Host: a#"], ["Host: \"a\""]):
            for start in ("", "http://x"):
                if start and len(lines) == 1:
                    continue
                for response in self.ask_each(lines, start):
                    self.assertEqual((response.status, lines, start), (400, lines, start))
        for lines in (["Host: a:80"], ["Host: A.Example."], ["Host: [::1]:8080"], ["Host: a_b"],
                      ["Host:"], ["Host: 127.0.0.1"], ["X-Host: a", "Host: b"], ["Host: " + "a" * 300],
                      # h2o asking a Unix socket, without preserve-host
                      ["Host: [unix:/run/app_1/h2o.sock]"]):
            for response in self.ask_each(lines):
                self.assertEqual((response.status, lines), (200, lines))

    def test_a_host_in_doubt_is_refused_after_good_ones(self):
        port, path = self.servers[0].at
        for lines in (["Host: a/b"], ["Host: localhost", "Host: localhost"]):
            with client.Http1(port) as connection:
                for _ in range(3):
                    self.assertEqual(connection.request(path % TOKEN).status, 200)
                connection.send(raw(path % TOKEN, *lines))
                self.assertEqual(connection.read().status, 400)


class SeveralHosts(harness.ServedCase):
    @classmethod
    def prepare(cls):
        socket = cls.scratch("fastcgi.sock")
        cls.addClassCleanup(fastcgi.Application(socket).stop)
        return cls.expand(SEVERAL, token=TOKEN, socket=socket, tree=cls.scratch.tree("tree", {"a.js": b"asset"}), **{
            name: cls.scratch.tree(name, {"page.txt": name.encode()})
            for name in ("one", "two", "three")})

    def body(self, *args, **options):
        with client.Http1(self.port) as connection:
            connection.send(raw(*args, **options))
            return connection.read().body

    def test_a_host_with_a_port_finds_its_host(self):
        for port in ("", ":%d" % self.port, ":80", ":8080", ":"):
            for host, page in (("one.example", b"one"), ("two.example", b"two"), ("TWO.example", b"two"),
                               ("a.three.example", b"three"), ("unknown.example", b"one")):
                with self.subTest(host + port):
                    self.assertEqual(self.body("/page.txt", "Host: " + host + port), page)
                    self.assertEqual(
                        self.body("http://%s%s/page.txt" % (host, port), "Host: other.example"), page)
        self.assertEqual(self.body("/sub/two/%s/a.js" % TOKEN, "Host: two.example:8080"), b"asset")
        self.assertEqual(
            self.body("http://two.example:8080/sub/two/%s/a.js" % TOKEN, "Host: one.example"), b"asset")

    def test_one_host_does_nothing_to_the_requests_of_another(self):
        """A host with a port, and one in the target, are found by what stands at the first host."""
        for target, host in (("%s", "two.example"), ("%s", "two.example:8080"),
                             ("http://two.example%s", "one.example")):
            with self.subTest(target % host), client.Http1(self.port) as connection:
                # rewriting takes Range away
                connection.send(raw(target % "/plain/page.txt", "Host: " + host, "Range: bytes=0-1"))
                response = connection.read()
                self.assertEqual((response.status, response.body), (206, b"tw"))
                body = connection.request(target % "/app/x", host=host).body
                self.assertIn(b'<p id="own">OWN_OF_TWO=two</p>', body)

    def test_pages_of_hosts_in_doubt_are_400(self):
        for lines in (["Host: one.example", "Host: two.example"], ["Host: two.example/"]):
            with client.Http1(self.port) as connection:
                connection.send(raw("/page.txt", *lines))
                self.assertEqual(connection.read().status, 400)

    def test_http2_finds_the_host_of_its_authority(self):
        for authority, page in (("two.example", b"two"), ("two.example:%d" % self.port, b"two"),
                                ("TWO.example:", b"two"), (None, b"one")):
            self.assertEqual(self.by_http2(authority).body, page)
        self.assertEqual(self.by_http2("two.example/x").status, 400)

    def by_http2(self, authority):
        with client.Http2(self.port) as connection:
            stream = connection.h2.get_next_available_stream_id()
            connection.pending[stream] = client.Response(0, [])
            connection.pending[stream].pieces = []
            named = [] if authority is None else [(":authority", authority)]
            connection.h2.send_headers(
                stream, [(":method", "GET"), (":scheme", "http"), *named, (":path", "/page.txt"),
                         ("host", "localhost")], end_stream=True)
            connection.flush()
            return connection.wait(stream)


class Expires(harness.ServedCase):
    CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
        file.dir: @tree@
        expires: 1 day
      "/own":
        breaker.static: {name: "static/{breaker}", path: @tree@}
        expires: 1 day
        header.merge: "Cache-Control: no-transform"
"""

    @classmethod
    def prepare(cls):
        return cls.expand(cls.CONFIG, token=TOKEN, tree=cls.scratch.tree("tree", {
            "a.js": b"export {}\n", "large.bin": b"x" * 300000}))

    def test_answers_of_a_view_have_one_age(self):
        long = "public, max-age=31536000, immutable"
        for path, headers, status, caching in (
                ("static/%s/a.js" % TOKEN, (), 200, long),
                ("static/%s/large.bin" % TOKEN, (), 200, long),
                ("static/%s/a.js" % TOKEN, (("range", "bytes=0-1"),), 206, long),
                ("static/%s/a.js" % TOKEN, (("if-none-match", "*"),), 304, long),
                ("static/%s/a.js" % OLDER, (), 301, "public, max-age=60"),
                ("static/{breaker}/a.js", (), 302, "no-store"),
                ("static/%s/no" % TOKEN, (), 404, "no-store"),
                ("a.js", (), 200, "max-age=86400")):
            response = client.get(self.port, "/" + path, headers=headers)
            self.assertEqual((response.status, response.values("cache-control")), (status, [caching]))
            with client.Http2(self.port) as connection:
                response = connection.request("/" + path, headers=headers)
                self.assertEqual(response.values("cache-control"), [caching])

    def test_what_the_operator_adds_stays(self):
        response = client.get(self.port, "/own/static/%s/a.js" % TOKEN)
        self.assertEqual(sorted(response.get("cache-control").split(", ")),
                         ["immutable", "max-age=31536000", "no-transform", "public"])


if __name__ == "__main__":
    harness.main()
