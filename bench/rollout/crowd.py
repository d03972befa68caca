"""Visitors, as many as told, in a process of their own. Run by rollout.py, not by hand.

They come as a Poisson process, in turn to each of the balancers. What happens goes to standard
output, a JSON object a line: every failure when it is seen, the counts every half second, the
figures at the end. SIGTERM lets nobody in any more; the process ends with the last visit.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
import traceback
from array import array
from dataclasses import asdict, dataclass, field

from visits import Plan, Visit

REPORT_S = 0.5
# what a request that waits for bytes may take: fetch-timeout, and a little for a busy machine
LATE_S = 1.0


@dataclass
class Counts:
    """Of the visitors of one balancer."""

    loads: int = 0
    failed_loads: int = 0
    wrong_loads: int = 0
    assets: int = 0
    failed_assets: int = 0
    wrong_assets: int = 0
    failed_pages: int = 0
    hops: int = 0
    bytes: int = 0
    late: int = 0


@dataclass
class Figures:
    """An observer of visits."""

    via: str
    counts: Counts = field(default_factory=Counts)
    took_ms: array = field(default_factory=lambda: array("f"))

    def answered(
        self, path: str, wire_bytes: int, hops: int, seconds: float, server: str
    ) -> None:
        self.counts.bytes += wire_bytes
        self.counts.hops += hops
        if path:
            self.counts.assets += 1
            self.took_ms.append(seconds * 1000)
            if seconds > LATE_S:
                self.counts.late += 1
                began_s = time.monotonic() - seconds
                self._tell("late", path, f"after {seconds:.1f} s", server, -1, began_s)

    def failed(self, path: str, what: str, server: str, page: int, began_s: float) -> None:
        if path:
            self.counts.failed_assets += 1
        else:
            self.counts.failed_pages += 1
        self._tell("failed", path, what, server, page, began_s)

    def wrong(self, path: str, what: str, server: str, page: int) -> None:
        self.counts.wrong_assets += 1
        self._tell("wrong", path, what, server, page, time.monotonic())

    def _tell(
        self, kind: str, path: str, what: str, server: str, page: int, began_s: float
    ) -> None:
        say(
            {
                "event": kind,
                "began": began_s,
                "at": time.monotonic(),
                "via": self.via,
                "path": path,
                "what": what,
                "server": server,
                "page": page,
            }
        )

    def percentiles(self) -> dict[str, float]:
        found = sorted(self.took_ms)
        if not found:
            return {}
        last = len(found) - 1
        named = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999, "max_ms": 1.0}
        return {name: found[round(last * share)] for name, share in named.items()}


def say(what: dict) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def visit(port: int, is_hashed: bool, plan: Plan, figures: Figures) -> None:
    one = Visit(port, is_hashed, plan, figures)
    await one.run()
    figures.counts.loads += 1
    figures.counts.failed_loads += one.has_failed
    figures.counts.wrong_loads += one.has_wrong


def settle(done: "asyncio.Task[None]", open_visits: "set[asyncio.Task[None]]") -> None:
    """A visit that raises is a fault of this program, which must not look like a figure."""
    open_visits.discard(done)
    error = done.exception()
    if error is not None:
        traceback.print_exception(error)
        os._exit(1)


async def report(crowds: list[tuple[Figures, int]]) -> None:
    while True:
        say({"event": "counts", **{figures.via: asdict(figures.counts) for figures, _ in crowds}})
        await asyncio.sleep(REPORT_S)


async def run(ports: dict[str, int], per_s: float, is_hashed: bool, lazy_within_s: float) -> None:
    crowds = [(Figures(via), port) for via, port in ports.items()]
    plan = Plan(lazy_within_s)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, ended.set)
    reporter = asyncio.create_task(report(crowds))
    open_visits: set[asyncio.Task[None]] = set()
    due_s = time.monotonic()
    turn = 0
    while not ended.is_set():
        due_s += random.expovariate(per_s)
        try:
            await asyncio.wait_for(ended.wait(), max(0, due_s - time.monotonic()))
        except asyncio.TimeoutError:
            figures, port = crowds[turn % len(crowds)]
            turn += 1
            task = asyncio.create_task(visit(port, is_hashed, plan, figures))
            open_visits.add(task)
            task.add_done_callback(lambda done: settle(done, open_visits))
    await asyncio.gather(*open_visits)
    reporter.cancel()
    for figures, _ in crowds:
        say({"event": "end", "via": figures.via, **asdict(figures.counts), **figures.percentiles()})


def main() -> None:
    """One argument: {"ports": {name: port}, "per_s": …, "is_hashed": …, "lazy_within_s": …}."""
    asyncio.run(run(**json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()
