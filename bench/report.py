"""What the figures look like: tables for the terminal, the JSON file."""

import json
import os
import platform
from dataclasses import asdict
from pathlib import Path

from figures import PERCENTILES, Figure, Result
from peers import NODE
from targets import Target, summary

MIB = 2**20


def value_text(value: Figure | None) -> str:
    """A figure in thousands, with three digits or a few more."""
    if not value:
        return "-"
    digits = 1 if value.median >= 10_000 else 2
    return f"{value.median / 1000:.{digits}f} ±{100 * value.deviation / value.median:.0f}%"


def median_text(value: Figure | None) -> str:
    return f"{value.median / 1000:.{1 if value.median >= 10_000 else 2}f}" if value else "-"


def ratio_text(value: Figure | None) -> str:
    return f"{value.median:.2f} ({value.lowest:.2f}–{value.highest:.2f})" if value else "-"


def table(title: str, columns: list[str], rows: list[list[str]], left: int = 1) -> str:
    """The first `left` columns are words, the others numbers."""
    cells = [["", *columns], *rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    lines = [title]
    for row in cells:
        padded = (
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths))
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def as_text(result: Result) -> str:
    parts = [result.title, "=" * len(result.title)]
    if result.rates:
        parts.append(_latency_tables(result))
    else:
        parts.append(_rate_tables(result))
    if ratios := _ratio_table(result):
        parts.append(ratios)
    if result.kept_bytes:
        parts.append(_memory_table(result))
    if result.losses:
        parts.append("\n".join(["Left out, because answers were lost:", *result.losses]))
    return "\n".join(parts[:2]) + "\n\n" + "\n\n".join(parts[2:])


def _rate_tables(result: Result) -> str:
    workloads = [workload.name for workload in result.workloads]

    def rows(cell) -> list[list[str]]:
        return [[p.name, *(cell(p.name, workload) for workload in workloads)] for p in result.peers]

    return "\n\n".join(
        [
            table(
                "Requests per second of server CPU, thousands: median ± median deviation",
                workloads,
                rows(lambda peer, workload: value_text(result.per_cpu_s(peer, workload))),
            ),
            table(
                "Requests per second, thousands",
                workloads,
                rows(lambda peer, workload: median_text(result.per_s(peer, workload))),
            ),
        ]
    )


def _latency_tables(result: Result) -> str:
    tables = []
    for workload in result.workloads:
        rows = [
            [
                peer.name,
                *(
                    f"{value.median:.0f} ±{value.deviation:.0f}"
                    if (value := result.latency(peer.name, workload.name, percentile))
                    else "-"
                    if workload.name in peer.cannot
                    else "does not keep up"
                    for percentile in PERCENTILES
                ),
            ]
            for peer in result.peers
        ]
        rate = result.rates.get(workload.name, 0)
        title = f"{workload.name}, {rate:,} requests per second: latency in microseconds"
        tables.append(table(title, list(PERCENTILES.values()), rows))
    return "\n\n".join(tables)


def _ratio_table(result: Result) -> str:
    """Ours to the best peer and to the bare loop; nodes to the node alone."""
    ours = result.compared()
    rows = []
    for workload in result.workloads:
        for peer in ours:
            other = result.baseline(peer, workload.name)
            ratio = result.ratio(peer.name, other, workload.name) if other else None
            limit = result.ratio(peer.name, result.limit(peer), workload.name)
            bound = result.bound(workload.name)
            rows.append(
                [
                    workload.name,
                    peer.name,
                    other or "-",
                    ratio_text(ratio),
                    ratio_text(limit),
                    ratio_text(bound),
                ]
            )
    if not any(row[3] != "-" or row[4] != "-" for row in rows):
        return ""
    title = "Per second of server CPU, round by round: median (lowest–highest)"
    columns = ["", "best peer", "ratio to it", "to the bare loop", "a bare loop to the peer"]
    if ours[0].role == NODE:
        columns[1] = "the node alone"
    while all(row[-1] == "-" for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return table(title, columns, rows, left=3)


def _memory_table(result: Result) -> str:
    rows = []
    for name, memory in result.memory_bytes.items():
        kept = result.kept_bytes.get(name)
        rows.append(
            [
                name,
                f"{memory / MIB:.1f}",
                f"{kept / MIB:.1f}" if kept else "-",
                f"{memory / kept:.2f}" if kept else "-",
            ]
        )
    title = "Memory after the last round, MiB (proportional set size; the page cache not included)"
    return table(title, ["memory", "bytes kept", "ratio"], rows)


def targets_text(found: list[Target]) -> str:
    rows = [[t.text, t.peer, t.other or "-", t.measured, t.reached] for t in found]
    title = "Targets"
    text = table(title, ["", "against", "measured", "reached"], rows, left=5)
    return text + "\n\n" + "\n".join(summary(found))


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


def _cells(result: Result) -> list[dict[str, object]]:
    cells = []
    for workload in result.workloads:
        for peer in result.peers:
            if not result.of(peer.name, workload.name):
                continue
            other = result.baseline(peer, workload.name)
            limit = result.limit(peer)
            cells.append(
                {
                    "peer": peer.name,
                    "workload": workload.name,
                    "requests_per_server_cpu_second": _dict(
                        result.per_cpu_s(peer.name, workload.name)
                    ),
                    "requests_per_second": _dict(result.per_s(peer.name, workload.name)),
                    "latency_us": {
                        name: _dict(result.latency(peer.name, workload.name, percentile))
                        for percentile, name in PERCENTILES.items()
                        if result.rates
                    },
                    "ratio": _dict(result.ratio(peer.name, other, workload.name)),
                    "ratio_to": other or None,
                    "ratio_to_bare_loop": _dict(result.ratio(peer.name, limit, workload.name)),
                    "bare_loop_to_best_peer": _dict(result.bound(workload.name)),
                }
            )
    return cells


def _dict(value: Figure | None) -> dict[str, float] | None:
    return asdict(value) if value else None


def write_json(
    path: Path, results: list[Result], found: list[Target], facts: dict[str, object]
) -> None:
    suites = [
        {
            "name": result.name,
            "title": result.title,
            "rates": result.rates,
            "memory_bytes": result.memory_bytes,
            "kept_bytes": result.kept_bytes,
            "figures": _cells(result),
            "losses": result.losses,
            "samples": [asdict(sample) for sample in result.samples],
        }
        for result in results
    ]
    document = {**facts, "suites": suites, "targets": [asdict(target) for target in found]}
    path.write_text(json.dumps(document, indent=1) + "\n")
