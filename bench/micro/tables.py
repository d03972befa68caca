"""What the terminal shows; the JSON file has everything."""

from pathlib import Path

import baseline
from callgrind import Profile
from report import table
from servers import OURS

# around which the others are varied
LEDGER, VIEWS, LENGTH = "8", "4", "64"
# whose places are shown
PROFILED = "200, 1 KiB"


def of_programs(cases: dict[str, dict]) -> str:
    return "\n\n".join(
        [
            _of_classification(cases),
            _of_rest(cases),
            _of_refresh(cases),
            _of_load(cases),
        ]
    )


def _of_classification(cases: dict[str, dict]) -> str:
    """The table shows each axis by itself; a case is "VERDICT/LEDGER/VIEWS/LENGTH"."""
    keys = [tuple(name.split("/")) for name in cases if name.count("/") == 3]
    verdicts = list(dict.fromkeys(key[0] for key in keys))
    usual = (LEDGER, VIEWS, LENGTH)
    columns = []
    for axis, word in enumerate(("ledger", "views", "path")):
        for value in dict.fromkeys(key[1 + axis] for key in keys):
            place = usual[:axis] + (value,) + usual[axis + 1 :]
            label = "short" if word == "path" and value == "0" else value
            columns.append((f"{word} {label}", place))

    def row(verdict: str, what: str) -> list[str]:
        found = [cases.get("/".join((verdict, *place)), {}).get(what) for _, place in columns]
        return [verdict, *("-" if value is None else f"{value:.0f}" for value in found)]

    headings = [heading for heading, _ in columns]
    usually = f"a ledger of {LEDGER}, {VIEWS} views, a path of {LENGTH} bytes"
    return "\n\n".join(
        [
            table(
                f"Classification, instructions an operation; what is not named: {usually}",
                headings,
                [row(verdict, "instructions") for verdict in verdicts],
            ),
            table(
                "Classification, nanoseconds an operation, lowest of nine; no allocations",
                headings,
                [row(verdict, "lowest_ns") for verdict in verdicts],
            ),
        ]
    )


def _of_rest(cases: dict[str, dict]) -> str:
    rows = [
        [name, f"{case['instructions']:.0f}", f"{case['ns']:.1f}", f"{case['lowest_ns']:.1f}"]
        for name, case in cases.items()
        if name.startswith(("store/", "encoding/"))
    ]
    columns = ["instructions", "ns, median", "ns, lowest"]
    return table("Finding an asset among N, reading Accept-Encoding; no allocations", columns, rows)


def _of_refresh(cases: dict[str, dict]) -> str:
    rows = []
    for name, case in cases.items():
        if name.startswith("publication/"):
            _, threads, rate = name.split("/")
            seen = [str(case["published"]), str(case["changes"])]
            rows.append([f"{threads} threads, {rate}/s", f"{case['ns']:.2f}", *seen])
    title = "Refreshing a snapshot while some are published: ns of a thread's processor time"
    return table(title, ["ns", "published", "changes seen"], rows)


def _of_load(cases: dict[str, dict]) -> str:
    rows = []
    for name, case in cases.items():
        if name.startswith("load/"):
            _, files, size = name.split("/")
            over = [case[what] - case["bytes"] for what in ("store_memory", "allocated")]
            rows.append(
                [
                    f"{files} of {size} bytes",
                    f"{case['s']:.3f}",
                    *(f"{100 * value / case['bytes']:.1f} %" for value in over),
                    f"{over[1] / int(files):.0f}",
                ]
            )
    columns = ["s, warm", "memory over bytes", "the allocator's", "bytes a file"]
    return table("Loading files", columns, rows)


def of_instructions(
    profiles: dict[str, dict[str, dict[int, Profile]]], connections: tuple[int, ...]
) -> str:
    parts = [_of_totals(profiles, num) for num in connections]
    for server, requests in profiles.items():
        if PROFILED in requests:
            parts.append(_of_places(server, requests[PROFILED]))
    return "\n\n".join(parts)


def _of_totals(profiles: dict[str, dict[str, dict[int, Profile]]], num: int) -> str:
    requests = list(dict.fromkeys(name for of in profiles.values() for name in of))

    def cell(of: dict[str, dict[int, Profile]], request: str) -> str:
        return f"{of[request][num].total:,.0f}" if request in of else "-"

    rows = [[request, *(cell(of, request) for of in profiles.values())] for request in requests]
    title = f"Instructions a request in user space, connections: {num}"
    return table(title, list(profiles), rows)


def of_http2(counts: dict[str, dict[str, Profile]]) -> str:
    """What runs in our programs is ours: the libraries are shared ones."""
    requests = list(dict.fromkeys(name for of in counts.values() for name in of))

    def row(request: str) -> list[str]:
        cells = [request]
        for server, of in counts.items():
            profile = of.get(request)
            cells.append(f"{profile.total:,.0f}" if profile else "-")
            if server in OURS:
                own = profile.objects.get(server, 0) if profile else 0
                cells.append(f"{own:,.0f}")
        return cells

    columns = []
    for server in counts:
        columns += [server, "of these ours"] if server in OURS else [server]
    title = "Instructions a request in user space over HTTP/2, 64 connections, 8 requests on each"
    return table(title, columns, [row(request) for request in requests])


def _of_places(server: str, by_connections: dict[int, Profile]) -> str:
    first = next(iter(by_connections))
    columns = [str(num) for num in by_connections]
    names = dict.fromkeys(
        name for profile in by_connections.values() for name in profile.objects
    )
    rows = [
        [name, *(f"{profile.objects.get(name, 0):,.0f}" for profile in by_connections.values())]
        for name in names
        if any(profile.objects.get(name, 0) >= 1 for profile in by_connections.values())
    ]
    functions = [
        [f"  {function} ({place})", f"{cost:,.0f}"]
        for place, function, cost in by_connections[first].functions
    ]
    title = f"Where they go: {server}, {PROFILED}, by object and number of connections"
    costliest = f"The costliest functions at connections: {first}"
    return table(title, columns, rows) + "\n" + table(costliest, ["instructions"], functions)


def of_differences(build: Path, counts: baseline.Counts) -> str:
    others = baseline.differences_of_versions(build)
    if others:
        return "\n  ".join(["Not compared with the baseline:", *others])
    columns: dict[str, None] = {}
    rows: dict[str, dict[str, str]] = {}
    for one in baseline.differences(build, counts):
        column = f"{one.server}, {one.connections}"
        columns[column] = None
        rows.setdefault(one.request, {})[column] = f"{one.per_cent:+.1f} %"
    return table(
        "Instructions against the baseline; server, connections",
        list(columns),
        [[name, *(row.get(column, "-") for column in columns)] for name, row in rows.items()],
    )


def of_calls(counted: dict[str, dict[str, dict[str, float]]], connections: int) -> str:
    requests = list(dict.fromkeys(name for of in counted.values() for name in of))
    rows = [
        [name, *(f"{sum(of[name].values()):.2f}" if name in of else "-" for of in counted.values())]
        for name in requests
    ]
    lines = [table(f"System calls a request, connections: {connections}", list(counted), rows), ""]
    for server, of in counted.items():
        most = sorted(of.get(PROFILED, {}).items(), key=lambda item: -item[1])
        named = ", ".join(f"{name} {num:.2f}" for name, num in most if num >= 0.01)
        lines.append(f"{server}, {PROFILED}: {named}")
    return "\n".join(lines)
