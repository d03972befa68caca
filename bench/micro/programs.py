"""Runs the C programs of this directory: once by themselves for the time, and those that do one
thing over and over once more under callgrind for the instructions."""

import json
import re
import subprocess
from pathlib import Path

import callgrind
from server import Failure

# measure.h: MEASURE_COUNTED
OPERATIONS = 256
COUNTED = ("classify", "store")
TIMED_ONLY = ("refresh", "load")
TRIGGER = re.compile(r"^desc: Trigger: Client Request: (.*)$", re.M)
TOTALS = re.compile(r"^totals: (\d+)$", re.M)


def run(build: Path, directory: Path) -> dict[str, dict]:
    """Every case by its name."""
    directory.mkdir(parents=True, exist_ok=True)
    cases: dict[str, dict] = {}
    for name in (*COUNTED, *TIMED_ONLY):
        program = build / "bin" / f"micro-{name}"
        found = [json.loads(line) for line in _output([str(program)]).splitlines()]
        cases |= {case.pop("case"): case for case in found}
    for name in COUNTED:
        for case, instructions in _instructions(build / "bin" / f"micro-{name}", directory):
            cases[case]["instructions"] = instructions
    without = [name for name, case in cases.items() if _lacks_instructions(name, case)]
    if without:
        raise Failure(f"no instructions were counted for {', '.join(without[:3])}")
    return cases


def _lacks_instructions(name: str, case: dict) -> bool:
    return "allocations" in case and "instructions" not in case


def _instructions(program: Path, directory: Path):
    out = directory / f"{program.name}.out"
    for stale in directory.glob(f"{out.name}*"):
        stale.unlink()
    _output([*callgrind.command(out), "--instr-atstart=no", str(program)])
    for path in directory.glob(f"{out.name}*"):
        text = path.read_text()
        trigger, totals = TRIGGER.search(text), TOTALS.search(text)
        # the one at the program's end has no name
        if trigger and totals:
            yield trigger[1], int(totals[1]) / OPERATIONS
        path.unlink()


def _output(command: list[str]) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise Failure(f"{command[-1]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
