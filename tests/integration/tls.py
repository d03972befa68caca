"""What `ssl` and `ssl-session-resumption` say about TLS, as a client of OpenSSL sees it: versions,
ciphers, parameters of Diffie-Hellman, sessions that are resumed. And `tcp-fastopen`."""

import ctypes
import os
import re
import socket
import ssl
import subprocess

import harness

CONFIG = """
@lines@
listen: {host: 127.0.0.1, port: @port@, ssl: {certificate-file: @cert@, key-file: @key@@options@}}
hosts:
  default:
    paths:
      "/": {breaker.static: {name: "static/{breaker}", path: @tree@}}
"""

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
TCP_FASTOPEN = 23
PIDFD_GETFD = 438
# of RFC 7919: making others takes a minute
DH_PARAMETERS = ("openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt")


class TlsCase(harness.FlavourCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = harness.Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        cls.certificate = harness.Certificate(cls.scratch)
        cls.tree = cls.scratch.tree("tree", {"a": b"a"})

    def text(self, options="", lines="", certificate=None):
        certificate = certificate or self.certificate
        self.port = harness.free_port()
        return harness.expand(CONFIG, lines=lines, port=self.port, options=options,
                              cert=certificate.cert, key=certificate.key, tree=self.tree)

    def start(self, *args, **options):
        server = harness.Server(self.flavour, self.text(*args, **options))
        self.addCleanup(server.kill)
        return server

    def refused(self, *args, **options):
        path = self.scratch.write("h2o.conf", self.text(*args, **options))
        status, _, stderr = harness.run_program(self.flavour, "-c", path, "-t")
        self.assertNotEqual(status, 0)
        return stderr

    def context(self, version, ciphers=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        if ciphers is not None:
            context.set_ciphers(ciphers)
        return context

    def connect(self, context, session=None, name=None):
        """A connection over which a request was answered, and what it came to."""
        with socket.create_connection(("127.0.0.1", self.port), harness.DEADLINE_S) as plain:
            with context.wrap_socket(plain, session=session, server_hostname=name) as sock:
                sock.sendall(b"GET /static/0/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                while sock.recv(65536):
                    pass
                return sock.session, sock.session_reused, sock.cipher(), sock.version()


class Versions(TlsCase):
    def accepted(self):
        found = []
        for version in (V12, V13):
            try:
                found.append(self.connect(self.context(version))[3])
            except (ssl.SSLError, ConnectionResetError):
                pass
        return found

    def test_versions_are_bounded_on_both_sides(self):
        for options, expected in (("", ["TLSv1.2", "TLSv1.3"]),
                                  (", maximum-version: TLSv1.2", ["TLSv1.2"]),
                                  (", max-version: tlsv1.2, min-version: TLSv1.2", ["TLSv1.2"]),
                                  (", minimum-version: TLSv1.3", ["TLSv1.3"]),
                                  (", minimum-version: TLSv1.2, maximum-version: TLSv1.3",
                                   ["TLSv1.2", "TLSv1.3"])):
            with self.subTest(options):
                server = self.start(options)
                self.assertEqual(self.accepted(), expected)
                server.stop()

    def test_bounds_that_leave_nothing_are_refused(self):
        said = self.refused(", minimum-version: TLSv1.3, maximum-version: TLSv1.2")
        self.assertRegex(said, r"h2o\.conf:3:\d+: ssl: maximum-version: got `TLSv1\.2`; accepted: "
                               r"minimum-version or a later one")
        self.assertIn("accepted: TLSv1.2, TLSv1.3", self.refused(", maximum-version: TLSv1.1"))


class Ciphers(TlsCase):
    BOTH = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384")

    def test_the_side_that_is_preferred_chooses(self):
        for preference, expected in (("server", self.BOTH[1]), ("client", self.BOTH[0])):
            server = self.start(", cipher-suite: '%s:%s', cipher-preference: %s"
                                % (self.BOTH[1], self.BOTH[0], preference))
            cipher = self.connect(self.context(V12, ":".join(self.BOTH)))[2]
            self.assertEqual(cipher[0], expected)
            server.stop()

    def rsa(self):
        class Pair:
            cert, key = self.scratch("rsa.crt"), self.scratch("rsa.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                        Pair.key, "-out", Pair.cert, "-days", "2", "-subj", "/CN=localhost"],
                       check=True, capture_output=True)
        return Pair

    def test_ephemeral_diffie_hellman_by_the_parameters_of_a_file(self):
        path, rsa = self.scratch("dh.pem"), self.rsa()
        subprocess.run([*DH_PARAMETERS, "group:ffdhe2048", "-out", path], check=True,
                       capture_output=True)
        context = self.context(V12, "DHE-RSA-AES128-GCM-SHA256")
        server = self.start(", cipher-suite: 'DHE+AESGCM', dh-file: %s" % path, certificate=rsa)
        self.assertEqual(self.connect(context)[2][0], "DHE-RSA-AES128-GCM-SHA256")
        server.stop()
        server = self.start(", cipher-suite: 'ECDHE+AESGCM:DHE+AESGCM'", certificate=rsa)
        with self.assertRaises((ssl.SSLError, ConnectionResetError)):
            self.connect(context)
        server.stop()

    def test_a_second_host_has_the_parameters_of_the_first(self):
        path, rsa = self.scratch("dh.pem"), self.rsa()
        subprocess.run([*DH_PARAMETERS, "group:ffdhe2048", "-out", path], check=True,
                       capture_output=True)
        port = self.port = harness.free_port()
        host = """
  "%s":
    listen: {host: 127.0.0.1, port: %d, ssl: {certificate-file: %s, key-file: %s%s}}
    paths: {"/": {breaker.static: {name: "static/{breaker}", path: @tree@}}}"""
        options = ", cipher-suite: 'DHE+AESGCM', dh-file: " + path
        server = harness.Server(self.flavour, harness.expand(
            "hosts:" + host % ("one.example", port, rsa.cert, rsa.key, options)
            + host % ("two.example", port, rsa.cert, rsa.key, ""), tree=self.tree))
        self.addCleanup(server.kill)
        context = self.context(V12, "DHE-RSA-AES128-GCM-SHA256")
        for name in ("one.example", "two.example"):
            self.assertEqual(self.connect(context, name=name)[2][0], "DHE-RSA-AES128-GCM-SHA256")
        server.stop()

    def test_a_file_without_parameters_is_refused(self):
        self.assertIn("dh-file: ", self.refused(", dh-file: /none/dh.pem"))
        self.assertIn("no parameters of Diffie-Hellman in PEM",
                      self.refused(", dh-file: " + self.certificate.cert))

    def test_what_h2o_has_alone_is_refused_unless_it_is_off(self):
        server = self.start(", ocsp-update-interval: 0, neverbleed: OFF")
        server.stop()
        for option in ("ocsp-update-interval: 14400", "ocsp-update-cmd: x", "ocsp-max-failures: 3",
                       "neverbleed: ON"):
            self.assertRegex(self.refused(", " + option), r"ssl: %s: h2o has it, and this server "
                             r"has not; accepted: " % option.split(":")[0])


class Resumption(TlsCase):
    def resumes(self, version, by_ticket):
        """Whether a second connection goes on with the session of the first; and its lifetime."""
        context = self.context(version)
        if not by_ticket:
            context.options |= ssl.OP_NO_TICKET
        session = self.connect(context)[0]
        return self.connect(context, session)[1], session.ticket_lifetime_hint if session else 0

    def test_modes(self):
        modes = (("", False, True, True), ("{mode: off}", False, False, False),
                 ("{mode: cache}", True, True, True), ("{mode: ticket}", False, True, True),
                 ("{mode: all, lifetime: 77}", True, True, True))
        for mode, by_cache, by_either, in_13 in modes:
            with self.subTest(mode):
                server = self.start(lines="ssl-session-resumption: " + mode if mode else "")
                self.assertEqual(self.resumes(V12, False)[0], by_cache)
                self.assertEqual(self.resumes(V12, True)[0], by_either)
                self.assertEqual(self.resumes(V13, True)[0], in_13)
                if "77" in mode:
                    self.assertEqual(self.resumes(V12, True)[1], 77)
                    self.assertEqual(self.resumes(V13, True)[1], 77)
                server.stop()

    def test_stores_that_servers_share_are_refused(self):
        for text, said in (("{mode: all, cache-store: memcached}", "cache-store: got `memcached`"),
                           ("{ticket-store: file}", "ticket-store: got `file`"),
                           ("{memcached: {host: x, port: 1}}", "unknown key `memcached`"),
                           ("{lifetime: 0}", "lifetime: got `0`"),
                           ("{mode: on}", "mode: got `on`; accepted: off, cache, ticket, all"),
                           ("ON", "got `ON`; accepted: a mapping")):
            self.assertRegex(self.refused(lines="ssl-session-resumption: " + text),
                             r"h2o\.conf:2:\d+: ssl-session-resumption: " + re.escape(said))


class FastOpen(TlsCase):
    def lengths(self, server):
        """Of the queues of all sockets that listen."""
        libc = ctypes.CDLL(None, use_errno=True)
        process = os.pidfd_open(server.pid)
        found = []
        for number in map(int, os.listdir("/proc/%d/fd" % server.pid)):
            if not os.readlink("/proc/%d/fd/%d" % (server.pid, number)).startswith("socket:"):
                continue
            copy = libc.syscall(PIDFD_GETFD, process, number, 0)
            if copy == -1:
                self.skipTest("the kernel hands out no descriptors: " + os.strerror(ctypes.get_errno()))
            with socket.socket(fileno=copy) as sock:
                if sock.family == socket.AF_INET and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    found.append(sock.getsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN))
        os.close(process)
        return found

    def test_every_socket_has_its_queue(self):
        for line, length in (("tcp-fastopen: 100", 100), ("tcp-fastopen: 0", 0), ("", 0)):
            server = self.start(lines="num-threads: 2\n" + line)
            self.assertEqual(self.lengths(server), [length] * 2)
            server.stop()


if __name__ == "__main__":
    harness.main()
