"""A link over TLS: servers are believed only when their certificate is good for whom we asked for,
and nothing is ever sent in plaintext instead."""

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

from link import LinkTest, main


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, name):
        self.directory = tempfile.mkdtemp(prefix="breaker-ca-")
        self.ca = self.path("ca.crt")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                     "-nodes", "-keyout", self.path("ca.key"), "-out", self.ca, "-days", "2",
                     "-subj", "/CN=" + name)

    def path(self, name):
        return os.path.join(self.directory, name)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)

    def issue(self, name, names, *more):
        """A certificate and its key for `names`, as subjectAltName takes them."""
        key, request, cert = (self.path(name + suffix) for suffix in (".key", ".csr", ".crt"))
        with open(self.path(name + ".ext"), "w") as file:
            file.write("subjectAltName=%s\n" % names)
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-keyout", key, "-out", request, "-subj", "/CN=" + name)
        self.openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.path("ca.key"),
                     "-CAcreateserial", "-out", cert, "-extfile", self.path(name + ".ext"),
                     *(more or ("-days", "2")))
        return cert, key


class Tls(LinkTest):
    @classmethod
    def setUpClass(cls):
        cls.ours = Authority("ours")
        cls.addClassCleanup(shutil.rmtree, cls.ours.directory, ignore_errors=True)
        cls.others = Authority("others")
        cls.addClassCleanup(shutil.rmtree, cls.others.directory, ignore_errors=True)
        cls.good = cls.ours.issue("good", "DNS:localhost,IP:127.0.0.1")

    def serve(self, pair, *more):
        return self.redis("--tls-cert-file", pair[0], "--tls-key-file", pair[1],
                          "--tls-ca-cert-file", self.ours.ca, "--tls-auth-clients", "no", *more,
                          tls=True)

    def refused(self, server, *urls_and_options):
        reason = self.probe(*urls_and_options).down()
        self.assertIn("TLS: ", reason)
        # Whoever was refused got no question: the server counts none.
        self.assertNotIn("hunter2", server.output())
        return reason

    def test_a_name_and_an_address_with_password_and_database(self):
        server = self.serve(self.good, "--requirepass", "hunter2")
        for host in ("localhost", "127.0.0.1"):
            probe = self.probe("-a", self.ours.ca,
                               "rediss://:hunter2@%s:%d/3" % (host, server.port))
            self.assertEqual(probe.dial(), "%s:%d" % (host, server.port))
            self.assertEqual(probe.command("SET", "k", "x" * 200000), {"status": "OK"})
            self.assertEqual(probe.command("GET", "k"), "x" * 200000)
            self.assertEqual(probe.command("SET", "k", "x" * 1000000), {"status": "OK"})
        probe = self.probe("-a", self.ours.ca, "rediss://:wrong@localhost:%d" % server.port)
        self.assertIn("AUTH: wrong user or password", probe.down())

    def test_a_thousand_handshakes_leave_no_descriptor(self):
        server = self.serve(self.good)
        probe = self.probe("-a", self.ours.ca, "rediss://127.0.0.1:%d" % server.port)
        before = probe.fds()
        probe.ask("round", "1000")
        probe.expect("rounds", 300)
        self.assertEqual(probe.fds(), before)

    def test_an_authority_that_is_not_trusted(self):
        server = self.serve(self.good)
        url = "rediss://:hunter2@localhost:%d" % server.port
        # the system's authorities first, then one of our own that did not issue it
        self.assertIn("certificate", self.refused(server, url))
        self.assertIn("certificate", self.refused(server, "-a", self.others.ca, url))

    def test_a_certificate_for_somebody_else(self):
        server = self.serve(self.ours.issue("else", "DNS:redis.example,IP:10.9.8.7"))
        for host, word in (("localhost", "ostname mismatch"), ("127.0.0.1", "IP address mismatch")):
            url = "rediss://:hunter2@%s:%d" % (host, server.port)
            self.assertIn(word, self.refused(server, "-a", self.ours.ca, url))

    def test_a_name_in_the_subject_alone_does_not_do_beside_alternative_names(self):
        server = self.serve(self.ours.issue("localhost", "DNS:redis.example"))
        url = "rediss://:hunter2@localhost:%d" % server.port
        self.assertIn("ostname mismatch", self.refused(server, "-a", self.ours.ca, url))

    def test_an_expired_certificate(self):
        server = self.serve(self.ours.issue("old", "DNS:localhost", "-days", "-1"))
        url = "rediss://:hunter2@localhost:%d" % server.port
        self.assertIn("certificate has expired", self.refused(server, "-a", self.ours.ca, url))

    def test_tls_1_1_is_not_spoken(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.load_cert_chain(*self.good)
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            try:
                context.wrap_socket(listener.accept()[0], server_side=True)
            except OSError:
                pass
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        reason = self.probe("-a", self.ours.ca,
                            "rediss://127.0.0.1:%d" % listener.getsockname()[1]).down()
        self.assertIn("TLS: ", reason)
        thread.join(20)
        self.assertFalse(thread.is_alive())

    def test_the_server_is_told_the_name_and_no_address(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.good)
        names = []
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            for _ in range(2):
                with context.wrap_socket(listener.accept()[0], server_side=True) as peer:
                    peer.recv(100)
                    peer.sendall(b"+PONG\r\n")
                    peer.recv(100)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        for host in ("localhost", "127.0.0.1"):
            probe = self.probe("-a", self.ours.ca,
                               "rediss://%s:%d" % (host, listener.getsockname()[1]))
            probe.dial()
            self.assertEqual(probe.command("PING"), {"status": "PONG"})
            probe.close()
        thread.join(20)
        self.assertEqual(names, ["localhost", None])

    def test_a_plaintext_server_is_refused_and_gets_no_secret(self):
        server = self.redis("--loglevel", "debug")
        url = "rediss://:hunter2@127.0.0.1:%d" % server.port
        reason = self.probe("-a", self.ours.ca, "-c", "2000", url, patient=False).down()
        self.assertEqual(reason, "127.0.0.1:%d: it accepted the connection and did not speak TLS "
                         "in time: is it a plain Redis, for redis://?" % server.port)
        self.assertNotIn("cmdstat_auth", server.cli("INFO", "commandstats"))

    def test_a_plain_link_to_a_tls_server_goes_down(self):
        server = self.serve(self.good)
        reason = self.probe("redis://:x@127.0.0.1:%d" % server.port).down()
        self.assertIn("127.0.0.1:%d: " % server.port, reason)
        self.assertTrue(reason.endswith(" before its first answer, it may speak TLS only"), reason)

    def test_a_plaintext_server_that_says_something_is_called_one(self):
        server = self.redis("--maxclients", "1")
        holder = socket.create_connection(("127.0.0.1", server.port))
        self.addCleanup(holder.close)
        holder.sendall(b"PING\r\n")
        self.assertEqual(holder.recv(100), b"+PONG\r\n")
        reason = self.probe("-a", self.ours.ca, "rediss://:x@127.0.0.1:%d" % server.port).down()
        self.assertEqual(reason, "127.0.0.1:%d: TLS: the server answers without TLS: it is a plain "
                         "Redis, for redis://" % server.port)

    def serve_members(self, *more):
        """A server as Redis is by default: it wants to know who asks."""
        return self.redis("--tls-cert-file", self.good[0], "--tls-key-file", self.good[1],
                          "--tls-ca-cert-file", self.ours.ca, *more, tls=True)

    def test_a_server_that_wants_a_certificate_of_ours(self):
        server = self.serve_members("--tls-auth-clients", "yes")
        url = "rediss://:x@127.0.0.1:%d" % server.port
        reason = self.probe("-a", self.ours.ca, url).down()
        self.assertIn("TLS: the server wants a certificate of ours that it trusts (cert-file, "
                      "key-file)", reason)
        cert, key = self.others.issue("stranger", "DNS:node")
        reason = self.probe("-a", self.ours.ca, "-C", cert, "-K", key, url).down()
        self.assertIn("TLS: the server wants a certificate of ours that it trusts", reason)

    def test_a_certificate_of_ours_is_shown(self):
        server = self.serve_members("--requirepass", "hunter2")
        cert, key = self.ours.issue("node", "DNS:node")
        url = "rediss://:hunter2@127.0.0.1:%d" % server.port
        both = self.ours.path("both.pem")
        with open(both, "w") as file:
            for path in (cert, key):
                with open(path) as part:
                    file.write(part.read())
        for options in (("-C", cert, "-K", key), ("-C", both)):
            probe = self.probe("-a", self.ours.ca, *options, url)
            probe.dial()
            self.assertEqual(probe.command("PING"), {"status": "PONG"})

    def test_certificates_and_keys_that_are_none_are_refused_when_the_link_is_made(self):
        cert, key = self.ours.issue("member", "DNS:node")
        other = self.ours.issue("another", "DNS:node")[1]
        locked = self.ours.path("locked.key")
        self.ours.openssl("pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked)
        for options, named in (
                (("-C", "/no/such.pem", "-K", key), "/no/such.pem: a certificate in PEM"),
                (("-C", cert, "-K", "/no/such.key"), "/no/such.key: the private key of " + cert),
                (("-C", cert, "-K", other), other + ": the private key of " + cert),
                (("-C", cert, "-K", locked), locked + ": the private key of " + cert),
                (("-C", cert), cert + ": the private key of " + cert),
                (("-K", key), key + ": a key needs the certificate")):
            refused = self.probe("-a", self.ours.ca, *options, "rediss://a",
                                 patient=False).expect("refused")
            self.assertIn(named, refused)

    def test_ca_files_that_are_none_are_refused_when_the_link_is_made(self):
        for path in ("/no/such/ca.pem", __file__, self.ours.directory, os.devnull):
            refused = self.probe("-a", path, "rediss://a", patient=False).expect("refused")
            self.assertIn(path, refused)


if __name__ == "__main__":
    main()
