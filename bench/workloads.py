"""The table of workloads: what is asked, and what the right answer is.

A workload is one request, sent over and over. `check` looks at one answer of a server and names
what is wrong with it; a benchmark of wrong answers would be worth nothing.
"""

import base64
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

TOKEN = "1718539201234"
OLDER = "1718452801234"
NEWER = "1718625601234"
RETRY_AFTER_S = 3
YEAR_S = 31536000

SITE = {"app-1k.js": 1024, "app-16k.js": 16384}


def asset(name: str) -> bytes:
    """The bytes of an asset: text without repetitions, the same in every run."""
    size = SITE[name]
    return base64.b64encode(random.Random(size).randbytes(size))[:size]


def write_site(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in SITE:
        (directory / name).write_bytes(asset(name))


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; `size` is what it took on the wire, headers included."""

    status: int
    headers: dict[str, str]
    body: bytes
    size: int


@dataclass(frozen=True)
class Workload:
    name: str
    target: str
    status: int
    check: Callable[[Answer], list[str]]
    # the asset whose entity tag the request carries in If-None-Match, or none
    unless_unchanged: str = ""
    # wrk goes where it is redirected, and compares every 200 with this file; or None
    followed: Path | None = None


def cached_for_a_year(answer: Answer) -> list[str]:
    value = answer.headers.get("cache-control", "")
    if f"max-age={YEAR_S}" not in value.replace(" ", "").split(","):
        return [f"Cache-Control is {value!r}, without max-age={YEAR_S}"]
    return []


def never_cached_for_long(answer: Answer) -> list[str]:
    if not cached_for_a_year(answer):
        return ["a year's Cache-Control on an answer that must not stay"]
    return []


def is_same_bytes(name: str, answer: Answer) -> list[str]:
    return [] if answer.body == asset(name) else [f"the body is not {name}"]


def is_asset(name: str) -> Callable[[Answer], list[str]]:
    def check(answer: Answer) -> list[str]:
        wrong = cached_for_a_year(answer) + is_same_bytes(name, answer)
        if "content-encoding" in answer.headers:
            wrong.append("encoded without having been asked")
        if "javascript" not in answer.headers.get("content-type", ""):
            wrong.append(f"Content-Type is {answer.headers.get('content-type')!r}")
        if not answer.headers.get("etag", "").startswith('"'):
            wrong.append("no strong ETag")
        return wrong

    return check


def is_redirect(location: str) -> Callable[[Answer], list[str]]:
    def check(answer: Answer) -> list[str]:
        if answer.headers.get("location") != location:
            return [f"Location is {answer.headers.get('location')!r}, not {location!r}"]
        return never_cached_for_long(answer)

    return check


def is_retry(answer: Answer) -> list[str]:
    if answer.headers.get("retry-after") != str(RETRY_AFTER_S):
        return [f"Retry-After is {answer.headers.get('retry-after')!r}"]
    return never_cached_for_long(answer)


def is_unchanged(answer: Answer) -> list[str]:
    wrong = cached_for_a_year(answer)
    if "etag" not in answer.headers:
        wrong.append("no ETag")
    return wrong


WORKLOADS = [
    Workload("200, 1 KiB", f"/static/{TOKEN}/app-1k.js", 200, is_asset("app-1k.js")),
    Workload("200, 16 KiB", f"/static/{TOKEN}/app-16k.js", 200, is_asset("app-16k.js")),
    Workload(
        "301",
        f"/static/{OLDER}/app-1k.js?v=1",
        301,
        is_redirect(f"/static/{TOKEN}/app-1k.js?v=1"),
    ),
    Workload("503", f"/static/{NEWER}/app-1k.js", 503, is_retry),
    Workload("404", f"/static/{TOKEN}/no-such-file.js", 404, never_cached_for_long),
    Workload(
        "304", f"/static/{TOKEN}/app-1k.js", 304, is_unchanged, unless_unchanged="app-1k.js"
    ),
]
