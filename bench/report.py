"""From samples to figures: medians, spreads, ratios; the table and the JSON file."""

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from peers import Peer
from workloads import Workload

# of the measured time; below, the medians take care of it
DOUBTFUL_SHARE = 0.02


@dataclass(frozen=True)
class Sample:
    """One run of wrk against one server."""

    peer: str
    workload: str
    round: int
    requests: int
    wall_s: float
    server_cpu_s: float
    server_waited_s: float
    load_waited_s: float
    # of a workload that is followed
    redirects: int
    # how often the node was seen with another token, where it moves
    token_changes_per_s: float = 0.0

    @property
    def per_cpu_s(self) -> float:
        return self.requests / self.server_cpu_s

    @property
    def per_s(self) -> float:
        return self.requests / self.wall_s


@dataclass(frozen=True)
class Figure:
    median: float
    # median absolute deviation from the median
    deviation: float
    lowest: float
    highest: float


def figure(values: list[float]) -> Figure:
    median = statistics.median(values)
    deviation = statistics.median(abs(value - median) for value in values)
    return Figure(median, deviation, min(values), max(values))


class Result:
    def __init__(self, peers: list[Peer], workloads: list[Workload], samples: list[Sample]):
        self.peers = peers
        self.workloads = workloads
        self.samples = samples

    def of(self, peer: str, workload: str) -> list[Sample]:
        found = [s for s in self.samples if s.peer == peer and s.workload == workload]
        return sorted(found, key=lambda sample: sample.round)

    def per_cpu_s(self, peer: str, workload: str) -> Figure:
        return figure([sample.per_cpu_s for sample in self.of(peer, workload)])

    def per_s(self, peer: str, workload: str) -> Figure:
        return figure([sample.per_s for sample in self.of(peer, workload)])

    def best_baseline(self, peer: str, workload: str) -> str:
        """The setting of a peer's baseline that does best in this workload; empty when there is
        none among what is measured."""
        baseline = next(other.baseline for other in self.peers if other.name == peer)
        names = [other.name for other in self.peers if other.product == baseline]
        return max(names, key=lambda name: self.per_cpu_s(name, workload).median, default="")

    def ratio(self, peer: str, workload: str) -> Figure | None:
        """To the baseline's best setting, round by round: what slows both does not count."""
        best = self.best_baseline(peer, workload)
        if not best:
            return None
        pairs = zip(self.of(peer, workload), self.of(best, workload), strict=True)
        return figure([ours.per_cpu_s / theirs.per_cpu_s for ours, theirs in pairs])

    def doubts(self, stolen_s: float, one_core: bool) -> list[str]:
        """What speaks against the figures: the machine did something else at the same time."""
        wall_s = sum(sample.wall_s for sample in self.samples)
        shares = {
            "the servers waited for their core": sum(s.server_waited_s for s in self.samples),
            "wrk waited for its core": sum(s.load_waited_s for s in self.samples),
            "the hypervisor took the servers' core away": stolen_s,
        }
        found = ["servers and wrk shared the only core"] if one_core else []
        for what, seconds in shares.items():
            if seconds > DOUBTFUL_SHARE * wall_s:
                found.append(f"{what} for {seconds / wall_s:.0%} of the time")
        return found


def thousands(value: Figure) -> str:
    return f"{value.median / 1000:.1f} ±{100 * value.deviation / value.median:.0f}%"


def ratio_text(value: Figure | None) -> str:
    return f"{value.median:.2f} ({value.lowest:.2f}–{value.highest:.2f})" if value else "-"


def table(title: str, columns: list[str], rows: list[list[str]]) -> str:
    cells = [["", *columns], *rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    lines = [title]
    for row in cells:
        first, *rest = (
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths))
        )
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join(lines)


def as_text(result: Result, baseline: str) -> str:
    names = [peer.name for peer in result.peers]
    others = [peer.name for peer in result.peers if peer.product != peer.baseline]

    def rows(cell, columns):
        return [
            [workload.name, *(cell(column, workload.name) for column in columns)]
            for workload in result.workloads
        ]

    tables = [
        table(
            "Requests per second of server CPU, thousands: median ± median deviation",
            names,
            rows(lambda peer, workload: thousands(result.per_cpu_s(peer, workload)), names),
        ),
        table(
            "Requests per second, thousands, one worker on one core",
            names,
            rows(lambda peer, workload: thousands(result.per_s(peer, workload)), names),
        ),
    ]
    if len(others) < len(names) and others:
        tables.append(
            table(
                f"Per second of server CPU, against {baseline}: median of rounds (lowest–highest)",
                others,
                rows(lambda peer, workload: ratio_text(result.ratio(peer, workload)), others),
            )
        )
    return "\n\n".join(tables)


def machine() -> dict[str, object]:
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
    }


def write_json(path: Path, result: Result, facts: dict[str, object]) -> None:
    cells = []
    for workload in result.workloads:
        for peer in result.peers:
            best = result.best_baseline(peer.name, workload.name)
            ratio = result.ratio(peer.name, workload.name)
            cells.append(
                {
                    "peer": peer.name,
                    "workload": workload.name,
                    "requests_per_server_cpu_second": asdict(
                        result.per_cpu_s(peer.name, workload.name)
                    ),
                    "requests_per_second": asdict(result.per_s(peer.name, workload.name)),
                    "ratio": asdict(ratio) if ratio else None,
                    "ratio_to": best or None,
                }
            )
    document = {**facts, "figures": cells, "samples": [asdict(s) for s in result.samples]}
    path.write_text(json.dumps(document, indent=1) + "\n")
