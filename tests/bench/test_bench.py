#!/usr/bin/env python3
"""The benchmark itself: it runs, reports what it counted, and a wrong answer ends it.

Needs wrk and h2load but no peers: h2o-breaker and a bare loop are measured, for a second each. No
figure is looked at.
"""

import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest
from dataclasses import replace

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["BREAKER_BENCH_BUILD"]).resolve()
sys.path.insert(0, str(ROOT / "bench"))

# pylint: disable=wrong-import-position
import bare
import bench
import cpu
import load
import pages
from ask import Request, prepare
from figures import Figure, Result, Sample
from peers import BARE, H1, OURS, PEER, PROTOCOLS, Peer, Place, all_peers, nodes, older_than
from proxies import proxies
from server import Failure
from site_files import asset, zipf_order
from suites import SUITES
from targets import at_least, at_most, summary, targets
from workloads import TOKEN, WORKLOADS, Answer, Workload

BY_NAME = {workload.name: workload for workload in WORKLOADS}
ONE_K = BY_NAME["200, 1 KiB"]
CORE = cpu.choose_cores(1).load
LOOP = next(peer for peer in all_peers(BUILD) if peer.name == "bare epoll")


def answer_of(status, body, *headers):
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} x", *headers))
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


RIGHT = answer_of(200, asset("app-1k.js"), "cache-control: max-age=31536000", 'etag: "x"',
                  "content-type: text/javascript")


class Run(unittest.TestCase):
    def test_it_measures_and_writes_down_every_sample(self):
        result = BUILD / "bench/check/result.json"
        result.unlink(missing_ok=True)
        done = subprocess.run([sys.executable, "-B", ROOT / "bench/bench.py", "--build", BUILD,
                               "--check"], capture_output=True, text=True, timeout=250)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        suites = {suite["name"]: suite for suite in json.loads(result.read_text())["suites"]}
        self.assertEqual(set(suites), {"http1", "http2", "tls-http2", "latency", "pages"})
        for name, suite in suites.items():
            measured = {sample["peer"] for sample in suite["samples"]}
            loops = {"bare epoll"} if name in ("http1", "latency") else set()
            self.assertEqual(measured, {"h2o-breaker"} | loops, name)
            for sample in suite["samples"]:
                self.assertGreater(sample["requests"], 0)
                self.assertGreater(sample["server_cpu_s"], 0)
        for sample in suites["latency"]["samples"]:
            self.assertLessEqual(sample["latency"]["p50_us"], sample["latency"]["p999_us"])
        self.assertIn("0.85 x the bare loop, 301", done.stdout)


class Wrong(unittest.TestCase):
    """A bare loop is a server that answers whatever one likes."""

    def serve(self, raw):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        request = Request(ONE_K, H1, 0, "", len(raw), 0, raw=raw)
        server = bare.start(LOOP, [request], pathlib.Path(directory.name), [CORE])[0]
        self.addCleanup(server.end)
        server.wait_until_listening()
        return server

    def setUp(self):
        self.load = load.Load(connections=4, seconds=1, core=CORE, programs=BUILD / "bin")

    def request(self, server, **changes):
        request = Request(ONE_K, H1, server.port, "", len(RIGHT), 1024)
        return replace(request, **changes)

    def test_the_right_answer_is_accepted(self):
        prepared = prepare(self.serve(RIGHT), ONE_K)
        self.assertEqual((prepared.answer_size, prepared.body_size), (len(RIGHT), 1024))
        self.assertEqual(prepared.raw, RIGHT)

    def test_a_wrong_status_body_or_header_is_not(self):
        for raw, story in (
            (RIGHT.replace(b" 200 ", b" 404 "), "status 404"),
            (RIGHT[:-1] + b"?", "the body is not app-1k.js"),
            (RIGHT.replace(b"max-age=31536000", b"max-age=3153600"), "Cache-Control"),
            (RIGHT.replace(b'"x"', b'W/"x"'), "no strong ETag"),
        ):
            with self.subTest(story=story), self.assertRaisesRegex(Failure, story):
                prepare(self.serve(raw), ONE_K)

    def test_wrk_counts_answers_of_another_length(self):
        server = self.serve(RIGHT)
        with self.assertRaisesRegex(Failure, "another length"):
            load.run_load(self.request(server, answer_size=len(RIGHT) - 100), self.load)

    def test_wrk_counts_refusals(self):
        server = self.serve(RIGHT.replace(b" 200 ", b" 404 "))
        with self.assertRaisesRegex(Failure, "statuses of 400 and more"):
            load.run_load(self.request(server), self.load)

    def test_the_open_loop_looks_at_every_answer(self):
        at_rate = replace(self.load, rate=200)
        run = load.run_load(self.request(self.serve(RIGHT)), at_rate)
        self.assertGreater(run.requests, 0)
        for raw, story in ((RIGHT.replace(b" 200 ", b" 500 "), "another status"),
                           (RIGHT + b"surplus", "too long")):
            with self.subTest(story=story), self.assertRaisesRegex(Failure, story):
                load.run_load(self.request(self.serve(raw)), at_rate)

    def test_answers_in_chunks_may_only_differ_in_their_framing(self):
        request = replace(self.request(self.serve(RIGHT)), body_size=1024,
                          workload=replace(ONE_K, in_chunks=True))
        load.run_load(request, self.load)
        for wrong in ({"body_size": len(RIGHT) + 1}, {"answer_size": 1024}):
            with self.subTest(wrong), self.assertRaisesRegex(Failure, "bytes, not"):
                load.run_load(replace(request, **wrong), self.load)

    def test_h2load_is_read_to_the_letter(self):
        said = ("requests: 10 total, 10 started, 10 done, {good} succeeded, 0 failed, 0 errored, "
                "0 timeout\nstatus codes: {ok} 2xx, {moved} 3xx, 0 4xx, 0 5xx\n"
                "traffic: 1KB (1000) total, 1KB (100) headers (space savings 50.00%), "
                "10KB ({data}) data\n")
        request = Request(ONE_K, "HTTP/2", 1, "", 0, 1024)
        read = load._counted_by_h2load  # pylint: disable=protected-access
        right = said.format(good=10, ok=10, moved=0, data=10240)
        self.assertEqual(read(request, self.load, right), 10)
        for wrong in (said.format(good=10, ok=9, moved=1, data=10240),
                      said.format(good=10, ok=10, moved=0, data=10239),
                      said.format(good=10, ok=10, moved=0, data=10240 + 5 * 1024),
                      right.replace("0 errored", "1 errored")):
            with self.subTest(wrong=wrong), self.assertRaises(Failure):
                read(request, self.load, wrong)


class Tables(unittest.TestCase):
    def test_every_peer_is_configured_for_what_it_speaks(self):
        with tempfile.TemporaryDirectory() as name:
            for peer in [*all_peers(BUILD), *proxies(BUILD), *nodes(BUILD, 1)]:
                for protocol in PROTOCOLS:
                    if peer.role == BARE or protocol in peer.mute:
                        continue
                    directory = pathlib.Path(name) / peer.directory_name
                    place = Place(directory, directory, 8080, protocol, 2, directory, directory)
                    command, _ = peer.configure(place)
                    text = " ".join(command) + (directory / peer.template).read_text()
                    self.assertIsNone(re.search("@[A-Z_]+@", text), peer.name)
                    self.assertIn("8080", text)

    def test_what_a_peer_cannot_do_and_its_limit_are_in_the_tables(self):
        table = [*all_peers(BUILD), *proxies(BUILD)]
        for peer in table:
            able = pages.WORKLOADS if peer.proxies else WORKLOADS
            self.assertLessEqual(set(peer.cannot), {workload.name for workload in able})
            if peer.limit:
                self.assertIn(peer.limit, [other.name for other in table])

    def test_older_tokens_match_by_value(self):
        expression = re.compile(older_than(TOKEN))
        chance = random.Random(1)
        tokens = [str(int(TOKEN) + d) for d in (-10**12, -10, -1, 0, 1, 10, 10**12)]
        tokens += [str(chance.randrange(10 ** chance.randrange(1, 16))) for _ in range(2000)]
        for token in tokens:
            older = bool(expression.fullmatch(token))
            self.assertEqual(older, int(token) < int(TOKEN), token)

    def test_a_few_files_of_the_site_are_asked_for_often_and_always_the_same(self):
        names = [f"f{at}" for at in range(1000)]
        order = zipf_order(names)
        self.assertEqual(order, zipf_order(names))
        counts = sorted((order.count(at) for at in range(1000)), reverse=True)
        # of Zipf's distribution over 1,000 the first ten have 39 %
        self.assertAlmostEqual(sum(counts[:10]) / len(order), 0.39, delta=0.02)

    def test_quick_and_check_are_parts_of_the_whole(self):
        for option in ("quick", "check"):
            arguments = argparse.Namespace(only=None, workload=None, quick=option == "quick",
                                           check=option == "check")
            chosen = bench.chosen_suites(arguments)
            whole = {suite.name: suite for suite in SUITES}
            self.assertGreater(len(chosen), 2)
            for suite in chosen:
                self.assertLessEqual(set(suite.workloads), set(whole[suite.name].workloads))

    def test_a_body_that_only_says_that_it_is_brotli_is_wrong(self):
        headers = {"content-encoding": "br", "cache-control": "max-age=31536000",
                   "content-type": "text/javascript", "etag": '"x"'}
        answer = Answer(200, headers, b"not brotli", 100)
        self.assertTrue(BY_NAME["200, brotli"].check(answer))


def peer(name, role, **more):
    return Peer(name, name, "", "", (), role=role, **more)


def sample(name, turn, per_cpu_s, workload="w", **more):
    return Sample(name, workload, turn, per_cpu_s, 1.0, 1.0, 0.0, 0.0, **more)


class Figures(unittest.TestCase):
    def setUp(self):
        self.result = Result(
            "http1", "", [peer("slow", PEER), peer("fast", PEER), peer("us", OURS, limit="loop"),
                          peer("loop", BARE)],
            [Workload("w", "/", 200, lambda answer: [])])
        for turn, (slow, fast, us, loop) in enumerate(
                ((90, 100, 120, 130), (99, 50, 60, 70), (90, 200, 200, 210))):
            for name, value in (("slow", slow), ("fast", fast), ("us", us), ("loop", loop)):
                self.result.samples.append(sample(name, turn, value))

    def test_ours_is_compared_with_the_best_of_all_round_by_round(self):
        self.assertEqual(self.result.best_peer("w"), "fast")
        ratio = self.result.ratio("us", "fast", "w")
        self.assertEqual((ratio.median, ratio.lowest, ratio.highest), (1.2, 1.0, 1.2))

    def test_the_best_is_found_round_by_round_like_the_ratios(self):
        # "slow" has the higher median, of rounds in which everything was faster
        self.result.samples = [sample(name, turn, value)
                               for turn, values in enumerate(((95, 100), (40, 50), (96, 90)))
                               for name, value in zip(("slow", "fast"), values)]
        self.assertGreater(self.result.per_cpu_s("slow", "w").median,
                           self.result.per_cpu_s("fast", "w").median)
        self.assertEqual(self.result.best_peer("w"), "fast")

    def test_a_peer_that_cannot_do_it_is_not_the_best(self):
        self.result.samples = [s for s in self.result.samples if s.peer != "fast"]
        self.assertEqual(self.result.best_peer("w"), "slow")
        self.assertIsNone(self.result.ratio("us", "fast", "w"))

    def test_targets_say_what_was_reached(self):
        found = targets([self.result])
        self.assertEqual([(t.subject, t.other, t.reached) for t in found],
                         [("per CPU", "fast", "yes"), ("bare loop", "loop", "yes")])
        self.assertEqual(summary(found)[0], "per CPU: 1 of 1 reached")

    def test_pages_are_held_against_the_best_proxy_and_against_h2o(self):
        self.result.name = "pages"
        self.result.peers += [peer("h2o", PEER)]
        self.result.samples += [sample("h2o", turn, 80) for turn in range(3)]
        self.assertEqual([(t.subject, t.other, t.reached) for t in targets([self.result])],
                         [("pages", "fast", "yes"), ("pages", "h2o", "yes")])

    def _judged(self, ours, loops):
        """The first target when the peers do 100, and ours and the bare loop so much."""
        self.result.samples = [sample(name, turn, 100) for name in ("slow", "fast")
                               for turn in range(3)]
        for turn, (us, loop) in enumerate(zip(ours, loops)):
            self.result.samples += [sample("us", turn, us), sample("loop", turn, loop)]
        return targets([self.result])

    def test_a_target_that_no_round_of_a_bare_loop_reaches_is_above_it(self):
        self.assertEqual(self.result.bound("w").median, 1.3)
        found = self._judged((100, 100, 100), (110, 112, 108))
        self.assertEqual(found[0].reached, "above the bare loops")
        self.assertIn("bare loop 1.10", found[0].measured)
        self.assertEqual(summary(found)[0], "per CPU: 0 of 1 reached, 1 above the bare loops: w")

    def test_a_target_that_a_bare_loop_may_reach_is_missed(self):
        self.assertEqual(self._judged((100, 100, 100), (110, 112, 116))[0].reached, "no")
        self.assertEqual(self._judged((100, 116, 100), (110, 112, 108))[0].reached, "in the noise")

    def test_a_target_that_only_the_best_round_reaches_is_in_the_noise(self):
        value = Figure(1.0, 0.1, 0.9, 1.2)
        self.assertEqual([at_least(limit, value) for limit in (1.0, 1.15, 1.3)],
                         ["yes", "in the noise", "no"])
        self.assertEqual([at_most(limit, value) for limit in (1.0, 0.95, 0.8)],
                         ["yes", "in the noise", "no"])

    def test_fewer_connections_than_asked_for_are_a_loss(self):
        self.result.name = "connections-1000"
        self.result.samples = [sample("us", 0, 10, connections=999)]
        self.assertEqual([t.reached for t in targets([self.result])], ["no"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
