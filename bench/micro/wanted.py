"""The table of requests whose instructions and system calls are counted, and their site.

Ours is a longer table than the one of bench/workloads.py, because counting takes no time; the
tokens are the same, and so are the configurations of all servers.
"""

import base64
import random
from dataclasses import dataclass
from pathlib import Path

from workloads import NEWER, OLDER, TOKEN

# The largest is of a type that is not worth compressing, so that no server works on it for long.
SITE = {"app-1k.js": 1024, "app-16k.js": 16384, "app-256k.bin": 262144}


def write_site(directory: Path) -> None:
    """Text without repetitions, the same in every run: it takes a known number of bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, size in SITE.items():
        body = base64.b64encode(random.Random(size).randbytes(size))[:size]
        (directory / name).write_bytes(body)


@dataclass(frozen=True)
class Wanted:
    """One request and the answer that makes it worth counting."""

    name: str
    target: str
    status: int
    header: str = ""
    # of the body; None: any
    length: int | None = None
    encoding: str = ""
    # the header carries the entity tag of the answer to a request without it
    conditional: bool = False
    # counted by the CTest too
    watched: bool = False
    # what only h2o-breaker can do
    ours_only: bool = False


def _asset(token: str, name: str) -> str:
    return f"/static/{token}/{name}"


REQUESTS = [
    Wanted("200, 1 KiB", _asset(TOKEN, "app-1k.js"), 200, length=1024, watched=True),
    Wanted("200, 16 KiB", _asset(TOKEN, "app-16k.js"), 200, length=16384),
    Wanted("200, 256 KiB", _asset(TOKEN, "app-256k.bin"), 200, length=262144),
    Wanted(
        "200, brotli",
        _asset(TOKEN, "app-16k.js"),
        200,
        header="Accept-Encoding: gzip, deflate, br, zstd",
        encoding="br",
        watched=True,
        ours_only=True,
    ),
    Wanted(
        "206",
        _asset(TOKEN, "app-16k.js"),
        206,
        header="Range: bytes=1000-1999",
        length=1000,
    ),
    Wanted("301", _asset(OLDER, "app-1k.js?v=1"), 301, watched=True),
    Wanted("503", _asset(NEWER, "app-1k.js"), 503, watched=True),
    Wanted("404", _asset(TOKEN, "no-such-file.js"), 404, watched=True),
    Wanted(
        "304",
        _asset(TOKEN, "app-1k.js"),
        304,
        header="If-None-Match: {etag}",
        conditional=True,
        watched=True,
    ),
]
