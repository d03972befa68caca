"""The life of a server: readiness, several kinds of listeners, limits, another user, clients that
die at every moment, and an end that lets requests in flight finish."""

import errno
import hashlib
import os
import pwd
import random
import re
import resource
import signal
import socket
import ssl
import stat
import unittest

import client
import harness

TOKEN = "1718539201234"
SMALL = b"abcdefghijklmnopqrstuvwxyz"
BIG = random.Random(1718539201).randbytes(24 << 20)
FILES = {"small.txt": SMALL, "big.bin": BIG, "medium.bin": BIG[:300000]}

CONFIG = """
@extra@
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
        breaker.static: {name: "static/{breaker}", path: @tree@}
"""


def url(name):
    return "/static/%s/%s" % (TOKEN, name)


_shared = {}


def shared():
    """One tree and one certificate for all cases; only read."""
    if not _shared:
        scratch = harness.Scratch()
        unittest.addModuleCleanup(scratch.remove)
        _shared.update(certificate=harness.Certificate(scratch),
                       tree=scratch.tree("tree", FILES))
    return _shared


class LifeCase(harness.FlavourCase):
    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.port, self.tls_port = harness.free_port(), harness.free_port()
        self.certificate = shared()["certificate"]

    def config(self, extra="", text=CONFIG, **values):
        return harness.expand(text, port=self.port, tls_port=self.tls_port, token=TOKEN,
                              tree=shared()["tree"], cert=self.certificate.cert,
                              key=self.certificate.key, extra=extra, **values)

    def start(self, extra="", text=CONFIG, args=(), **values):
        server = harness.Server(self.flavour, self.config(extra, text, **values), args=args)
        self.addCleanup(server.kill)
        return server

    def tls(self, protocol="http/1.1"):
        return client.tls_context(self.certificate.cert, (protocol,))

    def open(self, kind=client.Http1, port=None, context=None, **options):
        connection = kind(port or self.port, context, **options)
        self.addCleanup(connection.close)
        return connection

    def assert_works(self, connection):
        response = connection.request(url("small.txt"))
        self.assertEqual((response.status, response.body), (200, SMALL))

    def refuses(self, port):
        try:
            client.connect(port).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            pass  # the handshake met the close of the listener
        return False


class Readiness(LifeCase):
    def test_it_says_when_it_serves_and_when_it_stops(self):
        server = self.start()
        with client.Http1(self.port) as connection:
            self.assert_works(connection)
        self.assertEqual(server.notify.receive().count("READY=1"), 1)
        self.assertNotIn("STOPPING=1", server.notify.lines)
        server.signal(signal.SIGTERM)
        harness.wait_until(lambda: "STOPPING=1" in server.notify.receive(), "STOPPING=1")
        server.stop()

    def test_it_serves_without_anybody_to_tell(self):
        environment = {"NOTIFY_SOCKET": self.scratch("nobody-listens")}
        server = harness.Server(self.flavour, self.config(), env=environment, ready=False)
        self.addCleanup(server.kill)
        harness.wait_until(lambda: not self.refuses(self.port), "the port to open")
        with client.Http1(self.port) as connection:
            self.assert_works(connection)
        server.stop()

    def test_one_line_says_what_is_served(self):
        server = self.start()
        line = harness.wait_until(server.stderr, "the first line").decode()
        self.assertIn("127.0.0.1:%d" % self.port, line)
        self.assertIn(TOKEN, line)
        server.stop()

    def test_sighup_does_not_end_it(self):
        server = self.start()
        server.signal(signal.SIGHUP)
        harness.wait_until(lambda: b"SIGHUP" in server.stderr(), "a word about SIGHUP")
        with client.Http1(self.port) as connection:
            self.assert_works(connection)
        server.stop()

    def test_a_thread_that_cannot_start_is_told_with_the_reason(self):
        """Stacks as large as the address space: the system refuses the first thread."""
        config = self.scratch.write("h2o.conf", self.config())

        def preexec():
            resource.setrlimit(resource.RLIMIT_STACK, (1 << 46, resource.RLIM_INFINITY))

        status, _, stderr = harness.run_program(self.flavour, "-c", config, preexec=preexec)
        self.assertNotEqual(status, 0)
        self.assertIn("thread", stderr)
        # pthread_create's own word; errno, which it leaves alone, has another one
        self.assertIn(os.strerror(errno.EAGAIN), stderr)

    def test_a_signal_while_it_loads_ends_it(self):
        server = harness.Server(self.flavour, self.config(), ready=False)
        self.addCleanup(server.kill)
        # the handler is installed by the time the port opens, which is before the release is read
        harness.wait_until(lambda: not self.refuses(self.port), "the port to open")
        server.stop()


class Doors(LifeCase):
    """When a node of a cluster lets connections in: not before it has a token to answer with."""

    CLUSTERED = """
listen:
  - {host: 127.0.0.1, port: @port@}
  - {port: @path@, type: unix}
num-threads: 3
breaker.cluster:
  app: shop
  redis: "redis://127.0.0.1:@redis@"
  start: @start@
  start-timeout: 500ms
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
"""

    def setUp(self):
        super().setUp()
        os.chmod(self.scratch.path, 0o777)
        self.path = self.scratch("socket")
        self.text = self.config(text=self.CLUSTERED, path=self.path, redis=harness.free_port(),
                                start="strict")

    def start_waiting(self):
        server = harness.Server(self.flavour, self.text, ready=False)
        self.addCleanup(server.kill)
        harness.wait_until(lambda: b"waiting for the cluster's token" in server.stderr(),
                           "a server that waits")
        return server

    def test_who_has_no_token_refuses_connections_and_says_so(self):
        server = self.start_waiting()
        self.assertTrue(self.refuses(self.port))
        self.assertTrue(self.refuses(self.path))
        self.assertNotIn("READY=1", server.notify.receive())
        self.assertIn(b"connections are refused until then", server.stderr())
        server.signal(signal.SIGTERM)
        harness.wait_until(lambda: "STOPPING=1" in server.notify.receive(), "STOPPING=1")
        server.stop()
        self.assertFalse(os.path.exists(self.path))

    def test_the_first_answer_is_right_on_every_listener(self):
        self.text = self.text.replace("strict", "wait")
        server = harness.Server(self.flavour, self.text, ready=False)
        self.addCleanup(server.kill)
        for where in (self.port, self.path):
            harness.wait_until(lambda: not self.refuses(where), "the doors to open")
            with client.Http1(where) as connection:
                # to the current token, which is the node's own after the time to wait
                self.assertEqual(connection.request(url("small.txt").replace(TOKEN, "0")).status,
                                 301)
        server.wait_ready()
        for _ in range(32):
            with client.Http1(self.port) as connection:
                self.assertEqual(connection.request(url("small.txt").replace(TOKEN, "0")).status,
                                 301)
        server.stop()

    def test_the_addresses_are_its_own_while_it_waits(self):
        server = self.start_waiting()
        for others in (self.text, self.text.replace("{host: 127.0.0.1, port: %d}" % self.port,
                                                    "{host: 127.0.0.1, port: %d}" % self.tls_port)):
            config = self.scratch.write("h2o.conf", others)
            status, _, stderr = harness.run_program(self.flavour, "-c", config)
            self.assertEqual(status, os.EX_UNAVAILABLE)
            self.assertIn("the address is in use by another process", stderr)
        self.assertTrue(server.alive())
        self.assertTrue(os.path.exists(self.path))
        server.stop()

    def test_a_restart_binds_beside_connections_that_are_still_closing(self):
        self.text = self.text.replace("strict", "wait")
        for _ in range(2):
            server = harness.Server(self.flavour, self.text)
            self.addCleanup(server.kill)
            # the server closes first, so that its side of it stays for a minute
            connection = self.open()
            self.assertEqual(connection.request("/none").status, 404)
            server.stop()

    def test_an_address_that_somebody_listens_on_is_refused_before_anything_is_waited_for(self):
        with socket.create_server(("127.0.0.1", self.port)):
            config = self.scratch.write("h2o.conf", self.text)
            status, _, stderr = harness.run_program(self.flavour, "-c", config)
        self.assertEqual(status, os.EX_UNAVAILABLE)
        self.assertIn("the address is in use by another process", stderr)
        self.assertNotIn("waiting", stderr)


class Listeners(LifeCase):
    def test_a_unix_socket(self):
        path = self.scratch("socket")
        server = self.start(text="""
listen:
  - {port: %s, type: unix, permission: 660, owner: nobody}
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
breaker.token: "@token@"
""" % path)
        found = os.stat(path)
        self.assertTrue(stat.S_ISSOCK(found.st_mode))
        self.assertEqual(stat.S_IMODE(found.st_mode), 0o660)
        self.assertEqual(found.st_uid, pwd.getpwnam("nobody").pw_uid)
        with client.Http1(path) as connection:
            self.assert_works(connection)
            self.assert_works(connection)
        with client.Http2(path) as connection:
            self.assert_works(connection)
        server.stop()

    def test_a_socket_file_that_nobody_listens_on_is_replaced(self):
        path = self.scratch("socket")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
        server = self.start(text="listen: {port: %s, type: unix}\n" % path +
                            CONFIG[CONFIG.index("breaker.token"):])
        with client.Http1(path) as connection:
            self.assert_works(connection)
        server.stop()

    def test_several_listeners_and_hosts_of_their_own(self):
        other_port, path = harness.free_port(), self.scratch("socket")
        server = self.start(text="""
listen:
  - {host: 127.0.0.1, port: @port@}
  - {port: @path@, type: unix}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
  "other:@other_port@":
    listen: {host: 127.0.0.1, port: @other_port@}
    paths:
      "/":
        breaker.static: {name: "other/{breaker}", path: @tree@}
""", other_port=other_port, path=path)
        for address in (self.port, path):
            with client.Http1(address) as connection:
                self.assert_works(connection)
                self.assertEqual(connection.request("/other/%s/small.txt" % TOKEN).status, 404)
        with client.Http1(other_port) as connection:
            self.assertEqual(connection.request("/other/%s/small.txt" % TOKEN).body, SMALL)
            self.assertEqual(connection.request(url("small.txt")).status, 404)
        server.stop()

    def test_alpn_offers_what_the_flavour_speaks(self):
        server = self.start()
        for offered, evloop, uv in ((("h2", "http/1.1"), "h2", "http/1.1"),
                                    (("http/1.1",), "http/1.1", "http/1.1"),
                                    (("h2",), "h2", None)):
            context = client.tls_context(self.certificate.cert, offered)
            with self.subTest(offered), client.connect(self.tls_port, context) as sock:
                expected = evloop if self.flavour == "evloop" else uv
                self.assertEqual(sock.selected_alpn_protocol(), expected)
        server.stop()

    def test_versions_of_tls(self):
        server = self.start()
        for version, accepted in ((ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True),
                                  (ssl.TLSVersion.TLSv1_1, False)):
            context = self.tls()
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
            with self.subTest(version):
                if accepted:
                    response = client.get(self.tls_port, url("small.txt"), context)
                    self.assertEqual(response.body, SMALL)
                else:
                    with self.assertRaises((ssl.SSLError, ConnectionResetError)):
                        client.connect(self.tls_port, context)
        server.stop()


class Files(LifeCase):
    def test_the_pid_file(self):
        directory = self.scratch("run")
        os.mkdir(directory)
        os.chmod(directory, 0o777)
        path = os.path.join(directory, "pid")
        server = self.start("pid-file: " + path)
        with open(path) as file:
            self.assertEqual(file.read().strip(), str(server.process.pid))
        server.stop()
        self.assertFalse(os.path.exists(path))

    def test_a_pid_file_that_cannot_be_removed_is_emptied(self):
        if os.getuid() != 0:
            self.skipTest("only root loses the right to remove its file")
        path = self.scratch("pid")
        server = self.start("pid-file: %s\nuser: nobody" % path)
        with open(path) as file:
            self.assertEqual(file.read().strip(), str(server.process.pid))
        server.stop()
        self.assertEqual(os.path.getsize(path) if os.path.exists(path) else 0, 0)

    def test_the_error_log(self):
        path = self.scratch("error.log")
        server = self.start("error-log: " + path)
        with open(path) as file:
            self.assertIn("127.0.0.1:%d" % self.port, file.read())
        with client.Http1(self.port) as connection:
            self.assert_works(connection)
        server.stop()
        self.assertEqual(server.exit_stderr, b"")

    @staticmethod
    def status_of(pid, thread):
        """None for a thread that has ended, as the one that makes encodings does."""
        try:
            with open("/proc/%d/task/%s/status" % (pid, thread)) as file:
                return dict(re.findall(r"(?m)^(\w+):\t(.*)$", file.read()))
        except (FileNotFoundError, ProcessLookupError):
            return None

    @unittest.skipIf(os.getuid() != 0, "only root can become another user")
    def test_root_becomes_another_user_for_good(self):
        for extra, name in (("user: nobody", "nobody"), ("", "nobody"), ("user: daemon", "daemon")):
            with self.subTest(extra):
                server = self.start(extra)
                user = pwd.getpwnam(name)
                statuses = [status for thread in os.listdir("/proc/%d/task" % server.pid)
                            if (status := self.status_of(server.pid, thread))]
                self.assertGreaterEqual(len(statuses), 2)
                for status in statuses:
                    self.assertEqual(status["Uid"].split(), [str(user.pw_uid)] * 4)
                    self.assertEqual(status["Gid"].split(), [str(user.pw_gid)] * 4)
                    self.assertNotIn("0", status["Groups"].split())
                    for capabilities in ("CapEff", "CapPrm"):
                        self.assertEqual(int(status[capabilities], 16), 0)
                with client.Http1(self.port) as connection:
                    self.assert_works(connection)
                server.stop()


class Health(LifeCase):
    def test_each_host_has_its_own_path_or_that_of_all(self):
        server = self.start(text="""
listen: {host: 127.0.0.1, port: @port@}
header.add: "X-All: 1"
breaker.health: /all
hosts:
  default:
    paths:
      "/": {breaker.static: {name: "static/{breaker}", path: @tree@}}
      "/all/readyz": {file.dir: @tree@}
  "own":
    breaker.health: /its/own
    paths:
      "/": {file.dir: @tree@}
  "none":
    breaker.health: OFF
    paths:
      "/": {file.dir: @tree@}
""")
        for host, path, status in (
                ("default", "/all/readyz", 200), ("default", "/all/livez", 200),
                ("default", "/its/own/readyz", 404), ("own", "/its/own/readyz", 200),
                ("own", "/all/readyz", 404), ("none", "/all/readyz", 404)):
            with self.subTest(host=host, path=path), client.Http1(self.port) as connection:
                response = connection.request(path, host=host)
                self.assertEqual(response.status, status)
                if status == 200:
                    self.assertEqual(response.body, b"ok\n")
                    self.assertEqual(response.get("cache-control"), "no-store")
                    # what the file says of answers is said of others
                    self.assertIsNone(response.get("x-all"))
        server.stop()

    def test_over_every_protocol(self):
        server = self.start("breaker.health: /ours")
        kinds = [(client.Http1, self.port, None), (client.Http1, self.tls_port, self.tls()),
                 (client.Http2, self.port, None)]
        for kind, port, context in kinds:
            with self.open(kind, port, context) as connection:
                self.assert_works(connection)
                self.assertEqual(connection.request("/ours/readyz").body, b"ok\n")
                self.assert_works(connection)
        server.stop()


class Limits(LifeCase):
    def test_connections_beyond_the_limit_wait(self):
        server = self.start("max-connections: 5\nnum-threads: 2")
        held = [self.open() for _ in range(5)]
        for connection in held:
            self.assert_works(connection)
        waiting = self.open()
        waiting.send(client.make_request(url("small.txt")))
        for _ in range(20):
            for connection in held:
                self.assert_works(connection)
        self.assertTrue(waiting.is_open(), "answered beyond the limit")
        held[0].close()
        self.assertEqual(waiting.read().body, SMALL)
        for connection in held[1:]:
            self.assert_works(connection)
        waiting.close()
        server.stop()

    def test_every_thread_serves(self):
        server = self.start("num-threads: 3")
        for _ in range(60):
            self.assertEqual(client.get(self.port, url("small.txt")).body, SMALL)
        server.stop()


class Draining(LifeCase):
    def slow(self, port, context):
        connection = self.open(port=port, context=context, receive_buffer=4096)
        connection.send(client.make_request(url("big.bin")))
        head = connection.take_until(b"\r\n\r\n").lower()
        self.assertIn(b"content-length: %d" % len(BIG), head)
        self.digest = hashlib.sha256(connection.take(10000))
        return connection

    def finish(self, connection):
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.digest.update(connection.take(len(BIG) - 10000))
        self.assertEqual(self.digest.hexdigest(), hashlib.sha256(BIG).hexdigest())
        self.assertEqual(connection.at_end(), b"")

    def test_a_download_in_flight_is_finished(self):
        for port, context in ((self.port, None), (self.tls_port, self.tls())):
            with self.subTest(tls=context is not None):
                server = self.start()
                slow = self.slow(port, context)
                idle = self.open()
                self.assert_works(idle)
                server.signal(signal.SIGTERM)
                self.assertEqual(idle.at_end(), b"")
                harness.wait_until(lambda: self.refuses(self.port), "the port to close")
                self.assertTrue(server.alive())
                self.finish(slow)
                server.stop()

    def test_a_stream_in_flight_is_finished(self):
        cases = [(self.port, None)]
        if self.flavour == "evloop":
            cases.append((self.tls_port, self.tls("h2")))
        for port, context in cases:
            with self.subTest(tls=context is not None):
                server = self.start()
                connection = self.open(client.Http2, port, context)
                self.assert_works(connection)
                streams = [connection.start(url("big.bin")) for _ in range(2)]
                while not connection.pending[streams[0]].pieces:
                    connection.receive()
                server.signal(signal.SIGTERM)
                harness.wait_until(lambda: "STOPPING=1" in server.notify.receive(), "STOPPING=1")
                for stream in streams:
                    self.assertEqual(connection.wait(stream).body, BIG)
                server.stop()

    def test_idle_connections_do_not_hold_it_up(self):
        server = self.start()
        idle = [self.open() for _ in range(5)]
        idle += [self.open(port=self.tls_port, context=self.tls()) for _ in range(5)]
        idle += [self.open(client.Http2) for _ in range(5)]
        for connection in idle:
            self.assert_works(connection)
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait_exit(8), 0)
        server.stop()

    def test_nothing_open_ends_it_at_once(self):
        for _ in range(10):
            server = self.start()
            with client.Http1(self.port) as connection:
                self.assert_works(connection)
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait_exit(5), 0)
            server.stop()

    def test_sigint_is_the_same(self):
        server = self.start()
        server.signal(signal.SIGINT)
        self.assertEqual(server.wait_exit(5), 0)
        server.stop()

    def test_a_second_signal_ends_it_at_once(self):
        server = self.start()
        slow = self.slow(self.port, None)
        server.signal(signal.SIGTERM)
        harness.wait_until(lambda: "STOPPING=1" in server.notify.receive(), "STOPPING=1")
        self.assertTrue(server.alive())
        server.signal(signal.SIGTERM)
        server.wait_exit(5)
        self.assertLess(len(slow.take_at_most(len(BIG))), len(BIG) - 10000)
        server.check_reports()

    def test_the_time_to_finish_has_an_end(self):
        server = self.start("shutdown-timeout: 1")
        slow = self.slow(self.port, None)
        server.signal(signal.SIGTERM)
        server.wait_exit(8)
        self.assertLess(len(slow.take_at_most(len(BIG))), len(BIG) - 10000)
        server.check_reports()

    def test_sighup_does_not_prolong_the_time_to_finish(self):
        server = self.start("shutdown-timeout: 1")
        slow = self.slow(self.port, None)
        server.signal(signal.SIGTERM)

        def has_ended():
            if server.alive():
                server.signal(signal.SIGHUP)
            return not server.alive()

        harness.wait_until(has_ended, "the server to end in spite of SIGHUP")
        self.assertLess(len(slow.take_at_most(len(BIG))), len(BIG) - 10000)
        server.check_reports()

    def ask(self, question):
        return client.get(self.port, "/ours/" + question)

    def assert_answers(self, question, status, body):
        response = self.ask(question)
        self.assertEqual((response.status, response.body), (status, body))

    def test_it_is_not_ready_for_a_while_before_it_stops(self):
        server = self.start("shutdown-delay: 3600\nbreaker.health: /ours")
        self.assert_answers("readyz", 200, b"ok\n")
        old = self.open()
        self.assert_works(old)
        server.signal(signal.SIGTERM)
        harness.wait_until(lambda: "STOPPING=1" in server.notify.receive(), "STOPPING=1")
        self.assert_answers("readyz", 503, b"draining\n")
        self.assert_answers("livez", 200, b"ok\n")
        # whoever has not heard of it yet is served, on connections old and new
        self.assert_works(old)
        with client.Http1(self.port) as connection:
            self.assert_works(connection)
        # which a second signal ends
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait_exit(8), 0)
        server.stop()

    def test_the_time_before_it_stops_has_an_end(self):
        server = self.start("shutdown-delay: 200ms\nbreaker.health: /ours")
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait_exit(8), 0)
        server.check_reports()
        self.assertIn(b" delay=0.2s\n", server.exit_stderr)

    def test_without_a_delay_it_stops_at_once(self):
        server = self.start("breaker.health: /ours")
        slow = self.slow(self.port, None)
        server.signal(signal.SIGTERM)
        harness.wait_until(lambda: self.refuses(self.port), "the port to close")
        self.finish(slow)
        server.stop()

    def test_requests_under_load_are_answered_or_never_taken(self):
        """Clients that go on sending while the server ends see whole answers and clean closes."""
        server = self.start("num-threads: 2")
        connections = [self.open() for _ in range(20)]
        for connection in connections:
            self.assert_works(connection)
        server.signal(signal.SIGTERM)
        while connections:
            for connection in list(connections):
                try:
                    connection.send(client.make_request(url("medium.bin")))
                    response = connection.read()
                except (client.Malformed, BrokenPipeError, ConnectionResetError):
                    # never an answer in part
                    self.assertEqual(connection.buffer, b"")
                    connections.remove(connection)
                    continue
                self.assertEqual(response.body, FILES["medium.bin"])
        server.stop()


class AbruptClients(LifeCase):
    """10,000 clients that die at different moments leave the descriptors as they were."""

    CLIENTS = 10000

    def http2_bytes(self):
        """What an HTTP/2 client sends first, with a request in it."""
        class Recorder:
            def __init__(self):
                self.sent = b""

            def sendall(self, data):
                self.sent += data

        recording = client.Http2.__new__(client.Http2)
        client.Http2.prepare(recording, Recorder(), False)
        recording.start(url("medium.bin"))
        return recording.sock.sent

    def moments(self):
        """Functions that open a connection and let it die."""
        whole = client.make_request(url("small.txt"))
        large = client.make_request(url("medium.bin"))
        frames = self.http2_bytes()

        def dies(send, receive=0, port=self.port):
            def die():
                sock = client.connect(port)
                for data in send:
                    sock.sendall(data)
                if receive:
                    sock.recv(receive)
                client.reset(sock)
            return die

        def dies_in_tls(send, receive=0, protocol="http/1.1"):
            context = self.tls(protocol)

            def die():
                sock = client.connect(self.tls_port, context)
                if send:
                    sock.sendall(send)
                if receive:
                    sock.recv(receive)
                client.reset(sock)
            return die

        hello = self.client_hello()
        plain = [dies([]), dies([whole[:10]]), dies([whole]), dies([large]), dies([whole], 1),
                 dies([large], 1), dies([large], 5000), dies([whole * 10]),
                 dies([large * 4], 70000), dies([whole + large[:20]], 100),
                 dies([frames[:24]]), dies([frames[:-10]]), dies([frames]), dies([frames], 1),
                 dies([frames], 40000), dies([], port=self.tls_port),
                 dies([hello[:50]], port=self.tls_port), dies([hello], port=self.tls_port),
                 dies([hello], 100, port=self.tls_port)]
        secure = [dies_in_tls(b""), dies_in_tls(whole[:10]), dies_in_tls(whole),
                  dies_in_tls(large), dies_in_tls(large, 1), dies_in_tls(large * 4, 5000)]
        if self.flavour == "evloop":
            secure += [dies_in_tls(frames, protocol="h2"), dies_in_tls(frames, 1, protocol="h2"),
                       dies_in_tls(frames, 40000, protocol="h2")]
        return plain, secure

    def client_hello(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self.tls().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            session.do_handshake()
        return outgoing.read()

    def test_descriptors_return_to_where_they_were(self):
        server = self.start("num-threads: 2")
        # every thread opens what it keeps for good with its first connection
        for _ in range(64):
            with client.Http1(self.port) as connection:
                self.assert_works(connection)
        client.get(self.tls_port, url("small.txt"), self.tls())
        with client.Http2(self.port) as connection:
            self.assert_works(connection)
        settled = self.settle(server)
        plain, secure = self.moments()
        source = random.Random(10000)
        for i in range(self.CLIENTS):
            # one in eight goes through a whole handshake, which costs as much as all the others
            source.choice(secure if i % 8 == 0 else plain)()
        harness.wait_until(lambda: server.descriptors() <= settled,
                           "%d descriptors to become %d" % (server.descriptors(), settled), 30)
        with client.Http1(self.port) as connection:
            self.assert_works(connection)
        server.stop()

    def settle(self, server):
        """The number of descriptors with no connection open: no sockets but those that listen."""
        def connected():
            inodes = set()
            for name in os.listdir("/proc/%d/fd" % server.pid):
                try:
                    target = os.readlink("/proc/%d/fd/%s" % (server.pid, name))
                except FileNotFoundError:
                    continue
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
            with open("/proc/%d/net/tcp" % server.pid) as file:
                rows = [row.split() for row in file.readlines()[1:]]
            return [row for row in rows if row[9] in inodes and row[3] != "0A"]

        harness.wait_until(lambda: not connected(), "the first connections to be closed")
        return server.descriptors()


if __name__ == "__main__":
    harness.main()
