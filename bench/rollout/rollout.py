"""Measures what visitors see of rolling deploys, in five ways to deploy. Run it through run.sh.

Every mode has a fleet of its own, one after the other: four nodes behind a real HAProxy, visitors
who load the page as browsers do, and the same course of deploys, rollbacks and a Redis outage.
"""

import argparse
import json
import os
import platform
import signal
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import course
import picture
import table
from faults import Faults
from fleet import NUM_NODES, Fleet
from modes import MODES, Mode
from network import Loopback, Namespaces
from nodes import Failure


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="sh bench/rollout/run.sh", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--build", type=Path, required=True, help=argparse.SUPPRESS)
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", action="store_true", help="five rollouts; under two minutes a mode"
    )
    size.add_argument("--long", action="store_true", help="50 deploys and 10 rollbacks")
    size.add_argument("--check", action="store_true", help="whether the benchmark itself works")
    parser.add_argument(
        "--mode",
        action="append",
        choices=[mode.letter for mode in MODES],
        help="only this mode (may be repeated)",
    )
    parser.add_argument(
        "--flavour",
        choices=("h2o-breaker", "h2o-breaker-uv"),
        default="h2o-breaker",
        help="the program that is measured",
    )
    parser.add_argument(
        "--faults", action="store_true", help="mode b alone, with a fault every second"
    )
    parser.add_argument("--seed", type=int, help="of the faults")
    parser.add_argument("--visitors", type=float, metavar="N", help="page loads a second")
    parser.add_argument(
        "--publish", action="store_true", help="write the README's plot into bench/plots/ as well"
    )
    parser.add_argument(
        "--faster",
        type=float,
        default=1,
        metavar="N",
        help="time between rollouts, and until lazy modules are imported, is an Nth",
    )
    parser.add_argument("--output", type=Path, help="the directory of the results")
    return parser.parse_args()


def scale_of(arguments: argparse.Namespace) -> course.Scale:
    scales = {"quick": course.QUICK, "long": course.LONG, "check": course.CHECK}
    chosen = [scale for name, scale in scales.items() if getattr(arguments, name)]
    scale = chosen[0] if chosen else course.NORMAL
    if arguments.visitors:
        scale = replace(scale, per_s=arguments.visitors)
    return scale.faster(arguments.faster)


def measure(mode: Mode, program: Path, scale: course.Scale, logs: Path) -> dict:
    print(f"({mode.letter}) {mode.title}", flush=True)
    with Fleet(mode, program) as fleet:
        outcome = course.run(fleet, scale, tell)
        fleet.copy_logs(logs / mode.letter)
    return {"letter": mode.letter, "title": mode.title, **asdict(outcome)}


def measure_with_faults(
    mode: Mode, program: Path, scale: course.Scale, logs: Path, seed: int
) -> dict:
    """Root has nodes in network namespaces, between which packets can be dropped."""
    is_root = os.getuid() == 0
    if not is_root:
        print("without root no packets are dropped and no archive is full", file=sys.stderr)
    network = Namespaces(NUM_NODES) if is_root else Loopback()
    print(f"({mode.letter}) {mode.title}, a fault every second, seed {seed}", flush=True)
    try:
        with Fleet(mode, program, network, has_small_archives=is_root) as fleet:
            record = logs / "failures.jsonl"
            record.unlink(missing_ok=True)
            outcome = course.run(fleet, scale, tell, Faults(fleet, seed), record)
            spells = [asdict(spell) for spell in fleet.timeline.spells()]
            fleet.copy_logs(logs / "faults")
    finally:
        network.close()
    title = f"{mode.title}, a fault every second"
    told = {"letter": mode.letter, "title": title, "seed": seed, "spells": spells}
    return {**told, **asdict(outcome)}


def tell(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    arguments = read_arguments()
    scale = scale_of(arguments)
    directory = arguments.output or arguments.build / "bench/rollout"
    directory.mkdir(parents=True, exist_ok=True)
    # so that the fleet is taken down
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [mode for mode in MODES if not arguments.mode or mode.letter in arguments.mode]
    program = arguments.build / "bin" / arguments.flavour
    try:
        if arguments.faults:
            seed = int(time.time()) if arguments.seed is None else arguments.seed
            held = next(mode for mode in MODES if mode.is_held)
            modes = [measure_with_faults(held, program, scale, directory, seed)]
        else:
            modes = [measure(mode, program, scale, directory) for mode in chosen]
    except Failure as failure:
        print(f"rollout: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    facts = {
        "date": time.strftime("%Y-%m-%d"),
        "kernel": platform.release(),
        "scale": asdict(scale),
        "modes": modes,
    }
    name = "faults" if arguments.faults else "result"
    (directory / f"{name}.json").write_text(json.dumps(facts, indent=1))
    text = f"{table.as_markdown(modes)}\n\n{table.explained(modes)}\n"
    (directory / f"{name}.txt").write_text(text)
    if not arguments.faults:
        picture.draw(facts, directory, arguments.publish)
    print(f"\nper 10,000 page loads:\n\n{text}")
    held = {mode.letter for mode in MODES if mode.is_held}
    num = sum(table.num_unexplained(mode) for mode in modes if mode["letter"] in held)
    if num != 0:
        print(f"rollout: {num} failures where releases were held are unexplained", file=sys.stderr)
    return 0 if num == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
