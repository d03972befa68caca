"""Access logs. Two servers that differ in `breaker.fast-path` alone get the same requests and must
write the same lines, byte for byte but for times and the numbers that the system chooses: so what
the fast path logs is what libh2o logs. And what becomes of lines that cannot be written."""

import os
import random
import re
import signal

import client
import fastpath
import harness
from fastpath import FIELDS, FILES, LAST, NEWER, OLDER, TARGETS, TOKEN, request, url
from harness import wait_until
from trees import tag_of

# (name, format, whether JSON); what is the same for both servers
FORMATS = (
    ("combined", None, False),
    ("request", '%m|%r|%U|%q|%V|%v|%H|%s|%<s|%>s|%b|%l|%%|"%r"', False),
    ("peer", "%h %A %u %e %{NAME}e %{NONE}e %{REMOTE_USER}e", False),
    ("fields", "%{Referer}i|%{user-agent}i|%{COOKIE}i|%{x-Twice}i|%{Host}i|%{Content-Length}i|"
     "%{accept-encoding}i|%{Range}i|%{X-None}i|%{X-Empty}i|%<{If-None-Match}i|%{}i", False),
    ("answer", "%{Content-Type}o|%{etag}o|%{Last-Modified}o|%{Cache-Control}o|%{Location}o|"
     "%{Retry-After}o|%{Vary}o|%{Content-Range}o|%{Content-Length}o|%{X-View}o|%{X-Filter}o|"
     "%{Expires}o|%{Set-Cookie}o|%{X-Timing}o|%{Content-Encoding}o|%{date}o|%{server}o", False),
    ("original", "%<{Content-Type}o|%<{Cache-Control}o|%<{X-View}o|%<{X-Filter}o|%<s|%<{set-cookie}o|"
     "%<{last-modified}o|%>{last-modified}o", False),
    ("extended", "%{http1.request-index}x|%{http2.stream-id}x|%{http2.priority.received}x|"
     "%{http2.priority.actual.weight}x|%{ssl.protocol-version}x|%{ssl.session-reused}x|"
     "%{ssl.cipher}x|%{ssl.cipher-bits}x|%{ssl.session-id}x|%{nothing}x|%{error}x|"
     "%{request-body-time}x", False),
    ("json", '{"r":"%r","s":%s,"b":%b,"ref":"%{Referer}i","ua":"%{User-Agent}i","u":"%u","l":"%l",'
     "'t':'%{X-Twice}i','n':\"%{X-None}i\",\"e\":\"%{ETag}o\",\"loc\":\"%{Location}o\",\"h\":\"%h\","
     '"two":"%{X-None}i%{X-None}i","esc":"\\"%{X-None}i","bare":%{X-None}i,"i":"%{http1.request-index}x",'
     '"p":"%{ssl.cipher}x","pre":"a%{X-None}i","post":"%{X-None}ib","env":"%{NONE}e"}', True),
    ("literal", "no directive at all 100%%", False),
)
# what has numbers of its own in each server: every digit is masked
TIMES = ("times", "%t|%{%Y-%m-%dT%H:%M:%S %z}t|%{sec}t|%{msec}t|%{usec}t|%{msec_frac}t|%{usec_frac}t|"
         "%{connect-time}x|%{request-header-time}x|%{request-total-time}x|%{process-time}x|"
         "%{response-time}x|%{duration}x", False)
CONNECTIONS = ("connections", "%{connection-id}x %{remote}p %p %{local}p %{http1.request-index}x %r",
               False)

SETTINGS = """num-threads: 1
setenv: {NAME: "a \\"value\\" of ours", REMOTE_USER: "jo\\"e\\u00e9"}
@logs@"""

HEADERS = [
    ["User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
     "Referer: https://shop.example/a?b=\"c\"&d=\\e"],
    ["User-Agent: a\tb\x7f\x80\xff{}|~ \"q\" \\b", "Referer: "], ["X-Twice: one", "x-twice: two"],
    ["Cookie: a=b; c=\"d\"", "Cookie: e=f"], ["X-Empty:", "REFERER: http://localhost/"],
    ["User-Agent: " + "long " * 300, "Referer: " + "\"" * 900],
]
MARK = "/mark-%d"


def log_lines(formats):
    return "".join("access-log: {path: @pages@-@port@.%s.log%s%s}\n"
                   % (name, "" if text is None else ", format: " + harness.quoted(text),
                      ", escape: json" if is_json else "") for name, text, is_json in formats)


class LoggedTwins(fastpath.Twins):
    """Each twin has all the logs, named after its port; one thread each, so that lines have an order."""

    extra = SETTINGS.replace("@logs@", log_lines((*FORMATS, TIMES, CONNECTIONS)))
    marks = 0

    def log_of(self, port, name):
        return "%s-%d.%s.log" % (self.pages, port, name)

    def read(self, port, name):
        with open(self.log_of(port, name), "rb") as file:
            return file.read().splitlines()

    def mark(self):
        """A request that both hand to libh2o; every log has it by the time that this returns."""
        LoggedTwins.marks += 1
        target = MARK % LoggedTwins.marks
        for port in self.ports.values():
            client.get(port, target)
        return (target + " ").encode()

    def lines_between(self, port, name, first, last):
        """Those of the log between two marks, which the log of connections has as well."""
        def found():
            places = [i for i, line in enumerate(self.read(port, "connections"))
                      if first in line or last in line]
            lines = self.read(port, name)
            # as many lines in every log
            if len(places) == 2 and len(lines) > places[1]:
                return [lines[places[0] + 1:places[1]]]
            return None
        return wait_until(found, "the lines of " + name)[0]

    def assert_logged_alike(self, converse, names=None):
        """`converse(port)` with each server; returns the lines of the fast one, by log."""
        first = self.mark()
        for mode in ("ON", "OFF"):
            converse(self.ports[mode])
        last = self.mark()
        lines = {}
        for name, _, _ in (*FORMATS, TIMES, CONNECTIONS):
            if names is not None and name not in names:
                continue
            fast, slow = (self.masked(name, self.lines_between(self.ports[mode], name, first, last))
                          for mode in ("ON", "OFF"))
            self.assertEqual(len(fast), len(slow), name)
            for one, other in zip(fast, slow):
                self.assertEqual(one, other, name)
            lines[name] = fast
        return lines

    def masked(self, name, lines):
        if name == TIMES[0]:
            # nothing that takes no time has a fraction
            return [re.sub(rb"\d+(\.\d+)?", b"0", line) for line in lines]
        if name == FORMATS[0][0]:
            return [re.sub(rb"\[\d\d/.{17} [+-]\d{4}\]", b"[]", line) for line in lines]
        if name == CONNECTIONS[0]:
            return self.numbered(lines)
        return lines

    def numbered(self, lines):
        """Connections in the order in which they are met, whatever their numbers and ports are."""
        met, ports, masked = [], {}, []
        for line in lines:
            number, remote, local, also_local, index, rest = line.split(b" ", 5)
            self.assertEqual(local, also_local)
            if number not in met:
                met.append(number)
            self.assertEqual(ports.setdefault(number, remote), remote)
            masked.append(b"%d %s %s" % (met.index(number), index, rest))
        return masked


class Lines(LoggedTwins):
    def test_every_target_with_every_field(self):
        def converse(port):
            for target in TARGETS:
                for fields in FIELDS:
                    lines = [line.replace("@TAG@", tag_of(FILES["a.txt"])) for line in fields]
                    large = target.endswith(("m9.bin", "k300.bin"))
                    methods = ["HEAD"] if large else ["GET", "HEAD"]
                    self.converse(port, [request(target, *lines, method=method)
                                         for method in methods])
        lines = self.assert_logged_alike(converse)
        statuses = {line.split(b"|")[7] for line in lines["request"]}
        self.assertLessEqual({b"200", b"206", b"301", b"304", b"404", b"406", b"412", b"416", b"503"},
                             statuses)

    def test_every_kind_of_field_in_a_line(self):
        def converse(port):
            for fields in HEADERS:
                for target in (url("a.txt"), url("none"), "/changed" + url("a.txt"), "/page.html"):
                    self.converse(port, [request(target, *fields)])
            self.converse(port, [b"GET %s HTTP/1.1\r\n\r\n" % url("a.txt").encode(),
                                 b"GET %s HTTP/1.1\r\nHost:\r\n\r\n" % url("a.txt").encode()])
        lines = self.assert_logged_alike(converse)
        self.assertTrue(any(b'"ref":null' in line for line in lines["json"]))
        self.assertTrue(any(b"\\x22" in line for line in lines["combined"]))

    def test_long_conversations(self):
        pick = random.Random(7)
        small = [target for target in TARGETS if not target.endswith("m9.bin")]
        talks = [[request(pick.choice(small), *(line.replace("@TAG@", tag_of(FILES["a.txt"]))
                                                for line in pick.choice(FIELDS + HEADERS)),
                          method=pick.choice(["GET", "HEAD"])) for _ in range(pick.randrange(1, 25))]
                 for _ in range(40)]

        def converse(port):
            for talk in talks:
                self.converse(port, talk)
        self.assert_logged_alike(converse)

    def test_a_connection_that_goes_over_to_libh2o_counts_on(self):
        talk = [request(url("a.txt")), request(url("none")), request("/page.html"),
                request(url("a.txt"))]
        lines = self.assert_logged_alike(lambda port: self.converse(port, talk))
        self.assertEqual([line.split(b"|")[0] for line in lines["extended"]], [b"1", b"2", b"3", b"4"])
        self.assertEqual({line.split()[0] for line in lines["connections"]}, {b"0"})

    def test_pipelines(self):
        names = ["a.txt", "none", "style.css", "k32.bin", "k300.bin", "empty.txt"] * 8
        said = b"".join(request(url(name)) for name in names)

        def converse(port):
            self.everything(port, said + request(url("a.txt"), "Connection: close"))
        lines = self.assert_logged_alike(converse)
        self.assertEqual(len(lines["request"]), len(names) + 1)

    def test_what_ends_a_connection(self):
        def converse(port):
            for last in LAST:
                self.everything(port, request(url("a.txt")) + last)
        self.assert_logged_alike(converse)


class Readers(LoggedTwins):
    def test_a_slow_reader_is_logged_once_it_has_all(self):
        first = self.mark()
        port = self.ports["ON"]
        with client.Http1(port, receive_buffer=4096) as connection:
            connection.send(request(url("m7.bin"), "Referer: " + "slow" * 30) + request(url("a.txt")))
            connection.take_until(b"\r\n\r\n")
            last = self.mark()
            self.assertEqual(self.lines_between(port, "request", first, last), [])
            connection.take(len(FILES["m7.bin"]))
            self.assertEqual(connection.read().body, FILES["a.txt"])
        end = self.mark()
        lines = self.lines_between(port, "combined", last, end)
        self.assertEqual(len(lines), 2)
        self.assertIn(b"GET %s HTTP/1.1\" 200 %d \"%s\"" % (
            url("m7.bin").encode(), len(FILES["m7.bin"]), b"slow" * 30), lines[0])
        self.assertIn(b"a.txt", lines[1])
        self.assertIn(b"application/octet-stream", self.lines_between(port, "answer", last, end)[0])

    def test_what_breaks_in_the_middle_is_logged_as_libh2o_logs_it(self):
        def converse(port):
            for target in (url("m7.bin"), "/changed" + url("m7.bin"), url("m7.bin", view="plain")):
                rude = client.Http1(port, receive_buffer=4096)
                rude.send(request(target, "Range: bytes=1-"))
                rude.take_until(b"\r\n\r\n")
                client.reset(rude.sock)
                wait_until(lambda target=target: any(
                    target.encode() in line for line in self.read(port, "request")[before[port]:]),
                    "the line of " + target)
        before = {port: len(self.read(port, "request")) for port in self.ports.values()}
        lines = self.assert_logged_alike(converse, ("combined", "request", "answer", "times", "json",
                                                    "connections"))
        self.assertEqual([line.split(b"|")[10] for line in lines["request"]],
                         [b"%d" % (len(FILES["m7.bin"]) - 1)] * 3)


CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
num-threads: 2
breaker.token: "@token@"
@extra@
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
      "/sub":
        breaker.static: {name: "static/{breaker}", path: @tree@}
@sub@
"""


class LogCase(harness.FlavourCase):
    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.tree = self.scratch.tree("tree", {"a.txt": b"a"})
        # of any user that the server becomes
        os.makedirs(self.scratch("logs"), mode=0o777)
        os.chmod(self.scratch("logs"), 0o777)
        self.port = harness.free_port()

    def start(self, extra, sub="", **more):
        self.server = harness.Server(self.flavour, harness.expand(
            CONFIG.replace("@extra@", extra).replace("@sub@", sub), port=self.port, token=TOKEN,
            tree=self.tree), **more)
        self.addCleanup(self.server.kill)
        return self.server

    def ask(self, num=1, target=None):
        with client.Http1(self.port) as connection:
            for _ in range(num):
                self.assertEqual(connection.request(target or url("a.txt")).status, 200)

    def ask_and_end(self, num):
        """Once the server has ended a connection it has logged all of its requests."""
        with client.Http1(self.port) as connection:
            for _ in range(num - 1):
                self.assertEqual(connection.request(url("a.txt")).status, 200)
            connection.send(request(url("a.txt"), "Connection: close"))
            self.assertTrue(connection.at_end().startswith(b"HTTP/1.1 200 "))

    def lines(self, name):
        with open(self.scratch("logs", name)) as file:
            return file.read().splitlines()


class Files(LogCase):
    def test_logs_of_all_levels_hear_of_a_path(self):
        logs = {name: self.scratch("logs", name) for name in ("one", "two", "sub")}
        self.start("access-log: %(one)s\naccess-log: {path: %(two)s, format: \"%%U\"}" % logs,
                   '        access-log: {path: %(sub)s, format: "sub %%U"}' % logs)
        self.ask()
        self.ask(target="/sub" + url("a.txt"))
        self.server.stop()
        self.assertEqual(len(self.lines("one")), 2)
        self.assertEqual(sorted(self.lines("two")), sorted([url("a.txt"), "/sub" + url("a.txt")]))
        self.assertEqual(self.lines("sub"), ["sub /sub" + url("a.txt")])

    def test_lines_are_whole_and_none_is_lost_over_threads(self):
        log = self.scratch("logs", "log")
        self.start('access-log: {path: %s, format: "<%%r %%{x}i>"}' % log)
        value = "v" * 700
        connections = [client.Http1(self.port) for _ in range(8)]
        for turn in range(60):
            for connection in connections:
                connection.send(request(url("a.txt"), "x: " + value) * 4)
            for connection in connections:
                for _ in range(4):
                    connection.read()
        for connection in connections:
            connection.close()
        self.server.stop()
        lines = self.lines("log")
        self.assertEqual(len(lines), 8 * 60 * 4)
        self.assertEqual(set(lines), {"<GET %s HTTP/1.1 %s>" % (url("a.txt"), value)})

    def test_a_line_is_there_soon(self):
        log = self.scratch("logs", "log")
        self.start("access-log: %s" % log)
        self.ask()
        wait_until(lambda: len(self.lines("log")) == 1, "the line")
        self.server.stop()

    def test_a_server_that_is_cut_writes_what_it_has(self):
        log = self.scratch("logs", "log")
        server = self.start("access-log: %s" % log)
        with client.Http1(self.port) as connection:
            # half a request is waited for
            connection.send(request(url("a.txt"))[:9])
            self.ask_and_end(50)
            server.signal(signal.SIGTERM)
            wait_until(lambda: b"why=stopping" in server.stderr(), "the end to begin")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait_exit(), 0)
        self.assertEqual(len(self.lines("log")), 50)

    def test_lines_before_a_rotation_are_in_the_old_file(self):
        log = self.scratch("logs", "log")
        self.start("access-log: %s\nuser: %s" % (log, os.environ.get("USER", "root")))
        for turn in range(10):
            self.ask_and_end(turn + 1)
            os.rename(log, log + ".%d" % turn)
            self.server.signal(signal.SIGUSR1)
            wait_until(lambda: os.path.exists(log), "the new file")
        self.server.stop()
        for turn in range(10):
            self.assertEqual(len(self.lines("log.%d" % turn)), turn + 1, turn)

    def test_a_full_disk_stops_nothing(self):
        server = self.start("access-log: /dev/full")
        self.ask(300)
        wait_until(lambda: b'trouble=log-lost log="/dev/full" lines=' in server.stderr(), "the complaint")
        self.ask(300)
        server.stop()
        self.assertEqual(server.exit_stderr.count(b'reason="No space left on device"'), 1)


class Pipes(LogCase):
    def test_a_command_gets_all_lines(self):
        log = self.scratch("logs", "log")
        self.start('access-log: {path: "|cat > %s", format: "%%r %%{x}i"}' % log)
        self.ask(500)
        self.server.stop()
        wait_until(lambda: len(self.lines("log")) == 500, "all lines")

    def test_long_lines_come_whole(self):
        log = self.scratch("logs", "log")
        self.start('access-log: {path: "|cat > %s", format: "%%{x}i"}' % log)
        lengths = [1, 4094, 4095, 4096, 4097, 8000, 30000 // 4]
        with client.Http1(self.port) as connection:
            for length in lengths:
                connection.send(request(url("a.txt"), "x: " + "y" * length))
                connection.read()
        self.server.stop()
        wait_until(lambda: len(self.lines("log")) == len(lengths), "all lines")
        self.assertEqual(sorted(map(len, self.lines("log"))), sorted(lengths))

    def test_a_reader_that_reads_nothing_stops_nothing(self):
        """A named pipe that somebody holds open, and never reads."""
        fifo = self.scratch("logs", "fifo")
        os.mkfifo(fifo)
        os.chmod(fifo, 0o666)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        server = self.start('access-log: {path: %s, format: "%%r %%{x}i"}' % fifo)
        with client.Http1(self.port) as connection:
            for _ in range(700):
                connection.send(request(url("a.txt"), "x: " + "y" * 4000))
                self.assertEqual(connection.read().status, 200)
        wait_until(lambda: b"whoever reads them is too slow" in server.stderr(), "the complaint")
        server.stop()

    def test_a_reader_that_is_gone_stops_nothing(self):
        server = self.start('access-log: "|exit 0"')
        self.ask(10)
        wait_until(lambda: b'reason="Broken pipe"' in server.stderr(), "the complaint")
        self.ask(300)
        server.stop()


class Refusals(LogCase):
    def test_what_is_no_log_is_refused(self):
        for value, said in (
                ("[]", "accepted: a path"), ("{format: x}", "the mandatory key `path` is missing"),
                ("{path: /dev/null, format: '%z'}", "unknown escape sequence: %z"),
                ("{path: /dev/null, format: '%{" + "x" * 400 + "'}", "a brace is not closed"),
                ("{path: /dev/null, format: '%{x}'}", "header name is not followed"),
                ("{path: /dev/null, format: '%{x}z'}", "header name is not followed"),
                ("{path: /dev/null, format: '%'}", "unknown escape sequence"),
                ("{path: /dev/null, format: '%{}t'}", "a time, %{...}t, is written in"),
                ("{path: /dev/null, escape: xml}", "accepted: apache, json"),
                ("{path: /dev/null, place: x}", "path, format, escape")):
            config = self.scratch.write("h2o.conf", harness.expand(
                CONFIG.replace("@extra@", "access-log: " + value).replace("@sub@", ""),
                port=self.port, token=TOKEN, tree=self.tree))
            status, _, stderr = harness.run_program(self.flavour, "-c", config, "-t")
            self.assertEqual(status, 78, value)
            self.assertIn("access-log: ", stderr)
            self.assertIn(said, stderr)

    def test_a_file_that_cannot_be_opened_is_named(self):
        config = self.scratch.write("h2o.conf", harness.expand(
            CONFIG.replace("@extra@", "access-log: /none/log").replace("@sub@", ""),
            port=self.port, token=TOKEN, tree=self.tree))
        status, _, stderr = harness.run_program(self.flavour, "-c", config, "--no-master")
        self.assertEqual(status, 78)
        self.assertRegex(stderr, r"^\S+:\d+:\d+: access-log: cannot open /none/log: No such file")

    def test_a_named_pipe_that_nobody_reads_is_refused(self):
        fifo = self.scratch("logs", "fifo")
        os.mkfifo(fifo)
        for log in ("access-log: ", "error-log: "):
            config = self.scratch.write("h2o.conf", harness.expand(
                CONFIG.replace("@extra@", log + fifo).replace("@sub@", ""),
                port=self.port, token=TOKEN, tree=self.tree))
            status, _, stderr = harness.run_program(self.flavour, "-c", config, "--no-master")
            self.assertNotEqual(status, 0)
            self.assertRegex(stderr, "cannot open .*fifo: nobody reads it")


if __name__ == "__main__":
    harness.trace_allocations()
    harness.main()
