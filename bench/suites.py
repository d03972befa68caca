"""The table of suites: under which load the workloads are measured.

In a suite all servers run at once, configured for its protocol and its number of threads, and every
workload visits all of them in every round.
"""

from dataclasses import dataclass, replace

import pages
from peers import BARE, H1, H2, TLS_H1, TLS_H2, Peer
from workloads import SITE, WORKLOADS, Workload


@dataclass(frozen=True)
class Suite:
    name: str
    # what --only calls it
    group: str
    title: str
    workloads: tuple[Workload, ...]
    protocol: str = H1
    threads: int = 1
    connections: int = 64
    # HTTP/2: requests under way on each connection
    streams: int = 1
    # at half the requests per second of the best peer, instead of as fast as it goes
    at_half_peak: bool = False
    # what each run takes at least: many connections are slow to open
    seconds_min: int = 1
    # --quick measures it, and with these workloads only
    quick: tuple[str, ...] = ()
    # --check measures it, with these workloads only
    check: tuple[str, ...] = ()
    with_bare: bool = True
    # an application stands behind the servers, which are proxies
    of_proxies: bool = False

    def has(self, peer: Peer) -> bool:
        if peer.proxies != self.of_proxies:
            return False
        return self.protocol not in peer.mute and (self.with_bare or peer.role != BARE)


def named(*names: str) -> tuple[Workload, ...]:
    return tuple(next(w for w in WORKLOADS if w.name == name) for name in names)


_QUICK = tuple(workload.name for workload in WORKLOADS if workload.quick)
_SIZES = named("200, 1 KiB", "200, 16 KiB", "200, 256 KiB")

SUITES = [
    Suite(
        "http1",
        "http1",
        "HTTP/1.1, 64 connections",
        tuple(WORKLOADS),
        quick=_QUICK,
        check=("301",),
    ),
    Suite(
        "http2",
        "http2",
        "HTTP/2 in cleartext, 64 connections with 8 requests each",
        tuple(WORKLOADS),
        protocol=H2,
        streams=8,
        quick=("200, 1 KiB",),
        check=("200, 1 KiB",),
    ),
    Suite(
        "tls-http1",
        "tls",
        "HTTP/1.1 over TLS 1.3, 64 connections",
        (*_SIZES, *named("304")),
        protocol=TLS_H1,
    ),
    Suite(
        "tls-http2",
        "tls",
        "HTTP/2 over TLS 1.3, 64 connections with 8 requests each",
        (*_SIZES, *named("304")),
        protocol=TLS_H2,
        streams=8,
        check=("200, 1 KiB",),
    ),
    Suite(
        "threads",
        "threads",
        "HTTP/1.1, 64 connections, two workers",
        _SIZES,
        threads=2,
        with_bare=False,
    ),
    Suite(
        "connections-1000",
        "connections",
        "HTTP/1.1, 1,000 connections",
        named("200, 1 KiB"),
        connections=1000,
        quick=("200, 1 KiB",),
        with_bare=False,
    ),
    Suite(
        "connections-10000",
        "connections",
        "HTTP/1.1, 10,000 connections",
        named("200, 1 KiB"),
        connections=10000,
        seconds_min=5,
        with_bare=False,
    ),
    Suite(
        "latency",
        "latency",
        "HTTP/1.1, 64 connections, at half the best peer's peak",
        named("200, 1 KiB", "200, 16 KiB", "304"),
        at_half_peak=True,
        quick=("200, 1 KiB",),
        check=("200, 1 KiB",),
    ),
    Suite(
        "site",
        "site",
        "HTTP/1.1, 64 connections, the mixed site",
        (SITE,),
        quick=(SITE.name,),
        with_bare=False,
    ),
    Suite(
        "pages",
        "pages",
        "HTTP/1.1, 64 connections, pages of an application",
        tuple(pages.WORKLOADS),
        check=("page, 1 KiB",),
        with_bare=False,
        of_proxies=True,
    ),
]
# what --log compares, each server with itself
LOG_SUITE = Suite(
    "log",
    "log",
    "HTTP/1.1, 64 connections, with an access log and without",
    (
        *named("200, 1 KiB"),
        replace(
            named("200, 1 KiB")[0],
            name="200, 1 KiB, User-Agent",
            header="User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        ),
    ),
    with_bare=False,
)
GROUPS = tuple(dict.fromkeys(suite.group for suite in SUITES))
