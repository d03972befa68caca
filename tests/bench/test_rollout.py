#!/usr/bin/env python3
"""The rollout benchmark's own checks: what the visitors of the benchmark see wrong is wrong, and what
they do not see is right. They visit a server in this process, which misbehaves as told."""

import asyncio
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/rollout"))

# pylint: disable=wrong-import-position
import table
from course import LONG, NORMAL, QUICK
from crowd import Figures
from releases import ENTRY, KINDS, STYLE, path_of, references_in, release
from timeline import (ARCHIVE_FULL, CUT, KILLED, LOST, NO_HOLDER, PAUSED, REDIS_KILLED, RESTARTING,
                      UNEXPLAINED, Spell, Timeline)
from visits import Cache, Plan, Visit

ALL_LAZY = Plan(lazy_within_s=0, lazy=1000)


def answer(status, body=b"", *lines):
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} x", *lines))
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(body):
    half = len(body) // 2
    parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]))
    return b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n"


class Site:
    """Serves release 1 under the token 100 and release 2 under 200; `special` answers first."""

    def __init__(self, special=None, page=1):
        self.special = special or (lambda path: None)
        self.page = page
        self.asked = []

    def answer(self, path):
        self.asked.append(path)
        found = self.special(path)
        if found is not None:
            return found
        if path == "/":
            made = release(self.page, False).page
            prefix = f"/static/{self.page * 100}/".encode()
            return chunked(made.replace(b"/static/{breaker}/", prefix))
        _, _, token, asset = path.split("/", 3)
        body = release(int(token) // 100, False).files.get(asset)
        if body is None:
            return answer(404)
        return answer(200, body, "Cache-Control: public, max-age=31536000, immutable")

    async def serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                reply = self.answer(head.split(b" ")[1].decode())
                if reply == b"":
                    break
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


def visit(site, cache=None, plan=ALL_LAZY):
    """One visit; returns its counts, and what was told of failures."""
    figures = Figures("plain")
    told = []
    figures._tell = lambda *words: told.append(words)  # pylint: disable=protected-access

    async def run():
        server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
        async with server:
            one = Visit(server.sockets[0].getsockname()[1], False, plan, figures, cache)
            await one.run()
        return one

    one = asyncio.run(run())
    return one, figures, told


class Releases(unittest.TestCase):
    def test_everything_that_is_referred_to_is_there_under_hashes_and_without(self):
        for is_hashed in (False, True):
            made = release(7, is_hashed)
            for path, (now, later) in made.references.items():
                for reference in now + later:
                    parts = (pathlib.PurePosixPath(path).parent / reference).parts
                    while ".." in parts:
                        at = parts.index("..")
                        parts = parts[: at - 1] + parts[at + 1 :]
                    self.assertIn("/".join(parts), made.files)
            self.assertEqual(len(made.files), len(KINDS))

    def test_a_deploy_changes_some_files_and_never_all(self):
        before, after = release(3, False).files, release(4, False).files
        changed = [path for path in before if before[path] != after[path]]
        self.assertIn(ENTRY, changed)
        self.assertLess(len(changed), len(before))

    def test_a_name_with_a_hash_stands_for_the_same_bytes_in_every_release(self):
        seen = {}
        for number in range(12):
            for path, content in release(number, True).files.items():
                self.assertEqual(seen.setdefault(path, content), content, path)

    def test_references_are_those_of_the_language(self):
        self.assertEqual(references_in(STYLE, b'a { b: url("../img/x.png") }'),
                         (["../img/x.png"], []))
        self.assertEqual(path_of("/static/123/js/app.js"), "js/app.js")
        self.assertEqual(path_of("/assets/js/app.js"), "js/app.js")


class Visits(unittest.TestCase):
    def test_a_whole_site_loads_without_a_failure_and_every_file_once(self):
        site = Site()
        one, figures, told = visit(site)
        self.assertEqual(told, [])
        self.assertFalse(one.has_failed or one.has_wrong)
        self.assertEqual(figures.counts.assets, len(KINDS))
        self.assertEqual(sorted(set(site.asked)), sorted(site.asked))

    def test_a_503_of_a_chunk_is_a_failed_load_that_imports_nothing_later(self):
        site = Site(lambda path: answer(503) if path.endswith("/chunk-3.js") else None)
        one, figures, told = visit(site)
        self.assertTrue(one.has_failed)
        self.assertEqual(figures.counts.failed_assets, 1)
        self.assertEqual(told[0][1:3], ("js/chunk-3.js", "status 503"))
        self.assertFalse([path for path in site.asked if "lazy" in path])

    def test_a_redirected_module_takes_its_imports_along(self):
        def special(path):
            if path == "/static/100/js/app.js":
                return answer(301, b"", "Location: ../../200/js/app.js")
            return None

        site = Site(special)
        one, figures, told = visit(site)
        self.assertTrue(one.has_wrong)
        self.assertFalse(one.has_failed)
        self.assertEqual(figures.counts.hops, 1)
        self.assertIn("/static/200/js/chunk-0.js", site.asked)
        whats = {path: what for _, path, what, *_ in told}
        self.assertEqual(whats["js/app.js"], "after a redirect")
        self.assertEqual(whats["js/chunk-0.js"], "at the URL itself, imported by a redirected file")

    def test_a_single_wrong_byte_is_seen(self):
        style = release(1, False).files[STYLE]
        site = Site(lambda path: answer(200, style[:-1] + b"x") if path.endswith(STYLE) else None)
        one, figures, _ = visit(site)
        self.assertTrue(one.has_wrong)
        self.assertEqual(figures.counts.wrong_assets, 1)

    def test_a_used_connection_that_is_closed_is_no_failure_but_a_new_one_is(self):
        closed = []

        def once(path):
            if path.endswith("/shared.js") and not closed:
                closed.append(path)
                return b""
            return None

        one, _, told = visit(Site(once))
        self.assertFalse(one.has_failed, told)
        one, _, told = visit(Site(lambda path: b""))
        self.assertTrue(one.has_failed)
        self.assertEqual(told[0][2], "closed")

    def test_a_body_that_is_cut_is_a_failure(self):
        def special(path):
            return b"HTTP/1.1 200 x\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhalf"\
                if path.endswith("/shared.js") else None

        class Cutting(Site):
            async def serve(self, reader, writer):
                while head := await reader.readuntil(b"\r\n\r\n"):
                    path = head.split(b" ")[1].decode()
                    writer.write(self.answer(path))
                    if path.endswith("/shared.js"):
                        break
                writer.close()

        one, _, told = visit(Cutting(special))
        self.assertTrue(one.has_failed)
        self.assertEqual(told[0][2], "cut")

    def test_a_warm_cache_fetches_the_page_alone_and_other_urls_again(self):
        cache = Cache()
        visit(Site(), cache)
        again = Site()
        _, figures, _ = visit(again, cache)
        self.assertEqual(again.asked, ["/"])
        after = Site(page=2)
        _, figures, told = visit(after, cache)
        self.assertEqual(told, [])
        self.assertEqual(figures.counts.assets, len(KINDS))


def failure(what, server, page=2, began_s=10.0, ended_s=11.0):
    return {"event": "failed", "began": began_s, "at": ended_s, "what": what, "server": server,
            "page": page}


class Causes(unittest.TestCase):
    STATES = {"n1": [(0, 1), (5, None), (6, 2)], "n2": [(0, 1)], "n3": [(0, 1)]}
    UNKNOWN = failure("status 503", "n2")

    def cause(self, event, *spells, states=None):
        spells = [Spell(name, began, ended, tuple(nodes)) for name, began, ended, *nodes in spells]
        return Timeline(states or self.STATES, spells).cause(event)

    def test_a_broken_answer_of_a_node_that_was_killed_or_paused_meanwhile_had_to_be(self):
        for what in ("the balancer has status 502", "cut", "closed"):
            for fault in (KILLED, PAUSED):
                spell = (fault, 9.5, 10.1, "n2")
                self.assertEqual(self.cause(failure(what, "n2"), spell), LOST)
                self.assertEqual(self.cause(failure(what, "n1"), spell), UNEXPLAINED)
                late = failure(what, "n2", began_s=10.2)
                self.assertEqual(self.cause(late, spell), UNEXPLAINED)
        self.assertEqual(self.cause(failure("cut", "n2"), (RESTARTING, 9, 12, "n2")), UNEXPLAINED)

    def test_a_503_of_the_node_had_to_be_where_every_holder_was_out_of_reach_at_some_time(self):
        for spell in ((KILLED, 10.5, 10.6, "n1"), (PAUSED, 9, 10.1, "n1"),
                      (RESTARTING, 10.9, 13, "n1"), (CUT, 9, 12, "n2", "n1")):
            self.assertEqual(self.cause(self.UNKNOWN, spell), NO_HOLDER)
        for spell in ((KILLED, 8, 9, "n1"), (KILLED, 9, 12, "n3"), (CUT, 9, 12, "n3", "n1"),
                      (REDIS_KILLED, 9, 12), (ARCHIVE_FULL, 9, 12, "n1")):
            self.assertEqual(self.cause(self.UNKNOWN, spell), UNEXPLAINED)

    def test_one_holder_that_could_be_reached_all_the_time_is_enough(self):
        states = {**self.STATES, "n3": [(0, 1), (7, 2)]}
        spell = (KILLED, 9, 12, "n1")
        self.assertEqual(self.cause(self.UNKNOWN, spell, states=states), UNEXPLAINED)
        both = (CUT, 10.2, 10.3, "n3", "n2")
        self.assertEqual(self.cause(self.UNKNOWN, spell, both, states=states), NO_HOLDER)

    def test_a_node_that_served_the_release_itself_has_no_excuse(self):
        own = failure("status 503", "n2", page=1)
        spells = [(KILLED, 9, 12, name) for name in ("n1", "n3")]
        self.assertEqual(self.cause(own, *spells), UNEXPLAINED)

    def test_wrong_bytes_and_other_statuses_have_no_excuse(self):
        spell = (KILLED, 9, 12, "n1")
        for event in (failure("status 404", "n2"), failure("status 503", "n2", page=-1),
                      {**failure("at the URL itself", "n1"), "event": "wrong"},
                      failure("the balancer has status 503", "n1")):
            self.assertEqual(self.cause(event, spell), UNEXPLAINED)


class Explanations(unittest.TestCase):
    def test_a_failure_is_told_by_what_the_node_was(self):
        timeline = Timeline()
        timeline.note("n1", 4)
        at = timeline._states["n1"][0][0] + 0.001  # pylint: disable=protected-access
        event = {"event": "failed", "at": at, "what": "status 503", "server": "n1", "page": 5}
        self.assertEqual(timeline.explain(event), "status 503, from a node with another release")
        event["page"] = 4
        self.assertIn("with the page's release", timeline.explain(event))
        timeline.note_spell("Redis away", at - 1)
        self.assertTrue(timeline.explain(event).endswith(", Redis away"))

    def test_what_is_not_zero_is_never_said_to_be(self):
        figures = {"loads": 100_000, "failed_loads": 1, "wrong_loads": 0, "hops": 0, "bytes": 1}
        mode = {"letter": "b", "title": "t", "figures": {"plain": figures}, "warm_bytes": 1,
                "cold_bytes": 1}
        self.assertEqual(table.row(mode, "plain")[3:5], ["1", "0"])


class Run(unittest.TestCase):
    def test_it_runs_and_files_in_two_phases_are_missed_by_nobody(self):
        with tempfile.TemporaryDirectory() as output:
            done = subprocess.run(
                [sys.executable, "-B", ROOT / "bench/rollout/rollout.py", "--build", output,
                 "--check", "--mode", "e", "--output", output],
                capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            result = json.loads((pathlib.Path(output) / "result.json").read_text())
        for via in ("plain", "retrying"):
            figures = result["modes"][0]["figures"][via]
            self.assertGreater(figures["loads"], 0)
            self.assertEqual(figures["explained"], {}, done.stdout)
            self.assertEqual((figures["failed_loads"], figures["wrong_loads"]), (0, 0))


class Courses(unittest.TestCase):
    def test_every_scale_has_as_many_rollbacks_and_outages_as_it_says(self):
        for scale in (QUICK, NORMAL, LONG):
            indexes = range(1, scale.rollouts + 1)
            self.assertEqual(sum(map(scale.is_rollback, indexes)), scale.rollbacks)
            self.assertEqual(sum(map(scale.has_outage, indexes)), scale.outages)
            self.assertFalse(scale.is_rollback(1))


if __name__ == "__main__":
    # connections that the visitor has closed are still open for the server when its loop ends
    unittest.main(warnings="ignore")
