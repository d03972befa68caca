"""Every directive that the manual of h2o 2.2 documents, once, at every level that the manual gives
it, with the manual's example or default: what h2o takes is taken here, and the other way round.
Where the packaged h2o is installed it is asked as well."""

import gzip
import os
import shutil
import subprocess
import unittest

import brotli

import client
import harness

GLOBAL, HOST, PATH, EXTENSION = LEVELS = "global", "host", "path", "extension"
EVERYWHERE = LEVELS
ABOVE = GLOBAL, HOST, PATH

# (directive, levels, values)
TABLE = (
    ("access-log", EVERYWHERE, ("/dev/null", '{path: /dev/null, format: "%h %l %u %t"}',
                                "{path: /dev/null, escape: json}")),
    ("compress", EVERYWHERE, ("OFF", "ON", "[gzip, br]", "[br]", "{gzip: 3, br: 11}", "{br: OFF}")),
    ("compress-minimum-size", EVERYWHERE, ("100",)),
    ("duration-stats", (GLOBAL,), ("OFF", "ON")),
    ("error-doc", EVERYWHERE, ("{status: 404, url: /404.html}",
                               "[{status: 404, url: /404.html}, {status: [500, 503], url: /5.html}]")),
    ("error-log", (GLOBAL,), ("/dev/null",)),
    ("error-log.emit-request-errors", EVERYWHERE, ("ON", "OFF")),
    ("expires", EVERYWHERE, ("OFF", "1 day", "30 seconds")),
    ("fastcgi.connect", (PATH, EXTENSION), ("9000", "{host: 127.0.0.1, port: 9000}",
                                            "{port: /tmp/none.sock, type: unix}")),
    ("fastcgi.send-delegated-uri", EVERYWHERE, ("OFF", "ON")),
    ("fastcgi.spawn", (PATH, EXTENSION), ('"exec /bin/cat"', '{command: "exec /bin/cat"}')),
    ("fastcgi.timeout.io", EVERYWHERE, ("30000",)),
    ("fastcgi.timeout.keepalive", EVERYWHERE, ("0",)),
    ("fastcgi.document_root", EVERYWHERE, ("/tmp",)),
    ("file.custom-handler", ABOVE, ("{extension: .php, fastcgi.connect: 9000}",
                                    "{extension: [.php, .php5], fastcgi.connect: 9000}")),
    ("file.dir", (PATH,), ("/tmp",)),
    ("file.dirlisting", ABOVE, ("OFF", "ON")),
    ("file.etag", ABOVE, ("OFF", "ON")),
    ("file.file", (PATH,), ("/dev/null",)),
    ("file.index", ABOVE, ("[index.html, index.htm, index.txt]",)),
    ("file.mime.addtypes", ABOVE, ('{"image/jpeg": [".jpg", ".jpeg"]}',
                                   '{"application/javascript": ".js"}')),
    ("file.mime.removetypes", ABOVE, ('[".jpg", ".jpeg"]',)),
    ("file.mime.setdefaulttype", ABOVE, ("application/octet-stream",)),
    ("file.mime.settypes", ABOVE, ('{"text/css": {extensions: [".css"], is_compressible: yes, '
                                   'priority: highest}}', '{"text/plain": ".txt"}')),
    ("file.send-compressed", ABOVE, ("OFF", "ON", "gunzip")),
    ("file.send-gzip", ABOVE, ("OFF", "ON")),
    ("gzip", EVERYWHERE, ("ON", "OFF")),
    ("handshake-timeout", (GLOBAL,), ("10",)),
    ("header.add", EVERYWHERE, ('"Set-Cookie: test=1"',)),
    ("header.append", EVERYWHERE, ('"X-A: 1"',)),
    ("header.merge", EVERYWHERE, ('"Cache-Control: must-revalidate"',)),
    ("header.set", EVERYWHERE, ('"X-Content-Type-Options: nosniff"',)),
    ("header.setifempty", EVERYWHERE, ('"X-A: 1"',)),
    ("header.unset", EVERYWHERE, ("X-Powered-By",)),
    ("http1-request-timeout", (GLOBAL,), ("10",)),
    ("http1-upgrade-to-http2", (GLOBAL,), ("ON", "OFF")),
    ("http2-casper", (GLOBAL, HOST), ("ON", "OFF", "{capacity-bits: 13, tracking-types: "
                                                   "blocking-assets}")),
    ("http2-debug-state", (HOST,), ("hpack", "minimum")),
    ("http2-graceful-shutdown-timeout", (GLOBAL,), ("0",)),
    ("http2-idle-timeout", (GLOBAL,), ("10",)),
    ("http2-latency-optimization-max-additional-delay", (GLOBAL,), ("0.1",)),
    ("http2-latency-optimization-max-cwnd", (GLOBAL,), ("65535",)),
    ("http2-latency-optimization-min-rtt", (GLOBAL,), ("50",)),
    ("http2-max-concurrent-requests-per-connection", (GLOBAL,), ("100",)),
    ("http2-push-preload", (GLOBAL, HOST), ("ON", "OFF")),
    ("http2-reprioritize-blocking-assets", (GLOBAL, HOST), ("ON", "OFF")),
    ("limit-request-body", (GLOBAL,), ("1073741824",)),
    ("max-connections", (GLOBAL,), ("1024",)),
    ("max-delegations", (GLOBAL,), ("5",)),
    ("num-threads", (GLOBAL,), ("2",)),
    ("pid-file", (GLOBAL,), ("/tmp/none/pid",)),
    ("proxy.emit-via-header", (GLOBAL,), ("ON", "OFF")),
    ("proxy.emit-x-forwarded-headers", (GLOBAL,), ("ON", "OFF")),
    ("proxy.header.add", EVERYWHERE, ('"X-A: 1"',)),
    ("proxy.header.append", EVERYWHERE, ('"X-A: 1"',)),
    ("proxy.header.merge", EVERYWHERE, ('"X-A: 1"',)),
    ("proxy.header.set", EVERYWHERE, ('"X-A: 1"',)),
    ("proxy.header.setifempty", EVERYWHERE, ('"X-A: 1"',)),
    ("proxy.header.unset", EVERYWHERE, ("X-A",)),
    ("proxy.preserve-host", EVERYWHERE, ("ON", "OFF")),
    ("proxy.preserve-x-forwarded-proto", (GLOBAL,), ("ON", "OFF")),
    ("proxy.proxy-protocol", EVERYWHERE, ("OFF",)),
    ("proxy.reverse.url", (PATH,), ('"http://127.0.0.1:8080/"', '"http://[unix:/tmp/none]/path"')),
    ("proxy.ssl.cafile", EVERYWHERE, ("@cert@",)),
    ("proxy.ssl.session-cache", EVERYWHERE, ("ON", "OFF", "{lifetime: 86400, capacity: 4096}")),
    ("proxy.ssl.verify-peer", EVERYWHERE, ("ON", "OFF")),
    ("proxy.timeout.io", EVERYWHERE, ("30000",)),
    ("proxy.timeout.keepalive", EVERYWHERE, ("2000",)),
    ("proxy.websocket", EVERYWHERE, ("ON", "OFF")),
    ("proxy.websocket.timeout", EVERYWHERE, ("300000",)),
    ("redirect", (PATH,), ("https://www.example.com/", "{status: 301, url: /path/}",
                           "{url: /path/, internal: YES, status: 307}")),
    ("reproxy", EVERYWHERE, ("ON", "OFF")),
    ("send-server-name", (GLOBAL,), ("ON", "OFF", "preserve")),
    ("server-name", (GLOBAL,), ("h2o",)),
    ("setenv", EVERYWHERE, ("{FOO: value}",)),
    ("ssl-session-resumption", (GLOBAL,), ("{mode: off}", "{mode: cache, cache-store: internal}",
                                           "{mode: ticket, ticket-store: internal, lifetime: 60}",
                                           "{mode: all}")),
    ("status", (PATH,), ("ON", "OFF")),
    ("tcp-fastopen", (GLOBAL,), ("4096", "0")),
    ("throttle-response", EVERYWHERE, ("ON", "OFF")),
    ("unsetenv", EVERYWHERE, ("FOO", "[FOO, BAR]")),
    ("user", (GLOBAL,), ("nobody",)),
    ("num-name-resolution-threads", (GLOBAL,), ("32",)),
    ("temp-buffer-path", (GLOBAL,), ("/tmp",)),
)

# of h2o's main program, and not here
ELSEWHERE = (
    ("crash-handler", (GLOBAL,), ("/bin/true",)),
    ("crash-handler.wait-pipe-close", (GLOBAL,), ("ON",)),
    ("mruby.handler", (PATH,), ('"Proc.new {|env| [399, {}, []]}"',)),
    ("num-ocsp-updaters", (GLOBAL,), ("10",)),
)

# what answers requests: a path or an extension has one
HANDLERS = ("fastcgi.connect", "fastcgi.spawn", "file.dir", "file.file", "mruby.handler",
            "proxy.reverse.url", "redirect", "status")

CONFIG = """\
@global@
listen: 8080
hosts:
  default:
    @host@
    paths:
      "/":
        @path@
        @handler@
"""


def configuration(name, level, value):
    """One with the directive at a level, and with a handler where it is none itself."""
    line = "%s: %s" % (name, value)
    lines = dict.fromkeys(LEVELS, "")
    lines["handler"] = "" if name in HANDLERS and level == PATH else "file.dir: /tmp"
    if level != EXTENSION:
        lines[level] = line
    else:
        more = "" if name in HANDLERS else ", fastcgi.connect: 9000"
        lines[PATH] = "file.custom-handler: {extension: .x, %s%s}" % (line, more)
    return harness.expand(CONFIG, **lines)


def each_case(table):
    """(directive, level, value, whether it is documented there)"""
    for name, levels, values in table:
        for level in LEVELS:
            for value in values if level in levels else values[:1]:
                yield name, level, value, level in levels


class TableCase:
    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.certificate = harness.Certificate(self.scratch)

    def write(self, text):
        return self.scratch.write("h2o.conf", text.replace("@cert@", self.certificate.cert))

    def check_table(self, table, run):
        for name, level, value, is_documented in each_case(table):
            with self.subTest(name, level=level, value=value):
                status, said = run(self.write(configuration(name, level, value)))
                self.assertEqual(status == 0, is_documented, said)


class Here(TableCase, unittest.TestCase):
    """In one flavour: what reads a configuration is the same in both."""

    flavour = harness.FLAVOURS[0]

    def run_ours(self, path):
        status, _, stderr = harness.run_program(self.flavour, "-c", path, "-t")
        self.assertGreaterEqual(status, 0, "ended by a signal")
        return status, stderr

    def test_what_is_documented_is_taken_where_it_is_documented(self):
        self.check_table(TABLE, self.run_ours)

    def test_what_is_not_here_is_refused_by_name(self):
        for name, levels, values in ELSEWHERE:
            with self.subTest(name):
                status, said = self.run_ours(self.write(configuration(name, levels[0], values[0])))
                self.assertEqual(status, 78)
                self.assertRegex(said, r"\A[^\n]+h2o\.conf:\d+:\d+: `%s` is a directive of h2o that "
                                 r"this server does not have\n\Z" % name)


@unittest.skipUnless(shutil.which("h2o"), "needs the packaged h2o")
class Packaged(TableCase, unittest.TestCase):
    def run_h2o(self, path):
        done = subprocess.run(["h2o", "-c", path, "-t"], capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stderr

    def test_the_table_is_that_of_h2o(self):
        self.check_table(TABLE + ELSEWHERE, self.run_h2o)


@unittest.skipUnless(shutil.which("h2o"), "needs the packaged h2o")
class Answers(harness.FlavourCase):
    """What the examples lead to is what the packaged h2o answers, byte by byte."""

    CONFIG = """\
listen: {host: 127.0.0.1, port: @port@}
@user@
hosts:
  default:
    paths:
"""
    # (path, directives; the files of a tree stand below it)
    FILES = (
        ("/add", 'header.add: "Set-Cookie: test=1", header.append: "X-A: 1"'),
        ("/merge", 'header.merge: "Cache-Control: must-revalidate", header.unset: ETag, '
                   'header.set: "X-Content-Type-Options: nosniff", header.setifempty: "X-B: 1"'),
        ("/expires", "expires: 1 day"),
        ("/list", "file.dirlisting: ON"),
        ("/index", "file.index: [b.idx]"),
        ("/sent", "file.send-compressed: ON"),
        ("/gunzip", "file.send-compressed: gunzip"),
        ("/etag", "file.etag: OFF"),
        ("/mime", 'file.mime.addtypes: {"x/thing": ".thing"}'),
        ("/default", "file.mime.setdefaulttype: x/none"),
        ("/settypes", 'file.mime.settypes: {"text/x-a": ".txt"}'),
        ("/remove", 'file.mime.removetypes: [".txt"]'),
        ("/error", "error-doc: {status: 404, url: /add/404.html}"),
        ("/br", "compress: [br]"),
        ("/gzip", "gzip: ON"),
        ("/both", "compress: {gzip: 9, br: 5}"),
        ("/throttle", 'throttle-response: ON, header.add: "X-Traffic: 10000000"'),
    )
    OTHERS = (
        ("/redirect", "redirect: https://www.example.com/", "/redirect/x?y"),
        ("/moved", "redirect: {status: 301, url: /path/}", "/moved/a"),
        ("/internal", "redirect: {url: /add/, internal: YES, status: 307}", "/internal/a.txt"),
        ("/file", "file.file: @tree@/a.txt", "/file"),
    )
    TEXT = b"".join(b"line %d\n" % i for i in range(1000))
    TREE = {"a.txt": TEXT, "a.txt.gz": gzip.compress(TEXT), "packed.txt.gz": gzip.compress(TEXT),
            "index.html": TEXT, "x.thing": b"thing\n", "b.idx": b"index\n", "404.html": b"nothing\n"}
    NAMES = "a.txt", "packed.txt", "", "x.thing", "nothing"
    # which say who answers and when
    UNLIKE = "date", "server", "connection"

    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.tree = self.scratch.tree("tree", self.TREE)

    def configure(self, port):
        lines = ['      "%s": {file.dir: @tree@, %s}' % case for case in self.FILES]
        lines += ['      "%s": {%s}' % case[:2] for case in self.OTHERS]
        return harness.expand(self.CONFIG + "\n".join(lines) + "\n", port=port, tree=self.tree,
                              user="user: root" if os.getuid() == 0 else "")

    def start_h2o(self):
        port = harness.free_port()
        process = subprocess.Popen(["h2o", "-c", self.scratch.write("h2o.conf", self.configure(port))],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

        def listens():
            try:
                return client.get(port, "/file").status == 200
            except OSError:
                return False
        harness.wait_until(listens, "h2o")
        return port

    def ask(self, port, target, method, accept):
        answer = client.get(port, target, method=method, headers=[("Accept-Encoding", accept)])
        # two encoders of one coding need not write the same bytes
        if answer.get("content-encoding") == "br" and answer.body:
            answer.body = brotli.decompress(answer.body)
        return (answer.status, sorted(each for each in answer.headers if each[0] not in self.UNLIKE),
                answer.body)

    def test_they_are_those_of_h2o(self):
        here, there = harness.free_port(), self.start_h2o()
        server = harness.Server(self.flavour, self.configure(here))
        self.addCleanup(server.kill)
        targets = [path + "/" + name for path, _ in self.FILES for name in self.NAMES]
        for target in targets + [case[2] for case in self.OTHERS]:
            for method in ("GET", "HEAD", "POST"):
                for accept in ("identity", "gzip, br"):
                    with self.subTest(target, method=method, accept=accept):
                        self.assertEqual(self.ask(here, target, method, accept),
                                         self.ask(there, target, method, accept))
        server.stop()


if __name__ == "__main__":
    harness.trace_allocations()
    harness.main()
