"""Counts instructions in user space by valgrind's callgrind, and tells where they were spent."""

import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from server import Failure

NAME = re.compile(r"\((\d+)\)(?: (.*))?")
# callgrind numbers the levels of a recursion
LEVEL = re.compile(r"'\d+$")


@dataclass(frozen=True)
class Place:
    """A function, in the file it came from: a program or a shared library."""

    object: str
    function: str


# instructions that each function spent itself
Costs = Counter[Place]


class Names:
    """callgrind writes a name once, with a number, and the number from then on."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def read(self, text: str) -> str:
        match = NAME.fullmatch(text)
        if match is None:
            return text
        if match[2] is not None:
            self._names[match[1]] = match[2]
        return self._names[match[1]]


def parse(path: Path) -> Costs:
    """The costs in one dump, whose sum has to be what the dump says it is."""
    objects, functions = Names(), Names()
    costs: Costs = Counter()
    place = Place("", "")
    total = None
    is_call = False
    for line in path.read_text(errors="replace").splitlines():
        key, equals, value = line.partition("=")
        if key == "ob":
            place = Place(objects.read(value), place.function)
        elif key == "cob":
            objects.read(value)
        elif key == "fn":
            place = Place(place.object, LEVEL.sub("", functions.read(value)))
        elif key == "cfn":
            functions.read(value)
        elif key == "calls":
            is_call = True
        elif not equals and line[:1] in "0123456789+-*" and line:
            # what a call cost is in the function that was called already
            if not is_call:
                costs[place] += int(line.split()[1])
            is_call = False
        elif line.startswith("totals:"):
            total = int(line.split()[1])
    if sum(costs.values()) != total:
        raise Failure(f"{path}: {sum(costs.values())} instructions, not {total}")
    return costs


def command(out: Path) -> list[str]:
    return ["valgrind", "--tool=callgrind", "-q", f"--callgrind-out-file={out}"]


class Counting:
    """A process under callgrind, whose dumps are `out`.1, `out`.2, and so on."""

    def __init__(self, pid: int, out: Path):
        self._pid = pid
        self._out = out
        self._dumps = 0

    def take(self) -> Costs:
        """What was spent since the last time. The process must be idle, and keeps waiting."""
        done = subprocess.run(
            ["callgrind_control", "--dump", str(self._pid)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self._dumps += 1
        path = self._out.with_name(f"{self._out.name}.{self._dumps}")
        if done.returncode != 0 or not path.exists():
            raise Failure(f"callgrind_control: {done.stdout.strip()}")
        costs = parse(path)
        path.unlink()
        return costs


@dataclass(frozen=True)
class Profile:
    """Instructions a request: altogether, an object, and a function."""

    total: float
    objects: dict[str, float]
    functions: list[tuple[str, str, float]]


def profile(costs: Costs, requests: int, num_functions: int) -> Profile:
    objects: Counter[str] = Counter()
    for place, cost in costs.items():
        objects[short(place.object)] += cost
    return Profile(
        sum(costs.values()) / requests,
        {name: cost / requests for name, cost in objects.most_common() if cost},
        [
            (short(place.object), place.function, cost / requests)
            for place, cost in costs.most_common(num_functions)
        ],
    )


def short(path: str) -> str:
    """ "libc.so.6" is libc, "libh2o-evloop.so.0.13.6" is libh2o-evloop."""
    name = path.rsplit("/", 1)[-1].partition(".so")[0]
    return "ld.so" if name.startswith("ld-linux") else name or "unknown"
