"""What an application gets of a request: the fields that concern it and no others, the body, exactly
once; and nothing of a request that could be read as two."""

import functools
import itertools
import os
import ssl
import subprocess
import unittest

import proxying
from expected import refused, right
from proxying import HTTP1, HTTP2, TLS_HTTP1, TLS_HTTP2, client, harness
from scripted import CLOSE, Application, answer

BODY = bytes(range(256)) * 300
LIBRARY = os.path.join(harness.BIN, "upstream-names.so")


def over_each_front(test):
    """Over every way to the server."""
    @functools.wraps(test)
    def run(self):
        for front in self.fronts:
            with self.subTest(front):
                test(self, front)
    return run


class Asked(proxying.ProxyCase):
    numbers = itertools.count()

    @classmethod
    def prepare_paths(cls):
        cls.upstream = harness.free_port()
        cls.application = cls.with_application(
            Application(("127.0.0.1", cls.upstream), cls.answer_to))
        url = "proxy.reverse.url: http://127.0.0.1:%d" % cls.upstream
        return {"/app": [url + "/"], "/kept": [url + "/", "proxy.preserve-host: ON"],
                "/slash/": [url + "/base/"], "/plain": [url + "/base"],
                "/brief": [url + "/", "proxy.timeout.keepalive: 0"]}

    @classmethod
    def answer_to(cls, request):
        return None

    def target(self, name="a"):
        """One that no other request has."""
        return "/%s/%d" % (name, next(self.numbers))

    def ask(self, front, target, method="GET", headers=(), body=b"", path="/app"):
        outcome = self.open(front).ask(path + target, method, headers, body)
        self.assertEqual((outcome.status, outcome.whole), (200, True), outcome)
        return self.application.last(target)


class Fields(Asked):
    @over_each_front
    def test_host_is_the_applications_or_the_clients(self, front):
        self.assertEqual(self.ask(front, self.target()).values("host"),
                         ["127.0.0.1:%d" % self.upstream])
        self.assertEqual(self.ask(front, self.target(), path="/kept").values("host"), ["localhost"])

    @over_each_front
    def test_the_client_and_its_scheme_are_told(self, front):
        request = self.ask(front, self.target(), headers=[("x-forwarded-for", "192.0.2.1"),
                                                           ("x-forwarded-proto", "gopher"),
                                                           ("via", "1.0 first")])
        self.assertEqual(request.values("x-forwarded-for"), ["192.0.2.1, 127.0.0.1"])
        scheme = "https" if front.startswith("tls") else "http"
        self.assertEqual(request.values("x-forwarded-proto"), [scheme])
        version = "2" if front.endswith("2") else "1.1"
        self.assertEqual(request.values("via"), ["1.0 first, %s localhost" % version])

    def test_what_concerns_one_connection_ends_there(self):
        own = [("connection", "keep-alive, x-secret"), ("connection", "X-Other ,,"), ("x-secret", "1"),
               ("X-Other", "2"), ("keep-alive", "timeout=5"), ("proxy-connection", "keep-alive"),
               ("te", "gzip"), ("proxy-authorization", "Basic eA=="), ("x-third", "3")]
        for front in (HTTP1, TLS_HTTP1):
            request = self.ask(front, self.target(), headers=own)
            for name in ("x-secret", "x-other", "keep-alive", "proxy-connection", "te", "trailer",
                         "transfer-encoding", "proxy-authorization", "upgrade", "http2-settings"):
                self.assertEqual(request.values(name), [], name)
            self.assertEqual(request.values("x-third"), ["3"])

    def test_te_of_http2_ends_here(self):
        for front in set(self.fronts) & {HTTP2, TLS_HTTP2}:
            self.assertEqual(self.ask(front, self.target(), headers=[("te", "trailers")]).values("te"), [])

    def test_an_upgrade_that_is_not_wanted_is_none(self):
        request = self.ask(HTTP1, self.target(), headers=[("connection", "upgrade, http2-settings"),
                                                          ("upgrade", "h2c"), ("http2-settings", "AA")])
        self.assertEqual(request.values("upgrade"), [])
        self.assertNotIn("http2-settings", request.names())

    @over_each_front
    def test_cookies_in_pieces_become_one_field(self, front):
        request = self.ask(front, self.target(), headers=[("cookie", "a=1"), ("cookie", "b=2; c=3")])
        self.assertEqual(request.values("cookie"), ["a=1; b=2; c=3"])

    @over_each_front
    def test_other_fields_arrive_as_they_are_and_in_their_order(self, front):
        own = [("x-a", "1"), ("accept", "text/html, */*;q=0.1"), ("x-b", "\xe4\xff"), ("x-a", "2"),
               ("authorization", "Basic eDp5"), ("user-agent", "test/1 (a; b)"), ("x-empty", ""),
               ("referer", "http://localhost/x?y#z"), ("range", "bytes=0-1"), ("x-tab", "a\tb")]
        request = self.ask(front, self.target(), headers=own)
        for name in dict(own):
            values = [value for key, value in own if key == name]
            self.assertEqual(request.values(name), values)
        names = [name for name in request.names() if name.startswith("x-a") or name == "x-b"]
        self.assertEqual(names, ["x-a", "x-b", "x-a"])
        self.assertEqual(request.version, "HTTP/1.1")

    @over_each_front
    def test_what_libcurl_would_say_by_itself_is_not_said(self, front):
        request = self.ask(front, self.target(), "POST", body=b"x" * 5000)
        for name in ("accept", "user-agent", "expect", "content-type", "accept-encoding"):
            self.assertEqual(request.values(name), [], name)


class Splitting(Asked):
    """Bytes that HTTP/1.1 would end something with: nothing of such a request goes out (RFC 9113
    §8.2.1, RFC 9112 §11.2)."""

    NEXT = b" HTTP/1.1\r\nhost: x\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"

    def check(self, front, fields):
        before = len(self.application.seen)
        way = self.open(front)
        stream = way.h2.get_next_available_stream_id()
        way.pending[stream] = way.started[stream] = client.Response(0, [])
        way.pending[stream].pieces = []
        way.h2.send_headers(stream, fields, end_stream=True)
        try:
            way.flush()
            outcome = way.outcome(stream)
            self.assertIn(outcome.status, (400, None), outcome)
        except (client.Malformed, OSError):
            # the whole connection is in doubt
            pass
        with self.connect(front) as other:
            good = other.ask("/app/good")
            self.assertEqual((good.status, good.body), (200, b"/good"))
        lines = [request.line for request in self.application.seen[before:]]
        self.assertEqual(lines, [b"GET /good HTTP/1.1"])

    def fields(self, **changes):
        fields = {"method": b"GET", "scheme": b"http", "authority": b"localhost", "path": b"/app/bad",
                  **changes}
        return [(b":" + name.encode(), value) for name, value in fields.items()]

    def each_bad(self, **choices):
        for front in set(self.fronts) & {HTTP2, TLS_HTTP2}:
            for name, values in choices.items():
                for value in values:
                    with self.subTest(front, **{name: value}):
                        yield front, name, value

    def test_a_method_or_path_that_would_end_the_line_is_refused(self):
        for front, name, value in self.each_bad(
                path=[b"/app/a b", b"/app/a\rb", b"/app/a\nb", b"/app/a\0b", b"/app/a\tb", b"/app/\x7f",
                      b"/app/a" + self.NEXT, b"/app/a?q=1 2", b"/app/a?q=\r\n", b"/app/a\x01", b"/app/ ",
                      b"/app/a HTTP/1.1", b"/app/a\r\nx: y", b"/app/a#\n"],
                method=[b"GE T", b"GET /smuggled HTTP/1.1\r\nx:", b"GET\r\n", b"GET\0", b"GET\t", b" GET",
                        b"GET ", b"", b"GE:T\n", b"GE,T", b"G\xe9T", b"\"GET\""],
                authority=[b"local host", b"localhost\r\nx: y", b"localhost\0", b"localhost\n"]):
            self.check(front, self.fields(**{name: value}))

    def test_a_field_that_would_end_its_line_is_refused(self):
        for front, name, value in self.each_bad(
                value=[b"a\rb", b"a\nb", b"a\r\nb: c", b"a\0b", b"a\r\n\r\n" + self.NEXT, b"\n", b"a\n"],
                name=[b"x y", b"x\r\ny", b"x\0", b"x:y", b"x\n", b"x\r", b"", b"x\t", b"x: y\r\nz", b"x(y)",
                      b"x\xe9", b"\xc2\xa0x", b"x\"y", b"x,y"]):
            field = (value, b"x") if name == "name" else (b"x-a", value)
            self.check(front, [*self.fields(), field])

    def test_cookies_that_would_end_their_line_are_refused(self):
        for front, _, value in self.each_bad(value=[b"a\r\nb: c", b"a\0", b"a\nb"]):
            self.check(front, [*self.fields(), (b"cookie", b"a=1"), (b"cookie", value)])

    def test_what_http1_cannot_carry_is_refused(self):
        for raw in (b"GET /app/a\0b HTTP/1.1\r\nhost: x\r\n\r\n",
                    b"GET /app/a\x01b HTTP/1.1\r\nhost: x\r\n\r\n",
                    b"GET /app/a HTTP/1.1\r\nhost: x\r\nx y: 1\r\n\r\n",
                    b"GET /app/a HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n",
                    b"GE\0T /app/a HTTP/1.1\r\nhost: x\r\n\r\n"):
            with self.subTest(raw):
                before = len(self.application.seen)
                with self.connect(HTTP1) as way:
                    way.send(raw)
                    self.assertIn(way.outcome().status, (400, None))
                self.assertEqual(len(self.application.seen), before)


class Bodies(Asked):
    @over_each_front
    def test_bodies_arrive_byte_by_byte(self, front):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for size in (1, 100, 16384, 70000):
                body = BODY[:size]
                request = self.ask(front, self.target(), method, body=body)
                self.assertEqual((request.method, request.body), (method, body))

    @over_each_front
    def test_a_post_of_nothing_says_so(self, front):
        for method in ("POST", "PUT"):
            request = self.ask(front, self.target(), method)
            self.assertEqual(request.values("content-length"), ["0"])

    @over_each_front
    def test_a_get_has_no_body_and_no_length(self, front):
        request = self.ask(front, self.target())
        self.assertEqual(request.values("content-length") + request.values("transfer-encoding"), [])

    def test_a_body_in_chunks_arrives(self):
        for front in (HTTP1, TLS_HTTP1):
            target = self.target()
            way = self.open(front)
            way.send(b"POST /app%s HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
                     % target.encode())
            for at in range(0, len(BODY), 10000):
                piece = BODY[at:at + 10000]
                way.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            way.send(b"0\r\nX-Trailer: 1\r\n\r\n")
            self.assertEqual(way.outcome().status, 200)
            request = self.application.last(target)
            self.assertEqual(request.body, BODY)
            self.assertNotIn("x-trailer", request.names())

    def test_who_waits_for_100_gets_it_and_is_answered(self):
        for front in (HTTP1, TLS_HTTP1):
            target = self.target()
            way = self.open(front)
            way.send(b"POST /app%s HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
                     b"content-length: 5\r\n\r\n" % target.encode())
            self.assertEqual(way.take_until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue")
            way.send(b"hello")
            self.assertEqual(way.outcome().status, 200)
            request = self.application.last(target)
            self.assertEqual((request.body, request.values("expect")), (b"hello", []))


class Methods(Asked):
    @over_each_front
    def test_methods_pass_as_they_are(self, front):
        for method in ("HEAD", "OPTIONS", "PURGE", "PROPFIND", "M-SEARCH", "get", "X" * 30, "QUERY",
                       "DELETE"):
            self.assertEqual(self.ask(front, self.target(), method).method, method)

    @over_each_front
    def test_the_target_passes_as_it_is(self, front):
        for target in ("/a%2Fb%20c?q=%2F%3F&x=y", "/?", "/?a?b", "/a;b=c", "/%C3%A4", "/a,b@c:d",
                       "/a/?x=http://y/../z", "/" + "a" * 3000, "/~a'(b)*!$&+="):
            self.assertEqual(self.ask(front, target).target, target)

    def test_the_absolute_form_and_the_asterisk_are_understood(self):
        target = self.target()
        way = self.open(HTTP1)
        way.send(b"GET http://localhost/app%s HTTP/1.1\r\nhost: other\r\n\r\n" % target.encode())
        self.assertEqual(way.outcome().status, 200)
        self.assertEqual(self.application.last(target).target, target)
        way.send(b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n")
        self.assertIsNotNone(way.outcome("OPTIONS").status)

    def test_connect_is_not_for_an_application(self):
        before = len(self.application.seen)
        way = self.open(HTTP1)
        way.send(b"CONNECT localhost:443 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        self.assertGreaterEqual(way.outcome("CONNECT").status, 400)
        self.assertEqual(len(self.application.seen), before)


class Again(Asked):
    """A connection that was kept may have ended without anybody's fault."""

    @classmethod
    def answer_to(cls, request):
        is_first = request.at[1] == 0
        if "/dies" in request.target:
            return None if is_first else [CLOSE]
        if "/always-dies" in request.target:
            return [CLOSE]
        if "/half" in request.target:
            return [b"HTTP/1.1 200 OK\r\nX-A", CLOSE]
        if "/last" in request.target:
            return [answer(b"", b"Connection: close")]
        return None

    def ask_on_kept(self, target, method="GET", body=b""):
        """Over a connection of the application's that has had a request; returns (outcome, requests)."""
        way = self.open(HTTP1)
        self.assertEqual(way.ask("/app/before").status, 200)
        outcome = way.ask("/app" + target, method, body=body)
        requests = self.application.asked(target)
        self.assertGreater(requests[0].at[1], 0, "the connection was not kept")
        return outcome, requests

    def test_what_may_be_asked_twice_is_asked_once_more_on_a_new_connection(self):
        for method in ("GET", "HEAD"):
            target = self.target("dies")
            outcome, requests = self.ask_on_kept(target, method)
            self.assertEqual(outcome.status, 200)
            self.assertEqual([request.at[1] for request in requests][1:], [0])

    def test_it_is_asked_once_more_and_no_oftener(self):
        target = self.target("always-dies")
        outcome, requests = self.ask_on_kept(target)
        self.assertEqual(refused(outcome), "")
        self.assertEqual(len(requests), 2)

    def test_what_may_have_been_done_is_not_asked_again(self):
        for method, body in (("POST", b"x"), ("POST", b""), ("PATCH", b"x"), ("PUT", b"x" * 100000)):
            target = self.target("dies")
            outcome, requests = self.ask_on_kept(target, method, body)
            self.assertEqual(refused(outcome), "")
            self.assertEqual(len(requests), 1)

    def test_an_answer_that_has_begun_is_not_asked_for_again(self):
        target = self.target("half")
        outcome, requests = self.ask_on_kept(target)
        self.assertEqual(refused(outcome), "")
        self.assertEqual(len(requests), 1)

    def test_a_connection_that_ended_while_nobody_asked_is_not_taken(self):
        for method, body in (("GET", b""), ("POST", b"x" * 1000)):
            way = self.open(HTTP1)
            self.assertEqual(way.ask("/app/before").status, 200)
            self.application.end_connections()
            target = self.target()
            self.assertEqual(way.ask("/app" + target, method, body=body).status, 200)
            self.assertEqual(len(self.application.asked(target)), 1)

    def test_a_connection_that_was_the_last_is_not_taken_again(self):
        way = self.open(HTTP1)
        target, after = self.target("last"), self.target()
        self.assertEqual(way.ask("/app" + target).status, 200)
        self.assertEqual(way.ask("/app" + after).status, 200)
        self.assertNotEqual(self.application.last(target).at[0], self.application.last(after).at[0])

    def test_connections_are_kept_and_with_a_keepalive_of_0_they_are_not(self):
        for path, kept in (("/app", True), ("/brief", False)):
            way = self.open(HTTP1)
            targets = [self.target() for _ in range(5)]
            for target in targets:
                self.assertEqual(way.ask(path + target).status, 200)
            numbers = {self.application.last(target).at[0] for target in targets}
            self.assertEqual(len(numbers), 1 if kept else 5)


class Locations(Asked):
    """As libh2o has it: what leads to the application leads to the path that stands for it."""

    @classmethod
    def answer_to(cls, request):
        location = dict(request.fields).get("x-location")
        return [answer(b"", b"Location: " + location.encode(), status=b"302 Found")] if location else None

    @over_each_front
    def test_locations_of_the_application_become_ours(self, front):
        own = "http://127.0.0.1:%d" % self.upstream
        other = "http://127.0.0.1:1"
        here = ("https" if front.startswith("tls") else "http") + "://localhost"
        for path, location, wanted in (
                ("/slash/", own + "/base/x?y", here + "/slash/x?y"),
                ("/slash/", own + "/base/", here + "/slash/"),
                ("/plain", own + "/base/x", here + "/plain/x"),
                ("/slash/", own + "/elsewhere", own + "/elsewhere"),
                ("/slash/", other + "/base/x", other + "/base/x"),
                ("/slash/", "/base/x", "/base/x"), ("/slash/", "x", "x"),
                ("/slash/", "https://127.0.0.1:%d/base/" % self.upstream,
                 "https://127.0.0.1:%d/base/" % self.upstream)):
            outcome = self.open(front).ask(path.rstrip("/") + "/a", headers=[("x-location", location)])
            self.assertEqual((outcome.status, outcome.values("location")), (302, [wanted]), location)


class HandedOn(Asked):
    """Requests with a body that are handed on within the server once an application has answered
    them: a body that has come whole is still there, one that went on as it came is not."""

    BODIES = {"whole": b"x" * 1000, "streamed": bytes(1 << 20)}

    @classmethod
    def prepare_paths(cls):
        paths = super().prepare_paths()
        paths["/handed"] = paths["/app"] + ["reproxy: ON", "error-doc: {status: 404, url: /app/error}"]
        return paths

    @classmethod
    def answer_to(cls, request):
        if "/missing" in request.target:
            return [answer(b"no", status=b"404 Not Found")]
        if "/elsewhere" in request.target:
            return [answer(b"", b"X-Reproxy-URL: http://127.0.0.1:%d/there" % cls.upstream)]
        return None

    def each(self):
        for front in self.fronts:
            for kind, body in self.BODIES.items():
                with self.subTest(front, body=kind):
                    yield front, kind, body

    def check_get(self, target, seen, status):
        for front, _, body in self.each():
            before = len(self.application.asked(seen))
            outcome = self.open(front).ask(target, "POST", body=body)
            self.assertEqual((outcome.status, outcome.body, outcome.whole), (status, seen.encode(), True))
            request, = self.application.asked(seen)[before:]
            self.assertEqual((request.method, request.body), ("GET", b""))
            self.assertEqual(request.values("content-length") + request.values("transfer-encoding"), [])

    def test_what_becomes_a_get_has_no_body(self):
        self.check_get("/handed/elsewhere", "/there", 200)
        self.check_get("/handed/missing", "/error", 404)

    def test_what_stays_as_it_is_needs_a_body_that_is_still_there(self):
        for front, kind, body in self.each():
            before = len(self.application.asked("/error"))
            outcome = self.open(front).ask("/handed/missing", "PUT", body=body)
            requests = self.application.asked("/error")[before:]
            self.assertEqual((outcome.status, outcome.whole), (404, True))
            # libh2o reads a body over HTTP/2 before it hands the request on
            if kind == "streamed" and not front.endswith("2"):
                self.assertEqual((requests, outcome.body), ([], b"bad gateway"))
            else:
                self.assertEqual([(each.method, each.body) for each in requests], [("PUT", body)])
                self.assertEqual(outcome.body, b"/error")


class Reached(proxying.ProxyCase):
    """The ways to an application: sockets, TLS, the PROXY protocol."""

    @classmethod
    def prepare_paths(cls):
        other = harness.Certificate(cls.scratch, "other")
        cls.lines = []
        paths = {}

        def behind(path, url, address, *lines, **options):
            cls.with_application(Application(address, **options))
            paths[path] = ["proxy.reverse.url: " + url, *lines]

        def over_tls(path, *lines, verify=None):
            port = harness.free_port()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cls.certificate.cert, cls.certificate.key)
            if verify:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(verify.cert)
            behind(path, "https://localhost:%d/" % port, ("127.0.0.1", port), *lines, context=context)

        socket = cls.scratch("application.sock")
        behind("/unix", "http://[unix:%s]/" % socket, socket)
        os.chmod(socket, 0o777)
        port = harness.free_port()
        behind("/told", "http://127.0.0.1:%d/" % port, ("127.0.0.1", port), "proxy.proxy-protocol: ON",
               "proxy.timeout.keepalive: 0",
               greeting=[lambda exchange: cls.lines.append(exchange.take_until(b"\r\n"))])
        trusted = "proxy.ssl.cafile: " + cls.certificate.cert
        over_tls("/trusted", trusted)
        over_tls("/unknown")
        over_tls("/wrong", "proxy.ssl.cafile: " + other.cert)
        over_tls("/unverified", "proxy.ssl.verify-peer: OFF")
        over_tls("/known", trusted, "proxy.ssl.certificate-file: " + other.cert,
                 "proxy.ssl.key-file: " + other.key, verify=other)
        over_tls("/stranger", trusted, verify=other)
        return paths

    def check(self, front, path, expected):
        way = self.open(front)
        for at in range(3):
            self.assertEqual(expected(b"/%d" % at)(way.ask("%s/%d" % (path, at))), "")

    @over_each_front
    def test_an_application_at_a_unix_socket_answers(self, front):
        self.check(front, "/unix", right)

    @over_each_front
    def test_an_application_over_tls_answers_if_it_is_trusted(self, front):
        for path, expected in (("/trusted", right), ("/unverified", right), ("/known", right),
                               ("/unknown", lambda _: refused), ("/wrong", lambda _: refused),
                               ("/stranger", lambda _: refused)):
            with self.subTest(path):
                self.check(front, path, expected)

    def test_an_application_is_told_of_the_client_by_the_proxy_protocol(self):
        way = self.open(HTTP1)
        address, port = way.sock.getsockname()
        self.assertEqual(right(b"/a")(way.ask("/told/a")), "")
        self.assertEqual(self.lines[-1], b"PROXY TCP4 %s 127.0.0.1 %d %d" % (address.encode(), port,
                                                                             self.port))


class Addresses(harness.FlavourCase):
    """A name with several addresses, of which some are dead."""

    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)

    def serve(self, name, environment=()):
        port, own = harness.free_port(), harness.free_port()
        application = Application(("127.0.0.1", port))
        self.addCleanup(application.close)
        server = harness.Server(self.flavour, """
listen: {host: 127.0.0.1, port: %d}
hosts: {default: {paths: {"/": {proxy.reverse.url: "http://%s:%d/"}}}}
""" % (own, name, port), env={"LD_PRELOAD": LIBRARY, **dict(environment)})
        self.addCleanup(server.kill)
        for at in range(2):
            application.end_connections()
            response = client.get(own, "/%d" % at)
            self.assertEqual((response.status, response.body), (200, b"/%d" % at))
        server.stop()

    # its runtime has to come first
    @unittest.skipIf(b"libasan" in subprocess.run(["ldd", os.path.join(harness.BIN, "h2o-breaker")],
                                                  capture_output=True, check=False).stdout, "sanitized")
    def test_an_address_that_is_dead_costs_nobody_an_answer(self):
        for name in ("127-0-0-2.127-0-0-1", "127-0-0-1.127-0-0-2", "127-0-0-2.127-0-0-3.127-0-0-1",
                     "__1.127-0-0-1"):
            with self.subTest(name):
                self.serve(name + ".addresses.test")


if __name__ == "__main__":
    harness.main()
