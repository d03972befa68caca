"""A server under measurement: started on its cores, asked for its time and memory, ended."""

import copy
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import cpu

START_S = 30
END_S = 20
SETTLE_S = 1
QUIET_S = 300
# what a server may use in 10 ms and still count as idle: its timers
IDLE_NS = 50_000
# and in the quarter of a second after which it counts as having finished its preparations
QUIET_NS = 2_500_000


# how long h2o-breaker may take for the encodings of what is measured, under valgrind too
ENCODING_S = 180


def until_settled(ask: Callable[[], list]) -> list:
    """Asks until no answer is one whose encodings are still to be made: its head is another one
    afterwards, and of another length."""
    deadline = time.monotonic() + ENCODING_S
    answers = ask()
    while any(map(_is_early, answers)):
        if time.monotonic() > deadline:
            raise Failure("the encodings are not made in time")
        time.sleep(0.1)
        answers = ask()
    return answers


def _is_early(answer) -> bool:
    return (
        answer.status in (200, 206, 304)
        and answer.headers.get("cache-control") == "public, max-age=60"
    )


class Failure(Exception):
    """Something that makes the figures worthless; its text is for the terminal."""


class Loss(Failure):
    """What came back under load were not all the right answers."""


def check_known(what: str, known: list[str], names: list[str]) -> None:
    """Fails when somebody asked for a name that is in no table."""
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise Failure(f"no such {what}: {', '.join(unknown)}; there are {'; '.join(known)}")


class Server:
    def __init__(
        self,
        name: str,
        command: list[str],
        port: int,
        cores: list[int],
        directory: Path,
        environment: dict[str, str] | None = None,
    ):
        self.name = name
        self.port = port
        self._log = directory / "output.log"
        with open(self._log, "wb") as output:
            self._process = subprocess.Popen(
                ["taskset", "--cpu-list", ",".join(map(str, cores)), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                # Ctrl-C reaches the benchmark only, which then ends its servers
                start_new_session=True,
            )

    def at_port(self, port: int) -> "Server":
        """The same process, seen at another port of it."""
        view = copy.copy(self)
        view.port = port
        return view

    def wait_until_listening(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            self.check_alive()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise Failure(f"{self.name} does not listen: {self._words()}") from None
                time.sleep(0.02)

    def wait_until_quiet(self) -> None:
        """Returns when what it does in the background after its start (encodings) is done."""
        deadline = time.monotonic() + QUIET_S
        before = cpu.time_of(self._process.pid)
        while True:
            time.sleep(0.25)
            now = cpu.time_of(self._process.pid)
            if now.since(before).busy < QUIET_NS:
                return
            if time.monotonic() > deadline:
                raise Failure(f"{self.name} is still busy {QUIET_S} s after its start")
            before = now

    def time_when_idle(self) -> cpu.Time:
        """Its time once the connections of the last run are taken down."""
        deadline = time.monotonic() + SETTLE_S
        now = cpu.time_of(self._process.pid)
        while time.monotonic() < deadline:
            time.sleep(0.01)
            before, now = now, cpu.time_of(self._process.pid)
            if now.since(before).busy < IDLE_NS:
                break
        return now

    def memory_bytes(self) -> int:
        """Its proportional set size: what is shared with others counts for its share."""
        return cpu.memory_of(self._process.pid)

    def check_alive(self) -> None:
        if self._process.poll() is not None:
            raise Failure(f"{self.name} ended with {self._process.returncode}: {self._words()}")

    def end(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGKILL):
            self._process.send_signal(signum)
            try:
                self._process.wait(END_S)
                return
            except subprocess.TimeoutExpired:
                continue

    def _words(self) -> str:
        return self._log.read_text(errors="replace").strip()[-2000:] or "it said nothing"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
