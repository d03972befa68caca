"""The table of workloads: what is asked, and what the right answer is.

A workload is one request, sent over and over; the mixed site (site.py) is a list of them. `check`
looks at one answer of a server and names what is wrong with it; a benchmark of wrong answers would
be worth nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable
from urllib.parse import urljoin

import brotli

from site_files import asset

TOKEN = "1718539201234"
OLDER = "1718452801234"
NEWER = "1718625601234"
RETRY_AFTER_S = 3
YEAR_S = 31536000
# what text.js has encoded at the highest quality, and a little
BROTLI_BYTES = 12_500
RANGE = (1000, 2023)
# from here up sendfile and copying decide, not the handling of requests
LARGE_BYTES = 256 * 1024


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; `size` is what it took on the wire, headers included (0: HTTP/2)."""

    status: int
    headers: dict[str, str]
    body: bytes
    size: int
    raw: bytes = b""


@dataclass(frozen=True)
class Workload:
    name: str
    target: str
    status: int
    check: Callable[[Answer], list[str]]
    # a header that the request carries besides Host, or none
    header: str = ""
    # the asset whose entity tag the request carries in If-None-Match, or none
    unless_unchanged: str = ""
    # wrk goes where it is redirected, and compares every 200 with this file; or None
    followed: Path | None = None
    # its answers are so large that moving bytes is all that matters
    large: bool = False
    # --quick measures it
    quick: bool = False
    # the length is not told beforehand, and in how many chunks it comes is a matter of when the bytes
    # do
    in_chunks: bool = False
    # the mixed site: which files are asked for, in which order
    mixed: bool = False

    @property
    def file(self) -> str:
        """The name that is asked for."""
        return self.target.rpartition("/")[2].partition("?")[0]


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
        return wrong + has_type_and_etag(answer)

    return check


def has_type_and_etag(answer: Answer) -> list[str]:
    wrong = []
    if "javascript" not in answer.headers.get("content-type", ""):
        wrong.append(f"Content-Type is {answer.headers.get('content-type')!r}")
    if not answer.headers.get("etag", "").startswith('"'):
        wrong.append("no strong ETag")
    return wrong


def is_brotli(name: str) -> Callable[[Answer], list[str]]:
    def check(answer: Answer) -> list[str]:
        coding = answer.headers.get("content-encoding")
        if coding != "br":
            return [f"Content-Encoding is {coding!r}, not 'br'"]
        wrong = cached_for_a_year(answer) + has_type_and_etag(answer)
        # a server may encode by itself, but as well as the sibling that it was given
        if len(answer.body) > BROTLI_BYTES:
            wrong.append(f"{len(answer.body)} bytes, the sibling has less than {BROTLI_BYTES}")
        try:
            decoded = brotli.decompress(answer.body)
        except brotli.error as error:
            return [*wrong, str(error)]
        return wrong if decoded == asset(name) else [*wrong, f"the decoded body is not {name}"]

    return check


def is_range(name: str) -> Callable[[Answer], list[str]]:
    first, last = RANGE

    def check(answer: Answer) -> list[str]:
        whole = asset(name)
        wrong = cached_for_a_year(answer)
        if answer.headers.get("content-range") != f"bytes {first}-{last}/{len(whole)}":
            wrong.append(f"Content-Range is {answer.headers.get('content-range')!r}")
        if answer.body != whole[first : last + 1]:
            wrong.append("the body is not the range")
        return wrong

    return check


def is_redirect(asked: str, wanted: str) -> Callable[[Answer], list[str]]:
    """From one path to another; ours are relative, those of the peers are not."""

    def check(answer: Answer) -> list[str]:
        location = answer.headers.get("location", "")
        if urljoin(asked, location) != wanted:
            return [f"Location is {location!r}, which does not lead to {wanted!r}"]
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


def _ok(name: str, file: str, **more) -> Workload:
    return Workload(name, f"/static/{TOKEN}/{file}", 200, is_asset(file), **more)


WORKLOADS = [
    _ok("200, 1 KiB", "app-1k.js", quick=True),
    _ok("200, 16 KiB", "app-16k.js", quick=True),
    _ok("200, 256 KiB", "app-256k.js", large=True, quick=True),
    _ok("200, 4 MiB", "app-4m.js", large=True),
    Workload(
        "200, brotli",
        f"/static/{TOKEN}/text.js",
        200,
        is_brotli("text.js"),
        header="Accept-Encoding: br",
    ),
    Workload(
        "301",
        f"/static/{OLDER}/app-1k.js?v=1",
        301,
        is_redirect(f"/static/{OLDER}/app-1k.js?v=1", f"/static/{TOKEN}/app-1k.js?v=1"),
        quick=True,
    ),
    Workload("503", f"/static/{NEWER}/app-1k.js", 503, is_retry),
    Workload("404", f"/static/{TOKEN}/no-such-file.js", 404, never_cached_for_long),
    Workload(
        "304",
        f"/static/{TOKEN}/app-1k.js",
        304,
        is_unchanged,
        unless_unchanged="app-1k.js",
        quick=True,
    ),
    Workload(
        "206",
        f"/static/{TOKEN}/app-16k.js",
        206,
        is_range("app-16k.js"),
        header=f"Range: bytes={RANGE[0]}-{RANGE[1]}",
    ),
]
# a real tree of files, asked for as readers do
SITE = Workload("mixed site", f"/static/{TOKEN}/", 200, lambda answer: [], mixed=True)
