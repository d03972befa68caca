"""The table of proxies: who is measured with an application behind it (pages.py).

All of them keep as many connections to it as clients have to them, and write no log.
"""

from dataclasses import replace
from pathlib import Path

from pages import REWRITTEN
from peers import H2, OVER_TLS, Peer, ours

# what differs from peers that serve files
_PROXY = {"proxies": True, "mute": (H2, *OVER_TLS), "by_protocol": {}}


def _nginx() -> list[Peer]:
    # a buffer holds the head and the small page; all of them hold the large one, so that none goes
    # to a file
    buffered = "proxy_buffering on; proxy_buffer_size 4k; proxy_buffers 16 16k;"
    unbuffered = "proxy_buffering off; proxy_buffer_size @SIZE@; proxy_buffers 4 @SIZE@;"
    unbuffered += " proxy_busy_buffers_size @SIZE@;"

    def setting(name: str, buffering: str, size: str = "") -> Peer:
        return Peer(
            f"nginx, {name}",
            "nginx",
            "/usr/sbin/nginx",
            "nginx-pages.conf",
            ("-v",),
            user="user root;",
            settings={"BUFFERING": buffering, "SIZE": size},
            quick=True,
            **_PROXY,
        )

    return [
        setting("buffered", buffered),
        setting("unbuffered, 4k", unbuffered, "4k"),
        setting("unbuffered, 64k", unbuffered, "64k"),
    ]


def proxies(build: Path) -> list[Peer]:
    h2o = Peer(
        "h2o",
        "h2o",
        "/usr/bin/h2o",
        "h2o-pages.conf",
        ("--version",),
        cannot=REWRITTEN,
        quick=True,
        **_PROXY,
    )
    haproxy = Peer(
        "haproxy",
        "haproxy",
        "/usr/sbin/haproxy",
        "haproxy-pages.cfg",
        ("-v",),
        arguments=("-db", "-f", "@CONF@"),
        cannot=REWRITTEN,
        **_PROXY,
    )
    own = [
        replace(peer, template="h2o-breaker-pages.conf", limit="", **_PROXY)
        for peer in ours(build)
    ]
    own = [replace(peer, settings={**peer.settings, "TLS": ""}) for peer in own]
    return [*_nginx(), h2o, haproxy, *own]
