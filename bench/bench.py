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
from dataclasses import dataclass, replace
from pathlib import Path

import cluster
import cpu
import report
from load import CONNECTIONS, Request, prepare, run_wrk
from peers import Peer, nodes, peers
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
    parser.add_argument(
        "--cluster", action="store_true", help="nodes alone against nodes of a cluster"
    )
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


def start_redis(port: int, directory: Path, core: int) -> Server:
    own = directory / "redis"
    own.mkdir(parents=True, exist_ok=True)
    return Server("redis-server", cluster.redis_command(port), port, core, own)


@dataclass(frozen=True)
class Target:
    """A server with what it is asked, checked beforehand."""

    peer: Peer
    server: Server
    requests: list[Request]
    # 0: without Redis
    redis_port: int


def prepare_target(
    peer: Peer, server: Server, arguments: argparse.Namespace, site: Path, redis_port: int
) -> Target:
    if peer.app:
        cluster.join(redis_port, peer, server)
    workloads = WORKLOADS
    if arguments.cluster:
        workloads = cluster.workloads_at(cluster.token_of(server), site)
    workloads = chosen("workload", workloads, arguments.workload)
    return Target(peer, server, [prepare(server, w) for w in workloads], redis_port)


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
        redirects=load.redirects,
    )


def measure_target(target: Target, at: int, turn: int, core: int, seconds: int) -> Sample:
    request = target.requests[at]
    if not target.peer.moves:
        sample = measure(target.server, request, turn, core, seconds)
        most = 0
    else:
        with cluster.Mover(target.redis_port, target.peer, target.server) as mover:
            sample = measure(target.server, request, turn, core, seconds)
        sample = replace(sample, token_changes_per_s=mover.changes / mover.seconds)
        # each connection once a move, and once from the token of the preparation
        most = CONNECTIONS * (mover.moves + 1)
    if sample.redirects > most:
        story = f"redirected {sample.redirects} times, {most} at most were expected"
        raise Failure(f"{sample.peer}, {sample.workload!r}: {story}")
    return sample


def run_rounds(targets: list[Target], core: int, rounds: int, seconds: int) -> list[Sample]:
    print("every server answers every workload rightly; warming up", flush=True)
    for target in targets:
        run_wrk(target.requests[0], core, WARM_UP_S)
    samples = []
    for turn in range(rounds):
        print(f"round {turn + 1} of {rounds}", flush=True)
        first = turn % len(targets)
        for at in range(len(targets[0].requests)):
            for target in targets[first:] + targets[:first]:
                samples.append(measure_target(target, at, turn, core, seconds))
    return samples


def run(arguments: argparse.Namespace) -> None:
    build = arguments.build.resolve()
    directory = build / "bench"
    if re.search(r"[^\w./+-]", str(directory)):
        raise Failure(f"{directory} has characters that configuration files may misread")
    site = directory / "site"
    write_site(site)
    redis_port = free_port() if arguments.cluster else 0
    table = nodes(build, redis_port) if arguments.cluster else peers(build)
    chosen_peers = chosen("peer", table, arguments.peer)
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
        if arguments.cluster:
            redis = start_redis(redis_port, directory, load_core)
            stack.callback(redis.end)
            redis.wait_until_listening()
        servers = []
        for peer in chosen_peers:
            server = start(peer, directory, site, server_core)
            stack.callback(server.end)
            servers.append(server)
        for server in servers:
            server.wait_until_listening()
        targets = [
            prepare_target(peer, server, arguments, site, redis_port)
            for peer, server in zip(chosen_peers, servers)
        ]
        stolen_before_s = cpu.stolen_s(server_core)
        samples = run_rounds(targets, load_core, arguments.rounds, arguments.seconds)
        facts["stolen_s"] = cpu.stolen_s(server_core) - stolen_before_s
    workloads = [request.workload for request in targets[0].requests]
    result = Result(chosen_peers, workloads, samples)
    path = directory / ("cluster.json" if arguments.cluster else "result.json")
    report.write_json(path, result, facts)
    baseline = "the node alone" if arguments.cluster else "nginx's better setting"
    print_result(result, facts, path, baseline)


def print_result(result: Result, facts: dict, path: Path, baseline: str) -> None:
    about = facts["machine"]
    print(f"\n{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, {about['system']}")
    for name, version in facts["versions"].items():
        print(f"{name}: {version}")
    print(
        f"HTTP/1.1, {facts['connections']} connections kept alive, {facts['rounds']} rounds of"
        f" {facts['seconds']} s; servers on core {facts['server_core']},"
        f" wrk on core {facts['load_core']}\n"
    )
    print(report.as_text(result, baseline))
    moving = [s.token_changes_per_s for s in result.samples if s.token_changes_per_s]
    if moving:
        print(f"\nMoving: the nodes changed their token {min(moving):.1f} to {max(moving):.1f}"
              " times a second.")
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
