"""Configuration as people type it: addresses in one string, users by number, variables of the
environment, times and sizes with units, and a file at the place where everybody looks for it. What
is wrong is refused in one form, whoever reads it."""

import os
import re
import shlex
import socket
import subprocess
import unittest

import client
import harness

TREE = {"css/site.css": b"body {}\n", "index.html": b"<p>\n"}

BASE = """\
listen: @listen@
hosts:
  default:
    paths:
      "/":
        file.dir: @tree@
"""

# mounts an empty /etc, as containers without a user database have it, with one file in it
BARE_ETC = "mount -t tmpfs none /etc && mkdir /etc/h2o-breaker && cp %s /etc/h2o-breaker/ && exec %s"


def may_mount():
    return os.getuid() == 0 and subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/etc"], capture_output=True).returncode == 0


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class TypedCase(harness.FlavourCase):
    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.tree = self.scratch.tree("tree", TREE)
        self.port = harness.free_port()

    def text(self, listen, extra=""):
        return extra + harness.expand(BASE, listen=listen, tree=self.tree)

    def start(self, text, env=None):
        server = harness.Server(self.flavour, text, env=env)
        self.addCleanup(server.kill)
        return server

    def run_with(self, text, *args, env=None):
        path = self.scratch.write("h2o.conf", text)
        return harness.run_program(self.flavour, "-c", path, *args, env=env)

    def assert_refused(self, text, said, env=None):
        status, stdout, stderr = self.run_with(text, "-t", env=env)
        self.assertEqual((status, stdout), (78, ""))
        self.assertRegex(stderr, r"\A[^\n]+\n\Z", "not exactly one line")
        self.assertIn("h2o.conf:" + said, stderr)


class Addresses(TypedCase):
    def addresses_of(self, listen):
        """The addresses that the start line names."""
        server = self.start(self.text(listen))
        stderr = server.stderr().decode()
        server.stop()
        return re.search(r'listeners="(.*?)"', stderr).group(1).split(", ")

    def test_an_address_is_one_string(self):
        for listen, address in (('"127.0.0.1:%d"', "127.0.0.1:%d"),
                                ('["127.0.0.1:%d"]', "127.0.0.1:%d"),
                                ('{port: "127.0.0.1:%d"}', "127.0.0.1:%d"),
                                ('"*:%d"', "0.0.0.0:%d")):
            with self.subTest(listen):
                self.assertIn(address % self.port, self.addresses_of(listen % self.port))
        self.assertTrue(set(self.addresses_of('"localhost:%d"' % self.port))
                        <= {"127.0.0.1:%d" % self.port, "[::1]:%d" % self.port})

    @unittest.skipIf(not has_ipv6(), "there is no IPv6")
    def test_an_ipv6_address_stands_in_brackets(self):
        for host in ("::1", "::"):
            self.assertEqual(self.addresses_of('"[%s]:%d"' % (host, self.port)),
                             ["[%s]:%d" % (host, self.port)])

    def test_a_unix_socket_is_a_string_too(self):
        path = self.scratch("socket")
        for listen in ('"unix:%s"', "{port: 'unix:%s', permission: 600}", "{port: %s, type: unix}"):
            with self.subTest(listen):
                self.assertEqual(self.addresses_of(listen % path), ["unix:" + path])

    def test_what_is_no_address_is_refused(self):
        forms = "a port from 0 (any free one) to 65535, HOST:PORT, [IPV6]:PORT, *:PORT, unix:/path"
        for listen, accepted in (("::1:80", "an IPv6 address in brackets, as [::1]:8080"),
                                 ("2001:db8::1", "an IPv6 address in brackets, as [::1]:8080"),
                                 ("[::1]", forms), ("[127.0.0.1]:80", forms), (":80", forms),
                                 ("localhost:", forms), ("localhost:http", forms),
                                 ("localhost:65536", forms), ("a" * 256 + ":80", forms),
                                 ("unix:relative", "unix: and a path that begins with /")):
            with self.subTest(listen):
                self.assert_refused(self.text('"%s"' % listen),
                                    "1:9: listen: got `%s`; accepted: %s\n"
                                    % (listen if len(listen) <= 200 else listen[:200] + "...", accepted))
        self.assert_refused(self.text('{port: "127.0.0.1:80", host: 127.0.0.1}'),
                            "1:9: listen: `port` names a host, and so does `host`\n")
        self.assert_refused(self.text('{port: "unix:/x", host: 127.0.0.1}'),
                            "1:9: listen: a Unix socket has no `host`\n")


class Variables(TypedCase):
    def served(self, text, **env):
        server = self.start(text, env=env)
        response = client.get(self.port, "/index.html")
        server.stop()
        return response

    def test_a_variable_stands_for_any_value(self):
        response = self.served(self.text('"${HOST:-127.0.0.1}:${PORT}"', 'header.add: "X-A: ${A}"\n'),
                               PORT=str(self.port), A="one ${PORT} two")
        # what was put in is not looked at again
        self.assertEqual(response.get("x-a"), "one ${PORT} two")

    def test_numbers_come_from_variables(self):
        server = self.start(self.text("127.0.0.1:%d" % self.port, "num-threads: ${N}\n"),
                            env={"N": "3"})
        self.assertIn(b" threads=3 ", server.stderr())
        server.stop()

    def test_a_default_counts_where_the_variable_is_unset_or_empty(self):
        for env, value in (({}, "of: old-"), ({"B": ""}, "of: old-"), ({"B": "new"}, "new")):
            with self.subTest(env):
                response = self.served(self.text('"127.0.0.1:%d"' % self.port,
                                                 'header.add: "X-B: ${B:-of: old-}"\n'), **env)
                self.assertEqual(response.get("x-b"), value)

    def test_two_dollars_stand_for_one(self):
        response = self.served(self.text('"127.0.0.1:%d"' % self.port,
                                         'header.add: "X-C: $${HOME} $HOME $$ ${C:-}$"\n'))
        self.assertEqual(response.get("x-c"), "${HOME} $HOME $$ $")

    def test_a_variable_is_never_a_structure(self):
        for value in ("[1, 2]", "{port: 80}", "80 # eighty", "80\nnum-threads: 2", "*x", "!file x"):
            with self.subTest(value):
                status, _, stderr = self.run_with(self.text("${LISTEN}"), "-t",
                                                  env={"LISTEN": value})
                self.assertEqual(status, 78)
                self.assertIn("h2o.conf:1:9: listen: got `", stderr)

    def test_keys_and_commands_of_a_shell_are_left_alone(self):
        status, _, stderr = self.run_with(self.text("80", "${KEY}: 1\n"), "-t",
                                          env={"KEY": "num-threads"})
        self.assertEqual(status, 78)
        self.assertIn("unknown key `${KEY}`", stderr)
        for extra in ('access-log: "| cat >/dev/null # ${NOT_THERE+x}"\n',
                      'error-log: "| cat # ${NOT_THERE}"\n'):
            self.assertEqual(self.run_with(self.text("80", extra), "-t")[::2], (0, ""))

    def test_included_files_have_variables_and_come_from_them(self):
        self.scratch.write("hosts.conf",
                           'default: {paths: {"/": {file.dir: "${DIRECTORY}"}}}\n')
        text = "listen: 127.0.0.1:%d\nhosts: !file ${INCLUDED}\n" % self.port
        env = {"INCLUDED": self.scratch("hosts.conf"), "DIRECTORY": self.tree}
        self.assertEqual(self.served(text, **env).body, TREE["index.html"])
        del env["DIRECTORY"]
        status, _, stderr = self.run_with(text, "-t", env=env)
        self.assertEqual(status, 78)
        self.assertIn("hosts.conf:1:35: got `${DIRECTORY}`, which the environment does not have",
                      stderr)

    def test_what_is_no_variable_is_refused(self):
        for value in ("${}", "${1}", "${A-b}", "${A:=b}", "${A", "${A:-${B}}", "${A B}", "a${é}"):
            with self.subTest(value):
                self.assert_refused(self.text("80", "server-name: '%s'\n" % value), "1:14: got `${")
        self.assert_refused(self.text("80", "server-name: ${NOT_THERE}\n"),
                            "1:14: got `${NOT_THERE}`, which the environment does not have; accepted:")

    def test_a_value_has_a_longest_length(self):
        self.assert_refused(self.text("80", 'server-name: "%s"\n' % ("${LONG}" * 1100)),
                            "1:14: a value is longer than 1048576 bytes with its variables",
                            env={"LONG": "x" * 1000})


class Units(TypedCase):
    TIMES = ("handshake-timeout", "http1-request-timeout", "http2-idle-timeout",
             "http2-graceful-shutdown-timeout", "shutdown-timeout", "shutdown-delay",
             "http2-latency-optimization-min-rtt", "proxy.timeout.io", "proxy.timeout.keepalive",
             "proxy.websocket.timeout", "fastcgi.timeout.io", "fastcgi.timeout.keepalive")
    SIZES = ("limit-request-body", "compress-minimum-size", "http2-latency-optimization-max-cwnd")

    def test_times_and_sizes_have_units_wherever_they_stand(self):
        for keys, values in ((self.TIMES, ("30", "30s", "5m", "1h", "2000ms")),
                             (self.SIZES, ("1000", "1KB", "1KiB", "10MB", "10MiB", "1GB", "1GiB"))):
            for value in values:
                with self.subTest(value):
                    extra = "".join("%s: %s\n" % (key, value) for key in keys)
                    self.assertEqual(self.run_with(self.text("80", extra), "-t"),
                                     (0, "configuration OK\n", ""))

    def test_the_values_of_a_view_have_units(self):
        view = ("{name: '{breaker}', path: %s, cache-max-age: 365d, redirect-max-age: 1h, "
                "retry-after: 5s, memory-limit: 1GB, memory-file-limit: 1MiB}" % self.tree)
        text = self.text("80", "ssl-session-resumption: {mode: cache, lifetime: 1h}\n")
        text = text.replace("file.dir:", "breaker.static: %s\n        file.dir:" % view)
        self.assertEqual(self.run_with(text, "-t"), (0, "configuration OK\n", ""))

    def test_a_size_with_a_unit_holds(self):
        server = self.start(self.text("127.0.0.1:%d" % self.port, "limit-request-body: 2KB\n"))
        for size, status in ((2000, 405), (2001, 413)):
            self.assertEqual(client.get(self.port, "/index.html", method="POST",
                                        body=b"x" * size).status, status)
        server.stop()

    def test_units_that_do_not_fit_are_refused(self):
        for line, said in (
                ("handshake-timeout: 1500ms", "1:20: handshake-timeout: got `1500ms`; accepted: "
                 "seconds from 0 to 4294967295, as 90, 90s, 2m, 1h or 1d\n"),
                ("proxy.timeout.io: 30 s", "1:19: proxy.timeout.io: got `30 s`; accepted: "
                 "milliseconds from 0 to 4294967295, as 500, 500ms, 30s or 5m\n"),
                ("limit-request-body: 1G", "1:21: limit-request-body: got `1G`; accepted: bytes "
                 "from 0 to 18446744073709551615, as 1048576, 1024KiB, 1MiB, 1GiB or 1GB\n"),
                ("shutdown-timeout: 2d", "1:19: shutdown-timeout: got `2d`; accepted: seconds "
                 "from 0 to 86400, as 90, 90s, 2m, 1h or 1d\n"),
                ("max-delegations: 5s", "1:18: max-delegations: got `5s`; accepted: a number from 0 "
                 "to 4294967295\n")):
            with self.subTest(line):
                self.assert_refused(self.text("80", line + "\n"), said)


class Complaints(TypedCase):
    def test_directives_of_libh2o_are_refused_in_the_form_of_ours(self):
        for line, said in (
                ("http1-upgrade-to-http2: maybe", "1:25: http1-upgrade-to-http2: got `maybe`; "
                 "accepted: OFF, ON\n"),
                ("file.send-compressed: maybe", "1:23: file.send-compressed: got `maybe`; "
                 "accepted: OFF, ON, gunzip\n"),
                ("server-name: [x]", "1:14: server-name: got `a sequence`; accepted: a single value\n"),
                ("setenv: x", "1:9: setenv: got `x`; accepted: a mapping\n"),
                ("max-delegations: -1", "1:18: max-delegations: got `-1`; accepted: a number from 0"),
                ("http2-casper: {capacity-bits: 99}", "1:31: http2-casper: got `99`; accepted: ON, OFF, "
                 "or a mapping with capacity-bits, from 1 to 15, and tracking-types\n"),
                ("http2-latency-optimization-max-additional-delay: x",
                 "1:50: http2-latency-optimization-max-additional-delay: got `x`; accepted: a number"),
                ("access-log: {format: x}", "1:13: access-log: the mandatory key `path` is missing\n"),
                ("proxy.ssl.session-cache: {capacity: many, lifetime: 1}",
                 "1:37: proxy.ssl.session-cache: capacity: got `many`; accepted: sessions from 1 to 4294967295")):
            with self.subTest(line):
                self.assert_refused(self.text("80", line + "\n"), said)


    def refuse_at_a_path(self, line, said):
        text = self.text("80").replace("file.dir: " + self.tree, line)
        self.assert_refused(text, "6:%d: %s" % (text.splitlines()[5].index(": ") + 3, said))

    def test_what_libh2o_takes_and_nobody_can_mean_is_refused(self):
        header = "; accepted: a header as `Name: value`, in one line\n"
        port = "; accepted: a port from 1 to 65535\n"
        casper = ("; accepted: ON, OFF, or a mapping with capacity-bits, from 1 to 15, and "
                  "tracking-types\n")
        for line, said in (
                ("fastcgi.connect: -1", "fastcgi.connect: got `-1`" + port),
                ("fastcgi.connect: 65536", "fastcgi.connect: got `65536`" + port),
                ("fastcgi.connect: 9000x", "fastcgi.connect: got `9000x`" + port),
                ("fastcgi.connect: {host: 127.0.0.1}",
                 "fastcgi.connect: the mandatory key `port` is missing\n"),
                ('redirect: ""', "redirect: got ``; accepted: a URL or path, or a mapping with"),
                (r'redirect: "/a\r\nX: y"', "redirect: got `/a??X: y`; accepted: a URL or path")):
            with self.subTest(line):
                self.refuse_at_a_path(line, said)
        self.assert_refused(
            self.text("80").replace("file.dir: " + self.tree, "fastcgi.connect: {port: many}"),
            "6:33: fastcgi.connect: port: got `many`" + port)
        for line, said in (
                ('header.add: "X Y: z"', "1:13: header.add: got `X Y: z`" + header),
                ("header.set: X", "1:13: header.set: got `X`" + header),
                ('header.append: ": z"', "1:16: header.append: got `: z`" + header),
                (r'header.merge: "X: a\r\nY: b"', "1:15: header.merge: got `X: a??Y: b`" + header),
                (r'proxy.header.add: "X: a\nY: b"', "1:19: proxy.header.add: got `X: a?Y: b`" + header),
                ('header.unset: "X: y"', "1:15: header.unset: got `X: y`; accepted: a header's name\n"),
                (r'server-name: "a\nX: y"', "1:14: server-name: got `a?X: y`; accepted: a text without"),
                ("http2-casper: maybe", "1:15: http2-casper: got `maybe`" + casper),
                ("http2-casper: {bits: 5}",
                 "1:16: http2-casper: unknown key `bits`; accepted: capacity-bits, tracking-types\n"),
                ("temp-buffer-path: /none", "1:19: temp-buffer-path: got `/none`; accepted: an existing")):
            with self.subTest(line):
                self.assert_refused(self.text("80", line + "\n"), said)

    def test_values_from_the_environment_add_no_header(self):
        self.assert_refused(self.text("80", 'header.add: "X-A: ${A}"\n'),
                            "1:13: header.add: got `X-A: b??Set-Cookie: c`; accepted: a header as",
                            env={"A": "b\r\nSet-Cookie: c"})

    def test_libh2o_says_what_is_accepted(self):
        for line, said in (
                ("expires: 5 weeks", "1:10: expires: got `5 weeks`; accepted: OFF, or a number and"),
                ("fastcgi.document_root: www", "1:24: fastcgi.document_root: got `www`; accepted: a path"),
                ("http2-latency-optimization-max-additional-delay: -1", "1:50: http2-latency-"
                 "optimization-max-additional-delay: got `-1`; accepted: a number above 0, as 0.1\n"),
                ("expires: 5", "1:10: expires: got `5`; accepted: OFF, or a number and"),
                ("error-doc: /404.html", "1:12: error-doc: got `/404.html`; accepted: a mapping with"),
                ("error-doc: {status: 200, url: /}", "1:21: error-doc: got `200`; accepted: a mapping"),
                ("error-doc: {url: /}", "1:12: error-doc: mandatory key `status` is not defined; "
                 "accepted: a mapping with url and status"),
                ("file.mime.setdefaulttype: text", "1:27: file.mime.setdefaulttype: got `text`; "
                 "accepted: a media type, as text/plain\n"),
                ("file.mime.removetypes: [txt]", "1:25: file.mime.removetypes: got `txt`; accepted: a "
                 "sequence of extensions, as .txt\n"),
                ("setenv: {A: [b]}", "1:13: setenv: value must be a scalar; accepted: a mapping of")):
            with self.subTest(line):
                self.assert_refused(self.text("80", line + "\n"), said)

    def test_a_long_value_is_shown_by_its_beginning(self):
        for value, shown in (("x" * 3000, "x" * 200 + "..."), ("x" * 200, "x" * 200),
                             ("x" * 199 + "\u00e4" * 9, "x" * 199 + "...")):
            self.assert_refused(self.text("80", "gzip: %s\n" % value),
                                "1:7: gzip: got `%s`; accepted: ON, OFF\n" % shown)

    def test_files_that_are_not_there_are_told(self):
        for line, said in (("file.dir: /none", "/none`: No such file or directory; "),
                           ("file.dir: /dev/null", "/dev/null`: Not a directory; "),
                           ("file.file: /none", "/none`: No such file or directory; ")):
            with self.subTest(line):
                text = self.text("80").replace("file.dir: " + self.tree, line)
                status, stdout, stderr = self.run_with(text, "-t")
                self.assertEqual((status, stdout), (0, "configuration OK\n"))
                self.assertRegex(stderr, r"\A\S+h2o\.conf:6:\d+: warning: file\.\w+: got `%swhat is "
                                 r"asked for there is not found\n\Z" % said)

    def test_a_header_of_the_proxy_protocol_is_for_one_client_and_without_tls(self):
        application = ("proxy.proxy-protocol: ON\nproxy.timeout.keepalive: %d\nhosts: {default: {paths: "
                       "{/: {proxy.reverse.url: '%s://127.0.0.1:3000/'}}}}\nlisten: {port: 80}\n")
        for keepalive, scheme, said in (
                (2000, "http", "accepted with `proxy.timeout.keepalive: 0`"),
                (0, "https", "accepted with http://")):
            with self.subTest(scheme):
                status, stdout, stderr = self.run_with(application % (keepalive, scheme), "-t")
                self.assertEqual((status, stdout), (78, ""))
                self.assertRegex(stderr, r"\A[^\n]*h2o\.conf:3:\d+: proxy\.reverse\.url: [^\n]*%s\n\Z"
                                 % re.escape(said))


    def test_an_application_that_cannot_be_meant_is_refused(self):
        own, other = (harness.Certificate(self.scratch, name) for name in ("localhost", "other"))
        missing = self.scratch("no-such-file.pem")
        pair = "proxy.ssl.certificate-file: %s\nproxy.ssl.key-file: %s\n"
        # lines at the top level, the URL, and the line that is refused with what it says
        for lines, url, place, said in (
                ("", "ftp://127.0.0.1/", "proxy.reverse.url", "got `ftp://127.0.0.1/`; accepted: a URL as http"),
                ("", "127.0.0.1:3000", "proxy.reverse.url", "accepted: a URL as http"),
                ("proxy.ssl.cafile: %s\n" % missing, "https://127.0.0.1/", "proxy.ssl.cafile",
                 missing + ": No such file or directory"),
                ("proxy.ssl.cafile: %s\n" % own.key, "https://127.0.0.1/", "proxy.ssl.cafile",
                 "accepted: a file of certificates in PEM"),
                ("proxy.ssl.certificate-file: %s\n" % own.cert, "https://127.0.0.1/",
                 "proxy.ssl.certificate-file", "proxy.ssl.key-file: missing"),
                ("proxy.ssl.key-file: %s\n" % own.key, "https://127.0.0.1/", "proxy.ssl.key-file",
                 "proxy.ssl.certificate-file: missing"),
                (pair % (own.cert, other.key), "https://127.0.0.1/", "proxy.ssl.certificate-file", "mismatch"),
                (pair % (own.cert, missing), "https://127.0.0.1/", "proxy.ssl.certificate-file",
                 missing + ": No such file or directory"),
                ("proxy.max-fields: 0\n", "http://127.0.0.1/", "proxy.max-fields", "accepted: fields from 1"),
                ("proxy.max-header-bytes: 1GiB\n", "http://127.0.0.1/", "proxy.max-header-bytes",
                 "accepted: bytes from 1024 to 262144"),
                ("proxy.http2: maybe\n", "http://127.0.0.1/", "proxy.http2", "accepted: ON, OFF")):
            with self.subTest(said):
                text = "%shosts: {default: {paths: {/: {proxy.reverse.url: '%s'}}}}\nlisten: {port: 80}\n"
                status, stdout, stderr = self.run_with(text % (lines, url), "-t")
                self.assertEqual((status, stdout), (78, ""))
                self.assertRegex(stderr, r"\A[^\n]*h2o\.conf:\d+:\d+: %s: [^\n]*%s[^\n]*\n\Z"
                                 % (re.escape(place), re.escape(said)))

    def test_a_name_that_nobody_knows_is_said_and_no_reason_to_stay_away(self):
        text = "hosts: {default: {paths: {/: {proxy.reverse.url: 'http://no-such-name.invalid/'}}}}\nlisten: {port: 80}\n"
        status, _, stderr = self.run_with(text, "-t")
        self.assertEqual(status, 0)
        self.assertRegex(stderr, r"h2o\.conf:1:\d+: warning: proxy\.reverse\.url: no-such-name\.invalid: [^\n]+looked up again")


class Places(TypedCase):
    DEFAULT = "/etc/h2o-breaker/h2o-breaker.conf"

    @unittest.skipIf(os.path.exists(DEFAULT), "this machine has a configuration")
    def test_a_missing_default_file_is_named(self):
        self.assertEqual(
            harness.run_program(self.flavour, "-t"),
            (78, "", "h2o-breaker: there is no %s; -c FILE names another configuration\n"
             % self.DEFAULT))

    @unittest.skipIf(not may_mount(), "only root can mount")
    def test_the_default_file_is_read_and_numbers_need_no_user_database(self):
        config = self.scratch.write(
            "h2o-breaker.conf", self.text("127.0.0.1:%d" % self.port, "user: 1000\n"))
        program = os.path.join(harness.BIN, harness.PROGRAMS[self.flavour])
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c",
             BARE_ETC % (shlex.quote(config), shlex.quote(program) + " -t")],
            capture_output=True, text=True, env=harness.ENVIRONMENT)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "configuration OK\n", ""))


class Users(TypedCase):
    @unittest.skipIf(os.getuid() != 0, "only root can become another user")
    def test_users_and_groups_go_by_number(self):
        for user, uid, gid, groups in (("54321", 54321, 54321, ["54321"]),
                                       ('"54321:12345"', 54321, 12345, ["12345"]),
                                       ("daemon:54321", 1, 54321, None),
                                       ("nobody:daemon", 65534, 1, None),
                                       ("1", 1, 1, None)):
            with self.subTest(user):
                server = self.start(self.text("127.0.0.1:%d" % self.port, "user: %s\n" % user))
                with open("/proc/%d/status" % server.pid) as file:
                    status = dict(re.findall(r"(?m)^(\w+):\t(.*)$", file.read()))
                self.assertEqual(status["Uid"].split(), [str(uid)] * 4)
                self.assertEqual(status["Gid"].split(), [str(gid)] * 4)
                self.assertNotIn("0", status["Groups"].split())
                if groups is not None:
                    self.assertEqual(status["Groups"].split(), groups)
                server.stop()

    def test_what_is_no_user_is_refused(self):
        for user in ("no-such-user", "4294967295", "-1", "1000:no-such-group", ":1000", "1000:",
                     "1:2:3"):
            with self.subTest(user):
                self.assert_refused(self.text("80", 'user: "%s"\n' % user),
                                    "1:7: user: there is no user `%s`; accepted: a user, by name "
                                    "or number, or USER:GROUP\n" % user)


if __name__ == "__main__":
    harness.trace_allocations()
    harness.main()
