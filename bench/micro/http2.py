"""Instructions of requests over HTTP/2 in user space, and whose they are: libh2o's own, which no
handler can change, and ours.

h2load asks, on as many connections with as many requests under way as bench/suites.py has it; how
many the server finds at a time is the same as there, but not in every turn. As in instructions.py
the difference of N and of 2N requests is taken.
"""

import re
import subprocess
from collections import Counter
from pathlib import Path

import callgrind
import peers
from client import Prepared, prepare
from server import Failure
from servers import OURS, Process
from wanted import Wanted

SERVERS = ("h2o", *OURS)
CONNECTIONS, STREAMS = 64, 8
# longer bodies take minutes under valgrind, and show nothing but their length
BODY_MAX = 16384
# of the smaller number; a second of work under valgrind
REQUESTS = 10 * CONNECTIONS * STREAMS


def count(
    peer: peers.Peer, directory: Path, site: Path, wanted: list[Wanted], num_functions: int
) -> dict[str, callgrind.Profile]:
    directory.mkdir(parents=True, exist_ok=True)
    out = directory / "callgrind-http2.out"
    for stale in directory.glob(f"{out.name}*"):
        stale.unlink()
    found: dict[str, callgrind.Profile] = {}
    with Process(peer, directory, site, callgrind.command(out)) as server:
        counting = callgrind.Counting(server.pid, out)
        for request in wanted:
            if request.ours_only and peer.name not in OURS:
                continue
            if (request.length or 0) > BODY_MAX:
                continue
            # over HTTP/1.1, where the answer itself is checked
            prepared = prepare(server.port, request)
            _ask(server.port, prepared, CONNECTIONS * STREAMS)
            counting.take()
            _ask(server.port, prepared, REQUESTS)
            few = counting.take()
            _ask(server.port, prepared, 2 * REQUESTS)
            costs = Counter(counting.take())
            costs.subtract(few)
            found[request.name] = callgrind.profile(costs, REQUESTS, num_functions)
    return found


def _ask(port: int, prepared: Prepared, requests: int) -> None:
    wanted = prepared.wanted
    header = prepared.message.decode("latin-1").split("\r\n")[2]
    command = ["h2load", "--threads", "1", "--requests", str(requests)]
    command += ["--clients", str(CONNECTIONS), "--max-concurrent-streams", str(STREAMS)]
    command += ["--header", header] if header else []
    command += [f"http://127.0.0.1:{port}{wanted.target}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(
        r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx\n"
        r"traffic: \S+ \(\d+\) total, \S+ \(\d+\) headers .*, \S+ \((\d+)\) data",
        done.stdout,
    )
    if (
        not found
        or int(found[wanted.status // 100 - 1]) != requests
        or (wanted.length is not None and int(found[5]) != requests * wanted.length)
    ):
        raise Failure(f"{wanted.name!r} over HTTP/2: h2load said {done.stdout!r} {done.stderr!r}")
