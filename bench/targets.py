"""The table of targets: what h2o-breaker sets out to reach, what was measured, reached or not.

A target is `yes` when the median of the rounds reaches it, `in the noise` when only the best round
does, `no` when none does; and `above the bare loops` when none does, and none of the better bare
loop's either, which does nothing but receive and send.
"""

from dataclasses import dataclass

from figures import Figure, Result
from peers import OURS

PER_CPU = 1.15
LEVEL = 1.00
OVER_H2O = 1.25
OF_BARE = 0.85
LATENCY = 1.00
MEMORY = 1.3
CONNECTIONS = 1000
ABOVE = "above the bare loops"
STATES = ("yes", "in the noise", ABOVE)


@dataclass(frozen=True)
class Target:
    """One line of the table."""

    subject: str
    text: str
    peer: str
    # what it is compared with, as measured
    other: str
    measured: str
    reached: str


def at_least(limit: float, value: Figure) -> str:
    return _reached(value.median >= limit, value.highest >= limit)


def at_most(limit: float, value: Figure) -> str:
    return _reached(value.median <= limit, value.lowest <= limit)


def _reached(by_the_median: bool, by_a_round: bool) -> str:
    return "yes" if by_the_median else "in the noise" if by_a_round else "no"


def _text(value: Figure) -> str:
    return f"{value.median:.2f} ({value.lowest:.2f}–{value.highest:.2f})"


def targets(results: list[Result]) -> list[Target]:
    by_name = {result.name: result for result in results}
    found: list[Target] = []
    for name, make in (
        ("http1", _against_peers),
        ("http1", _against_bare),
        ("http2", _against_h2o),
        ("latency", _latency),
        ("site", _memory),
        ("connections-1000", _no_loss),
        ("pages", _pages),
    ):
        if name in by_name:
            found.extend(make(by_name[name]))
    return found


def _ours(result: Result):
    return [peer for peer in result.peers if peer.role == OURS]


def _against_peers(result: Result) -> list[Target]:
    found = []
    for workload in result.workloads:
        best = result.best_peer(workload.name)
        limit = LEVEL if workload.large else PER_CPU
        story = "level with" if workload.large else f"{limit:.2f} x"
        for peer in _ours(result):
            ratio = result.ratio(peer.name, best, workload.name)
            if ratio:
                text = f"{story} the best peer, {workload.name}"
                bound = result.bound(workload.name)
                reached = at_least(limit, ratio)
                measured = _text(ratio)
                if bound:
                    measured += f", bare loop {bound.median:.2f}"
                if bound and reached == "no" and bound.highest < limit:
                    reached = ABOVE
                found.append(Target("per CPU", text, peer.name, best, measured, reached))
    return found


def _against_bare(result: Result) -> list[Target]:
    found = []
    for workload in result.workloads:
        for peer in _ours(result):
            ratio = result.ratio(peer.name, result.limit(peer), workload.name)
            if ratio:
                text = f"{OF_BARE:.2f} x the bare loop, {workload.name}"
                reached = at_least(OF_BARE, ratio)
                found.append(
                    Target("bare loop", text, peer.name, peer.limit, _text(ratio), reached)
                )
    return found


def _against_h2o(result: Result) -> list[Target]:
    found = []
    for workload in result.workloads:
        for peer in _ours(result):
            ratio = result.ratio(peer.name, "h2o", workload.name)
            if ratio and not workload.large:
                text = f"{OVER_H2O:.2f} x the packaged h2o, HTTP/2, {workload.name}"
                reached = at_least(OVER_H2O, ratio)
                found.append(Target("HTTP/2", text, peer.name, "h2o", _text(ratio), reached))
    return found


def _latency(result: Result) -> list[Target]:
    found = []
    for workload in result.workloads:
        best = result.quickest_peer(workload.name, "p99_us")
        for peer in _ours(result):
            ratio = result.latency_ratio(peer.name, best, workload.name, "p99_us")
            if ratio:
                text = f"p99 no worse than the best peer's, {workload.name}"
                reached = at_most(LATENCY, ratio)
                found.append(Target("latency", text, peer.name, best, _text(ratio), reached))
    return found


def _memory(result: Result) -> list[Target]:
    found = []
    for peer in _ours(result):
        kept = result.kept_bytes.get(peer.name, 0)
        if kept:
            ratio = result.memory_bytes[peer.name] / kept
            text = f"memory under {MEMORY} x the bytes kept, mixed site"
            measured = f"{ratio:.2f} ({kept / 2**20:.1f} MiB kept)"
            reached = "yes" if ratio < MEMORY else "no"
            found.append(Target("memory", text, peer.name, "", measured, reached))
    return found


def _pages(result: Result) -> list[Target]:
    """Level with the best peer, and never below libh2o's own way to an application."""
    found = []
    for workload in result.workloads:
        others = {"the best peer": result.best_peer(workload.name), "the packaged h2o": "h2o"}
        for peer in _ours(result):
            for story, other in others.items():
                ratio = result.ratio(peer.name, other, workload.name)
                if ratio:
                    text = f"level with {story}, {workload.name}"
                    reached = at_least(LEVEL, ratio)
                    found.append(Target("pages", text, peer.name, other, _text(ratio), reached))
    return found


def _no_loss(result: Result) -> list[Target]:
    """An error would have ended the run; what is left to see is that all connections were open."""
    found = []
    for peer in _ours(result):
        samples = [s for s in result.samples if s.peer == peer.name]
        fewest = min((s.connections for s in samples), default=0)
        answers = sum(s.requests for s in samples)
        measured = f"{fewest:,} open, {answers:,} answers, none lost"
        reached = "yes" if samples and fewest >= CONNECTIONS else "no"
        text = f"no loss with {CONNECTIONS:,} connections"
        found.append(Target("no loss", text, peer.name, "", measured, reached))
    return found


def summary(found: list[Target]) -> list[str]:
    """A line for each subject."""
    lines = []
    for subject in dict.fromkeys(target.subject for target in found):
        some = [target for target in found if target.subject == subject]
        num = {state: sum(t.reached == state for t in some) for state in (*STATES, "no")}
        story = f"{num['yes']} of {len(some)} reached"
        if num["in the noise"]:
            story += f", {num['in the noise']} in the noise"
        for state, word in ((ABOVE, ABOVE), ("no", "missed")):
            names = dict.fromkeys(t.text.rpartition(", ")[2] for t in some if t.reached == state)
            if names:
                story += f", {num[state]} {word}: {'; '.join(names)}"
        lines.append(f"{subject}: {story}")
    return lines
