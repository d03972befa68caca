"""The client of peers among peers that behave: who is asked for what and in which order, with which
key, and what comes of it when nobody has it."""

import os
import threading
import time

from peer import (KEY, OTHER_KEY, PREFIX, Certificate, PeersTest, Scratch, answer, main,
                  make_manifest, sha256, wait_until)

FILES = {"a.css": b"a {}\n", "b.js": b"b()\n" * 1000, "empty.txt": b""}
TEXT, RELEASE = make_manifest(FILES)
OTHER_TEXT, OTHER = make_manifest({"other.js": b"other()"})
BODY = FILES["b.js"]


class Client(PeersTest):
    def test_blobs_and_manifests_come_from_a_node_of_the_release(self):
        node = self.node(FILES.values(), {RELEASE: TEXT})
        probe = self.probe()
        probe.know((node.address, RELEASE))
        self.assertEqual(probe.manifest(RELEASE), ["manifest", RELEASE, len(TEXT), 3])
        for data in FILES.values():
            self.assertEqual(probe.blob(data, RELEASE), ["blob", sha256(data), len(data)])
        self.assertEqual(probe.notices, [])

    def test_a_large_blob_comes_whole(self):
        data = os.urandom(9 << 20)
        probe = self.probe()
        probe.know((self.node([data]).address, RELEASE))
        self.assertEqual(probe.blob(data, RELEASE), ["blob", sha256(data), len(data)])

    def test_a_chunked_manifest_is_taken(self):
        def act(connection, path, headers):
            connection.sendall(b"HTTP/1.1 200 OK\r\nx-breaker-member: 1\r\n"
                               b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (
                                   len(TEXT), TEXT))
            return True
        probe = self.probe()
        probe.know((self.server(act).address, RELEASE))
        self.assertEqual(probe.manifest(RELEASE)[0], "manifest")

    def test_connections_are_used_again(self):
        node = self.node([b"%d" % i for i in range(100)])
        probe = self.probe()
        probe.know((node.address, RELEASE))
        for i in range(100):
            self.assertEqual(probe.blob(b"%d" % i, RELEASE)[0], "blob")
        self.assertLessEqual(len(node.connections), 4)

    def test_who_has_not_got_a_blob_is_asked_for_others(self):
        first, second = self.node([b"one"]), self.node([b"two"])
        probe = self.probe()
        probe.know((first.address, RELEASE), (second.address, RELEASE))
        for data in (b"one", b"two") * 5:
            self.assertEqual(probe.blob(data, RELEASE)[0], "blob")
        self.assertEqual(probe.notices, [])

    def test_a_blob_that_everybody_answers_not_to_have_is_had_by_nobody(self):
        probe = self.probe()
        probe.know((self.node().address, RELEASE), (self.node().address, RELEASE))
        self.assertEqual(probe.blob(b"lost", RELEASE), ["nobody", "has it", 0])

    def test_a_manifest_of_a_later_version_is_no_fault_of_who_sends_it(self):
        later = self.node([BODY], {RELEASE: b"h2o-breaker manifest 3\nwhatever\n"})
        probe = self.probe()
        probe.know((later.address, RELEASE))
        self.assertEqual(probe.manifest(RELEASE), ["nobody", "is as old", 0])
        self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")
        probe.know((later.address, RELEASE), (self.node([], {RELEASE: TEXT}).address, RELEASE))
        self.assertEqual(probe.manifest(RELEASE)[0], "manifest")
        self.assertEqual(probe.notices, [])

    def test_without_peers_or_keys_nobody_answers(self):
        probe = self.probe()
        self.assertEqual(probe.blob(b"x", RELEASE)[:2], ["nobody", "answers"])
        probe.know(keys=[])
        self.assertEqual(probe.blob(b"x", RELEASE)[:2], ["nobody", "answers"])
        probe.know()
        self.assertEqual(probe.blob(b"x", RELEASE)[:2], ["nobody", "answers"])

    def test_a_release_lives_on_where_its_last_node_is_gone(self):
        holder = self.node([BODY], {RELEASE: TEXT}, held={OTHER: True, RELEASE: True})
        partial = self.node([], {RELEASE: TEXT}, held={OTHER: True, RELEASE: False})
        nobody = self.node(held={OTHER: True})
        probe = self.probe()
        probe.know(*((each.address, OTHER) for each in (partial, nobody, holder)))
        self.assertEqual(probe.manifest(RELEASE)[0], "manifest")
        self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")
        self.assertEqual([path for path in nobody.asked if "held" not in path], [])

    def test_what_peers_hold_is_gathered(self):
        nodes = [self.node(held={OTHER: True, RELEASE: i == 1}) for i in range(3)]
        probe = self.probe()
        probe.know(*((node.address, OTHER) for node in nodes))
        self.assertEqual(probe.held(), {OTHER: True, RELEASE: True})
        self.assertEqual(probe.held(), {OTHER: True, RELEASE: True})
        # what they said is remembered
        self.assertEqual([len(node.asked) for node in nodes], [1, 1, 1])

    def test_nobody_holds_anything_where_nobody_is(self):
        probe = self.probe()
        probe.know()
        self.assertEqual(probe.held(), {})

    def test_of_many_peers_a_few_are_asked_what_they_hold(self):
        nodes = [self.node(held={OTHER: True}) for _ in range(8)]
        probe = self.probe()
        probe.know(*((node.address, OTHER) for node in nodes))
        self.assertEqual(probe.held(), {OTHER: True})
        self.assertEqual(sum(len(node.asked) for node in nodes), 3)

    def test_a_release_is_made_known_to_all_until_they_have_it(self):
        serves, has = self.node(), self.node(held={RELEASE: True})
        hears = self.node(held={OTHER: True})
        probe = self.probe()
        probe.know((serves.address, RELEASE), (has.address, OTHER), (hears.address, OTHER))
        probe.make_known(RELEASE)
        while probe.heard() != "not" or not has.asked or len(hears.asked) < 3:
            pass
        hears.held[RELEASE] = False
        while probe.heard() != "partly":
            pass
        hears.held[RELEASE] = True
        while probe.heard() != "wholly":
            pass
        self.assertEqual((serves.asked, len(has.asked)), ([], 1))
        self.assertEqual({path for path in hears.asked}, {PREFIX + "held/" + RELEASE})
        self.assertEqual(probe.notices, [])

    def test_who_cannot_be_asked_or_does_not_know_the_question_is_not_waited_for(self):
        older = self.node()
        older.find = lambda path: None
        gone = self.node()
        gone.stop()
        probe = self.probe()
        probe.know((older.address, OTHER), (gone.address, OTHER))
        probe.make_known(RELEASE)
        while probe.heard() != "wholly":
            pass
        self.assertEqual(len(older.asked), 1)

    def test_who_is_silent_is_waited_for_no_longer_than_for_an_answer(self):
        def act(connection, path, headers):
            stopped.wait(60)
        stopped = threading.Event()
        self.addCleanup(stopped.set)
        probe = self.probe("-t", "200", patient=False)
        probe.know((self.server(act).address, OTHER))
        probe.make_known(RELEASE)
        self.assertEqual(probe.heard(), "wholly")
        self.assertIn("silent", probe.notices[0])

    def test_a_peer_that_knows_the_older_key_only_is_asked_with_it(self):
        node = self.node([BODY, b"two"], keys=[KEY])
        probe = self.probe()
        probe.know((node.address, RELEASE), keys=[OTHER_KEY, KEY])
        self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")
        self.assertEqual(probe.blob(b"two", RELEASE)[0], "blob")
        self.assertEqual(len(node.asked), 3)
        self.assertEqual(probe.notices, [])

    def test_a_peer_of_another_cluster_is_set_aside(self):
        node = self.node([BODY], keys=[b"\x33" * 32])
        probe = self.probe()
        probe.know((node.address, RELEASE), keys=[OTHER_KEY, KEY])
        self.assertEqual(probe.blob(BODY, RELEASE)[:2], ["nobody", "answers"])
        self.assertEqual(len(node.asked), 2)
        self.assertIn("does not know us", probe.notices[0])

    def test_who_did_not_know_the_key_is_asked_with_another_one_at_once(self):
        node = self.node([BODY], keys=[KEY])
        probe = self.probe()
        probe.know((node.address, RELEASE), keys=[OTHER_KEY])
        self.assertEqual(probe.blob(BODY, RELEASE)[:2], ["nobody", "answers"])
        probe.know((node.address, RELEASE), keys=[KEY])
        self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")

    def test_the_time_of_the_cluster_counts(self):
        node = self.node([BODY])
        probe = self.probe()
        probe.know((node.address, RELEASE), offset_ms=3600000)
        self.assertEqual(probe.blob(BODY, RELEASE)[:2], ["nobody", "answers"])
        probe = self.probe()
        probe.know((node.address, RELEASE), offset_ms=10000)
        self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")

    def test_a_busy_peer_is_asked_again_or_another_one(self):
        node = self.node([BODY])
        node.busy = 3
        probe = self.probe()
        probe.know((node.address, RELEASE))
        self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")
        self.assertEqual(len(node.asked), 4)
        other = self.node([b"two"])
        node.busy = 1000
        probe.know((node.address, RELEASE), (other.address, RELEASE))
        self.assertEqual(probe.blob(b"two", RELEASE)[0], "blob")
        self.assertEqual(probe.notices, [])

    def test_a_peer_that_is_busy_for_good_ends_the_ask(self):
        node = self.node([BODY])
        node.busy = 1 << 30
        probe = self.probe()
        probe.know((node.address, RELEASE))
        self.assertEqual(probe.blob(BODY, RELEASE)[:2], ["nobody", "answers"])
        self.assertEqual(len(node.asked), 32)

    def test_the_own_address_is_never_asked(self):
        node = self.node([BODY])
        probe = self.probe()
        probe.know((node.address, RELEASE), own=node.address)
        self.assertEqual(probe.blob(BODY, RELEASE)[:2], ["nobody", "answers"])
        self.assertEqual(node.asked, [])

    def test_addresses_out_of_reach_are_not_connected_to(self):
        node = self.node([BODY])
        cases = {
            "loopback, of a node elsewhere": ([], "10.0.0.7:80", node.address),
            "loopback by a name": ([], "10.0.0.7:80", "localhost:%d" % node.port),
            "loopback in disguise": ([], "10.0.0.7:80", "[::ffff:127.0.0.1]:%d" % node.port),
            "outside of the ranges": (["-c", "10.0.0.0/8"], "10.0.0.7:80", node.address),
            "in a range that is wide": (["-c", "0.0.0.0/0"], "10.0.0.7:80", node.address),
            "unspecified": ([], "127.0.0.1:1", "0.0.0.0:%d" % node.port),
            "link-local": ([], "127.0.0.1:1", "169.254.169.254:%d" % node.port),
        }
        for name, (ranges, own, address) in cases.items():
            with self.subTest(name):
                probe = self.probe(*ranges)
                probe.know((address, RELEASE), own=own)
                self.assertEqual(probe.blob(BODY, RELEASE)[:2], ["nobody", "answers"])
                self.assertIn("none that may be asked", probe.notices[0])
        self.assertEqual(node.connections, [])

    def test_loopback_is_asked_where_the_operator_or_the_own_address_names_it(self):
        node = self.node([BODY])
        for ranges, own in ((["-c", "127.0.0.0/8"], "10.0.0.7:80"), ([], "127.0.0.1:1"),
                            (["-c", "10.0.0.0/8", "-c", "127.0.0.1"], "")):
            probe = self.probe(*ranges)
            probe.know((node.address, RELEASE), own=own)
            self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")

    def test_a_name_with_several_addresses_is_asked_at_the_one_that_may_be(self):
        node = self.node([BODY])
        probe = self.probe("-c", "127.0.0.1")
        probe.know(("two.test:%d" % node.port, RELEASE), own="10.0.0.7:80")
        self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")
        self.assertEqual(probe.notices, [])

    def test_texts_that_are_no_addresses_are_left_out(self):
        node = self.node([BODY])
        bad = ["", "127.0.0.1", ":80", "127.0.0.1:0", "127.0.0.1:65536", "a@127.0.0.1:80",
               "127.0.0.1:80/x", "ftp://127.0.0.1:80", "127.0.0.1:80#", "[::1:80", "file:///x:1",
               "127.0.0.1:8 0", "http://http://a:1"]
        probe = self.probe()
        probe.know(*((address, RELEASE) for address in bad), (node.address, RELEASE))
        self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")
        self.assertEqual(probe.notices, [])

    def test_what_a_request_waits_for_goes_first_and_then_the_smallest(self):
        gate = threading.Event()
        bodies = {sha256(data): data for data in
                  [b"x" * length for length in (5000, 1, 300, 20, 9)]}

        def act(connection, path, headers):
            gate.wait(20)
            connection.sendall(answer(200, bodies[path.split("/")[-1]]))
            return True

        server = self.server(act)
        probe = self.probe("-n", "1")
        probe.know((server.address, RELEASE))
        first = probe.ask_blob(b"x" * 5000, RELEASE)
        wait_until(lambda: server.asked, "the first ask")
        asks = {length: probe.ask_blob(b"x" * length, RELEASE) for length in (300, 1, 20)}
        urgent = probe.ask_blob(b"x" * 9, RELEASE, priority="urgent")
        probe.say("hurry", asks[300])
        gate.set()
        order = [probe.expect("blob")[0] for _ in range(5)]
        self.assertEqual(order, [first, asks[300], urgent, asks[1], asks[20]])

    def test_a_connection_is_kept_for_what_a_request_waits_for(self):
        gate = threading.Event()
        data = [b"%d" % i for i in range(10)]

        def act(connection, path, headers):
            body = next(each for each in data if sha256(each) in path)
            if body != b"9":
                gate.wait(20)
            connection.sendall(answer(200, body))
            return True

        server = self.server(act)
        probe = self.probe("-n", "4")
        probe.know((server.address, RELEASE))
        for each in data[:9]:
            probe.ask_blob(each, RELEASE)
        wait_until(lambda: len(server.asked) == 3, "three asks under way")
        urgent = probe.ask_blob(b"9", RELEASE, priority="urgent")
        self.assertEqual(probe.expect("blob")[0], urgent)
        self.assertEqual(len(server.asked), 4)
        gate.set()
        for _ in range(9):
            probe.expect("blob")

    def test_what_is_made_known_waits_for_nothing_that_is_asked_for_ahead(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        slow = self.server(lambda *_: gate.wait(60) and False)
        hears = self.node(held={RELEASE: True})
        probe = self.probe("-n", "4")
        probe.know((slow.address, RELEASE), (hears.address, OTHER))
        probe.make_known(RELEASE)
        self.assertEqual(probe.heard(), "wholly")
        for i in range(9):
            probe.ask_blob(b"%d" % i, RELEASE)
        wait_until(lambda: len(slow.asked) == 3, "three asks under way")
        gate.set()
        probe.close()

    def test_a_connection_is_left_to_what_is_made_known(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        slow, hears = self.server(lambda *_: gate.wait(60) and False), self.node()
        probe = self.probe("-n", "3")
        probe.know((slow.address, RELEASE), (hears.address, OTHER))
        probe.make_known(RELEASE)
        wait_until(lambda: hears.asked, "it is asked")
        for i in range(9):
            probe.ask_blob(b"%d" % i, RELEASE)
        hears.held[RELEASE] = True
        while probe.heard() != "wholly":
            pass
        # nobody waited for the end of these
        self.assertEqual(probe.notices, [])
        gate.set()
        probe.close()

    def test_on_one_connection_it_takes_turns_with_what_is_asked_for_ahead(self):
        gate = threading.Event()
        data = {sha256(b"%d" % i): b"%d" % i for i in range(20)}

        def act(connection, path, headers):
            gate.wait(20)
            connection.sendall(answer(200, data[path.split("/")[-1]]))
            return True

        slow, hears = self.server(act), self.node(held={RELEASE: True})
        probe = self.probe("-n", "1")
        probe.know((slow.address, RELEASE), (hears.address, OTHER))
        for each in data.values():
            probe.ask_blob(each, RELEASE)
        probe.make_known(RELEASE)
        probe.say("room")
        probe.expect("room")
        gate.set()
        events = [probe.next()[0] for _ in range(len(data) + 1)]
        self.assertEqual(events[:2], ["blob", "heard"])

    def test_a_peer_that_is_named_no_more_is_asked_no_more(self):
        gate = threading.Event()

        def act(connection, path, headers):
            gate.wait(20)
            return False

        silent, node = self.server(act), self.node([BODY])
        probe = self.probe()
        probe.know((silent.address, RELEASE))
        ask = probe.ask_blob(BODY, RELEASE)
        wait_until(lambda: silent.asked, "the ask")
        probe.know((node.address, RELEASE))
        self.assertEqual(probe.expect("blob")[0], ask)
        gate.set()

    def test_no_more_asks_are_taken_than_there_is_room_for(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        server = self.server(lambda *_: gate.wait(60) and False)
        probe = self.probe()
        probe.know((server.address, RELEASE))
        for i in range(1024):
            probe.ask_blob(b"%d" % i, RELEASE)
        probe.say("blob", sha256(b"x"), 1, RELEASE, "ahead")
        self.assertEqual(probe.expect("refused"), ["BREAKER_ERR_TOO_MANY"])
        probe.say("room")
        self.assertEqual(probe.expect("room"), [0])
        probe.close()

    def test_a_release_without_a_digest_is_not_asked_for(self):
        probe = self.probe()
        probe.say("manifest", "any", "ahead")
        self.assertEqual(probe.expect("refused"), ["BREAKER_ERR_RELEASE_SYNTAX"])

    def test_the_rate_is_kept(self):
        data = [os.urandom(50000) for _ in range(8)]
        probe = self.probe("-r", "200000")
        probe.know((self.node(data).address, RELEASE))
        begin = time.monotonic()
        for each in data:
            probe.ask_blob(each, RELEASE)
        for _ in data:
            probe.expect("blob")
        # 400,000 bytes; what is begun while there is a rest of the budget comes on top
        self.assertGreater(time.monotonic() - begin, 0.7)

    def test_peers_over_tls_prove_who_they_are(self):
        scratch = Scratch()
        self.addCleanup(scratch.remove)
        good, bad = Certificate(scratch, "good"), Certificate(scratch, "bad")
        node = self.node([BODY], certificate=good)
        probe = self.probe("-a", good.cert)
        probe.know(("https://" + node.address, RELEASE))
        self.assertEqual(probe.blob(BODY, RELEASE)[0], "blob")
        probe = self.probe("-a", bad.cert)
        probe.know(("https://" + node.address, RELEASE))
        self.assertEqual(probe.blob(BODY, RELEASE)[:2], ["nobody", "answers"])
        self.assertIn("certificate", probe.notices[0])

    def test_a_configuration_outside_its_bounds_is_refused(self):
        for arguments, word in ((["-n", "65"], "connections"), (["-c", "10.0.0.1/8"], "10.0.0.1/8"),
                                (["-c", "x"], "fd00::/8"), (["-c", "10.0.0.0/33"], "accepted")):
            probe = self.probe(*arguments)
            self.assertIn(word, probe.expect("refused")[0])
            self.assertIsNone(probe.next())

    def test_paths_and_headers_are_as_agreed(self):
        seen = []

        def act(connection, path, headers):
            seen.append((path, headers))
            connection.sendall(answer(404))
            return True

        server = self.server(act)
        probe = self.probe()
        probe.know((server.address, RELEASE))
        probe.blob(b"x", RELEASE)
        path, headers = seen[0]
        self.assertEqual(path, PREFIX + "blob/" + sha256(b"x"))
        self.assertEqual(sorted(headers), ["accept", "host", "user-agent", "x-breaker-auth"])
        probe.manifest(RELEASE)
        self.assertEqual(seen[1][0], PREFIX + "manifest/" + RELEASE)


if __name__ == "__main__":
    main()
