"""Servers that break, stall, lie and flood, while the link connects, authenticates and asks. The
process must live, every ask must end in one callback in its time (the probe ends itself otherwise),
and descriptors must be where they were."""

import re
import socket
import struct
import threading
import time

from link import DEADLINE_S, FullBacklog, LinkTest, main

SECRET = "hunter2"
OK = b"+OK\r\n"


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def wait_for_the_end(connection):
    while connection.recv(65536):
        pass


def wait_for_a_command(connection):
    """Does not say who it is, which seeds are asked, and waits until something else is asked; False
    when that is the end."""
    while (said := connection.recv(65536)) and b"INFO" in said:
        connection.sendall(b"-ERR unknown command\r\n")
    return said != b""


def saying(data):
    """Says this and waits."""
    def act(connection):
        connection.sendall(data)
        wait_for_the_end(connection)
    return act


def closing_after(data):
    def act(connection):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        wait_for_the_end(connection)
    return act


def reset_after(data):
    def act(connection):
        connection.sendall(data)
        reset(connection)
    return act


def dripping(data, times=1, pause_s=0.002):
    def act(connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(times):
            for byte in data:
                connection.sendall(bytes([byte]))
                time.sleep(pause_s)
        wait_for_the_end(connection)
    return act


def flooding(data):
    def act(connection):
        while True:
            connection.sendall(data)
    return act


BROKEN = "could not be connected|closed the connection|connection broke|unasked|nobody asked|AUTH"
# what is done; how AUTH ends in it; how a command ends in it: a pattern of the reason, or a reply
CASES = {
    "resets": (reset, BROKEN, BROKEN),
    "closes": (closing_after(b""), "closed the connection", "closed the connection"),
    "resets inside a reply": (reset_after(b"+O"), BROKEN, BROKEN),
    "closes inside a reply": (closing_after(b"$5\r\nab"), BROKEN, BROKEN),
    "is silent": (wait_for_the_end, "in time", "in time"),
    "says half": (saying(b"$5\r\nab"), "in time", "in time"),
    "says half an array": (saying(b"*2\r\n:1\r\n"), "in time", "in time"),
    "says no end of line": (saying(b"+OK\r"), "in time", "in time"),
    "says more than it was asked": (saying(OK + b"+HELLO\r\n"), "nobody asked", "nobody asked"),
    "says an answer and a half": (saying(OK + b"+HEL"), "nobody asked", "nobody asked"),
    "is full": (closing_after(b"-ERR max number of clients reached\r\n"), "maximum of clients",
                {"error": "ERR max number of clients reached"}),
    "is protected": (closing_after(b"-DENIED Redis is running in protected mode\r\n"),
                     "protected mode", {"error": "DENIED Redis is running in protected mode"}),
    "speaks HTTP": (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "reply type byte",
                    "reply type byte"),
    "speaks TLS": (saying(b"\x15\x03\x03\x00\x02\x02\x28"), "reply type byte", "reply type byte"),
    "says NUL": (saying(b"\0" * 100), "reply type byte", "reply type byte"),
    "says an empty line": (saying(b"\r\n"), "reply type byte", "reply type byte"),
    "announces 2147483647 elements": (saying(b"*2147483647\r\n"), "1024 elements", "1024 elements"),
    "announces 4294967297 elements": (saying(b"*4294967297\r\n"), "out of range", "out of range"),
    "announces 1025 elements": (saying(b"*1025\r\n"), "1024 elements", "1024 elements"),
    "announces 1024 elements in all": (saying(b"*2\r\n*1021\r\n" + b":1\r\n" * 1021 + b"*2\r\n"),
                                       "1024 elements", "1024 elements"),
    "announces -2 elements": (saying(b"*-2\r\n"), "out of range", "out of range"),
    "announces x elements": (saying(b"*x\r\n"), "Bad multi-bulk length", "Bad multi-bulk length"),
    "announces 2147483647 bytes": (saying(b"$2147483647\r\n"), "in time", "in time"),
    "announces 2^63-1 bytes": (saying(b"$9223372036854775807\r\nabc\r\n"), "in time|range",
                               "in time|range"),
    "announces 2^64-2 bytes": (saying(b"$18446744073709551614\r\nabc\r\n"), "Bad bulk",
                               "Bad bulk"),
    "announces -5 bytes": (saying(b"$-5\r\n"), "out of range", "out of range"),
    "says no integer": (saying(b":12x\r\n"), "Bad integer", "Bad integer"),
    "sends the 500 MB that it announced": (
        lambda c: (c.sendall(b"$500000000\r\n"), flooding(b"x" * 65536)(c)),
        "256 KiB", "256 KiB"),
    "sends 300 KB": (saying(b"$300000\r\n" + b"x" * 300000 + b"\r\n"), "256 KiB", "256 KiB"),
    "sends a line of 300 KB": (saying(b"+" + b"x" * 300000), "256 KiB", "256 KiB"),
    "sends 300 KB of elements": (saying(b"*64\r\n" + (b"$5000\r\n" + b"x" * 5000 + b"\r\n") * 64),
                                 "256 KiB", "256 KiB"),
    "floods with replies": (flooding(OK * 1000), "nobody asked|256 KiB", "nobody asked|256 KiB"),
    "floods with errors": (flooding(b"-ERR no\r\n" * 1000), "nobody asked|256 KiB",
                           "nobody asked|256 KiB"),
    "nests 7 arrays": (saying(b"*1\r\n" * 7 + b":1\r\n"), "another kind", [[[[[[[1]]]]]]]),
    "nests 8 arrays": (saying(b"*1\r\n" * 8 + b":1\r\n"), "nested|depth", "nested|depth"),
    "nests 50000 arrays": (saying(b"*1\r\n" * 50000), "nested|depth", "nested|depth"),
    "drips a whole reply": (dripping(b"$5\r\nabcde\r\n"), "another kind", "abcde"),
    "drips without end": (dripping(b"+" + b"x" * 5000), "in time", "in time"),
    "drips arrays": (dripping(b"*1000\r\n" + b":1\r\n" * 2000), "in time", "in time"),
    "pushes like a subscription": (
        saying(b"*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n*1\r\n$7\r\nmessage\r\n"),
        "nobody asked", "nobody asked"),
    "answers with one message": (saying(b"*1\r\n$7\r\nmessage\r\n"), "another kind", ["message"]),
    "answers nil": (saying(b"$-1\r\n"), "another kind", None),
    "answers a nil array": (saying(b"*-1\r\n"), "another kind", None),
    "repeats the password": (saying(b"-ERR unknown command 'AUTH' '" + SECRET.encode() + b"'\r\n"),
                             "does not know this command",
                             {"error": "ERR unknown command 'AUTH' 'hunter2'"}),
    "redirects AUTH": (saying(b"-MOVED 1 127.0.0.1:1\r\n"), "AUTH was refused",
                       "127.0.0.1:1: it could not be connected"),
}
for RESP3 in (b">2\r\n+a\r\n+b\r\n", b"%1\r\n+a\r\n+b\r\n", b"~1\r\n+a\r\n", b"|1\r\n+a\r\n+b\r\n",
              b"_\r\n", b"#t\r\n", b",3.14\r\n", b"(123\r\n", b"=5\r\ntxt:a\r\n", b"!3\r\nERR\r\n"):
    CASES["speaks RESP3: %r" % RESP3] = (saying(RESP3), "reply type byte|RESP3",
                                         "reply type byte|RESP3")


class Hostile(LinkTest):
    def setUp(self):
        self.acts = {}

    def script(self, connection):
        """Acts as the case says: at once, at AUTH or at the command after it."""
        moment, act = self.act
        if moment == "connect":
            act(connection)
            return
        connection.recv(65536)
        if moment == "auth":
            act(connection)
            return
        connection.sendall(OK)
        connection.recv(65536)
        act(connection)

    def check(self, probe, moment, wanted):
        probe.ask("dial")
        event = probe.next()
        if moment == "command":
            self.assertEqual(event[0], "up")
            probe.ask("command", "GET", "k")
            event = probe.next()
        if isinstance(wanted, str) and event[0] == "down":
            self.assertTrue(re.search(wanted, event[1]), event[1])
            self.assertNotIn(SECRET, event[1])
        else:
            self.assertEqual(event, ["reply", wanted])

    def run_all(self, moment):
        """Every case, by a link with little patience where running out of it is what is expected,
        and by one with much where it is not."""
        server = self.scripted(self.script)
        url = "redis://:%s@127.0.0.1:%d" % (SECRET, server.port)
        short = ["-c", "15000", "-r", "400"] if moment == "command" else ["-c", "400"]
        probes = {True: self.probe(*short, url, patient=False), False: self.probe(url)}
        before = {which: probe.fds() for which, probe in probes.items()}
        for name, (act, at_auth, at_command) in CASES.items():
            wanted = at_command if moment == "command" else at_auth
            which = isinstance(wanted, str) and "in time" in wanted
            probe = probes[which]
            with self.subTest(name):
                self.act = (moment, act)
                self.check(probe, moment, wanted)
                probe.ask("hang_up")
                probe.ask("peer")
                while probe.next()[0] != "peer":
                    pass
                self.assertEqual(probe.fds(), before[which])
        for probe in probes.values():
            self.assertEqual(probe.close(), "")

    def test_everything_before_it_is_asked_anything(self):
        self.run_all("connect")

    def test_everything_at_auth(self):
        self.run_all("auth")

    def test_everything_at_a_command(self):
        self.run_all("command")

    def test_what_is_said_while_nothing_is_asked(self):
        for words, wanted in ((b"+HELLO\r\n", "nobody asked"), (b"+HEL", "nobody asked"),
                              (b"-ERR max number of clients reached\r\n",
                               "it said unasked: ERR max number of clients reached"),
                              (b"-x\x1b[31m\x80\r\n", r"it said unasked: x\?\[31m\?"),
                              (b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n", "nobody asked"),
                              (b">1\r\n+a\r\n", "reply type byte|RESP3")):
            go = threading.Event()

            def script(connection, say=words, told=go):
                told.wait(DEADLINE_S)
                saying(say)(connection)
            server = self.scripted(script)
            probe = self.probe("redis://127.0.0.1:%d" % server.port)
            probe.dial()
            go.set()
            self.assertTrue(re.search(wanted, probe.expect("down")), words)

    def test_errors_of_select_do_not_repeat_the_password(self):
        def script(connection):
            connection.recv(4096)
            connection.sendall(OK)
            connection.recv(4096)
            connection.sendall(b"-ERR you said " + SECRET.encode() + b"\r\n")
            wait_for_the_end(connection)
        server = self.scripted(script)
        for arguments in (["redis://:%s@127.0.0.1:%d/1" % (SECRET, server.port)],
                          ["-p", SECRET, "redis://127.0.0.1:%d/1" % server.port]):
            reason = self.probe(*arguments).down()
            self.assertIn("SELECT: an error that repeats the password", reason)

    def test_redirections_without_end(self):
        hops = []

        def script(connection):
            if wait_for_a_command(connection):
                hops.append(connection)
                connection.sendall(b"-MOVED 7 :%d\r\n" % server.port)
                wait_for_the_end(connection)
        server = self.scripted(script)
        url = "redis://127.0.0.1:%d" % server.port
        probe = self.probe(url, url)
        before = probe.fds()
        probe.dial()
        probe.ask("command", "GET", "k")
        self.assertIn("redirected more than 5 times", probe.expect("down"))
        # five hops from the first one, then both seeds and five hops from each
        self.assertEqual(len(hops), 6 + 2 * 6)
        self.assertEqual(probe.fds(), before)

    def test_asking_without_end(self):
        def script(connection):
            while True:
                if b"ASKING" in connection.recv(4096):
                    connection.sendall(OK)
                else:
                    connection.sendall(b"-ASK 7 127.0.0.1:%d\r\n" % server.port)
        server = self.scripted(script)
        probe = self.probe("redis://127.0.0.1:%d" % server.port)
        probe.dial()
        probe.ask("command", "GET", "k")
        self.assertIn("redirected more than 5 times", probe.expect("down"))

    def test_redirections_that_are_slow_end_in_time(self):
        def script(connection):
            if wait_for_a_command(connection):
                time.sleep(0.1)
                connection.sendall(b"-MOVED 7 127.0.0.1:%d\r\n" % server.port)
                wait_for_the_end(connection)
        server = self.scripted(script)
        url = "redis://127.0.0.1:%d" % server.port
        probe = self.probe("-c", "600", "-r", "600", *[url] * 16, patient=False)
        probe.dial()
        probe.ask("command", "GET", "k")
        # 16 seeds with five hops each would end otherwise, and only after ten seconds
        self.assertIn("redirections took too long", probe.expect("down"))

    def test_redirections_that_are_none_are_replies(self):
        for text in (b"MOVED", b"MOVED ", b"MOVED 7", b"MOVED 7 ", b"MOVED x a:1", b"MOVED 7 a",
                     b"MOVED 16384 a:1", b"MOVED 7 a:0", b"MOVED 7 a:65536", b"MOVED 7 a:",
                     b"MOVED 7 a b:1", b"MOVED 7 ?:1", b"MOVED 7 a\0:1", b"MOVED 7  a:1",
                     b"MOVED -1 a:1", b"MOVED 99999999999999999999 a:1", b"ASK", b"ASK 7",
                     b"ASKING 7 a:1", b"moved 7 a:1", b"MOVED 7 " + b"a" * 254 + b":1"):
            def script(connection, say=text):
                connection.recv(4096)
                saying(b"-" + say + b"\r\n")(connection)
            server = self.scripted(script)
            probe = self.probe("redis://127.0.0.1:%d" % server.port)
            probe.dial()
            self.assertEqual(probe.command("GET", "k"), {"error": text.decode()})
            probe.close()

    def test_a_refused_asking(self):
        def script(connection):
            while True:
                said = connection.recv(4096)
                connection.sendall(b"-NOPERM no asking\r\n" if b"ASKING" in said
                                   else b"-ASK 7 127.0.0.1:%d\r\n" % server.port)
        server = self.scripted(script)
        probe = self.probe("redis://127.0.0.1:%d" % server.port)
        probe.dial()
        probe.ask("command", "GET", "k")
        self.assertIn("ASKING: NOPERM no asking", probe.expect("down"))

    def test_a_server_that_does_not_read(self):
        def script(connection):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            time.sleep(DEADLINE_S)
        server = self.scripted(script)
        probe = self.probe("-c", "15000", "-r", "400", "redis://127.0.0.1:%d" % server.port,
                           patient=False)
        before = probe.fds()
        for _ in range(3):
            probe.dial()
            probe.ask("command", "SET", "k", "x" * 1000000)
            self.assertIn("in time", probe.expect("down"))
        self.assertEqual(probe.fds(), before)

    def test_a_full_backlog(self):
        full = FullBacklog()
        self.addCleanup(full.stop)
        probe = self.probe("-c", "300", "redis://:x@127.0.0.1:%d" % full.port, patient=False)
        before = probe.fds()
        for _ in range(5):
            self.assertIn("in time", probe.down())
            self.assertEqual(probe.fds(), before)
        probe.ask("dial")
        probe.ask("hang_up")
        self.assertEqual(probe.fds(), before)

    def test_a_thousand_dials_to_a_server_that_resets(self):
        server = self.scripted(reset)
        probe = self.probe("redis://:x@127.0.0.1:%d" % server.port)
        before = probe.fds()
        probe.ask("round", "1000")
        probe.expect("rounds", 120)
        self.assertEqual(probe.fds(), before)


if __name__ == "__main__":
    main()
