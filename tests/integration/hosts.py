"""Whom a request is for: Host and authority with and without a port, absolute-form targets;
several Hosts and what is no host. Views belong to their hosts: of one name, shared and different.
And what `expires` of libh2o may do to our answers."""

import client
import cluster
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


# a, b and other: three views of one name. c to e are a, shop is one host under three names
ONE_NAME = """
listen: {host: 127.0.0.1, port: @port@}
breaker.rewrite: ON
hosts:
  "a.example": &a
    breaker.token: "@a@"
    file.mime.addtypes: {"text/x-own": [".own"]}
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree_a@}
        file.dir: @pages@
  "b.example":
    breaker.token: "@b@"
    paths:
      "/": {file.dir: @pages@}
      "/static":
        breaker.static: {name: "{breaker}", path: @tree_b@, cache-max-age: 60}
  "c.example": *a
  "d.example": *a
  "e.example:@port@": *a
  "f.example":
    breaker.token: "@a@"
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree_b@}
        file.dir: @pages@
      "/again":
        breaker.static: [{name: "only/{breaker}", path: @tree_a@}]
        file.dir: @pages@
  "pages.example":
    paths:
      "/": {file.dir: @pages@}
"""

OTHER = "1718539201999"


class OneName(harness.ServedCase):
    @classmethod
    def prepare(cls):
        page = b"/static/{breaker}/x.own and /again/only/{breaker}/x.own"
        return cls.expand(ONE_NAME, a=TOKEN, b=OTHER,
                          tree_a=cls.scratch.tree("a", {"x.own": b"of a", "only": b"a"}),
                          tree_b=cls.scratch.tree("b", {"x.own": b"of b"}),
                          pages=cls.scratch.tree("pages", {"page.html": page}))

    def ask(self, host, target):
        with client.Http1(self.port) as connection:
            connection.send(raw(target, "Host: " + host))
            return connection.read()

    def test_each_host_has_its_own_files_under_the_name_that_it_shares(self):
        for host, token, body in (("a.example", TOKEN, b"of a"), ("b.example", OTHER, b"of b"),
                                  ("c.example", TOKEN, b"of a"), ("d.example", TOKEN, b"of a"),
                                  ("e.example:%d" % self.port, TOKEN, b"of a"),
                                  ("f.example", TOKEN, b"of b")):
            with self.subTest(host):
                response = self.ask(host, "/static/%s/x.own" % token)
                self.assertEqual((response.status, response.body), (200, body))
                self.assertEqual(response.get("content-type"), "text/x-own; charset=utf-8" if body == b"of a" else
                                 "application/octet-stream", host)
                self.assertEqual(self.ask(host, "/static/%s/only" % token).status,
                                 200 if body == b"of a" else 404)
        self.assertIn("max-age=60,", self.ask("b.example", "/static/%s/x.own" % OTHER)
                      .get("cache-control") + ",")
        self.assertEqual(self.ask("pages.example", "/static/%s/x.own" % TOKEN).status, 404)

    def test_a_token_of_another_host_is_none_of_this_one(self):
        self.assertEqual(self.ask("a.example", "/static/%s/x.own" % OTHER).status, 503)
        self.assertEqual(self.ask("b.example", "/static/%s/x.own" % TOKEN).get("location"),
                         "../%s/x.own" % OTHER)

    def test_pages_have_the_prefixes_of_their_host(self):
        again = b"/again/only/%s/x.own" % TOKEN.encode()
        for host, token in (("a.example", TOKEN), ("b.example", OTHER), ("c.example", TOKEN),
                            ("f.example", TOKEN)):
            with self.subTest(host):
                body = self.ask(host, "/page.html").body
                self.assertEqual(body, b"/static/%s/x.own and %s" % (token.encode(), again))
        self.assertEqual(self.ask("f.example", "/again/page.html").body,
                         b"/static/%s/x.own and %s" % (TOKEN.encode(), again))
        # whose of the others' it means nobody knows; the other name is one view's alone
        self.assertEqual(self.ask("pages.example", "/page.html").body,
                         b"/static/{breaker}/x.own and " + again)

    def test_a_view_that_hosts_share_is_loaded_once(self):
        # a's two files once for four hosts, b's one for each of two, and the two again
        self.assertRegex(self.server.stderr(), rb"release=\S+ files=6 ")

    def test_messages_say_whose_view_it_is(self):
        tree = self.scratch.tree("odd", {"a\nb": b"x", "c": b"y"})
        server = harness.Server(self.flavour, harness.expand(
            "listen: {host: 127.0.0.1, port: @port@}\nhosts:\n" + "".join(
                "  %s: {paths: {/: {breaker.static: {name: 's/{breaker}', path: %s}}}}\n" % pair
                for pair in (("one.example", harness.quoted(tree)),
                             ("two.example", harness.quoted(self.scratch("b"))))),
            port=harness.free_port()))
        self.addCleanup(server.kill)
        self.assertIn(b'view \\"s/{breaker}\\" of one.example: ', server.stderr())
        server.stop()


SAME_HOST = """\
listen: {host: 127.0.0.1, port: @port@}
hosts:
  one.example:
    paths:
      "/":
        breaker.static: @first@
      "/sub":
        breaker.static: @second@
  two.example:
    paths:
      "/": {breaker.static: {name: "sub/{breaker}", path: @other@}}
"""


class OneHostTwice(harness.FlavourCase):
    def check(self, first, second):
        scratch = harness.Scratch()
        self.addCleanup(scratch.remove)
        tree, other = (harness.quoted(scratch.tree(name, {"a": b"a"})) for name in ("t", "o"))
        path = scratch.write("h2o.conf", harness.expand(
            SAME_HOST, port=harness.free_port(), first=first.replace("@tree@", tree),
            second=second.replace("@tree@", tree).replace("@other@", other), other=other))
        status, _, stderr = harness.run_program(self.flavour, "-c", path, "-t")
        return status, stderr.replace(path, "h2o.conf")

    def test_one_name_at_two_paths_is_one_view_if_it_is_the_same(self):
        status, stderr = self.check('{name: "sub/{breaker}", path: @tree@}',
                                    '{name: "{breaker}", path: @tree@}')
        self.assertEqual(status, 0, stderr)

    def test_two_different_views_of_a_name_are_refused_and_both_places_named(self):
        for second in ('{name: "{breaker}", path: @other@}',
                       '{name: "{breaker}", path: @tree@, index: a}'):
            status, stderr = self.check('{name: "sub/{breaker}", path: @tree@}', second)
            self.assertNotEqual(status, 0)
            # libh2o reads the longer path first
            self.assertRegex(stderr, r"h2o\.conf:6:25: .*/sub/\{breaker\}.*one\.example.*"
                                     r"h2o\.conf:8:25, with other.*accepted: ")

    def test_a_name_twice_at_a_path_is_refused_and_both_places_named(self):
        view = '{name: "sub/{breaker}", path: @tree@}'
        status, stderr = self.check("[%s, %s]" % (view, view), '{name: "x/{breaker}", path: @tree@}')
        self.assertNotEqual(status, 0)
        self.assertRegex(stderr, r"h2o\.conf:6:\d+: .*h2o\.conf:6:26, at the same path")


class HeldOfHosts(harness.FlavourCase):
    """A deploy adds a host whose view has the name of one that is there."""

    CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.release: "@release@"
breaker.cluster: {app: shop, redis: "redis://127.0.0.1:@redis@", advertise: "127.0.0.1:@port@"}
hosts:
@hosts@"""

    HOST = """\
  %s:
    paths: {"/": {breaker.static: {name: "static/{breaker}", path: @%s@}}}
"""

    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.redis = cluster.Redis()
        self.addCleanup(self.redis.kill)
        self.redis.start()

    def start(self, release, hosts):
        trees = {name: self.scratch.tree(release + name, {
            "a.js": ("%s of %s" % (release, name)).encode(), "none": b""}) for name in ("a", "b")}
        port = harness.free_port()
        server = harness.Server(self.flavour, harness.expand(
            self.CONFIG.replace("@hosts@", "".join(self.HOST % (host, host[0]) for host in hosts)),
            port=port, redis=self.redis.port, release=release, **trees))
        server.port = port
        self.addCleanup(server.kill)
        return server

    def get(self, server, host, token, path="a.js"):
        with client.Http1(server.port) as connection:
            connection.send(raw("/static/%s/%s" % (token, path), "Host: " + host))
            return connection.read()

    def token(self, server):
        return self.get(server, "a.example", 0, "none").get("location").split("/")[1]

    def wait_body(self, server, host, token, body):
        harness.wait_until(lambda: self.get(server, host, token).body == body,
                           "%r at %s" % (body, host))

    def test_urls_of_either_release_keep_their_meaning_on_every_node(self):
        before = self.start("before", ["a.example"])
        first = self.token(before)
        after = self.start("after", ["b.example", "a.example"])
        second = self.token(after)
        # the same release, whatever the order in its file
        twin = self.start("after", ["a.example", "b.example"])
        self.wait_body(before, "a.example", second, b"after of a")
        for server in (after, twin):
            self.wait_body(server, "a.example", first, b"before of a")
            self.wait_body(server, "a.example", second, b"after of a")
            self.wait_body(server, "b.example", second, b"after of b")
            # it had no files then
            self.assertEqual(self.get(server, "b.example", first).status, 404)
        for server in (before, after, twin):
            server.stop()

    def test_nodes_of_later_hold_both(self):
        before = self.start("before", ["a.example", "b.example"])
        first = self.token(before)
        after = self.start("after", ["b.example", "a.example"])
        for host in ("a.example", "b.example"):
            self.wait_body(after, host, first, b"before of " + host[:1].encode())
            self.wait_body(after, host, self.token(after), b"after of " + host[:1].encode())
        for server in (before, after):
            server.stop()


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
      "/dated":
        breaker.static: {name: "static/{breaker}", path: @tree@}
        file.dir: @tree@
        header.set: "Expires: Wed, 01 Jan 2020 00:00:00 GMT"
      "/kept":
        breaker.static: {name: "static/{breaker}", path: @tree@, headers: ["Expires: @date@"]}
        header.setifempty: "Expires: Wed, 01 Jan 2020 00:00:00 GMT"
"""
    DATE = "Fri, 01 Jan 2100 00:00:00 GMT"

    @classmethod
    def prepare(cls):
        return cls.expand(cls.CONFIG, token=TOKEN, date=cls.DATE, tree=cls.scratch.tree("tree", {
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

    def test_answers_of_a_view_have_no_other_date(self):
        for path in ("static/%s/a.js" % TOKEN, "static/%s/large.bin" % TOKEN,
                     "static/%s/a.js" % OLDER, "static/%s/no" % TOKEN):
            response = client.get(self.port, "/dated/" + path)
            self.assertEqual(response.values("expires"), [], path)
            self.assertEqual(len(response.values("cache-control")), 1)
            with client.Http2(self.port) as connection:
                self.assertEqual(connection.request("/dated/" + path).values("expires"), [])
        self.assertEqual(client.get(self.port, "/dated/a.js").values("expires"),
                         ["Wed, 01 Jan 2020 00:00:00 GMT"])
        self.assertEqual(client.get(self.port, "/kept/static/%s/a.js" % TOKEN).values("expires"),
                         [self.DATE])

    def test_what_the_operator_adds_stays(self):
        response = client.get(self.port, "/own/static/%s/a.js" % TOKEN)
        self.assertEqual(sorted(response.get("cache-control").split(", ")),
                         ["immutable", "max-age=31536000", "no-transform", "public"])


if __name__ == "__main__":
    harness.main()
