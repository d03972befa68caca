"""What happens to a fleet under load: deploys, rollbacks, Redis away for a while; and a visitor
with a warm cache who comes again after every deploy."""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from audience import Audience
from faults import Faults
from fleet import PLAIN, Fleet
from modes import Deploy
from visits import Cache, Plan, Visit

# how long Redis is away, and time to agree again before the next deploy
OUTAGE_S = 4
AFTER_OUTAGE_S = 3
WARM_UP_S = 2


@dataclass(frozen=True)
class Scale:
    """How much of it, and how fast."""

    deploys: int
    rollbacks: int
    outages: int
    # from the beginning of a deploy to that of the next
    cycle_s: float
    # a node every so many seconds
    pace_s: float
    # lazy modules are imported up to so many seconds after the page
    lazy_within_s: float
    # visitors a second, over both balancers
    per_s: float

    @property
    def rollouts(self) -> int:
        return self.deploys + self.rollbacks

    def faster(self, times: float) -> "Scale":
        """The same in less time. Nodes take as long as they take."""
        return replace(
            self, cycle_s=self.cycle_s / times, lazy_within_s=self.lazy_within_s / times
        )

    def is_rollback(self, index: int) -> bool:
        """Of rollout 1, 2, …: evenly spread, the last one is one where there are any."""
        return self._falls(index, self.rollbacks, self.rollouts)

    def has_outage(self, index: int) -> bool:
        """After this rollout; none after the last."""
        return index < self.rollouts and self._falls(index, self.outages, self.rollouts - 1)

    @staticmethod
    def _falls(index: int, num: int, among: int) -> bool:
        """Whether one of `num` things that are spread over 1 to `among` falls on this index."""
        return index * num // among != (index - 1) * num // among


QUICK = Scale(4, 1, 1, cycle_s=11, pace_s=1.5, lazy_within_s=15, per_s=30)
# whether the benchmark itself works
CHECK = Scale(1, 1, 0, cycle_s=3, pace_s=0.5, lazy_within_s=2, per_s=20)
NORMAL = Scale(13, 3, 3, cycle_s=20, pace_s=1.5, lazy_within_s=60, per_s=15)
LONG = Scale(50, 10, 5, cycle_s=20, pace_s=1.5, lazy_within_s=60, per_s=15)


class _Bytes:
    """An observer who counts what was fetched."""

    def __init__(self) -> None:
        self.bytes = 0

    def answered(
        self, path: str, wire_bytes: int, hops: int, seconds: float, server: str
    ) -> None:
        self.bytes += wire_bytes

    def failed(self, path: str, what: str, server: str, page: int, began_s: float) -> None:
        pass

    def wrong(self, path: str, what: str, server: str, page: int) -> None:
        pass


class Regular:
    """A visitor who keeps a cache."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._cache = Cache()
        self.after_deploys: list[int] = []

    def visit(self) -> int:
        """Loads the page and all lazy modules; returns the bytes that came over the network."""
        observer = _Bytes()
        plan = Plan(lazy_within_s=0, lazy=1000)
        visit = Visit(
            self._fleet.ports[PLAIN], self._fleet.mode.is_hashed, plan, observer, self._cache
        )
        asyncio.run(visit.run())
        return observer.bytes

    def note(self) -> None:
        self.after_deploys.append(self.visit())


@dataclass
class Outcome:
    """Figures by balancer, and what a warm cache saves."""

    figures: dict[str, dict]
    cold_bytes: int
    warm_bytes: float
    seconds: float
    # seconds from the beginning of a rollout to its end, of each
    rollouts_s: list[float] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)


def run(
    fleet: Fleet,
    scale: Scale,
    tell: Callable[[str], None],
    faults: Faults | None = None,
    record: Path | None = None,
) -> Outcome:
    """Runs the whole course, with faults all the way where there are any. What happens is told in
    lines, and every failure written to `record`."""
    began_s = time.monotonic()
    regular = Regular(fleet)
    cold_bytes = regular.visit()
    audience = Audience(
        fleet.ports, scale.per_s, fleet.mode.is_hashed, scale.lazy_within_s, fleet.timeline, record
    )
    took_s = []
    try:
        time.sleep(WARM_UP_S)
        if faults is not None:
            faults.start()
        due_s = time.monotonic()
        for index in range(1, scale.rollouts + 1):
            deploy = fleet.next_deploy(scale.is_rollback(index))
            took_s.append(_roll(fleet, deploy, scale, regular))
            tell(_line(index, scale, deploy, audience))
            if scale.has_outage(index) and faults is None and not fleet.mode.is_hashed:
                _lose_redis(fleet)
            due_s = max(due_s + scale.cycle_s, time.monotonic())
            audience.check()
            if faults is not None:
                faults.check()
            time.sleep(max(0, due_s - time.monotonic()))
        if faults is not None:
            faults.end()
            faults.check()
        figures = audience.finish()
    finally:
        if faults is not None:
            faults.end()
        audience.close()
    warm = statistics.median(regular.after_deploys)
    counts = dict(faults.counts) if faults is not None else {}
    return Outcome(figures, cold_bytes, warm, time.monotonic() - began_s, took_s, counts)


def _roll(fleet: Fleet, deploy: Deploy, scale: Scale, regular: Regular) -> float:
    began_s = time.monotonic()
    fleet.roll(deploy, scale.pace_s)
    took_s = time.monotonic() - began_s
    if deploy.is_rollback:
        regular.visit()
    else:
        regular.note()
    return took_s


def _lose_redis(fleet: Fleet) -> None:
    began_s = time.monotonic()
    fleet.redis.kill()
    time.sleep(OUTAGE_S)
    fleet.redis.start()
    fleet.timeline.note_spell("Redis away", began_s)
    time.sleep(AFTER_OUTAGE_S)


def _line(index: int, scale: Scale, deploy: Deploy, audience: Audience) -> str:
    seen = audience.seen()
    told = []
    for via, counts in audience.counts().items():
        failed = sum(event["event"] == "failed" and event["via"] == via for event in seen)
        wrong = counts["wrong_assets"]
        told.append(f"{via}: {counts['loads']} loads, {failed} failures, {wrong} wrong")
    what = "rollback" if deploy.is_rollback else "deploy"
    return f"  {what} {index} of {scale.rollouts}, release {deploy.number}; " + "; ".join(told)
