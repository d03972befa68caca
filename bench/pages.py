"""Pages of an application, through a proxy: the workloads, and the application.

The application is the bare loop on epoll: a port for each page, whatever the path is. It runs on the
load generator's core, and its time does not count.
"""

from collections.abc import Callable
from pathlib import Path

import bare
from ask import Request
from peers import H1, Peer
from server import Server
from workloads import TOKEN, Answer, Workload

PLACEHOLDER, CURRENT = b"/static/{breaker}/", f"/static/{TOKEN}/".encode()
PAGES = {"1k": 1024, "64k": 64 * 1024}
# in bytes of a page: one that names an asset, and the text up to the next one
STEP = 512


def page(size: int) -> bytes:
    """What the application says: a reference every 512 bytes, and text."""
    steps = []
    for at in range(size // STEP):
        reference = b'<link rel="stylesheet" href="%scss/part-%03d.css">\n<p>' % (PLACEHOLDER, at)
        steps.append((reference + b"the text of a page " * 25)[: STEP - 1] + b"\n")
    return b"".join(steps)


def is_page(wanted: bytes) -> Callable[[Answer], list[str]]:
    def check(answer: Answer) -> list[str]:
        wrong = [] if answer.body == wanted else ["the body is not the page"]
        if not answer.headers.get("content-type", "").startswith("text/html"):
            wrong.append(f"Content-Type is {answer.headers.get('content-type')!r}")
        return wrong

    return check


def _as_it_is(name: str, key: str, **more) -> Workload:
    return Workload(name, f"/page-{key}", 200, is_page(page(PAGES[key])), **more)


def _rewritten(name: str, key: str) -> Workload:
    wanted = page(PAGES[key]).replace(PLACEHOLDER, CURRENT)
    return Workload(name, f"/rewritten-{key}", 200, is_page(wanted), in_chunks=True)


WORKLOADS = [
    _as_it_is("page, 1 KiB", "1k", quick=True),
    _as_it_is("page, 64 KiB", "64k"),
    _rewritten("rewritten, 1 KiB", "1k"),
    _rewritten("rewritten, 64 KiB", "64k"),
]
# what only a proxy that writes into pages can do
REWRITTEN = tuple(workload.name for workload in WORKLOADS if workload.in_chunks)


def start_application(loop: Peer, directory: Path, core: int) -> list[Server]:
    """The application, seen at the ports of its pages, in the order of PAGES."""
    answers = []
    for workload, size in zip(WORKLOADS, PAGES.values()):
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {size}\r\n\r\n"
        answers.append(Request(workload, H1, 0, "", 0, size, raw=head.encode() + page(size)))
    return bare.start(loop, answers, directory, [core])
