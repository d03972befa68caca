"""Instructions of whole requests in user space, and where they go.

Of N and of 2N requests the difference is taken, which leaves out what the counting itself makes a
server do; the connections are open and warm by then. What is left of chance is the work that
servers do once a second, about one part in a thousand.
"""

from collections import Counter
from pathlib import Path

import callgrind
import peers
from client import Client, prepare
from wanted import Wanted
from servers import OURS, Process

CONNECTIONS = (1, 64)
# of the smaller number of requests
REQUESTS = 960
WARM_UP = 64


def count(
    peer: peers.Peer,
    directory: Path,
    site: Path,
    wanted: list[Wanted],
    connections: tuple[int, ...] = CONNECTIONS,
    requests: int = REQUESTS,
    num_functions: int = 10,
) -> dict[str, dict[int, callgrind.Profile]]:
    """A profile for each request that the server is asked, and number of connections."""
    directory.mkdir(parents=True, exist_ok=True)
    out = directory / "callgrind.out"
    for stale in directory.glob(f"{out.name}*"):
        stale.unlink()
    found: dict[str, dict[int, callgrind.Profile]] = {}
    with Process(peer, directory, site, callgrind.command(out)) as server:
        counting = callgrind.Counting(server.pid, out)
        for request in wanted:
            if request.ours_only and peer.name not in OURS:
                continue
            prepared = prepare(server.port, request)
            found[request.name] = {}
            for num in connections:
                with Client(server.port, server.pid, num) as client:
                    client.rounds(prepared, max(WARM_UP // num, 2))
                    counting.take()
                    fewer = client.rounds(prepared, requests // num)
                    few = counting.take()
                    more = client.rounds(prepared, 2 * requests // num)
                    many = counting.take()
                costs = Counter(many)
                costs.subtract(few)
                found[request.name][num] = callgrind.profile(costs, more - fewer, num_functions)
    return found
