"""Measures servers side by side: what a request costs, how long it takes, what memory it needs.

All servers of a suite run at once, each pinned to the same cores; the load generator, pinned to
another, loads one of them at a time. In every round each workload visits all servers, starting with
another one each round, so that whatever drifts on the machine drifts for all alike. Run it through
bench/run.sh.
"""

import argparse
import os
import re
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import cluster
import cpu
import plots
import report
from figures import Result, doubts
from peers import Peer, all_peers, logged, nodes
from proxies import proxies
from runner import Settings, run_suites
from server import Failure, check_known
from site_files import FILES, copy_documentation, make_certificate, write_assets
from suites import GROUPS, LOG_SUITE, SUITES, Suite
from targets import targets
from workloads import WORKLOADS, Workload

FULL = {"rounds": 7, "seconds": 2}
QUICK = {"rounds": 2, "seconds": 1}
CHECK = {"rounds": 1, "seconds": 1}
# so low that it is kept up with on any machine
CHECK_RATE = 500
CHECKED = ("h2o-breaker", "bare epoll")


def positive(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError("1 to 1000")
    return value


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sh bench/run.sh", description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="the core of it, under three minutes")
    parser.add_argument(
        "--only", action="append", choices=GROUPS, help="only these suites (may be repeated)"
    )
    parser.add_argument(
        "--cluster", action="store_true", help="nodes alone against nodes of a cluster"
    )
    parser.add_argument(
        "--log", action="store_true", help="servers with an access log against those without"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="h2o-breaker and the bare loop only, shortly: whether the benchmark itself works",
    )
    parser.add_argument("--rounds", type=positive, help="how often everything is measured")
    parser.add_argument("--seconds", type=positive, help="how long each run takes")
    parser.add_argument("--peer", action="append", help="only this peer (may be repeated)")
    parser.add_argument("--workload", action="append", help="only this workload (may be repeated)")
    parser.add_argument(
        "--publish", action="store_true", help="write the README's plots into bench/plots/ as well"
    )
    arguments = parser.parse_args()
    defaults = CHECK if arguments.check else QUICK if arguments.quick else FULL
    for name, value in defaults.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    return arguments


def named(what: str, table: list, names: list[str] | None) -> list:
    check_known(what, [row.name for row in table], names or [])
    return [row for row in table if not names or row.name in names]


def chosen_suites(arguments: argparse.Namespace) -> list[Suite]:
    known = {w.name: w for suite in SUITES for w in suite.workloads}
    wanted = {w.name for w in named("workload", list(known.values()), arguments.workload)}
    found = []
    for suite in SUITES:
        names = wanted
        if arguments.check:
            names = wanted & set(suite.check)
        elif arguments.quick:
            names = wanted & set(suite.quick)
        workloads = tuple(w for w in suite.workloads if w.name in names)
        if workloads and (not arguments.only or suite.group in arguments.only):
            found.append(replace(suite, workloads=workloads))
    if not found:
        raise Failure("nothing is left to be measured")
    return found


def chosen_peers(arguments: argparse.Namespace, build: Path) -> list[Peer]:
    table = [*all_peers(build), *proxies(build)]
    if arguments.peer:
        return named("peer", table, arguments.peer)
    if arguments.check:
        return named("peer", table, list(CHECKED))
    return [peer for peer in table if peer.quick or not arguments.quick]


def prepare_settings(arguments: argparse.Namespace, workloads: list[Workload]) -> Settings:
    build = arguments.build.resolve()
    directory = build / ("bench/check" if arguments.check else "bench")
    if re.search(r"[^\w./+-]", str(directory)):
        raise Failure(f"{directory} has characters that configuration files may misread")
    certificate, key = make_certificate(directory / "tls")
    settings = Settings(
        build=build,
        directory=directory,
        certificate=certificate,
        key=key,
        assets=directory / "files/assets",
        documentation=directory / "files/documentation",
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        warm_up=not (arguments.quick or arguments.check),
        rate_max=CHECK_RATE if arguments.check else None,
    )
    write_assets(settings.assets, {w.file for w in workloads} & set(FILES))
    if any(workload.mixed for workload in workloads):
        copy_documentation(settings.documentation)
    # what this program does between the runs is kept off the servers' core
    os.sched_setaffinity(0, {cpu.choose_cores(1).load})
    return settings


def run(arguments: argparse.Namespace) -> None:
    started = time.monotonic()
    suites = chosen_suites(arguments)
    peers = chosen_peers(arguments, arguments.build.resolve())
    settings = prepare_settings(arguments, [w for suite in suites for w in suite.workloads])
    facts = describe(peers, arguments)
    introduce(facts)
    results: list[Result] = []
    care = []
    for runner, result in run_suites(suites, peers, settings):
        results.append(result)
        # at once, so that what comes later cannot lose it
        print("\n" + report.as_text(result) + "\n", flush=True)
        found = doubts(result, runner.stolen_s, runner.cores.shared)
        care.extend(f"{result.name}: {doubt}" for doubt in found)
    facts["seconds_in_all"] = round(time.monotonic() - started)
    facts["doubts"] = care
    reached = targets(results)
    path = settings.directory / "result.json"
    report.write_json(path, results, reached, facts)
    if reached:
        print("\n" + report.targets_text(reached))
    finish(facts, path)
    for plot in plots.draw(results, facts, settings.directory / "plots", arguments.publish):
        print(plot)


def run_cluster(arguments: argparse.Namespace) -> None:
    started = time.monotonic()
    settings = prepare_settings(arguments, named("workload", WORKLOADS, ["200, 1 KiB"]))
    facts = describe([p for p in nodes(settings.build, 0) if not p.app], arguments)
    introduce(facts)
    result, care, path = cluster.run(settings, arguments.workload or [], arguments.peer or [])
    facts["seconds_in_all"] = round(time.monotonic() - started)
    facts["doubts"] = care
    report.write_json(path, [result], [], facts)
    print("\n" + cluster.as_text(result))
    finish(facts, path)


def run_log(arguments: argparse.Namespace) -> None:
    started = time.monotonic()
    table = named("peer", logged(arguments.build.resolve()), arguments.peer)
    settings = prepare_settings(arguments, list(LOG_SUITE.workloads))
    facts = describe(table, arguments)
    introduce(facts)
    (runner, result), *_ = run_suites([LOG_SUITE], table, settings)
    facts["doubts"] = doubts(result, runner.stolen_s, runner.cores.shared)
    facts["seconds_in_all"] = round(time.monotonic() - started)
    path = settings.directory / "log.json"
    report.write_json(path, [result], [], facts)
    print("\n" + report.as_text(result))
    finish(facts, path)


def finish(facts: dict, path: Path) -> None:
    for doubt in facts["doubts"]:
        print(f"Take these figures with care: {doubt}.")
    print(f"\n{facts['seconds_in_all']} s in all; {path}")


def describe(peers: list[Peer], arguments: argparse.Namespace) -> dict[str, object]:
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": report.machine(),
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "versions": {
            product: next(p.version() for p in peers if p.product == product)
            for product in dict.fromkeys(peer.product for peer in peers)
        },
    }


def introduce(facts: dict) -> None:
    about = facts["machine"]
    print(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, {about['system']}")
    for product, version in facts["versions"].items():
        print(f"{product}: {version}")
    print(f"{facts['rounds']} rounds of {facts['seconds']} s")


def main() -> int:
    # an ended benchmark ends its servers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        arguments = read_arguments()
        if arguments.cluster:
            run_cluster(arguments)
        elif arguments.log:
            run_log(arguments)
        else:
            run(arguments)
    except Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
