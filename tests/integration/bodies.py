"""Bodies of requests: those that nobody wants, whose answer arrives all the same, and those whose
chunks are not by the letter, which nobody gets to see. A connection is good for another request
exactly when both sides are sure where the body ended."""

import os
import shutil
import socket
import subprocess

import application
import client
import fastcgi
import harness

TOKEN = "1718539201234"
ASSET = "/static/%s/site.css" % TOKEN
CONTENT = b"body {}\n"
LIMIT = 200000

CONFIG = """
listen:
  - {host: 127.0.0.1, port: @port@}
  - host: 127.0.0.1
    port: @tls_port@
    ssl: {certificate-file: @cert@, key-file: @key@}
breaker.token: "@token@"
limit-request-body: @limit@
hosts:
  default:
    paths: &paths
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
        file.dir: @pages@
      "/app":
        proxy.reverse.url: http://127.0.0.1:@app@/
      "/cgi":
        fastcgi.connect: {port: @cgi@, type: unix}
  "other.example":
    paths: &other
      "/static":
        proxy.reverse.url: http://127.0.0.1:@app@/
  "secure.example:443":
    paths: *other
"""

NGINX = """
daemon off;
@user@
pid @directory@/nginx.pid;
worker_processes 1;
events {}
http {
  access_log off;
  client_body_temp_path @directory@/body;
  proxy_temp_path @directory@/proxy;
  fastcgi_temp_path @directory@/fastcgi;
  uwsgi_temp_path @directory@/uwsgi;
  scgi_temp_path @directory@/scgi;
  client_max_body_size 0;
  upstream nodes {
    # of a single one nginx does not count the failures
    server 127.0.0.1:@port@;
    server 127.0.0.1:@port@;
    keepalive 16;
  }
  server {
    listen 127.0.0.1:@front@;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location / { proxy_pass http://nodes; }
    location /streamed/ { proxy_pass http://nodes/; proxy_request_buffering off; }
  }
}
"""


class BodiesCase(harness.ServedCase):
    limit = LIMIT

    @classmethod
    def prepare(cls):
        cls.certificate = harness.Certificate(cls.scratch)
        cls.context = client.tls_context(cls.certificate.cert)
        app_port = harness.free_port()
        cls.app = application.Application(app_port)
        cls.addClassCleanup(cls.app.close)
        cls.cgi = fastcgi.Application(cls.scratch("cgi"))
        cls.addClassCleanup(cls.cgi.stop)
        return cls.expand(CONFIG, cert=cls.certificate.cert, key=cls.certificate.key, token=TOKEN,
                          tree=cls.scratch.tree("tree", {"site.css": CONTENT}), limit=cls.limit,
                          pages=cls.scratch.tree("pages", {"page.html": b"<p>page\n"}),
                          app=app_port, cgi=cls.scratch("cgi"))

    def connections(self):
        """Every way that a request may come by: alone, after others, encrypted."""
        for context in (None, self.context):
            for before in ((), (ASSET,), ("/page.html",), ("/page.html", ASSET)):
                with self.subTest(encrypted=context is not None, before=before):
                    address = self.port if context is None else self.tls_port
                    with client.Http1(address, context) as connection:
                        for target in before:
                            self.assertEqual(connection.request(target).status, 200)
                        yield connection


def head(target, *fields, method="POST", host="localhost"):
    return "".join("%s\r\n" % line for line in (
        "%s %s HTTP/1.1" % (method, target), "host: " + host, *fields, "")).encode()


def length(size):
    return "content-length: %d" % size


class Unwanted(BodiesCase):
    def send_all(self, connection, data):
        """Sends everything before it reads anything, as simple clients do."""
        for at in range(0, len(data), 65536):
            connection.send(data[at:at + 65536])

    def assert_refused(self, connection, statuses):
        response = connection.read()
        self.assertIn(response.status, statuses)
        self.assertEqual(response.get("connection"), "close")
        if response.status == 405:
            self.assertEqual(response.get("allow"), "GET, HEAD")
        self.assertEqual(connection.at_end(), b"")

    def test_the_answer_arrives_at_a_client_that_sends_all_before_it_reads(self):
        for size, status in ((900000, 413), (LIMIT, 405), (5000, 405)):
            for connection in self.connections():
                self.send_all(connection, head(ASSET, length(size)) + bytes(size))
                self.assert_refused(connection, (status,))

    def test_so_does_the_limit_wherever_the_body_would_go(self):
        for target in ("/app/echo", "/cgi/", "/page.html", "/nowhere"):
            for connection in self.connections():
                self.send_all(connection, head(target, length(900000)) + bytes(900000))
                self.assert_refused(connection, (413,))

    def test_and_chunked_bodies_too(self):
        body = b"10000\r\n%s\r\n" % bytes(65536) * 14 + b"0\r\n\r\n"
        for target, status in ((ASSET, 405), ("/app/echo", 413), ("/page.html", 413)):
            for connection in self.connections():
                self.send_all(connection, head(target, "transfer-encoding: chunked") + body)
                self.assert_refused(connection, (status,))

    def test_what_is_malformed_is_answered_as_well(self):
        for raw in (head(ASSET, "content-length: x"), head(ASSET, "transfer-encoding: gzip"),
                    head(ASSET, length(1), length(1)), b"POST\r\n\r\n", b"a: b\r\n" * 20000,
                    head("/app/echo", length(5), "expect: tea")):
            for connection in self.connections():
                self.send_all(connection, raw + bytes(900000))
                self.assert_refused(connection, (400, 417))

    def test_nobody_is_asked_to_go_on(self):
        for size, status in ((LIMIT, 405), (3, 405), (900000, 413)):
            for connection in self.connections():
                connection.send(head(ASSET, length(size), "expect: 100-continue"))
                self.assertEqual(connection.take_until(b" "), b"HTTP/1.1")
                self.assertEqual(connection.take_until(b" "), b"%d" % status)

    def test_the_answer_does_not_wait_for_the_body(self):
        for fields in ((length(LIMIT),), ("transfer-encoding: chunked",)):
            for connection in self.connections():
                connection.send(head(ASSET, *fields) + b"5\r\n")
                self.assert_refused(connection, (405,))

    def test_a_body_that_is_wanted_is_read_after_100(self):
        for connection in self.connections():
            connection.send(head("/app/echo", length(3), "expect: 100-continue"))
            self.assertEqual(connection.take_until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue")
            connection.send(b"abc")
            self.assertEqual(connection.read().body, b"abc")

    def test_another_host_gets_the_body_that_the_view_does_not_want(self):
        for host in ("other.example", "other.example:8080", "OTHER.EXAMPLE", "other.example:"):
            for field in ("expect: 100-continue", "x: y"):
                with client.Http1(self.port) as connection:
                    connection.send(head("/static/%s/echo" % TOKEN, length(9), field, host=host))
                    connection.send(b"for other")
                    self.assertEqual(connection.read().body, b"for other")

    def test_so_does_the_host_of_the_scheme_that_http2_names(self):
        """As a proxy that ends TLS asks it; a host of port 80 it would be the view's."""
        body = bytes(16000)
        with client.Http2(self.port) as connection:
            stream = connection.start(
                "/static/%s/echo" % TOKEN, "POST", (("content-length", "32000"),), body=body,
                scheme="https", authority="secure.example", end=False)
            connection.h2.send_data(stream, body, end_stream=True)
            connection.flush()
            response = connection.wait(stream)
            self.assertEqual((response.status, response.body), (200, 2 * body))

    def test_other_spellings_of_an_asset_are_refused_too(self):
        for target in ("/x/.." + ASSET, ASSET + "?q", "/static/1/site.css", "/%73tatic/1/none"):
            with client.Http1(self.port) as connection:
                connection.send(head(target, length(LIMIT), "expect: 100-continue"))
                self.assert_refused(connection, (405,))

    def test_what_follows_the_body_is_no_request(self):
        smuggled = head(ASSET, method="GET")
        for size in (len(smuggled), 2 * len(smuggled), 900000):
            for connection in self.connections():
                self.send_all(connection, head(ASSET, length(size)) + 4 * smuggled)
                response = connection.read()
                self.assertIn(response.status, (405, 413))
                self.assertEqual(connection.at_end(), b"")

    def test_clients_that_go_away_leave_nothing_behind(self):
        before = self.server.descriptors()
        for connection in self.connections():
            connection.send(head(ASSET, length(900000)))
            connection.read()
        harness.wait_until(lambda: self.server.descriptors() <= before, "the end of connections")

    def test_curl_sees_the_answer(self):
        self.scratch.write("large", bytes(900000))
        for protocol in ("--http1.1", "--http2-prior-knowledge"):
            for expect in ("Expect:", "Expect: 100-continue"):
                for target in (ASSET, "/app/echo"):
                    with self.subTest(protocol=protocol, expect=expect, target=target):
                        result = subprocess.run(
                            ["curl", "-sS", protocol, "-o", "/dev/null", "-w", "%{http_code}",
                             "-H", expect, "--data-binary", "@" + self.scratch("large"),
                             "http://127.0.0.1:%d%s" % (self.port, target)],
                            capture_output=True, timeout=harness.DEADLINE_S, check=False)
                        self.assertEqual(result.returncode, 0, result.stderr)
                        self.assertIn(result.stdout, (b"405", b"413"))


class Silence(BodiesCase):
    def test_a_client_that_stays_silent_is_let_go(self):
        with client.Http1(self.port) as connection:
            connection.send(head(ASSET, length(900000)))
            self.assertEqual(connection.read().status, 413)
            self.assertEqual(connection.at_end(), b"")
            during = self.server.descriptors()
            harness.wait_until(lambda: self.server.descriptors() < during,
                               "the end of the server's patience")


class Default(BodiesCase):
    """The limit of a server that only has assets."""

    limit = 4096

    def setUp(self):
        front, directory = harness.free_port(), self.scratch("nginx")
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "nginx.conf"), "w") as file:
            file.write(harness.expand(NGINX, directory=directory, front=front, port=self.port,
                                      user="user root;" if os.getuid() == 0 else ""))
        nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        process = subprocess.Popen([nginx, "-p", directory, "-e", "stderr", "-c",
                                    os.path.join(directory, "nginx.conf")],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, harness.DEADLINE_S)
        self.addCleanup(process.terminate)
        self.front = front
        harness.wait_until(self.is_there, "nginx")

    def is_there(self):
        try:
            return client.get(self.front, ASSET).status == 200
        except ConnectionRefusedError:
            return False

    def test_uploads_through_a_pool_take_nobody_out(self):
        chunked = b"10000\r\n%s\r\n" % bytes(65536) * 14 + b"0\r\n\r\n"
        for prefix in ("", "/streamed"):
            for raw in (head(prefix + ASSET, length(900000)) + bytes(900000),
                        head(prefix + ASSET, "transfer-encoding: chunked") + chunked):
                refused = []
                for _ in range(6):
                    with client.Http1(self.front) as connection:
                        connection.send(raw)
                        refused.append(connection.read().status)
                served = [client.get(self.front, ASSET).status for _ in range(16)]
                self.assertEqual(served, [200] * 16, refused)
                self.assertTrue(set(refused) <= {405, 413}, refused)


class Chunks(BodiesCase):
    TARGETS = ("/app/echo", "/cgi/", "/page.html", "/nowhere", ASSET)

    GOOD = (b"5\r\nhello\r\n0\r\n\r\n", b"05\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\n\r\n",
            b"5 ;a=b\r\nhello\r\n0\r\n\r\n", b"5\t; a = \"b c\"\r\nhello\r\n0\r\n\r\n",
            b"5;a;b=c\r\nhello\r\n0;z\r\n\r\n", b"2\r\nhe\r\n3\r\nllo\r\n00\r\n\r\n",
            b"5\r\nhello\r\n0\r\nx-trailer: 1\r\ny:\r\n\r\n",
            b"0000000000000005\r\nhello\r\n0000\r\n\r\n")

    BAD = tuple(size + b"\r\nhello\r\n0\r\n\r\n" for size in (
        b"0x5", b"5_0", b"5,0", b"5.", b" 5", b"\t5", b"5 ", b"5\t", b"+5", b"-5", b"", b"5h", b"g",
        b"5\x00", b"\xb5", b"5;", b"5;;a", b"5; ", b"5;=b", b"5;a\x00", b"5;a\x7f", b"5;\ra",
        b"5 a", b"00000000000000005", b"10000000000000005", b"fffffffffffffffff")) + (
        b"5\nhello\r\n0\r\n\r\n", b"5;a\nhello\r\n0\r\n\r\n", b"5\r\r\nhello\r\n0\r\n\r\n",
        b"5\rhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\r\r\n0\r\n\r\n", b"5\r\nhello!\r\n0\r\n\r\n", b"5\r\nhello\r\n0\n\r\n",
        b"5\r\nhello\r\n0\r\n\n", b"5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        b"5\r\nhello\r\n0\r\n folded: 1\r\n\r\n", b"5\r\nhello\r\n0\r\na: b\n\r\n",
        b"5\r\nhello\r\n0\r\na: b\x00\r\n\r\n", b"5\r\nhello\r\n0\r\n: b\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\rGET")

    def post(self, target, body):
        return head(target, "transfer-encoding: chunked") + body

    def test_what_the_grammar_allows_is_read(self):
        for body in self.GOOD:
            for connection in self.connections():
                connection.send(self.post("/app/echo", body))
                self.assertEqual(connection.read().body, b"hello", body)
                self.assertEqual(connection.request("/page.html").status, 200)

    def test_a_request_behind_the_body_is_answered(self):
        for body in self.GOOD[::4]:
            for connection in self.connections():
                connection.send(self.post("/app/echo", body) + head(ASSET, method="GET") +
                                self.post("/app/echo", body))
                self.assertEqual(connection.read().body, b"hello", body)
                self.assertEqual(connection.read().body, CONTENT)
                self.assertEqual(connection.read().body, b"hello", body)

    def test_what_it_does_not_allow_is_400_and_the_end(self):
        seen = len(self.app.seen)
        for target in self.TARGETS:
            for body in self.BAD:
                with self.subTest(target=target, body=body), client.Http1(self.port) as connection:
                    connection.send(self.post(target, body) + head(ASSET, method="GET"))
                    connection.sock.shutdown(socket.SHUT_WR)
                    response = connection.read()
                    self.assertEqual((response.status, response.get("connection")), (400, "close"))
                    self.assertEqual(connection.at_end(), b"")
        self.assertEqual(len(self.app.seen), seen)

    def test_nor_behind_another_request_nor_encrypted(self):
        for body in self.BAD:
            for connection in self.connections():
                connection.send(head(ASSET, method="GET") + head("/page.html", method="GET") +
                                self.post("/app/echo", body) + head(ASSET, method="GET"))
                self.assertEqual(connection.read().status, 200)
                self.assertEqual(connection.read().status, 200)
                self.assertEqual(connection.read().status, 400)
                self.assertEqual(connection.at_end(), b"")

    def test_pieces_are_read_as_the_whole(self):
        for body in self.GOOD + self.BAD:
            with self.subTest(body), client.Http1(self.port) as connection:
                raw = self.post("/app/echo", body)
                try:
                    for i in range(len(raw)):
                        connection.send(raw[i:i + 1])
                except (BrokenPipeError, ConnectionResetError):
                    self.fail("an answer on its way was reset")
                response = connection.read()
                expected = (200, b"hello") if body in self.GOOD else (400, response.body)
                self.assertEqual((response.status, response.body), expected)

    def test_answers_of_applications_are_read_as_ever(self):
        """What an application pads its sizes with is between it and us."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = harness.expand(
                'listen: {host: 127.0.0.1, port: @port@}\nbreaker.token: "1"\nhosts: {default: '
                '{paths: {"/": {proxy.reverse.url: "http://127.0.0.1:@app@/"}}}}\n',
                port=harness.free_port(), app=listener.getsockname()[1])
            port = int(config.split("port: ")[1].split("}")[0])
            server = harness.Server(self.flavour, config)
            try:
                with client.Http1(port) as connection:
                    connection.send(head("/", "transfer-encoding: chunked") + self.GOOD[0])
                    upstream = listener.accept()[0]
                    with upstream:
                        upstream.recv(65536)
                        upstream.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                         b"5  \r\nhello\r\n0\r\n\r\n")
                        self.assertEqual(connection.read().body, b"hello")
            finally:
                server.stop()


if __name__ == "__main__":
    harness.main()
