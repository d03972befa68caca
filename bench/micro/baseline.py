"""The counts of instructions that are committed, and what they hold for.

A count says something about our code only where all else is the same: the libraries, the compiler
and how it was called, valgrind, and the instruction set that libc chooses its copies and searches
by. There is one baseline for each type of build.
"""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).resolve().parent / "instructions.json"
# how many per cent more make the test fail
MARGIN = 5
# and up to how many per cent are chance, so that writing the baseline leaves them as they were
CHANCE = 0.5

# by server, request and number of connections ("1"); JSON has no numbers for keys
Counts = dict[str, dict[str, dict[str, float]]]


def build_type(build: Path) -> str:
    return _cached(build, "CMAKE_BUILD_TYPE") or "none"


def versions(build: Path) -> dict[str, str]:
    """What the counts of a build depend on besides our sources."""
    compiler = _cached(build, "CMAKE_C_COMPILER")
    kind = build_type(build)
    flags = [_cached(build, name) for name in ("CMAKE_C_FLAGS", f"CMAKE_C_FLAGS_{kind.upper()}")]
    return {
        "libh2o": _package("libh2o0.13"),
        "libh2o-evloop": _package("libh2o-evloop0.13"),
        "libuv": _package("libuv1"),
        "libc": _package("libc6"),
        # without the name that it was called by
        "compiler": _first_line([compiler, "--version"]).partition(" ")[2],
        "flags": " ".join(filter(None, flags)),
        "valgrind": _first_line(["valgrind", "--version"]),
        "instruction set": _instruction_set(),
    }


def _cached(build: Path, name: str) -> str:
    cache = (build / "CMakeCache.txt").read_text()
    match = re.search(rf"^{name}:\w+=(.*)$", cache, re.M)
    return match[1] if match else ""


def _package(name: str) -> str:
    return _first_line(["dpkg-query", "--show", "--showformat=${Version}\n", name])


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
    except OSError:
        return "unknown"
    return done.stdout.partition("\n")[0] if done.returncode == 0 else "unknown"


def _instruction_set() -> str:
    """What of it valgrind passes on to libc, which knows nothing beyond AVX2."""
    match = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    flags = match[1].split() if match else []
    return next((name for name in ("avx2", "avx", "sse4_2") if name in flags), "unknown")


def read() -> dict:
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def update(build: Path, counts: Counts) -> None:
    """Puts the counts in place of those of the same type of build."""
    document = read()
    rounded = {
        server: {
            request: {num: round(count) for num, count in by_connections.items()}
            for request, by_connections in requests.items()
        }
        for server, requests in counts.items()
    }
    if not differences_of_versions(build):
        for one in differences(build, counts):
            if abs(one.per_cent) < CHANCE:
                rounded[one.server][one.request][one.connections] = one.before
    document[build_type(build)] = {"versions": versions(build), "instructions": rounded}
    FILE.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


def differences_of_versions(build: Path) -> list[str]:
    """Why counts of this build cannot be compared with the baseline; nothing when they can be."""
    kind = build_type(build)
    entry = read().get(kind)
    if entry is None:
        return [f"there is no baseline for builds of type {kind}"]
    return [
        f"{name}: {value}, the baseline has {entry['versions'].get(name, 'none')}"
        for name, value in versions(build).items()
        if entry["versions"].get(name) != value
    ]


@dataclass(frozen=True)
class Difference:
    """A count, and the one of the baseline."""

    server: str
    request: str
    connections: str
    count: float
    before: float

    @property
    def per_cent(self) -> float:
        return 100 * (self.count / self.before - 1)

    def __str__(self) -> str:
        return (
            f"{self.server}, {self.request}, {self.connections} connections: {self.count:,.0f}"
            f" instructions a request, {self.before:,.0f} in the baseline ({self.per_cent:+.1f} %)"
        )


def differences(build: Path, counts: Counts) -> list[Difference]:
    """Of what both have counted."""
    before = read().get(build_type(build), {}).get("instructions", {})
    return [
        Difference(server, request, num, count, before[server][request][num])
        for server, requests in counts.items()
        for request, by_connections in requests.items()
        for num, count in by_connections.items()
        if num in before.get(server, {}).get(request, {})
    ]
