"""Peers that lie, stall, flood, redirect and break off. The process must live, every ask must end in
one callback, from another peer where there is one; nothing that does not hash may be handed on (the
probe ends itself otherwise), and descriptors must be where they were."""

import os
import re
import socket
import struct
import time

from peer import PREFIX, Node, PeersTest, answer, main, make_manifest, sha256, wait_until

BODY = b"body()\n" * 100
TEXT, RELEASE = make_manifest({"a.js": BODY})
OTHER_TEXT, OTHER = make_manifest({"b.js": b"other"})
HEAD = b"HTTP/1.1 200 OK\r\nx-breaker-member: 1\r\n"


def saying(data):
    def act(connection, path, headers):
        connection.sendall(data)
        return True
    return act


def closing_after(data):
    def act(connection, path, headers):
        connection.sendall(data)
        return False
    return act


def waiting_after(data):
    def act(connection, path, headers):
        connection.sendall(data)
        while connection.recv(65536):
            pass
        return False
    return act


def reset_after(data):
    def act(connection, path, headers):
        connection.sendall(data)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    return act


def dripping(head, data, pause_s=0.05):
    def act(connection, path, headers):
        connection.sendall(head)
        while True:
            connection.sendall(data)
            time.sleep(pause_s)
    return act


def flooding(head, data=b"x" * 65536):
    return dripping(head, data, 0)


def length(number):
    return HEAD + b"content-length: %d\r\n\r\n" % number


CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
# the last two are libcurl's, for whichever of its limits it notices first
SILENT = "silent|too slowly|Timeout was reached|Connection timeout"
BROKEN = "."
# what a peer does; a pattern of the notice that says why it is set aside
CASES = {
    "other bytes": (saying(answer(200, b"X" + BODY[1:])), "other bytes|another release|line 1"),
    "nothing": (saying(answer(200, b"")), "less than|manifest|line"),
    "less than it was asked": (saying(answer(200, BODY[:-1])), "less than|line"),
    "more than it was asked": (saying(answer(200, BODY + b"x" * 2000)), "more than|line|larger"),
    "no end": (flooding(HEAD + b"\r\n"), "more than|line"),
    "no end in chunks": (flooding(CHUNKED, b"ffff\r\n" + b"x" * 65535 + b"\r\n"), "more than|line"),
    "one endless chunk": (flooding(CHUNKED + b"ffffffffffffff\r\n"), "more than|line"),
    "a chunk of no length": (saying(CHUNKED + b"zz\r\n"), BROKEN),
    "a length beyond all numbers": (closing_after(HEAD + b"content-length: 99999999999999999999"
                                                  b"\r\n\r\n" + BODY + b"x"), "more than|line"),
    "a length below 0": (closing_after(HEAD + b"content-length: -5\r\n\r\n" + BODY), BROKEN),
    "two lengths": (closing_after(HEAD + b"content-length: 5\r\ncontent-length: 700\r\n\r\nxxxxx"),
                    BROKEN),
    "a longer body than its length": (saying(length(5) + BODY), "less than|line"),
    "a shorter body than its length": (closing_after(length(len(BODY)) + BODY[:-7]), BROKEN),
    "an early end": (closing_after(length(len(BODY)) + BODY[:9]), BROKEN),
    "an early end in chunks": (closing_after(CHUNKED + b"2bc\r\n" + BODY[:100]), BROKEN),
    "a reset": (reset_after(length(len(BODY)) + BODY[:9]), BROKEN),
    "a reset at once": (reset_after(b""), BROKEN),
    "a close at once": (closing_after(b""), BROKEN),
    "silence": (waiting_after(b""), SILENT),
    "silence after its head": (waiting_after(length(len(BODY))), SILENT),
    "silence in its head": (waiting_after(HEAD), SILENT),
    "silence in its body": (waiting_after(length(len(BODY)) + BODY[:50]), SILENT),
    "a body that drips": (dripping(length(len(BODY)), b"b"), "slowly"),
    "a head that drips": (dripping(HEAD, b"x-a: b\r\n"), "slowly|headers"),
    "endless headers": (flooding(HEAD, b"x-a: b\r\n" * 100), "headers"),
    "an endless header": (flooding(HEAD + b"x-a: "), BROKEN),
    "endless interim answers": (flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10), "headers"),
    "endless trailers": (flooding(CHUNKED + b"0\r\n", b"x-a: b\r\n" * 100), BROKEN),
    "garbage": (closing_after(os.urandom(1) + b"\x00\x01garbage\r\n\r\n"), BROKEN),
    "endless garbage": (flooding(b"", b"\x80" * 65536), BROKEN),
    "HTTP/0.9": (closing_after(BODY), BROKEN),
    "HTTP/9": (closing_after(b"HTTP/9.9 200 OK\r\nx-breaker-member: 1\r\n\r\n" + BODY), BROKEN),
    "a status of letters": (closing_after(b"HTTP/1.1 abc OK\r\n\r\n"), BROKEN),
    "a banner of SSH": (waiting_after(b"SSH-2.0-OpenSSH_9.2\r\n"), BROKEN),
    "TLS": (closing_after(b"\x15\x03\x03\x00\x02\x02\x28"), BROKEN),
    "an encoded body": (saying(answer(200, BODY[:-5], headers="content-encoding: gzip\r\n")),
                        "less than|line"),
    "an answer of a stranger": (saying(answer(200, BODY, member=False)), "does not know us"),
    "the endless answer of a stranger": (flooding(b"HTTP/1.1 200 OK\r\n\r\n"), "does not know us"),
    "membership in an interim answer": (
        saying(b"HTTP/1.1 103 Hints\r\nx-breaker-member: 1\r\n\r\n" +
               answer(200, BODY, member=False)), "does not know us"),
    "a 401 with a challenge": (saying(answer(401, b"", headers="www-authenticate: Basic\r\n")),
                               "status 401"),
    "a 403": (saying(answer(403)), "status 403"),
    "a 500": (saying(answer(500, b"x" * 1000000)), "status 500"),
    "an endless 404 of a stranger": (flooding(b"HTTP/1.1 404 X\r\n\r\n"), "does not know us"),
    "a 204": (saying(answer(204)), "status 204"),
    "a 206": (saying(answer(206, BODY)), "status 206"),
    "a 101": (waiting_after(b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"),
              SILENT),
}


class Hostile(PeersTest):
    def setUp(self):
        self.sink = self.server(saying(answer(200, BODY)))

    def check(self, probe, act, wanted, ask):
        """One bad peer alone: nobody answers, and the notice says why."""
        server = self.server(act)
        probe.know((server.address, RELEASE))
        event = ask(probe)
        self.assertEqual(event[:2], ["nobody", "answers"], probe.notices)
        self.assertEqual(len(probe.notices), 1, probe.notices)
        self.assertTrue(re.search(wanted, probe.notices[0]), probe.notices[0])
        self.assertLessEqual(len(server.asked), 2)
        probe.notices.clear()
        server.stop()

    def run_all(self, ask):
        probes = {True: self.probe("-t", "400", patient=False), False: self.probe()}
        before = {}
        for which, probe in probes.items():
            probe.know((self.node_of(BODY).address, RELEASE))
            self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")
            before[which] = probe.fds()
        for name, (act, wanted) in CASES.items():
            with self.subTest(name):
                self.check(probes[wanted == SILENT or "slowly" in wanted], act, wanted, ask)
        for which, probe in probes.items():
            self.assertLessEqual(probe.fds(), before[which] + 3)  # connections that may be used again
            probe.close()

    def test_blobs(self):
        self.run_all(lambda probe: probe.blob(BODY, RELEASE))

    def test_manifests(self):
        self.run_all(lambda probe: probe.manifest(RELEASE))

    def test_another_peer_is_asked_whatever_a_bad_one_does(self):
        node = self.node_of(BODY)
        probe = self.probe("-t", "400", patient=False)
        for name, (act, _) in CASES.items():
            with self.subTest(name):
                server = self.server(act)
                probe.know((server.address, RELEASE), (node.address, RELEASE))
                self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")
                self.assertEqual(probe.manifest(RELEASE)[0], "manifest")
                server.stop()

    def test_another_peer_goes_on_with_a_spool_whatever_a_bad_one_does(self):
        node = self.node_of(BODY)
        right = ["spool", sha256(BODY), len(BODY)]
        for name, (act, _) in CASES.items():
            with self.subTest(name):
                probe = self.probe("-t", "400", patient=False)
                server = self.server(act)
                probe.know((server.address, RELEASE), (node.address, RELEASE))
                event = probe.spool(BODY, RELEASE)
                if event[0] == "nobody":
                    # what came first was wrong, which only the hash of all says
                    self.assertEqual(event[4], len(BODY))
                    self.assertNotEqual(event[3], sha256(BODY))
                    probe.know((node.address, RELEASE))
                    wait_until(lambda: probe.spool(BODY, RELEASE) == right, "the right bytes")
                else:
                    self.assertEqual(event, right)
                server.stop()
                probe.close()

    def node_of(self, *bodies):
        node = Node(bodies, {RELEASE: TEXT, OTHER: OTHER_TEXT}, held={RELEASE: True})
        self.addCleanup(node.stop)
        return node

    def test_redirects_are_not_followed(self):
        for status in (301, 302, 303, 307, 308):
            for to in ("http://%s/" % self.sink.address, "//%s/x" % self.sink.address, "/other",
                       "file:///etc/passwd", "gopher://%s/" % self.sink.address):
                with self.subTest("%d to %s" % (status, to)):
                    probe = self.probe()
                    self.check(probe, saying(answer(status, headers="location: %s\r\n" % to)),
                               "status %d" % status, lambda p: p.blob(BODY, RELEASE))
                    probe.close()
        self.assertEqual(self.sink.asked, [])

    def test_the_manifest_of_another_release_is_refused(self):
        probe = self.probe()
        self.check(probe, saying(answer(200, OTHER_TEXT)), "another release",
                   lambda p: p.manifest(RELEASE))

    def test_a_manifest_of_this_hash_that_is_none_is_refused(self):
        # the digest leaves the last word of a file's line out, so anything may stand there
        for last in ("0x10", "99999999999999999999", "-0", "", "1 "):
            with self.subTest(last):
                text = TEXT.replace(b"1700000000", last.encode())
                probe = self.probe()
                self.check(probe, saying(answer(200, text)), "line",
                           lambda p: p.manifest(RELEASE))

    def test_a_manifest_has_a_length_that_is_not_exceeded(self):
        probe = self.probe("-m", "100000")
        self.check(probe, flooding(HEAD + b"\r\n"), "more than", lambda p: p.manifest(RELEASE))
        self.check(probe, flooding(CHUNKED, b"ffff\r\n" + b"x" * 65535 + b"\r\n"), "more than",
                   lambda p: p.manifest(RELEASE))

    def test_lists_that_are_none_are_refused(self):
        line = "%s complete\n" % RELEASE
        for name, text in {
                "nothing": "", "another head": "h2o-breaker held 2\n", "garbage": "\0\1\2",
                "no end of line": "h2o-breaker held 1\n" + line[:-1],
                "an unknown word": "h2o-breaker held 1\n%s perhaps\n" % RELEASE,
                "no release": "h2o-breaker held 1\n../x complete\n",
                "too many": "h2o-breaker held 1\n" + line * 33,
                "too long": "h2o-breaker held 1\n" + line * 3000}.items():
            with self.subTest(name):
                server = self.server(saying(answer(200, text.encode())))
                probe = self.probe()
                probe.know((server.address, OTHER))
                self.assertEqual(probe.held(), {})
                self.assertEqual(probe.blob(BODY, RELEASE)[:2], ["nobody", "answers"])
                self.assertEqual(len(probe.notices), 1)
                probe.close()

    def test_a_liar_is_set_aside_for_longer_each_time(self):
        server = self.server(saying(answer(200, b"X" + BODY[1:])))
        probe = self.probe()
        probe.know((server.address, RELEASE))
        for wanted in (1000, 2000):
            wait_until(lambda: (probe.blob(BODY, RELEASE), probe.notices)[1], "a lie")
            self.assertIn("for %d ms" % wanted, probe.notices.pop())
            event = probe.blob(BODY, RELEASE)
            self.assertEqual(event[:2], ["nobody", "answers"])
            self.assertGreater(event[2], 0)
            self.assertLessEqual(event[2], wanted)
        self.assertEqual(len(server.asked), 2)

    def test_what_a_request_waits_for_leaves_a_silent_peer_soon(self):
        silent = self.server(waiting_after(b""))
        probe = self.probe("-t", "8000", patient=False)
        probe.know((silent.address, RELEASE))
        ask = probe.ask_blob(BODY, RELEASE, priority="urgent")
        wait_until(lambda: silent.asked, "the ask")
        begin = time.monotonic()
        probe.know((silent.address, RELEASE), (self.node_of(BODY).address, RELEASE))
        self.assertEqual(probe.expect("blob")[0], ask)
        self.assertLess(time.monotonic() - begin, 6)

    def test_many_bad_peers_cost_one_ask_each_and_a_good_one_is_found(self):
        acts = [act for act, wanted in CASES.values() if wanted != SILENT and "slow" not in wanted]
        servers = [self.server(act) for act in acts[:20]]
        probe = self.probe("-t", "1000", patient=False)
        probe.know(*((server.address, RELEASE) for server in servers),
                   (self.node_of(BODY).address, RELEASE))
        for _ in range(30):
            self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")

    def test_freed_in_the_middle_of_everything_it_leaves_nothing(self):
        servers = [self.server(act) for act, _ in CASES.values()]
        for _ in range(5):
            probe = self.probe()
            probe.know(*((server.address, RELEASE) for server in servers))
            for i in range(50):
                probe.say("blob", sha256(b"%d" % i), 1, RELEASE, "urgent")
            probe.say("held")
            probe.close()

    def test_memory_stays_within_what_is_asked_for(self):
        server = self.server(flooding(length(1 << 40)))
        probe = self.probe()
        probe.know((server.address, RELEASE))
        self.assertEqual(probe.blob(BODY, RELEASE)[:2], ["nobody", "answers"])
        with open("/proc/%d/status" % probe.process.pid) as file:
            peak = int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))
        if not os.environ.get("BREAKER_PROBE_WRAPPER") and \
                os.environ.get("BREAKER_SLOWDOWN", "1") == "1":
            self.assertLess(peak, 64 << 10)

    def test_a_server_that_accepts_nothing_is_given_up(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(listener.close)
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            self.addCleanup(filler.close)
        probe = self.probe("-t", "400", patient=False)
        probe.know(("127.0.0.1:%d" % listener.getsockname()[1], RELEASE))
        self.assertEqual(probe.blob(BODY, RELEASE)[:2], ["nobody", "answers"])
        self.assertTrue(re.search(SILENT, probe.notices[0]), probe.notices[0])

    def test_a_port_that_nobody_listens_at_is_given_up(self):
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.close()
        probe = self.probe()
        probe.know(("127.0.0.1:%d" % port, RELEASE))
        self.assertEqual(probe.blob(BODY, RELEASE)[:2], ["nobody", "answers"])

    def test_the_environment_names_no_proxy(self):
        os.environ["http_proxy"] = os.environ["ALL_PROXY"] = "http://" + self.sink.address
        self.addCleanup(os.environ.pop, "http_proxy")
        self.addCleanup(os.environ.pop, "ALL_PROXY")
        probe = self.probe()
        node = self.node_of(BODY)
        probe.know((node.address, RELEASE))
        self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")
        self.assertEqual(self.sink.asked, [])
        self.assertEqual(node.asked, [PREFIX + "blob/" + sha256(BODY)])


class Streams(PeersTest):
    """Large files: what came stays, whoever goes on."""

    DATA = bytes(range(256)) * 4096
    HALF = len(DATA) // 2

    def node_of(self, *bodies):
        node = Node(bodies, {RELEASE: TEXT}, held={RELEASE: True})
        self.addCleanup(node.stop)
        return node

    def right(self):
        return ["spool", sha256(self.DATA), len(self.DATA)]

    def halting(self, act):
        return act(length(len(self.DATA)) + self.DATA[:self.HALF])

    def test_a_large_file_comes_from_one_peer(self):
        node = self.node_of(self.DATA)
        probe = self.probe()
        probe.know((node.address, RELEASE))
        self.assertEqual(probe.spool(self.DATA, RELEASE), self.right())
        self.assertEqual(node.ranges, [])

    def test_another_peer_goes_on_where_one_breaks_off_or_falls_silent(self):
        for act in (closing_after, waiting_after):
            with self.subTest(act.__name__):
                bad, node = self.server(self.halting(act)), self.node_of(self.DATA)
                probe = self.probe("-t", "1000", patient=False)
                probe.know((bad.address, RELEASE))
                ask = probe.ask_spool(self.DATA, RELEASE)
                wait_until(lambda: bad.asked, "the first peer is asked")
                probe.know((bad.address, RELEASE), (node.address, RELEASE))
                self.assertEqual(probe.next(), ["spool", ask, sha256(self.DATA), len(self.DATA)])
                # all that the first one sent was used
                self.assertEqual(node.ranges, [self.HALF])
                probe.close()

    def test_the_same_peer_is_asked_to_go_on_where_it_broke_off(self):
        node = self.node_of(self.DATA)
        cuts = [self.halting(closing_after)]

        def cutting(connection, path, headers):
            return (cuts.pop() if cuts else node.act)(connection, path, headers)

        server = self.server(cutting)
        probe = self.probe()
        probe.know((server.address, RELEASE))
        self.assertEqual(probe.spool(self.DATA, RELEASE), self.right())
        self.assertEqual(node.ranges, [self.HALF])

    def test_where_no_peer_goes_on_nobody_is_said_to_have_it(self):
        bad = self.server(self.halting(closing_after))
        probe = self.probe("-t", "200", patient=False)
        probe.know((bad.address, RELEASE))
        wait_until(lambda: bad.asked or probe.ask_spool(self.DATA, RELEASE), "it is asked")
        wait_until(lambda: len(bad.asked) == 1, "it has answered")
        bad.stop()
        event = probe.next()
        self.assertEqual(event[0], "nobody")
        self.assertEqual(event[5], self.HALF)

    def test_a_wrong_hash_in_the_end_sets_all_aside_that_gave_some(self):
        wrong = b"X" + self.DATA[1:]
        bad = self.server(closing_after(length(len(wrong)) + wrong[:self.HALF]))
        node = self.node_of(self.DATA)
        probe = self.probe()
        probe.know((bad.address, RELEASE))
        probe.ask_spool(self.DATA, RELEASE)
        wait_until(lambda: bad.asked, "the bad one is asked")
        probe.know((bad.address, RELEASE), (node.address, RELEASE))
        event = probe.next()
        self.assertEqual((event[0], event[5]), ("nobody", len(wrong)))
        self.assertEqual(event[4], sha256(wrong))
        self.assertTrue(any("one of several" in notice and node.address in notice
                            for notice in probe.notices), probe.notices)
        # the honest one is asked again when its time is over, and not after the other one every time
        probe.know((node.address, RELEASE))
        wait_until(lambda: probe.spool(self.DATA, RELEASE) == self.right(), "the right bytes")

    def test_a_range_that_was_not_asked_for_is_refused(self):
        node = self.node_of(self.DATA)
        for status in (200, 416, 503):
            with self.subTest(status):
                acts = [saying(answer(status, self.DATA if status == 200 else b"")),
                        self.halting(closing_after)]

                def act(connection, path, headers):
                    return (acts.pop() if acts else node.act)(connection, path, headers)

                server, other = self.server(act), self.node_of(self.DATA)
                probe = self.probe()
                probe.know((server.address, RELEASE))
                probe.ask_spool(self.DATA, RELEASE)
                wait_until(lambda: not acts, "the second answer")
                probe.know((server.address, RELEASE), (other.address, RELEASE))
                event = probe.next()
                self.assertEqual([event[0]] + event[2:], self.right())
                probe.close()

    def test_one_that_has_come_whole_is_asked_for_no_more(self):
        chunk = b"%x\r\n%s\r\n" % (len(self.DATA), self.DATA)
        silent, node = self.server(waiting_after(CHUNKED + chunk)), self.node_of(self.DATA)
        probe = self.probe("-t", "400", patient=False)
        probe.know((silent.address, RELEASE))
        ask = probe.ask_spool(self.DATA, RELEASE)
        wait_until(lambda: silent.asked, "the transfer")
        probe.know((silent.address, RELEASE), (node.address, RELEASE))
        self.assertEqual(probe.next(), ["spool", ask, sha256(self.DATA), len(self.DATA)])
        self.assertEqual((len(silent.asked), node.asked), (1, []))

    def test_long_transfers_leave_connections_to_others(self):
        slow = self.server(self.halting(waiting_after))
        node = self.node_of(BODY)
        probe = self.probe("-n", "2")
        probe.know((slow.address, RELEASE))
        for _ in range(3):
            probe.ask_spool(self.DATA, RELEASE)
        wait_until(lambda: slow.asked, "one is under way")
        probe.know((slow.address, RELEASE), (node.address, OTHER))
        ask = probe.ask_blob(BODY, OTHER, "urgent")
        self.assertEqual(probe.next()[:2], ["blob", ask])
        self.assertEqual(len(slow.asked), 1)

    def test_of_few_connections_a_spool_takes_none(self):
        for number in ("1", "2"):
            with self.subTest(number):
                slow, node = self.server(self.halting(waiting_after)), self.node_of(BODY)
                probe = self.probe("-n", number)
                probe.know((slow.address, RELEASE))
                probe.ask_spool(self.DATA, RELEASE)
                wait_until(lambda: slow.asked, "one is under way")
                probe.know((slow.address, RELEASE), (node.address, OTHER))
                for priority in ("ahead", "urgent"):
                    ask = probe.ask_blob(BODY, OTHER, priority)
                    self.assertEqual(probe.next()[:2], ["blob", ask])
                probe.make_known(RELEASE)
                self.assertEqual(probe.heard(), "wholly")
                # it goes on: nobody waited for its end
                self.assertEqual(probe.notices, [])

    def test_one_that_is_cancelled_is_told_of_no_more_and_frees_its_connection(self):
        slow, node = self.server(self.halting(waiting_after)), self.node_of(BODY)
        probe = self.probe("-n", "1")
        probe.know((slow.address, RELEASE))
        ask = probe.ask_spool(self.DATA, RELEASE)
        wait_until(lambda: slow.asked, "it is under way")
        probe.say("cancel", ask)
        probe.say("cancel", ask)
        probe.know((node.address, RELEASE))
        self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")

    def test_a_rate_holds_for_a_long_transfer_and_stops_no_others(self):
        node = self.node_of(self.DATA, BODY)
        probe = self.probe("-r", str(len(self.DATA) * 2), "-n", "2", "-t", "1000", patient=False)
        probe.know((node.address, RELEASE))
        begun = time.monotonic()
        spool = probe.ask_spool(self.DATA, RELEASE)
        blob = probe.ask_blob(BODY, RELEASE, "urgent")
        events = [probe.next()[:2], probe.next()[:2]]
        self.assertEqual(sorted(events), [["blob", blob], ["spool", spool]])
        # a half of the rate is one connection's, and some of it may come at once
        self.assertGreater(time.monotonic() - begun, 0.5)
        self.assertEqual(probe.notices, [])


if __name__ == "__main__":
    main()
