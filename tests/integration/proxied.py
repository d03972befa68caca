"""Listeners with `proxy-protocol: ON`: headers of both versions in front of cleartext and TLS, by
hand and by HAProxy, and nothing without one."""

import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading

import client
import harness

V2 = b"\r\n\r\n\x00\r\nQUIT\n"

CONFIG = """\
listen:
  - {port: "127.0.0.1:@port@", proxy-protocol: ON}
  - {port: "127.0.0.1:@tls_port@", proxy-protocol: ON,
     ssl: {certificate-file: @cert@, key-file: @key@}}
  - {port: "unix:@socket@", proxy-protocol: ON}
num-threads: 1
handshake-timeout: @timeout@
breaker.token: T
hosts:
  default:
    paths:
      "/application":
        proxy.reverse.url: "http://127.0.0.1:@application@/"
        access-log: {path: @log@, format: "%h"}
      "/logged":
        file.dir: @tree@
        access-log: {path: @log@, format: "%h"}
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
"""


def v2(command, family, addresses, tlvs=b""):
    block = addresses + tlvs
    return V2 + bytes((0x20 | command, family)) + struct.pack("!H", len(block)) + block


def inet(family, source, destination="127.0.0.1", port=40000):
    return (socket.inet_pton(family, source) + socket.inet_pton(family, destination)
            + struct.pack("!HH", port, 80))


def tlv(kind, content):
    return struct.pack("!BH", kind, len(content)) + content


V4 = inet(socket.AF_INET, "192.0.2.7")
V6 = inet(socket.AF_INET6, "2001:db8::7", "::1")

# (title, header, the client's address)
GOOD = (
    ("version 1, IPv4", b"PROXY TCP4 192.0.2.7 127.0.0.1 40000 80\r\n", "192.0.2.7"),
    ("version 1, IPv6", b"PROXY TCP6 2001:db8::7 ::1 40000 80\r\n", "2001:db8::7"),
    ("version 1, nobody", b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    ("version 1, nobody in many words", b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n", "127.0.0.1"),
    ("version 2, IPv4", v2(1, 0x11, V4), "192.0.2.7"),
    ("version 2, IPv6", v2(1, 0x21, V6), "2001:db8::7"),
    ("version 2, what comes after the addresses", v2(1, 0x11, V4, tlv(1, b"h2") * 200),
     "192.0.2.7"),
    ("version 2, as long as may be", v2(1, 0x11, V4, tlv(4, b"." * (4096 - 16 - 12 - 3))),
     "192.0.2.7"),
    ("version 2, datagrams", v2(1, 0x12, V4), "127.0.0.1"),
    ("version 2, a Unix socket", v2(1, 0x31, b"/x".ljust(108, b"\0") * 2), "127.0.0.1"),
    ("version 2, no family", v2(1, 0x00, b""), "127.0.0.1"),
    ("version 2, the proxy itself", v2(0, 0x00, b""), "127.0.0.1"),
    ("version 2, the proxy itself with an address", v2(0, 0x11, V4), "127.0.0.1"),
)

BAD = (
    ("none", b"GET /logged/a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("another word", b"PROXIES TCP4 192.0.2.7 127.0.0.1 40000 80\r\n"),
    ("another family", b"PROXY UDP4 192.0.2.7 127.0.0.1 40000 80\r\n"),
    ("an address of the other family", b"PROXY TCP4 2001:db8::7 ::1 40000 80\r\n"),
    ("no address", b"PROXY TCP4 192.0.2.256 127.0.0.1 40000 80\r\n"),
    ("two blanks", b"PROXY TCP4  192.0.2.7 127.0.0.1 40000 80\r\n"),
    ("a word too many", b"PROXY TCP4 192.0.2.7 127.0.0.1 40000 80 1\r\n"),
    ("a word too few", b"PROXY TCP4 192.0.2.7 127.0.0.1 40000\r\n"),
    ("a port too large", b"PROXY TCP4 192.0.2.7 127.0.0.1 65536 80\r\n"),
    ("a bare line feed", b"PROXY TCP4 192.0.2.7 127.0.0.1 40000 80\n"),
    ("no words", b"PROXY \r\n"),
    ("a line too long", b"PROXY UNKNOWN " + b"f" * 92 + b"\r\n"),
    ("another signature", V2[:-1] + b"X" + bytes((0x21, 0x11, 0, 12)) + V4),
    ("another version", V2 + bytes((0x11, 0x11, 0, 12)) + V4),
    ("another command", v2(2, 0x11, V4)),
    ("another protocol", v2(1, 0x13, V4)),
    ("more after the addresses than there is", v2(1, 0x11, V4, tlv(4, b"....")[:-1])),
    ("a checksum that is wrong", v2(1, 0x11, V4, tlv(3, b"\1\2\3\4"))),
    ("addresses too short", v2(1, 0x11, V4[:-1])),
    ("addresses of another family", v2(1, 0x21, V4)),
    ("longer than may be", v2(1, 0x11, V4, tlv(4, b"." * (4096 - 16 - 12 - 2)))),
)


class Application:
    """An application that says whom its proxy names as the client."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                connection, _ = self.sock.accept()
            except OSError:
                return
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65536)
                said = re.search(rb"(?i)\r\nx-forwarded-for: ([^\r]*)", head).group(1)
                connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n"
                                   b"content-length: %d\r\n\r\n%s" % (len(said), said))

    def stop(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join()


class ProxiedCase(harness.ServedCase):
    timeout = "10m"

    @classmethod
    def prepare(cls):
        cls.application = Application()
        cls.addClassCleanup(cls.application.stop)
        cls.certificate = harness.Certificate(cls.scratch)
        cls.log = cls.scratch("log")
        cls.socket = cls.scratch("socket")
        # whoever serves is perhaps not whoever tests
        os.chmod(cls.scratch.path, 0o777)
        return cls.expand(CONFIG, cert=cls.certificate.cert, key=cls.certificate.key, log=cls.log,
                          socket=cls.socket, timeout=cls.timeout,
                          application=cls.application.port,
                          tree=cls.scratch.tree("tree", {"a.txt": b"a\n"}))

    def lines(self):
        with open(self.log) as file:
            return file.read().splitlines()

    def num_lines(self):
        return len(self.lines())

    def expect_clients(self, before, addresses):
        """The clients that the access log names next."""
        harness.wait_until(lambda: self.num_lines() >= before + len(addresses),
                           "lines of the access log")
        self.assertEqual(self.lines()[before:], addresses)

    def expect_end(self, port, sent):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.settimeout(harness.DEADLINE_S)
            sock.sendall(sent)
            try:
                self.assertEqual(sock.recv(1), b"")
            except ConnectionResetError:
                pass

    def complaints(self):
        return [line for line in self.server.stderr().decode().splitlines() if "refused" in line]


REQUEST = client.make_request("/logged/a.txt")


class Headers(ProxiedCase):
    def check(self, connection, address):
        """On the fast path and off it."""
        before = self.num_lines()
        self.assertEqual(connection.request("/static/T/a.txt").body, b"a\n")
        self.assertEqual(connection.request("/logged/a.txt").body, b"a\n")
        self.assertEqual(connection.request("/application/").body.decode(), address)
        self.expect_clients(before, [address] * 2)

    def test_the_header_says_who_the_client_is(self):
        for title, header, address in GOOD:
            with self.subTest(title), client.Http1(self.port) as connection:
                connection.send(header)
                self.check(connection, address)

    def test_a_header_may_come_byte_by_byte(self):
        for title, header, address in GOOD[:6]:
            with self.subTest(title), client.Http1(self.port) as connection:
                for i in range(len(header)):
                    connection.send(header[i:i + 1])
                self.check(connection, address)

    def test_requests_may_come_with_the_header(self):
        asset = client.make_request("/static/T/a.txt")
        for title, header, address in GOOD:
            with self.subTest(title), client.Http1(self.port) as connection:
                before = self.num_lines()
                connection.send(header + asset + asset + REQUEST + REQUEST)
                for _ in range(4):
                    self.assertEqual(connection.read().body, b"a\n")
                self.expect_clients(before, [address] * 2)

    def test_tls_begins_after_the_header(self):
        context = client.tls_context(self.certificate.cert)
        for title, header, address in GOOD:
            with self.subTest(title), client.Http1(self.tls_port) as connection:
                connection.send(header)
                connection.sock = context.wrap_socket(connection.sock, server_hostname="localhost")
                self.check(connection, address)

    def test_a_handshake_may_come_with_the_header(self):
        context = client.tls_context(self.certificate.cert)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with socket.create_connection(("127.0.0.1", self.tls_port)) as sock:
            sock.settimeout(harness.DEADLINE_S)
            sent = GOOD[4][1]
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    sock.sendall(sent + outgoing.read())
                    sent = b""
                    incoming.write(sock.recv(65536))
            before = self.num_lines()
            tls.write(REQUEST)
            sock.sendall(outgoing.read())
            self.expect_clients(before, [GOOD[4][2]])

    def test_http2_begins_after_the_header(self):
        for title, header, address in GOOD[:6]:
            with self.subTest(title):
                before = self.num_lines()
                sock = client.connect(self.port)
                sock.sendall(header)
                connection = client.Http2.__new__(client.Http2)
                with connection:
                    connection.prepare(sock, False)
                    self.assertEqual(connection.request("/logged/a.txt").body, b"a\n")
                    self.assertEqual(connection.request("/application/").body.decode(), address)
                    self.expect_clients(before, [address] * 2)

    def test_a_unix_socket_has_headers_too(self):
        with client.Http1(self.socket) as connection:
            connection.send(GOOD[4][1])
            self.check(connection, GOOD[4][2])

    def test_a_client_that_goes_away_is_forgotten(self):
        # libuv opens something once, for its first connection
        self.expect_end(self.port, b"?")
        before = self.server.descriptors()
        for sent in (b"", GOOD[4][1][:20]):
            for _ in range(50):
                with socket.create_connection(("127.0.0.1", self.port)) as sock:
                    sock.sendall(sent)
        harness.wait_until(lambda: self.server.descriptors() <= before, "the end of connections")


class Refused(ProxiedCase):
    def test_without_a_header_there_is_no_answer(self):
        before = self.num_lines()
        for port in (self.port, self.tls_port):
            for title, header in BAD:
                with self.subTest(title):
                    self.expect_end(port, header)
        self.assertEqual(self.num_lines(), before)
        # not one line a connection
        self.assertEqual(len(self.complaints()), 2)
        for port, line in zip((self.port, self.tls_port), self.complaints()):
            self.assertRegex(line, r"trouble=refused listener=127.0.0.1:%d connections=1 "
                             r'from=127.0.0.1 reason="it did not begin with a header' % port)


HAPROXY = """
global
    log stdout format raw local0
defaults
    mode @mode@
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen here
    bind 127.0.0.1:@front@
    @option@
    server node 127.0.0.1:@port@ @send@ check check-send-proxy inter 100ms rise 1 fall 1
listen status
    mode http
    bind 127.0.0.1:@status@
    stats enable
    stats uri /
"""


class Balanced(ProxiedCase):
    """HAProxy's own headers, and its health checks, which name no client."""

    def balance(self, send, mode="tcp", option=""):
        front, status = harness.free_port(), harness.free_port()
        path = self.scratch.write("haproxy", harness.expand(
            HAPROXY, front=front, status=status, port=self.port, send=send, mode=mode,
            option=option))
        program = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
        process = subprocess.Popen([program, "-db", "-f", path], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

        def state():
            try:
                text = client.get(status, "/;csv").body.decode()
            except (OSError, AssertionError):
                return ""
            return "".join(line for line in text.splitlines() if line.startswith("here,node,"))
        return front, state

    def test_its_headers_and_its_checks_are_taken(self):
        for send, mode, option in (("send-proxy", "tcp", ""), ("send-proxy-v2", "tcp", ""),
                                   ("send-proxy-v2 proxy-v2-options crc32c,unique-id", "http",
                                    "unique-id-format %ID"),
                                   ("send-proxy-v2", "http", "option httpchk GET /logged/a.txt")):
            with self.subTest((send, mode, option)):
                before = self.num_lines()
                front, state = self.balance(send, mode, option)
                # a check that has failed would have left its mark
                harness.wait_until(lambda: re.search(",L[47]OK,", state()), "a check")
                with client.Http1(front) as connection:
                    self.assertEqual(connection.request("/static/T/a.txt").body, b"a\n")
                    self.assertIn(connection.request("/application/").body.decode(),
                                  ("127.0.0.1", "127.0.0.1, 127.0.0.1"))
                harness.wait_until(lambda: "127.0.0.1" in self.lines()[before:], "the access log")
                # a check that is gone when its line is written has no address any more
                self.assertEqual(set(self.lines()[before:]) - {"-"}, {"127.0.0.1"})
                self.assertEqual(self.complaints(), [])


class Silence(ProxiedCase):
    timeout = "1s"

    def test_a_header_that_does_not_come_is_not_waited_for(self):
        for begun in (b"", b"PROXY TCP4", GOOD[4][1][:-1]):
            with self.subTest(begun):
                self.expect_end(self.port, begun)
        self.assertIn("did not come in time", self.complaints()[0])


class Ends(harness.FlavourCase):
    """A server that ends while headers are still to come."""

    def test_connections_without_a_header_do_not_hold_it_up(self):
        scratch = harness.Scratch()
        self.addCleanup(scratch.remove)
        port = harness.free_port()
        server = harness.Server(self.flavour, harness.expand(
            ENDING, port=port, tree=scratch.tree("tree", {"a.txt": b"a\n"})))
        self.addCleanup(server.kill)
        with client.Http1(port) as first:
            first.send(GOOD[4][1] + client.make_request("/static/T/a.txt"))
            self.assertEqual(first.read().status, 200)
            before = server.descriptors() - 1
        harness.wait_until(lambda: server.descriptors() == before, "its end")
        with client.Http1(port) as early, client.Http1(port) as late:
            late.send(GOOD[4][1][:20])
            harness.wait_until(lambda: server.descriptors() == before + 2, "both connections")
            server.signal(signal.SIGTERM)
            harness.wait_until(lambda: b"stopping" in server.stderr(), "the server to stop")
            # within the second of grace a proxy may still say what it was about to
            early.send(GOOD[4][1] + client.make_request("/static/T/a.txt"))
            self.assertEqual(early.read().body, b"a\n")
            self.assertEqual(late.at_end(), b"")
        server.stop()


ENDING = """\
listen: {port: "127.0.0.1:@port@", proxy-protocol: ON}
num-threads: 1
handshake-timeout: 10m
shutdown-timeout: 10m
breaker.token: T
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
"""


if __name__ == "__main__":
    harness.trace_allocations()
    harness.main()
