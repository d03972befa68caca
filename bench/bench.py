"""Measures servers side by side: requests per second of server CPU.

All servers run at once, each pinned to the same core; wrk, pinned to another, loads one of them at
a time. In every round each workload visits all servers, starting with another one each round, so
that whatever drifts on the machine drifts for all alike. Run it through bench/run.sh.
"""

import argparse
import contextlib
import os
import re
import signal
import sys
from pathlib import Path

import cpu
import report
from load import CONNECTIONS, Request, prepare, run_wrk
from peers import Peer, peers
from report import Result, Sample
from server import Failure, Server, free_port
from workloads import WORKLOADS, Workload, write_site

FULL = {"rounds": 9, "seconds": 2}
QUICK = {"rounds": 3, "seconds": 1}
WARM_UP_S = 1


def positive(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError("1 to 1000")
    return value


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sh bench/run.sh", description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="under three minutes")
    parser.add_argument("--rounds", type=positive, help="how often everything is measured")
    parser.add_argument("--seconds", type=positive, help="how long each run of wrk takes")
    parser.add_argument("--peer", action="append", help="only this peer (may be repeated)")
    parser.add_argument("--workload", action="append", help="only this workload (may be repeated)")
    arguments = parser.parse_args()
    for name, value in (QUICK if arguments.quick else FULL).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    return arguments


def chosen(what: str, table: list, names: list[str] | None) -> list:
    unknown = set(names or []) - {row.name for row in table}
    if unknown:
        known = "; ".join(row.name for row in table)
        raise Failure(f"no such {what}: {', '.join(sorted(unknown))}; there are {known}")
    return [row for row in table if not names or row.name in names]


def start(peer: Peer, directory: Path, site: Path, core: int) -> Server:
    own = directory / re.sub(r"[^a-z0-9]+", "-", peer.name)
    port = free_port()
    conf = peer.configure(own, site, port)
    return Server(peer.name, peer.command(conf), port, core, own)


def measure(server: Server, request: Request, turn: int, core: int, seconds: int) -> Sample:
    before = server.time_when_idle()
    load = run_wrk(request, core, seconds)
    spent = server.time_when_idle().since(before)
    server.check_alive()
    return Sample(
        peer=server.name,
        workload=request.workload.name,
        round=turn,
        requests=load.requests,
        wall_s=load.wall_s,
        server_cpu_s=spent.busy / 1e9,
        server_waited_s=spent.waiting / 1e9,
        load_waited_s=load.waited_s,
    )


def run_rounds(
    servers: list[Server], workloads: list[Workload], core: int, rounds: int, seconds: int
) -> list[Sample]:
    requests = {(s.name, w.name): prepare(s, w) for s in servers for w in workloads}
    print("every server answers every workload rightly; warming up", flush=True)
    for server in servers:
        run_wrk(requests[server.name, workloads[0].name], core, WARM_UP_S)
    samples = []
    for turn in range(rounds):
        print(f"round {turn + 1} of {rounds}", flush=True)
        first = turn % len(servers)
        for workload in workloads:
            for server in servers[first:] + servers[:first]:
                request = requests[server.name, workload.name]
                samples.append(measure(server, request, turn, core, seconds))
    return samples


def run(arguments: argparse.Namespace) -> None:
    directory = arguments.build.resolve() / "bench"
    if re.search(r"[^\w./+-]", str(directory)):
        raise Failure(f"{directory} has characters that configuration files may misread")
    site = directory / "site"
    write_site(site)
    chosen_peers = chosen("peer", peers(arguments.build.resolve()), arguments.peer)
    workloads = chosen("workload", WORKLOADS, arguments.workload)
    server_core, load_core = cpu.choose_cores()
    # what this program does between the runs is kept off the servers' core
    os.sched_setaffinity(0, {load_core})
    facts = {
        "machine": report.machine(),
        "server_core": server_core,
        "load_core": load_core,
        "connections": CONNECTIONS,
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "versions": {peer.name: peer.version() for peer in chosen_peers},
    }
    with contextlib.ExitStack() as stack:
        servers = []
        for peer in chosen_peers:
            server = start(peer, directory, site, server_core)
            stack.callback(server.end)
            servers.append(server)
        for server in servers:
            server.wait_until_listening()
        stolen_before_s = cpu.stolen_s(server_core)
        samples = run_rounds(servers, workloads, load_core, arguments.rounds, arguments.seconds)
        facts["stolen_s"] = cpu.stolen_s(server_core) - stolen_before_s
    result = Result(chosen_peers, workloads, samples)
    path = directory / "result.json"
    report.write_json(path, result, facts)
    print_result(result, facts, path)


def print_result(result: Result, facts: dict, path: Path) -> None:
    about = facts["machine"]
    print(f"\n{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, {about['system']}")
    for name, version in facts["versions"].items():
        print(f"{name}: {version}")
    print(
        f"HTTP/1.1, {facts['connections']} connections kept alive, {facts['rounds']} rounds of"
        f" {facts['seconds']} s; servers on core {facts['server_core']},"
        f" wrk on core {facts['load_core']}\n"
    )
    print(report.as_text(result))
    doubts = result.doubts(facts["stolen_s"], facts["server_core"] == facts["load_core"])
    if doubts:
        print(f"\nTake these figures with care: {'; '.join(doubts)}.")
    print(f"\n{path}")


def main() -> int:
    # an ended benchmark ends its servers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        run(read_arguments())
    except Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
