"""Configuration, right and wrong: what is wrong is refused with exactly one line that names the
file, the line, the key and what is accepted, and with a status that is not 0."""

import os
import re
import socket
import subprocess

import client
import harness

# long enough to be worth an encoding
TREE = {"css/site.css": b"body {}\n" * 1000}

# the configuration that every case spoils in one place; lines are counted from 1
BASE = """\
listen: {host: 127.0.0.1, port: @port@}
hosts:
  default:
    paths:
      "/":
        breaker.static:
          name: static/{breaker}
          path: @tree@
"""

TLS = "listen: {host: 127.0.0.1, port: @port@, ssl: {certificate-file: @cert@, key-file: @key@%s}}"


def spoilt(line, text):
    """The base with one line replaced; line 9 is added to the view, 0 comes first of all."""
    lines = BASE.splitlines()
    if line == 0:
        lines.insert(0, text)
    elif line == 9:
        lines.append(text)
    else:
        lines[line - 1] = text
    return "\n".join(lines) + "\n"


def option(text):
    """The base with a further option in its view."""
    return spoilt(9, "          " + text)


# (title, configuration, line that must be named, words that must be said)
KEYS = (
    ("unknown key", spoilt(0, "frobnicate: 1"), 1, ("frobnicate", "accepted")),
    ("misspelt key", spoilt(1, "listne: @port@"), 1, ("listne", "listen")),
    ("misspelt key in a path", spoilt(6, "        breaker.statik:"), 6,
     ("breaker.statik", "breaker.static")),
    ("misspelt key in a host", spoilt(4, "    path:"), 4, ("path", "paths")),
    ("unknown option of a view", option("cache-age: 3"), None, ("cache-age", "cache-max-age")),
    ("unknown option of listen", spoilt(1, "listen: {port: @port@, prot: 1}"), 1,
     ("prot", "port", "host", "ssl")),
    ("unknown option of ssl", spoilt(1, TLS % ", certificate: x"), 1, ("certificate", "key-file")),
    ("a key of the top level in a path", spoilt(9, "        num-threads: 2"), 9, ("num-threads",)),
    ("a limit of floods in a path", spoilt(9, "        http2-max-resets: 2"), 9,
     ("http2-max-resets",)),
    ("a key of a path at the top level", spoilt(0, "breaker.static: {name: x, path: y}"), 1,
     ("breaker.static", "path")),
    ("a key twice", spoilt(0, "num-threads: 1\nnum-threads: 2"), 2, ("num-threads",)),
    ("an option twice", option("name: static/{breaker}"), 9, ("name",)),
    ("no listen", spoilt(1, "num-threads: 1"), None, ("listen",)),
    ("no hosts", "listen: @port@\n", None, ("hosts",)),
    ("no paths", "listen: @port@\nhosts:\n  default: {}\n", None, ("paths",)),
)

VALUES = (
    ("threads as a word", spoilt(0, "num-threads: many"), 1, ("num-threads", "many", "1")),
    ("no threads", spoilt(0, "num-threads: 0"), 1, ("num-threads", "0")),
    ("threads below zero", spoilt(0, "num-threads: -1"), 1, ("num-threads", "-1")),
    ("half a thread", spoilt(0, "num-threads: 1.5"), 1, ("num-threads", "1.5")),
    ("threads as a sequence", spoilt(0, "num-threads: [1]"), 1, ("num-threads", "sequence")),
    ("no connections", spoilt(0, "max-connections: 0"), 1, ("max-connections", "0")),
    ("resets as a word", spoilt(0, "http2-max-resets: many"), 1, ("http2-max-resets", "many")),
    ("errors below zero", spoilt(0, "http2-max-stream-errors: -1"), 1,
     ("http2-max-stream-errors", "-1")),
    ("a list of fields in miles", spoilt(0, "http2-max-header-list-size: 3mi"), 1,
     ("http2-max-header-list-size", "3mi", "KiB")),
    ("connections as a mapping", spoilt(0, "max-connections: {a: 1}"), 1, ("max-connections",)),
    ("a delay without a unit that is known", spoilt(0, "shutdown-delay: 5w"), 1,
     ("shutdown-delay", "5w", "seconds")),
    ("health checks at no path", spoilt(0, "breaker.health: ON"), 1,
     ("breaker.health", "ON", "/breaker")),
    ("health checks at every path", spoilt(0, "breaker.health: /"), 1, ("breaker.health", "`/`")),
    ("health checks at two paths", spoilt(0, "breaker.health: [/a, /b]"), 1, ("breaker.health",)),
    ("a user that is not there", spoilt(0, "user: no-such-user"), 1, ("user", "no-such-user")),
    ("an error log in no form", spoilt(0, "error-log: {format: xml}"), 1,
     ("error-log", "format", "xml", "text, json")),
    ("an error log of no level", spoilt(0, "error-log: {level: debug}"), 1,
     ("error-log", "level", "debug", "info, warning, error")),
    ("an error log with another key", spoilt(0, "error-log: {file: /tmp/x}"), 1,
     ("error-log", "file", "path, format, level")),
    ("an error log to no command", spoilt(0, 'error-log: "|"'), 1, ("error-log", "command")),
    ("error logs", spoilt(0, "error-log: [a, b]"), 1, ("error-log", "a sequence")),
    ("pid-file as a mapping", spoilt(0, "pid-file: {a: b}"), 1, ("pid-file", "mapping")),
    ("listen without a port", spoilt(1, "listen: {host: 127.0.0.1}"), 1, ("listen", "port")),
    ("a port too large", spoilt(1, "listen: 65536"), 1, ("listen", "65536", "65535")),
    ("a port that is none", spoilt(1, "listen: http"), 1, ("listen", "http", "65535")),
    ("an unknown host", spoilt(1, "listen: {host: no.such.host.invalid, port: @port@}"), 1,
     ("listen", "no.such.host.invalid")),
    ("an empty sequence of listen", spoilt(1, "listen: []"), 1, ("listen",)),
    ("an unknown type of socket", spoilt(1, "listen: {port: /tmp/x, type: udp}"), 1,
     ("type", "udp", "tcp", "unix")),
    ("the same address twice", spoilt(1, "listen: [@port@, @port@]"), 1, ("listen", "@port@")),
    ("a token with a blank", spoilt(0, 'breaker.token: "a b"'), 1, ("breaker.token", "a b", "64")),
    ("an empty token", spoilt(0, 'breaker.token: ""'), 1, ("breaker.token", "64")),
    ("a token too long", spoilt(0, "breaker.token: " + "a" * 65), 1, ("breaker.token", "64")),
    ("a token as a sequence", spoilt(0, "breaker.token: [1]"), 1, ("breaker.token",)),
    ("the placeholder as a token", spoilt(0, 'breaker.token: "{breaker}"'), 1,
     ("breaker.token", "{breaker}")),
    ("a release with a slash", spoilt(0, "breaker.release: a/b"), 1, ("breaker.release", "a/b")),
    ("a cache without a name", spoilt(0, 'breaker.encoding-cache: ""'), 1,
     ("breaker.encoding-cache", "not empty")),
    ("a cache as a sequence", spoilt(0, "breaker.encoding-cache: [a]"), 1,
     ("breaker.encoding-cache", "sequence", "path", "max-size")),
    ("a cache without a path", spoilt(0, "breaker.encoding-cache: {max-size: 1048576}"), 1,
     ("breaker.encoding-cache", "path")),
    ("a cache with a key too many", spoilt(0, "breaker.encoding-cache: {path: /tmp/x, size: 1}"), 1,
     ("breaker.encoding-cache", "size", "max-size")),
    ("a cache of nothing", spoilt(0, "breaker.encoding-cache: {path: /tmp/x, max-size: 0}"), 1,
     ("breaker.encoding-cache", "max-size", "0", "1048576")),
    ("a cache of a gigabyte in words",
     spoilt(0, "breaker.encoding-cache: {path: /tmp/x, max-size: 1G}"), 1,
     ("breaker.encoding-cache", "max-size", "1G", "bytes")),
    ("no share of a processor", spoilt(0, "breaker.encoding-cpu: 0"), 1,
     ("breaker.encoding-cpu", "0", "1 to 100")),
    ("more than a processor", spoilt(0, "breaker.encoding-cpu: 101"), 1,
     ("breaker.encoding-cpu", "101", "1 to 100")),
    ("half of a processor in words", spoilt(0, "breaker.encoding-cpu: 50%"), 1,
     ("breaker.encoding-cpu", "50%", "1 to 100")),
    ("rewrite as a word", spoilt(9, "        breaker.rewrite: perhaps"), 9,
     ("breaker.rewrite", "perhaps", "ON", "OFF", "types", "xhtml")),
    ("rewrite of a type that is none", spoilt(9, "        breaker.rewrite: [json, jsn]"), 9,
     ("breaker.rewrite", "jsn", "json", "turbo-stream", "media type")),
    ("rewrite of a type with parameters", spoilt(9, "        breaker.rewrite: [text/css;x=y]"), 9,
     ("breaker.rewrite", "text/css;x=y", "media type")),
    ("rewrite of a mapping for a type", spoilt(9, "        breaker.rewrite: [{json: ON}]"), 9,
     ("breaker.rewrite", "a mapping", "json")),
    ("rewrite of too many types",
     spoilt(9, "        breaker.rewrite: [%s]" % ", ".join("a/%d" % i for i in range(33))), 9,
     ("breaker.rewrite", "33", "at most 32")),
    ("rewrite with an unknown key", spoilt(9, "        breaker.rewrite: {type: [json]}"), 9,
     ("breaker.rewrite", "type", "types", "cache-control", "compress")),
    ("rewrite with types as a word", spoilt(9, "        breaker.rewrite: {types: json}"), 9,
     ("breaker.rewrite", "types", "json", "sequence")),
    ("rewrite that forgets caches", spoilt(9, "        breaker.rewrite: {cache-control: private}"), 9,
     ("breaker.rewrite", "cache-control", "private", "keep", "no-cache")),
    ("rewrite that compresses somehow", spoilt(9, "        breaker.rewrite: {compress: gzip}"), 9,
     ("breaker.rewrite", "compress", "gzip", "ON", "OFF")),
)

VIEWS = (
    ("a name without the placeholder", spoilt(7, "          name: static"), None,
     ("static", "{breaker}")),
    ("a name with two", spoilt(7, '          name: "{breaker}/{breaker}"'), None,
     ("{breaker}", "once")),
    ("an empty name", spoilt(7, '          name: ""'), 7, ("name",)),
    ("a name that climbs", spoilt(7, '          name: "../{breaker}"'), None, ("..",)),
    ("a name with a query", spoilt(7, '          name: "a?{breaker}"'), None, ("?",)),
    ("no name", spoilt(7, "          retry-after: 3"), None, ("name",)),
    ("no directory", spoilt(8, "          retry-after: 3"), None, ("path",)),
    ("a directory that is missing", spoilt(8, "          path: /no/such/directory"), 8,
     ("path", "/no/such/directory", "directory")),
    ("no directory at all", spoilt(8, "          path: []"), 8, ("path", "1 to 16")),
    ("a second directory that is missing", spoilt(8, "          path: [@tree@, /no/such/one]"), 8,
     ("path", "/no/such/one", "directory")),
    ("a directory to follow to that is missing", option("follow: /no/such/one"), 9,
     ("follow", "/no/such/one", "directory")),
    ("directories to follow to as a mapping", option("follow: {a: b}"), 9, ("follow", "string")),
    ("strict in half", option("strict: perhaps"), 9, ("strict", "perhaps", "ON", "OFF")),
    ("a file for a directory", spoilt(8, "          path: @cert@"), 8, ("path", "directory")),
    ("a view as a word", spoilt(6, "        breaker.static: static/{breaker}")
     .replace("          name: static/{breaker}\n          path: @tree@\n", ""), 6,
     ("breaker.static",)),
    ("the same name twice", BASE + '      "/again":\n        breaker.static: '
     '[{name: "{breaker}", path: @tree@}, {name: "{breaker}", path: @tree@}]\n', 10, ("name",)),
    ("a wait of two minutes", "breaker.fetch: {timeout: 120s}\n" + BASE, 1,
     ("timeout", "120s", "from 10ms to 60s")),
    ("a wait of nothing", "breaker.fetch: {timeout: 0}\n" + BASE, 1,
     ("timeout", "`0`", "from 10ms to 60s")),
    ("readiness after a day", "breaker.ready-timeout: 86400s\n" + BASE, 1,
     ("breaker.ready-timeout", "86400s", "from 0ms to 3600s")),
    ("retry at once", option("retry-after: 0"), 9, ("retry-after", "0", "3600")),
    ("retry too late", option("retry-after: 3601"), 9, ("retry-after", "3601", "3600")),
    ("a year in words", option("cache-max-age: 1 year"), 9, ("cache-max-age", "1 year")),
    ("an age below zero", option("cache-max-age: -1"), 9, ("cache-max-age", "-1")),
    ("an age of eleven years", option("cache-max-age: 346896000"), 9,
     ("cache-max-age", "346896000", "315360000")),
    ("a redirect's age of two years", option("redirect-max-age: 63072000"), 9,
     ("redirect-max-age", "63072000", "31536000")),
    ("an origin with a path", option("allow-origin: https://shop.example/"), 9,
     ("allow-origin", "https://shop.example/", "https://shop.example")),
    ("an origin in large letters", option("allow-origin: [\"https://Shop.example\"]"), 9,
     ("allow-origin", "https://Shop.example", "small letters")),
    ("any origin in a list", option('allow-origin: ["*", "https://shop.example"]'), 9,
     ("allow-origin", "`*`", "sequence")),
    ("no origin in a list", option("allow-origin: []"), 9, ("allow-origin", "an empty sequence")),
    ("a list in a list of origins", option("allow-origin: [[a]]"), 9, ("allow-origin", "sequence")),
    ("headers as a string", option('headers: "X: y"'), 9, ("headers", "Name: value")),
    ("a header without a colon", option('headers: ["nothing"]'), None, ("Name: value",)),
    ("a header with a line end", option('headers: ["A: b\\r\\nX: y"]'), None, ("header",)),
    ("a header that is ours", option('headers: ["X-A: 1", "ETag: x"]'), 9,
     ("headers", "`ETag: x`", "sets itself")),
    ("headers for nobody", option('headers: [{set: "A: b"}]'), 9, ("headers", "`match`", "missing")),
    ("a match without headers", option('headers: [{match: "*.js"}]'), 9,
     ("headers", "`set`", "missing")),
    ("headers that set nothing", option('headers: [{match: "*", set: []}]'), 9,
     ("headers", "set", "empty sequence", "Name: value")),
    ("another key of a match", option('headers: [{match: "*.js", add: "A: b"}]'), 9,
     ("headers", "`add`", "match, set")),
    ("a pattern with an open bracket", option('headers: [{match: "[a", set: "A: b"}]'), 9,
     ("match", "`[a`", "*.js")),
    ("a pattern with braces", option('headers: [{match: "*.{js,css}", set: "A: b"}]'), 9,
     ("match", "`*.{js,css}`", "backslash")),
    ("a pattern of a directory", option('headers: [{match: "js/", set: "A: b"}]'), 9,
     ("match", "`js/`", "js/**")),
    ("a list of patterns", option('headers: [{match: ["*.js"], set: "A: b"}]'), 9,
     ("match", "a sequence", "*.js")),
    ("a matched header without a colon", option('headers: [{match: a, set: ["A: b", nothing]}]'), 9,
     ("set", "`nothing`", "Name: value")),
    ("33 headers", option('headers: [{match: a, set: [%s]}, "A: b"]' % ", ".join(['"A: b"'] * 32)),
     9, ("headers", "one header more", "32")),
    ("encodings as a number", option("encodings: 3"), 9, ("encodings", "3", "ON", "OFF")),
    ("dotfiles as a word", option("dotfiles: perhaps"), 9, ("dotfiles", "perhaps", "ON")),
    ("a limit that is no number", option("memory-limit: 1G"), 9, ("memory-limit", "1G")),
)

SYNTAX = (
    ("a tab", "listen: 1\n\tnum-threads: 2\n", 2, ()),
    ("an open bracket", "listen: [1, 2\nhosts: {}\n", None, ()),
    ("an open quote", 'listen: "1\n', None, ()),
    ("nothing at all", "", None, ()),
    ("only a comment", "# nothing\n", None, ()),
    ("a scalar", "listen\n", 1, ()),
    ("a sequence", "- listen: 1\n", 1, ()),
    ("an unknown alias", "listen: *nothing\n", 1, ("nothing",)),
    ("bytes that are no text", "listen: \x01\x02\n", None, ()),
    ("nesting without end", "a: " + "[" * 5000 + "\n", None, ()),
    ("a laughing billion", "a0: &a0 [x, x]\n" + "".join(
        "a%d: &a%d [%s]\n" % (i, i, ", ".join(["*a%d" % (i - 1)] * 10)) for i in range(1, 12)),
     None, ()),
    ("aliases that stand for a billion values in an accepted place",
     "listen: 80\nhosts: {}\naccess-log:\n  - &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
         "  - &a%d [%s]\n" % (i, ", ".join(["*a%d" % (i - 1)] * 10)) for i in range(1, 10)),
     9, ("1000000 values", "aliases")),
    ("merges of more keys than a mapping may have",
     "a: &a {%s}\nb: &b {%s}\nc: {<<: [*a, *b]}\n" % tuple(
         ", ".join("%s%d: 1" % (name, i) for i in range(6000)) for name in "xy"),
     3, ("10000 keys",)),
    ("a file that includes itself", "hosts: !file h2o.conf\n", None, ()),
)


class ConfigCase(harness.FlavourCase):
    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.certificate = harness.Certificate(self.scratch)
        self.tree = self.scratch.tree("tree", TREE)
        self.port = harness.free_port()

    def write(self, text, **values):
        values = {"port": self.port, "tree": self.tree, "cert": self.certificate.cert,
                  "key": self.certificate.key, **values}
        return self.scratch.write("h2o.conf", harness.expand(text, **values))

    def run_with(self, text, *args, **values):
        return harness.run_program(self.flavour, "-c", self.write(text, **values), *args)

    def assert_refused(self, outcome, line=None, words=()):
        status, stdout, stderr = outcome
        self.assertNotEqual(status, 0)
        self.assertGreater(status, 0, "ended by a signal: " + stderr)
        self.assertEqual(stdout, "")
        self.assertRegex(stderr, r"\A[^\n]+\n\Z", "not exactly one line")
        if line is not None:
            self.assertRegex(stderr, r"\bh2o\.conf:%d\b" % line)
        for word in words:
            self.assertIn(word.replace("@port@", str(self.port)), stderr)


class Refusals(ConfigCase):
    def check_table(self, table, names_place=True):
        for title, text, line, words in table:
            with self.subTest(title):
                self.check(text, line, words)

    def check(self, text, line, words):
        outcome = self.run_with(text)
        self.assert_refused(outcome, line, words)
        self.assertRegex(outcome[2], r"h2o\.conf:\d+")
        # the check says the same as the start
        self.assertEqual(self.run_with(text, "-t"), outcome)

    def test_unknown_and_missing_keys(self):
        self.check_table(KEYS)

    def test_impossible_values(self):
        self.check_table(VALUES)

    def test_impossible_views(self):
        self.check_table(VIEWS)

    def test_one_form_for_every_directive(self):
        """Whoever reads it, the server, the handlers or a mapping inside: place, keys, value."""
        for text, said in (
                (spoilt(0, "num-threads: 0"), "1:14: num-threads: got `0`; accepted: a number from 1"),
                (spoilt(1, "listen: {port: 80, type: udp}"),
                 "1:26: listen: type: got `udp`; accepted: tcp, unix\n"),
                (option("retry-after: 0"),
                 "9:24: breaker.static: retry-after: got `0`; accepted: seconds from 1 to 3600, as "),
                (option("retry-afer: 0"), "9:11: breaker.static: unknown key `retry-afer`; accepted"),
                (spoilt(0, "breaker.encoding-cpu: 0"), "1:23: breaker.encoding-cpu: got `0`"),
                (spoilt(0, 'breaker.token: "a b"'), "1:16: breaker.token: got `a b`; accepted: a"),
        ):
            with self.subTest(text):
                self.assertIn("h2o.conf:" + said, self.run_with(text)[2])

    def test_what_is_no_yaml(self):
        for title, text, line, words in SYNTAX:
            with self.subTest(title):
                outcome = self.run_with(text)
                self.assert_refused(outcome, line, words)
                self.assertIn("h2o.conf", outcome[2])

    def test_certificates_and_keys(self):
        other = harness.Certificate(self.scratch, "other")
        garbage = self.scratch.write("garbage.pem", "this is no certificate\n")
        sealed = self.scratch("sealed.key")
        subprocess.run(["openssl", "ec", "-in", self.certificate.key, "-aes128", "-passout",
                        "pass:secret", "-out", sealed], check=True, capture_output=True)
        missing = self.scratch("missing.pem")
        for title, values, words in (
                ("a key of another certificate", {"key": other.key}, ("key-file", "other.key")),
                ("no certificate", {"cert": missing}, ("certificate-file", "missing.pem",
                                                       "No such file")),
                ("no key", {"key": missing}, ("key-file", "missing.pem", "No such file")),
                ("garbage for a certificate", {"cert": garbage},
                 ("certificate-file", "garbage.pem")),
                ("garbage for a key", {"key": garbage}, ("key-file", "garbage.pem")),
                ("a key with a passphrase", {"key": sealed}, ("key-file", "sealed.key")),
                ("a directory for a certificate", {"cert": self.tree}, ("certificate-file",)),
        ):
            with self.subTest(title):
                self.assert_refused(self.run_with(spoilt(1, TLS % ""), **values), 1, words)

    def test_versions_and_ciphers(self):
        for title, extra, words in (
                ("SSL", ", minimum-version: SSLv3", ("minimum-version", "SSLv3", "TLSv1.2",
                                                     "TLSv1.3")),
                ("a version that is none", ", minimum-version: 1.2", ("minimum-version", "TLSv1.2")),
                ("an unknown cipher", ", cipher-suite: NOT-A-CIPHER",
                 ("cipher-suite", "NOT-A-CIPHER")),
                ("a sequence of ciphers", ", cipher-suite: [A, B]", ("cipher-suite",)),
        ):
            with self.subTest(title):
                self.assert_refused(self.run_with(spoilt(1, TLS % extra)), 1, words)
        for text in ("on", "{key-file: @key@}", "{certificate-file: @cert@}"):
            with self.subTest(text):
                self.assert_refused(self.run_with(
                    spoilt(1, "listen: {port: @port@, ssl: %s}" % text)), 1, ("ssl",))


class Surroundings(ConfigCase):
    """The file is right; the machine is not."""

    def test_a_port_in_use(self):
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", self.port))
            other.listen()
            self.assert_refused(self.run_with(BASE), 1,
                                ("listen", "127.0.0.1:%d" % self.port, "in use"))

    def test_a_port_that_another_server_of_ours_has(self):
        server = harness.Server(self.flavour, harness.expand(BASE, port=self.port, tree=self.tree))
        self.addCleanup(server.kill)
        self.assert_refused(self.run_with(BASE), 1, ("127.0.0.1:%d" % self.port, "in use"))
        self.assertEqual(client.get(self.port, "/").status, 404)
        server.stop()

    def test_a_unix_socket_that_somebody_listens_on(self):
        path = self.scratch("socket")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            other.listen()
            self.assert_refused(self.run_with(
                spoilt(1, "listen: {port: %s, type: unix}" % path)), 1, ("listen", path))
            self.assertTrue(os.path.exists(path))

    def test_an_unreadable_file_in_a_strict_view(self):
        path = os.path.join(self.tree, "css", "secret.css")
        with open(path, "wb") as file:
            file.write(b"unreadable")
        os.chmod(path, 0)
        user = "user: nobody\n" if os.getuid() == 0 else ""
        for args in ((), ("-t",)):
            outcome = self.run_with(user + option("strict: ON"), *args)
            self.assert_refused(outcome, None, ("css/secret.css", "Permission denied"))

    def test_an_unreadable_directory_in_a_strict_view(self):
        path = os.path.join(self.tree, "closed")
        os.mkdir(path)
        os.chmod(path, 0)
        self.assert_refused(self.run_with(option("strict: ON")), None,
                            ("closed", "Permission denied"))

    def test_logs_and_pid_files_that_cannot_be_written(self):
        for key in ("pid-file", "error-log"):
            with self.subTest(key):
                outcome = self.run_with("%s: /no/such/place/file\n" % key + BASE)
                self.assert_refused(outcome, None, ("/no/such/place/file",))


class CommandLine(ConfigCase):
    def test_a_good_file_passes_the_check_without_binding(self):
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", self.port))
            other.listen()
            for text in (BASE, spoilt(1, TLS % ", minimum-version: TLSv1.3"),
                         spoilt(1, TLS % ", cipher-suite: ECDHE-ECDSA-AES128-GCM-SHA256"),
                         'breaker.token: "v1"\nbreaker.release: "2026.11.23-1"\n' + BASE):
                status, stdout, stderr = self.run_with(text, "-t")
                self.assertEqual((status, stderr), (0, ""))
                self.assertIn("OK", stdout)

    def test_a_check_makes_no_encoding_cache(self):
        cache = self.scratch("cache")
        for text in ("breaker.encoding-cache: %s\n" % cache,
                     "breaker.encoding-cache: {path: %s, max-size: 1048576}\n" % cache):
            status, stdout, stderr = self.run_with(text + BASE, "-t")
            self.assertEqual((status, stdout, stderr), (0, "configuration OK\n", ""))
            self.assertFalse(os.path.exists(cache))

    def test_directives_of_libh2o_are_understood(self):
        text = """
listen: {host: 127.0.0.1, port: @port@}
num-threads: 3
max-connections: 100
limit-request-body: 100000
http1-request-timeout: 7
http2-idle-timeout: 9
access-log: /dev/null
compress: ON
server-name: somebody
file.mime.addtypes: {"application/x-thing": [".thing"]}
hosts:
  "localhost:@port@":
    header.add: "X-Host: one"
    access-log:
      path: /dev/null
      format: "%h %r %s"
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
        breaker.rewrite: ON
        file.dir: @tree@
        file.index: [index.html]
        expires: 1 day
        header.unset: "X-Nothing"
      "/app":
        proxy.reverse.url: http://127.0.0.1:9/
        proxy.preserve-host: ON
        proxy.timeout.io: 5000
      "/old":
        redirect: {url: /new/, status: 301}
  "*:@port@":
    paths:
      "/status":
        status: ON
"""
        status, stdout, stderr = self.run_with(text, "-t")
        self.assertEqual((status, stderr), (0, ""))
        self.assertIn("OK", stdout)

    def test_version_and_help(self):
        with open(os.path.join(harness.ROOT, "CMakeLists.txt")) as file:
            version = re.search(r"VERSION ([0-9.]+) LANGUAGES", file.read()).group(1)
        status, stdout, stderr = harness.run_program(self.flavour, "--version")
        self.assertEqual((status, stderr), (0, ""))
        self.assertIn(version, stdout)
        self.assertIn(self.flavour, stdout)
        for name in ("--help", "-h"):
            status, stdout, stderr = harness.run_program(self.flavour, name)
            self.assertEqual((status, stderr), (0, ""))
            for word in ("-c", "-t", "--version", "--help", "SIGTERM"):
                self.assertIn(word, stdout)

    def test_wrong_command_lines(self):
        good = self.write(BASE)
        for args, word in ((("-c",), "-c"), (("-x",), "-x"),
                           (("--frob",), "--frob"), (("-c", good, "more"), "more"),
                           (("-c", self.scratch("missing.conf")), "missing.conf"),
                           (("-c", self.tree), self.tree)):
            with self.subTest(args):
                self.assert_refused(harness.run_program(self.flavour, *args), None, (word,))


if __name__ == "__main__":
    harness.trace_allocations()
    harness.main()
