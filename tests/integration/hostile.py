"""Requests that mean harm: paths that climb, bytes that do not belong, framing that two servers
would read differently, headers smuggled through a Location. Beside the tree lies a secret; not one
answer may carry a byte of it, and the connection must end where it cannot be trusted any more."""

import itertools
import os
import random
import re
import socket
import stat
import urllib.parse

import client
import harness

TOKEN = "1718539201234"
OLDER = "1718539201233"
SECRET = b"the-secret-that-lies-beside-the-tree"
ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
FILES = {"alphabet.txt": ALPHABET, "css/site.css": b"body {}\n", "css/deep/leaf.css": b"leaf {}\n"}

CONFIG = """
listen:
  - {host: 127.0.0.1, port: @port@}
  - host: 127.0.0.1
    port: @tls_port@
    ssl: {certificate-file: @cert@, key-file: @key@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@, dotfiles: ON}
      "/pages":
        file.dir: @pages@
"""


class HostileCase(harness.ServedCase):
    @classmethod
    def prepare(cls):
        cls.certificate = harness.Certificate(cls.scratch)
        tree = cls.scratch.tree("tree", FILES)
        pages = cls.scratch.tree("pages", {"page.html": b"<p>page\n"})
        for name in ("secret.txt", "secret.css", "alphabet.txt.secret"):
            cls.scratch.write(name, SECRET)
        cls.furnish(tree)
        return cls.expand(CONFIG, cert=cls.certificate.cert, key=cls.certificate.key, token=TOKEN,
                          tree=tree, pages=pages)

    @classmethod
    def furnish(cls, tree):
        """Adds to the tree what a plain one does not have."""

    def setUp(self):
        self.connection = None
        self.addCleanup(lambda: self.connection and self.connection.close())

    def ask(self, raw, method="GET"):
        """Sends bytes over a kept connection, and proves afterwards that it is as the answer says:
        closed, or good for another request."""
        if self.connection is None:
            self.connection = client.Http1(self.port)
        self.connection.send(raw)
        response = self.connection.read(method)
        response.target = raw.split(b" ")[1].decode("latin-1") if raw.count(b" ") > 1 else None
        self.assert_no_secret(response)
        if response.get("connection") == "close":
            self.assertEqual(self.connection.at_end(), b"")
            self.connection.close()
            self.connection = None
        else:
            good = self.connection.request("/static/%s/alphabet.txt" % TOKEN)
            self.assertEqual((good.status, good.body), (200, ALPHABET))
        return response

    def ask_once(self, raw):
        """Sends bytes over a connection of their own that must close; returns the one response."""
        with client.Http1(self.port) as connection:
            connection.send(raw)
            response = connection.read()
            self.assert_no_secret(response)
            rest = connection.at_end()
            self.assertEqual(rest, b"", "something followed the response")
            return response

    def assert_no_secret(self, response):
        text = b"\n".join(value.encode("latin-1") for _, value in response.headers)
        self.assertNotIn(SECRET, response.body + text)
        self.assertNotIn(b"root:", response.body)

    def assert_refused(self, response, statuses=(404,)):
        self.assertIn(response.status, statuses)
        self.assertNotRegex(response.get("cache-control") or "", r"immutable|max-age=[1-9]")
        for body in FILES.values():
            self.assertNotIn(body, response.body)

    def assert_safe_redirect(self, response, path):
        """The Location is a path below the view's prefix, however a client resolves it, and leads
        to the file that the request named."""
        self.assertEqual(response.status, 301)
        location = response.get("location")
        self.assertRegex(location, r"\A(/static/|(\.\./)+)%s/[!-~]*\Z" % TOKEN)
        location = response.leads_to
        resolved = urllib.parse.urlsplit(
            urllib.parse.urljoin("http://localhost/", urllib.parse.unquote(location))).path
        self.assertTrue(resolved.startswith("/static/%s/" % TOKEN), location)
        self.assertEqual(client.get(self.port, location).body, FILES[path])


def line(target, version=b"1.1"):
    """A request with nothing to it but its target."""
    if isinstance(target, str):
        target = target.encode("latin-1")
    return b"GET " + target + b" HTTP/" + version + b"\r\nhost: localhost\r\n\r\n"


def climbing_paths():
    """Paths that would lead out of the tree if any layer decoded one time too often, too late, or
    in the wrong alphabet."""
    dots = ("..", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%252e%252e", "%25%32%65%25%32%65",
            "%c0%ae%c0%ae", "%c0%2e%c0%2e", "%e0%80%ae%e0%80%ae", "%f0%80%80%ae%f0%80%80%ae",
            "%uff0e%uff0e", "%ef%bc%8e%ef%bc%8e", "..;", "..%00", "%00..", "..%20", "..%09",
            "..%0d%0a", "...", "....", "\xae\xae", "\xc0\xae\xc0\xae")
    slashes = ("/", "%2f", "%2F", "\\", "%5c", "%5C", "%252f", "%c0%af", "%e0%80%af", "//", "/./",
               "/%2e/", "/\\", "%u2215", "%ef%bc%8f")
    targets = ("secret.txt", "secret.txt%00.css", "secret.css?x.css")
    before = ("/static/%s/" % TOKEN, "/static/%s/css/" % TOKEN, "/static/%s" % OLDER + "/",
              "/static/", "/")
    for start, dot, slash in itertools.product(before, dots, slashes):
        for times in (1, 2, 4):
            yield start + (dot + slash) * times + targets[times // 2]


class Climbing(HostileCase):
    def test_no_path_leads_out_of_the_tree(self):
        paths = list(dict.fromkeys(climbing_paths()))
        self.assertGreater(len(paths), 2000)
        for path in paths:
            with self.subTest(path):
                self.assert_refused(self.ask(line(path)))

    def test_no_path_leads_out_of_the_tree_over_http2(self):
        paths = list(dict.fromkeys(climbing_paths()))
        answers = []

        def on_response(path, response):
            with self.subTest(path):
                self.assertIsNotNone(response)
                self.assert_no_secret(response)
                self.assert_refused(response)
                answers.append(path)

        with client.Http2(self.port) as connection:
            connection.fetch_all([(path, path, ()) for path in paths], on_response)
        self.assertEqual(len(answers), len(paths))

    def test_known_targets_of_attacks(self):
        for path in ("/etc/passwd", "//etc/passwd", "/static/%s//etc/passwd" % TOKEN,
                     "/static/%s/%%2fetc%%2fpasswd" % TOKEN, "/static/%s/file:///etc/passwd" % TOKEN,
                     "/static/%s/css/site.css/../../../secret.txt" % TOKEN,
                     "/static/%s/../%s/../../secret.txt" % (TOKEN, TOKEN),
                     "/static/../secret.txt", "/../secret.txt", "/static/%s/.." % TOKEN,
                     "/static/%s/../" % TOKEN, "/static/../../secret.txt", "/static/..",
                     "/static/%2e%2e/secret.txt", "/static/../secret.txt/css/site.css",
                     "/static/%2e%2e/css/site.css", "/static/%s/alphabet.txt/" % TOKEN,
                     "/static/%s/alphabet.txt/." % TOKEN, "/static/%s/alphabet.txt." % TOKEN,
                     "/static/%s/alphabet.txt%%20" % TOKEN, "/static/%s/alphabet.txt::$DATA" % TOKEN,
                     "/static/%s/alphabet.txt~" % TOKEN, "/static/%s/.." % OLDER,
                     "/static/%s/../secret.txt" % OLDER, "/static/%s/..\\secret.txt" % OLDER):
            with self.subTest(path):
                self.assert_refused(self.ask(line(path)))

    def test_paths_that_stay_inside_are_served_from_inside(self):
        """Dot segments and doubled slashes may be resolved or refused, never misread."""
        for path in ("/static/%s/css/../alphabet.txt", "/static/%s/./alphabet.txt",
                     "/static/%s/css/deep/../../alphabet.txt", "/x/../static/%s/alphabet.txt",
                     "/static/x/../%s/alphabet.txt", "/static/%s/css/%%2e%%2e/alphabet.txt",
                     "/static/%s/%%2e/alphabet.txt", "//static/%s/alphabet.txt",
                     "/static//%s/alphabet.txt", "/static/%s//alphabet.txt",
                     "/./static/%s/alphabet.txt", "/static%%2f%s%%2falphabet.txt",
                     "/%%73tatic/%s/alphabet.txt", "/static/%s/css%%2f..%%2falphabet.txt",
                     "http://localhost/static/%s/alphabet.txt",
                     "http://elsewhere/../static/%s/alphabet.txt", "static/%s/alphabet.txt",
                     "/static/%s/alphabet.txt#fragment", "/static/%s/css/..//alphabet.txt"):
            for token in (TOKEN, OLDER):
                with self.subTest(path=path, token=token):
                    response = self.ask(line(path % token))
                    if response.status == 200:
                        self.assertEqual((response.body, token), (ALPHABET, TOKEN))
                    elif response.status == 301:
                        self.assertEqual(token, OLDER)
                        self.assert_safe_redirect(response, "alphabet.txt")
                    else:
                        self.assert_refused(response)

    def test_a_token_that_dot_segments_make_is_judged_as_a_token(self):
        for path in ("/static/./css/site.css", "/static/%2e/css/site.css"):
            self.assert_refused(self.ask(line(path)), (404,))

    def test_other_forms_of_the_target(self):
        for target in ("*", "localhost:80", "../secret.txt",
                       "?", "#", "http://", "http:///secret.txt", "https://x/../../secret.txt",
                       "http://localhost", "http://localhost?x", "ftp://localhost/secret.txt",
                       "file:///etc/passwd", "data:,x", "http://%00/", "http://[::1/x",
                       "http://localhost:99999/secret.txt", "\\secret.txt", "%2fsecret.txt"):
            for method in (b"GET", b"HEAD", b"OPTIONS", b"CONNECT"):
                with self.subTest(target=target, method=method):
                    response = self.ask(line(target).replace(b"GET", method, 1), method.decode())
                    self.assert_refused(response, (400, 404, 405))


class StrangeBytes(HostileCase):
    def places(self, what):
        yield b"/static/" + TOKEN.encode() + b"/alphabet.txt" + what
        yield b"/static/" + TOKEN.encode() + b"/" + what + b"alphabet.txt"
        yield b"/static/" + TOKEN.encode() + what + b"/alphabet.txt"
        yield b"/static/" + OLDER.encode() + b"/alphabet.txt" + what
        yield b"/static/" + OLDER.encode() + b"/alpha" + what + b"bet.txt"
        yield b"/static" + what + b"/" + TOKEN.encode() + b"/alphabet.txt"

    def test_escaped_control_bytes_are_404(self):
        for byte in [*range(0x20), 0x7f, 0x5c]:
            for target in self.places(b"%%%02x" % byte):
                with self.subTest(target):
                    self.assert_refused(self.ask(line(target)))

    def test_escaped_high_bytes_are_404(self):
        for byte in range(0x80, 0x100, 5):
            for target in self.places(b"%%%02X" % byte):
                with self.subTest(target):
                    self.assert_refused(self.ask(line(target)))

    def test_raw_control_bytes_are_400_and_end_the_connection(self):
        for byte in [*range(0x21), 0x7f]:
            for target in self.places(bytes([byte])):
                with self.subTest(target):
                    if byte == 0x20 and target.endswith(b" "):
                        continue
                    response = self.ask_once(line(target))
                    self.assertEqual(response.status, 400)

    def test_raw_high_bytes_are_404(self):
        for byte in range(0x80, 0x100, 5):
            for target in self.places(bytes([byte])):
                with self.subTest(target):
                    self.assert_refused(self.ask(line(target)))

    def test_broken_escapes_are_404(self):
        for what in (b"%", b"%%", b"%4", b"%zz", b"%4g", b"%-1", b"%u0041", b"%%41"):
            for target in self.places(what):
                with self.subTest(target):
                    self.assert_refused(self.ask(line(target)))

    def test_control_bytes_over_http2(self):
        """HTTP/2 has no grammar that would stop them before the path is judged."""
        with client.Http2(self.port) as connection:
            for byte in [*range(0x20), 0x7f, 0x80, 0xff]:
                for target in self.places(bytes([byte])):
                    response = connection.request(target.decode("latin-1"))
                    with self.subTest(target):
                        if response is not None:
                            self.assert_refused(response, (400, 404))


class Locations(HostileCase):
    """What a request can put into the Location of a redirect."""

    def check(self, response, location):
        self.assertEqual((response.status, response.get("location")), (301, location))
        self.assertEqual(response.names(), self.names)

    def setUp(self):
        super().setUp()
        plain = self.ask(line("/static/%s/alphabet.txt" % OLDER))
        self.assertEqual(plain.status, 301)
        self.names = plain.names()

    def test_escaped_line_ends_stay_escaped(self):
        for query in ("?%0d%0aSet-Cookie:%20a=b", "?%0D%0A%0D%0A<p>", "?x=%00", "?%0a", "?a%0d"):
            response = self.ask(line("/static/%s/alphabet.txt%s" % (OLDER, query)))
            escaped = query.replace("<", "%3C").replace(">", "%3E")
            self.check(response, "../%s/alphabet.txt%s" % (TOKEN, escaped))

    def test_what_a_uri_may_not_contain_is_escaped(self):
        for raw, escaped in (("<script>", "%3Cscript%3E"), ('"', "%22"), ("a\\b", "a%5Cb"),
                             ("^`{|}", "%5E%60%7B%7C%7D"), ("\xe9\xff", "%E9%FF"),
                             ("a=[1]", "a=[1]"), ("//evil.example/", "//evil.example/")):
            with self.subTest(raw):
                response = self.ask(line("/static/%s/alphabet.txt?%s" % (OLDER, raw)))
                self.check(response, "../%s/alphabet.txt?%s" % (TOKEN, escaped))

    def test_raw_line_ends_over_http2(self):
        with client.Http2(self.port) as connection:
            for query in ("?x\r\nset-cookie: a=b", "?\n", "?\0", "?a b", "?\x7f"):
                response = connection.request("/static/%s/alphabet.txt%s" % (OLDER, query))
                if response is None:
                    continue
                self.assertIn(response.status, (301, 400))
                self.assertIsNone(response.get("set-cookie"))
                if response.status == 301:
                    self.assertRegex(response.get("location"),
                                     r"\A\.\./%s/alphabet\.txt\?[!-~]*\Z" % TOKEN)

    def test_the_host_never_gets_into_it(self):
        for raw in (line("http://evil.example/static/%s/alphabet.txt" % OLDER),
                    line("/static/%s/alphabet.txt" % OLDER).replace(b"localhost", b"evil.example"),
                    line("//evil.example/../static/%s/alphabet.txt" % OLDER)):
            response = self.ask(raw)
            if response.status == 301:
                self.assertIn(response.get("location"),
                              ("../%s/alphabet.txt" % TOKEN, "/static/%s/alphabet.txt" % TOKEN))
            else:
                self.assert_refused(response)


class Lengths(HostileCase):
    def test_paths_up_to_8_kib_are_judged_and_longer_ones_are_414(self):
        start = "/static/%s/alphabet.txt?" % TOKEN
        for length, status in ((8192, 200), (8193, 414), (10000, 414), (60000, 414)):
            with self.subTest(length):
                response = self.ask(line(start + "x" * (length - len(start))))
                self.assertEqual(response.status, status)
                if status == 414:
                    self.assertEqual(response.get("cache-control"), "no-store")
        self.assertEqual(self.ask(line("/static/%s/%s" % (TOKEN, "a" * 8000))).status, 404)
        self.assertEqual(self.ask(line("/static/%s/%s" % (TOKEN, "a/" * 6000))).status, 414)

    def test_longer_heads_than_anybody_needs_are_400(self):
        for raw in (line("/static/%s/%s" % (TOKEN, "a" * 500000)),
                    line("/static/%s/alphabet.txt" % TOKEN).replace(
                        b"host", b"x-long: " + b"y" * 500000 + b"\r\nhost"),
                    b"G" * 500000):
            with client.Http1(self.port) as connection:
                try:
                    connection.send(raw)
                except (BrokenPipeError, ConnectionResetError):
                    pass
                received = connection.at_end()
                self.assertIn(received[:12], (b"HTTP/1.1 400", b""))
                self.assertEqual(received.count(b"HTTP/1."), 1 if received else 0)

    def test_more_headers_than_anybody_needs_are_400(self):
        raw = line("/static/%s/alphabet.txt" % TOKEN).replace(b"host", b"x: y\r\n" * 150 + b"host")
        self.assertEqual(self.ask_once(raw).status, 400)

    def test_long_paths_over_http2(self):
        with client.Http2(self.port) as connection:
            start = "/static/%s/alphabet.txt?" % TOKEN
            response = connection.request(start + "x" * (8192 - len(start)))
            self.assertEqual(response.status, 200)
            response = connection.request(start + "x" * (8193 - len(start)))
            self.assertEqual(response.status, 414)

    def test_many_ranges_cost_nothing(self):
        ranges = "bytes=" + ",".join("0-%d" % i for i in range(5000))
        raw = client.make_request("/static/%s/alphabet.txt" % TOKEN, headers=[("range", ranges)])
        response = self.ask(raw)
        self.assertEqual((response.status, response.body), (200, ALPHABET))


class Framing(HostileCase):
    """Bodies whose end two servers could see in different places. After each comes a second request
    that must never be answered."""

    SMUGGLED = b"GET /static/%s/css/site.css HTTP/1.1\r\nhost: localhost\r\n\r\n" % TOKEN.encode()
    TARGETS = ("/static/%s/alphabet.txt" % TOKEN, "/static/%s/alphabet.txt" % OLDER,
               "/static/%s/no" % TOKEN, "/pages/page.html", "/nowhere")

    def raw(self, target, fields, body, version="1.1", method="GET"):
        head = "%s %s HTTP/%s\r\nhost: localhost\r\n%s\r\n" % (
            method, target, version, "".join(field + "\r\n" for field in fields))
        return head.encode("latin-1") + body

    def test_ambiguous_framing_is_400_and_the_end(self):
        chunks = b"0\r\n\r\n" + self.SMUGGLED
        whole = self.SMUGGLED
        full = "content-length: %d" % len(whole)
        chunked = "transfer-encoding: chunked"
        cases = (
            ((full, full), whole), (("content-length: 5", full), whole),
            ((full, "content-length: 5"), whole), (("content-length: 0", full), whole),
            ((full, "content-length: 0"), whole), (("Content-Length: 3", "CONTENT-LENGTH: 3"),
                                                   b"abc" + whole),
            ((full, chunked), chunks), ((chunked, full), chunks),
            (("content-length: 0", chunked), chunks), ((chunked, "content-length: 0"), chunks),
            (("content-length: 5", chunked), chunks), ((chunked, chunked), chunks),
            ((chunked, "transfer-encoding: identity"), chunks),
            (("transfer-encoding: identity", chunked), chunks),
        )
        for target in self.TARGETS:
            for fields, body in cases:
                for method in ("GET", "POST"):
                    with self.subTest(target=target, fields=fields, method=method):
                        response = self.ask_once(self.raw(target, fields, body, method=method))
                        self.assertEqual(response.status, 400)
                        self.assertNotIn(ALPHABET, response.body)

    def test_chunked_in_http_1_0_is_400_and_the_end(self):
        for target in self.TARGETS:
            for fields in (("transfer-encoding: chunked",),
                           ("connection: keep-alive", "transfer-encoding: chunked"),
                           ("content-length: 3", "connection: keep-alive",
                            "transfer-encoding: chunked")):
                with self.subTest(target=target, fields=fields):
                    response = self.ask_once(self.raw(target, fields, b"0\r\n\r\n" + self.SMUGGLED,
                                                      version="1.0"))
                    self.assertEqual(response.status, 400)

    def test_lengths_and_codings_that_are_none(self):
        for field in ("content-length: x", "content-length: -1", "content-length: +3",
                      "content-length: 0x3", "content-length: 3,3", "content-length: 3, 3",
                      "content-length: 3 3", "content-length: ",
                      "content-length: 99999999999999999999999999",
                      "content-length : 3", "transfer-encoding: xchunked",
                      "transfer-encoding: gzip", "transfer-encoding: chunked, gzip",
                      "transfer-encoding: gzip, chunked", "transfer-encoding : chunked",
                      "transfer-encoding: identity", "transfer-encoding:\x0bchunked",
                      'transfer-encoding: "chunked"'):
            with self.subTest(field):
                response = self.ask_once(self.raw(self.TARGETS[0], (field,),
                                                  b"0\r\n\r\n" + self.SMUGGLED))
                self.assertIn(response.status, (400, 413))

    def test_broken_chunks_end_the_connection(self):
        for chunks in (b"x\r\n\r\n", b"-1\r\n\r\n", b"ffffffffffffffffff\r\n\r\n", b"1\rx\r\n0\r\n\r\n"):
            with self.subTest(chunks), client.Http1(self.port) as connection:
                connection.send(self.raw(self.TARGETS[0], ("transfer-encoding: chunked",),
                                         chunks + self.SMUGGLED))
                connection.sock.shutdown(socket.SHUT_WR)
                received = connection.at_end()
                self.assertNotIn(FILES["css/site.css"], received)
                self.assertLessEqual(received.count(b"HTTP/1.1 "), 1)
                self.assertNotIn(b"HTTP/1.1 200", received)

    def test_a_body_on_get_is_served_and_ends_the_connection(self):
        cases = ((("content-length: 3",), b"abc"), (("transfer-encoding: chunked",),
                                                    b"3\r\nabc\r\n0\r\n\r\n"))
        for fields, body in cases:
            for target, status in zip(self.TARGETS[:3], (200, 301, 404)):
                with self.subTest(fields=fields, target=target):
                    response = self.ask_once(self.raw(target, fields, body + self.SMUGGLED))
                    self.assertEqual(response.status, status)
                    if status == 200:
                        self.assertEqual(response.body, ALPHABET)

    def test_an_empty_body_is_no_body(self):
        response = self.ask(self.raw(self.TARGETS[0], ("content-length: 0",), b""))
        self.assertEqual((response.status, response.body), (200, ALPHABET))

    def test_a_body_on_post_is_405_and_ends_the_connection(self):
        response = self.ask_once(self.raw(self.TARGETS[0], ("content-length: 3",),
                                          b"abc" + self.SMUGGLED, method="POST"))
        self.assertEqual((response.status, response.get("allow")), (405, "GET, HEAD"))

    def test_oversize_bodies_are_413_and_end_the_connection(self):
        response = self.ask_once(self.raw(self.TARGETS[0], ("content-length: 5000000",), b""))
        self.assertEqual(response.status, 413)
        chunk = b"1388\r\n" + b"x" * 5000 + b"\r\n0\r\n\r\n"
        response = self.ask_once(self.raw(self.TARGETS[0], ("transfer-encoding: chunked",), chunk))
        self.assertEqual(response.status, 413)

    def test_expect_100_continue(self):
        with client.Http1(self.port) as connection:
            connection.send(self.raw(self.TARGETS[0], ("content-length: 3",
                                                       "expect: 100-continue"), b""))
            self.assertEqual(connection.take_until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue")
            connection.send(b"abc" + self.SMUGGLED)
            self.assertEqual(connection.read().body, ALPHABET)
            self.assertEqual(connection.at_end(), b"")

    def test_a_body_over_http2_is_nobodys_second_request(self):
        with client.Http2(self.port) as connection:
            response = connection.request(self.TARGETS[0], body=b"abc" + self.SMUGGLED)
            self.assertEqual((response.status, response.body), (200, ALPHABET))
            refused = connection.request(self.TARGETS[0], method="POST", body=b"abc")
            self.assertEqual(refused.status, 405)
            self.assertEqual(connection.request(self.TARGETS[0]).body, ALPHABET)


class Garbage(HostileCase):
    def test_malformed_request_lines_are_400(self):
        for raw in (b"GET\r\n\r\n", b"GET /\r\n\r\n", b" GET / HTTP/1.1\r\n\r\n",
                    b"GET / HTTP/2.0\r\n\r\n", b"GET / HTTP/1.1x\r\n\r\n", b"GET / http/1.1\r\n\r\n",
                    b"G\0T / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
                    b"GET / HTTP/1.1\r\n: empty\r\n\r\n", b"GET / HTTP/1.1\r\na b: c\r\n\r\n",
                    b"GET / HTTP/1.1\r\nx: \0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"):
            with self.subTest(raw):
                self.assertEqual(self.ask_once(raw).status, 400)

    def test_random_damage_is_survived(self):
        """Requests with a few bytes changed, lost or doubled; only the server's life counts."""
        source = random.Random(1718539201)
        seeds = [client.make_request("/static/%s/alphabet.txt" % TOKEN,
                                     headers=[("range", "bytes=0-1,3-"), ("if-none-match", '"x"'),
                                              ("accept-encoding", "gzip;q=0.5, br")]),
                 client.make_request("/static/%s/css/../css/site.css?q=%%20" % OLDER),
                 Framing.SMUGGLED.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n") +
                 b"3\r\nabc\r\n0\r\n\r\n"]
        for _ in range(400):
            raw = bytearray(source.choice(seeds))
            for _ in range(source.randint(1, 6)):
                place = source.randrange(len(raw))
                kind = source.randrange(3)
                if kind == 0:
                    raw[place] = source.randrange(256)
                elif kind == 1:
                    del raw[place]
                else:
                    raw[place:place] = raw[place:place + source.randint(1, 20)]
            with client.Http1(self.port) as connection:
                connection.send(bytes(raw))
                connection.sock.shutdown(socket.SHUT_WR)
                received = connection.at_end()
                self.assertNotIn(SECRET, received)
                self.assertTrue(not received or received.startswith(b"HTTP/1."))
        self.assertEqual(client.get(self.port, Framing.TARGETS[0]).body, ALPHABET)

    def test_garbage_on_the_tls_port(self):
        for raw in (line("/static/%s/alphabet.txt" % TOKEN), b"\x16\x03\x01" + b"\xff" * 500,
                    b"\x80" * 100):
            with client.Http1(self.tls_port) as connection:
                connection.send(raw)
                connection.sock.shutdown(socket.SHUT_WR)
                self.assertNotIn(ALPHABET, connection.at_end())
        context = client.tls_context(self.certificate.cert)
        response = client.get(self.tls_port, Framing.TARGETS[0], context)
        self.assertEqual(response.body, ALPHABET)

    def test_half_requests_are_given_up(self):
        """A client that never finishes its head loses the connection by the server's own clock."""
        halves = (b"", b"GET /sta", b"GET / HTTP/1.1\r\nhost: local")
        waiting = [client.Http1(self.port) for _ in halves]
        for connection, half in zip(waiting, halves):
            connection.send(half)
        for connection in waiting:
            self.assertNotIn(b"HTTP/1.1 200", connection.at_end())
            connection.close()

    def test_damaged_http2_frames_are_survived(self):
        source = random.Random(20241123)
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
        for _ in range(200):
            frames = b"".join(
                source.randrange(60).to_bytes(3, "big") + bytes([source.randrange(12),
                                                                  source.randrange(256)]) +
                source.randrange(8).to_bytes(4, "big") + source.randbytes(source.randrange(60))
                for _ in range(5))
            with client.Http1(self.port) as connection:
                try:
                    connection.send(preface + frames)
                    connection.sock.shutdown(socket.SHUT_WR)
                except (BrokenPipeError, OSError):
                    pass
                connection.at_end()
        self.assertEqual(client.get(self.port, Framing.TARGETS[0]).body, ALPHABET)


class StrangeFiles(HostileCase):
    """A tree with everything in it that is not a plain file."""

    @classmethod
    def furnish(cls, tree):
        def path(name):
            return os.path.join(tree, name)
        os.symlink("../secret.txt", path("out.txt"))
        os.symlink(os.path.join(os.path.dirname(tree), "secret.txt"), path("absolute.txt"))
        os.symlink("..", path("up"))
        os.symlink("/", path("slash"))
        os.symlink("/proc/self/root/etc", path("magic"))
        os.symlink("css", path("styles"))
        os.symlink("css/site.css", path("inside.css"))
        os.symlink("styles/deep/../site.css", path("roundabout.css"))
        os.symlink(".", path("self"))
        os.symlink("b", path("a"))
        os.symlink("a", path("b"))
        os.symlink("nowhere", path("dangling"))
        os.mkfifo(path("fifo.css"))
        cls.listener = socket.socket(socket.AF_UNIX)
        cls.listener.bind(path("socket.css"))
        cls.listener.close()
        if os.getuid() == 0:
            os.mknod(path("device.css"), stat.S_IFCHR | 0o666, os.makedev(1, 5))
        harness.write_tree(tree, {b"new\nline.css": b"x", b"back\\slash.css": b"x",
                                  b"\xff\xfe.css": b"latin\n", b"semi;colon.css": b"semi\n"})

    def test_links_that_stay_inside_are_served(self):
        for path in ("inside.css", "styles/site.css", "roundabout.css"):
            response = self.ask(line("/static/%s/%s" % (TOKEN, path)))
            self.assertEqual((response.status, response.body), (200, FILES["css/site.css"]), path)

    def test_what_leads_out_or_is_no_file_is_404(self):
        for path in ("out.txt", "absolute.txt", "up/secret.txt", "slash/etc/passwd",
                     "slash" + self.scratch("secret.txt"), "magic/passwd", "a", "b", "dangling",
                     "fifo.css", "socket.css", "device.css", "styles", "up", "slash",
                     "new%0aline.css", "back%5cslash.css"):
            for token in (TOKEN, OLDER):
                with self.subTest(path=path, token=token):
                    self.assert_refused(self.ask(line("/static/%s/%s" % (token, path))))

    def test_names_that_are_not_utf8_are_served(self):
        response = self.ask(line("/static/%s/%%FF%%FE.css" % TOKEN))
        self.assertEqual((response.status, response.body), (200, b"latin\n"))
        response = self.ask(line("/static/%s/semi;colon.css" % TOKEN))
        self.assertEqual((response.status, response.body), (200, b"semi\n"))

    def test_what_is_left_out_is_said_once_a_line(self):
        notices = self.server.stderr().decode("utf-8", "replace")
        for name in ("out.txt", "absolute.txt", "up", "fifo.css", "socket.css"):
            self.assertRegex(notices, r"(?m)^.*\b%s\b" % re.escape(name))


if __name__ == "__main__":
    harness.main()
