"""A server under measurement: started on one core, asked for its processor time, ended."""

import signal
import socket
import subprocess
import time
from pathlib import Path

import cpu

START_S = 30
END_S = 20
SETTLE_S = 1
# what a server may use in 10 ms and still count as idle: its timers
IDLE_NS = 50_000


class Failure(Exception):
    """Something that makes the figures worthless; its text is for the terminal."""


class Server:
    def __init__(self, name: str, command: list[str], port: int, core: int, directory: Path):
        self.name = name
        self.port = port
        self._log = directory / "output.log"
        with open(self._log, "wb") as output:
            self._process = subprocess.Popen(
                ["taskset", "--cpu-list", str(core), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches the benchmark only, which then ends its servers
                start_new_session=True,
            )

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
