"""What parts of h2o-breaker cost, and its whole requests in instructions and system calls.

README.md says what the figures mean. Run by bench/run.sh --micro; the CTest bench/instructions runs
it with --check.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import baseline  # noqa: E402
import calls  # noqa: E402
import http2  # noqa: E402
import instructions  # noqa: E402
import programs  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402
import tables  # noqa: E402
from callgrind import Profile  # noqa: E402
from wanted import REQUESTS, write_site  # noqa: E402
from server import Failure  # noqa: E402

SECTIONS = ("programs", "instructions", "http2", "calls")
# There a request pays for a whole turn of the server's loop as well.
CONNECTIONS_OF_CHECK = (1,)
# Where the machine is busy a second has fewer requests to share what is done once in it. Counted
# again, what is really dearer stays so.
TRIES_OF_CHECK = 4
# what CTest takes for "skipped"
SKIPPED = 77

Profiles = dict[str, dict[str, dict[int, Profile]]]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run.sh --micro", description=__doc__)
    parser.add_argument("--micro", action="store_true", help=argparse.SUPPRESS)
    # the next two are for run.sh to give, and --check is for CTest
    parser.add_argument("--build", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only", action="append", choices=SECTIONS, help="a section; may be repeated")
    parser.add_argument("--peer", action="append", metavar="NAME", help="a server; may be repeated")
    parser.add_argument("--functions", type=int, default=10, metavar="N", help="how many costliest functions")
    parser.add_argument(
        "--update-baseline", action="store_true", help="write instructions.json, count nothing else"
    )
    return parser.parse_args()


def chosen_peers(arguments: argparse.Namespace, names: list[str]) -> list[str]:
    unknown = set(arguments.peer or []) - set(names)
    if unknown:
        raise Failure(f"no server {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return [name for name in names if not arguments.peer or name in arguments.peer]


def count_each(arguments: argparse.Namespace, names: list[str], what: str, count) -> dict:
    """What `count(peer, directory, site)` finds of each server."""
    directory = arguments.build / "micro"
    site = directory / "site"
    write_site(site)
    known = servers.table(arguments.build)
    found = {}
    for name in names:
        print(f"counting {what}: {name}", flush=True)
        found[name] = count(known[name], directory / name.replace(", ", "-"), site)
    return found


def count_instructions(arguments: argparse.Namespace, names: list[str], **options) -> Profiles:
    """`options` are those of `instructions.count`."""
    wanted = [request for request in REQUESTS if request.watched or not arguments.check]
    return count_each(
        arguments,
        names,
        "instructions",
        lambda peer, directory, site: instructions.count(peer, directory, site, wanted, **options),
    )


def count_http2(
    arguments: argparse.Namespace, names: list[str]
) -> dict[str, dict[str, Profile]]:
    return count_each(
        arguments,
        names,
        "instructions over HTTP/2",
        lambda peer, directory, site: http2.count(
            peer, directory, site, REQUESTS, arguments.functions
        ),
    )


def count_calls(arguments: argparse.Namespace, names: list[str]) -> dict:
    return count_each(
        arguments,
        names,
        "system calls",
        lambda peer, directory, site: calls.count(peer, directory, site, REQUESTS),
    )


def totals(profiles: Profiles) -> baseline.Counts:
    return {
        server: {
            request: {str(num): profile.total for num, profile in by_connections.items()}
            for request, by_connections in requests.items()
        }
        for server, requests in profiles.items()
    }


def lowest(some: baseline.Counts, others: baseline.Counts) -> baseline.Counts:
    """Of two counts of the same the lower one: what a server does once a second only adds."""
    return {
        server: {
            request: {
                num: min(count, some.get(server, {}).get(request, {}).get(num, count))
                for num, count in by_connections.items()
            }
            for request, by_connections in requests.items()
        }
        for server, requests in others.items()
    }


def check(arguments: argparse.Namespace) -> int:
    """Compares the most frequent requests with the baseline; its result is the exit status."""
    others = baseline.differences_of_versions(arguments.build)
    if others:
        print("nothing to compare with:", *others, sep="\n  ")
        return SKIPPED
    counts: baseline.Counts = {}
    for _ in range(TRIES_OF_CHECK):
        profiles = count_instructions(
            arguments,
            list(servers.OURS),
            connections=CONNECTIONS_OF_CHECK,
        )
        counts = lowest(counts, totals(profiles))
        found = baseline.differences(arguments.build, counts)
        if all(one.per_cent <= baseline.MARGIN for one in found):
            break
    if not found:
        raise Failure("the baseline has none of the requests")
    too_many = [one for one in found if one.per_cent > baseline.MARGIN]
    for one in found:
        print(one, "← too many" if one in too_many else "")
    if any(one.per_cent < -baseline.MARGIN for one in found):
        print("cheaper than the baseline: sh bench/run.sh --micro --update-baseline")
    return 1 if too_many else 0


def run(arguments: argparse.Namespace) -> None:
    sections = arguments.only or SECTIONS
    names = chosen_peers(arguments, list(servers.table(arguments.build)))
    document: dict[str, object] = {
        "machine": report.machine(),
        "versions": baseline.versions(arguments.build),
        "servers": {name: servers.table(arguments.build)[name].version() for name in names},
    }
    if "programs" in sections:
        print("measuring parts of lib/", flush=True)
        cases = programs.run(arguments.build, arguments.build / "micro")
        document["programs"] = cases
        print("\n" + tables.of_programs(cases) + "\n")
    if "instructions" in sections:
        profiles = count_instructions(arguments, names, num_functions=arguments.functions)
        document["instructions"] = {
            server: {
                request: {str(num): asdict(profile) for num, profile in by_connections.items()}
                for request, by_connections in requests.items()
            }
            for server, requests in profiles.items()
        }
        print("\n" + tables.of_instructions(profiles, instructions.CONNECTIONS) + "\n")
        print(tables.of_differences(arguments.build, totals(profiles)) + "\n")
    if "http2" in sections:
        counts = count_http2(arguments, [name for name in names if name in http2.SERVERS])
        document["http2"] = {
            server: {request: asdict(profile) for request, profile in of.items()}
            for server, of in counts.items()
        }
        print("\n" + tables.of_http2(counts) + "\n")
    if "calls" in sections:
        counted = count_calls(arguments, names)
        document["calls"] = counted
        print("\n" + tables.of_calls(counted, calls.CONNECTIONS) + "\n")
    out = arguments.out or arguments.build / "bench" / "micro.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=1) + "\n")
    print(f"everything is in {out}")


def main() -> int:
    arguments = parse_arguments()
    arguments.build = arguments.build.resolve()
    try:
        if arguments.check:
            return check(arguments)
        if arguments.update_baseline:
            profiles = count_instructions(arguments, list(servers.OURS))
            baseline.update(arguments.build, totals(profiles))
            print(f"{baseline.FILE} has the counts of builds of this type")
        else:
            run(arguments)
    except Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
