"""Two fleets of four nodes each, under load, are given one release after another at the same time:
one with the plain rules, one that holds releases. A line a second says what their visitors saw. Run
it through deploy/rollout.sh.
"""

import argparse
import contextlib
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from audience import Audience
from fleet import PLAIN, Fleet
from modes import MODES
from nodes import Failure

PACE_S = 2.0
BETWEEN_S = 4.0
LAZY_WITHIN_S = 10.0
WIDTH = 24


class Side:
    """A fleet, its visitors, and the thread that deploys to it."""

    def __init__(self, letter: str, program: Path, visitors: float) -> None:
        mode = next(mode for mode in MODES if mode.letter == letter)
        self.title = mode.title.partition(", ")[2]
        self.fleet = Fleet(mode, program)
        self._visitors = visitors
        self._thread: threading.Thread | None = None
        self.audience: Audience | None = None
        self.error: Failure | None = None

    def start(self, stack: contextlib.ExitStack) -> None:
        stack.enter_context(self.fleet)
        ports = {PLAIN: self.fleet.ports[PLAIN]}
        self.audience = Audience(ports, self._visitors, False, LAZY_WITHIN_S, self.fleet.timeline)
        stack.callback(self.audience.close)

    def deploy(self, stack: contextlib.ExitStack, num: int) -> None:
        """Deploys so many releases, and at last the one before again, in a thread."""
        self._thread = threading.Thread(target=self._run, args=(num,))
        stack.callback(self.end)
        self._thread.start()

    def _run(self, num: int) -> None:
        try:
            for at in range(num + 1):
                self.fleet.roll(self.fleet.next_deploy(at == num), PACE_S)
                if self.fleet.ended.wait(BETWEEN_S):
                    return
        except Failure as failure:
            self.error = failure

    def is_deploying(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def end(self) -> None:
        self.fleet.ended.set()
        if self._thread is not None:
            self._thread.join()

    def counts(self) -> str:
        assert self.audience is not None
        found = self.audience.counts().get(PLAIN)
        if found is None:
            return "-"
        failed = found["failed_assets"] + found["failed_pages"]
        return f"{found['loads']:6,} {failed:7,} {found['wrong_assets']:7,}"


def positive(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError("1 to 1000")
    return value


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sh deploy/rollout.sh")
    parser.add_argument("--build", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--deploys", type=positive, default=4, help="deploys, before a rollback")
    parser.add_argument("--visitors", type=positive, default=8, help="page loads a second, each")
    return parser.parse_args()


def introduce(sides: list[Side]) -> None:
    for side in sides:
        print(f"\nFour nodes, {side.title}: http://127.0.0.1:{side.fleet.ports[PLAIN]}/ (HAProxy)")
        print("  " + "  ".join(f"{node.name} {node.url}/" for node in side.fleet.nodes))
    titles = "   ".join(f"{side.title:<{WIDTH}}" for side in sides)
    heads = "   ".join(f"{'loads':>6} {'failed':>7} {'wrong':>7}  " for _ in sides)
    print(
        "\nBoth get the same releases, a node after the other, while visitors load a page with 25\n"
        "assets that import each other. Failed: pages and assets that did not come; wrong: assets\n"
        "with other bytes than those of the release that made the page. Ctrl-C ends it.\n"
    )
    print(f"{'':33}{titles}\n{'':33}{heads}", flush=True)


def watch(sides: list[Side]) -> None:
    """A line a second until both have all releases."""
    began_s = time.monotonic()
    while any(side.is_deploying() for side in sides):
        time.sleep(1)
        took_s = time.monotonic() - began_s
        story = sides[-1].fleet.story
        counts = "   ".join(f"{side.counts():<{WIDTH}}" for side in sides)
        print(f"{took_s:6.0f} s  {story:<22}  {counts}", flush=True)
        for side in sides:
            assert side.audience is not None
            side.audience.check()
            if side.error is not None:
                raise side.error


def conclude(sides: list[Side]) -> None:
    """Waits for the last visits and says what failed, and why."""
    print("\nThe last visitors import what they still need …", flush=True)
    for side in sides:
        assert side.audience is not None
        figures = side.audience.finish()[PLAIN]
        print(
            f"\n{side.title}: {figures['loads']:,} page loads, {figures['failed_loads']:,} of them"
            f" failed, {figures['wrong_loads']:,} with bytes of another release"
        )
        for what, count in Counter(figures["explained"]).most_common(5):
            print(f"  {count:6,}  {what}")


def main() -> int:
    arguments = read_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    program = arguments.build / "bin/h2o-breaker"
    try:
        with contextlib.ExitStack() as stack:
            sides = []
            for letter in "ab":
                side = Side(letter, program, arguments.visitors)
                side.start(stack)
                sides.append(side)
            introduce(sides)
            for side in sides:
                side.deploy(stack, arguments.deploys)
            watch(sides)
            conclude(sides)
    except Failure as failure:
        print(f"rollout: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nended", flush=True)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
