"""System calls a request, counted by strace on a server that runs already."""

import os
import signal
import subprocess
import time
from pathlib import Path

import peers
from client import Client, prepare
from wanted import Wanted
from server import Failure
from servers import OURS, Process

CONNECTIONS = 64
ROUNDS = 20
WARM_UP_ROUNDS = 2
ATTACH_S = 20


def count(
    peer: peers.Peer, directory: Path, site: Path, wanted: list[Wanted]
) -> dict[str, dict[str, float]]:
    """Calls by name for each request that the server is asked."""
    directory.mkdir(parents=True, exist_ok=True)
    found = {}
    with Process(peer, directory, site, []) as server:
        for request in wanted:
            if request.ours_only and peer.name not in OURS:
                continue
            prepared = prepare(server.port, request)
            with Client(server.port, server.pid, CONNECTIONS) as client:
                client.rounds(prepared, WARM_UP_ROUNDS)
                with Tracing(server.pid, directory / "strace.out") as tracing:
                    num = client.rounds(prepared, ROUNDS)
            found[request.name] = {name: calls / num for name, calls in tracing.calls.items()}
    return found


class Tracing:
    """strace on a process, all its threads, for use in a `with`."""

    def __init__(self, pid: int, out: Path):
        self._pid = pid
        self._out = out
        self.calls: dict[str, int] = {}

    def __enter__(self) -> "Tracing":
        self._strace = subprocess.Popen(
            ["strace", "-f", "-c", "-U", "calls,name", "-o", str(self._out), "-p", str(self._pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        deadline = time.monotonic() + ATTACH_S
        while not self._is_attached():
            if self._strace.poll() is not None or time.monotonic() > deadline:
                self._strace.kill()
                _, words = self._strace.communicate()
                raise Failure(f"strace cannot look at process {self._pid}: {words.strip()}")
            time.sleep(0.02)
        return self

    def __exit__(self, kind, *_) -> None:
        self._strace.send_signal(signal.SIGINT)
        self._strace.communicate()
        if kind is None:
            self.calls = _parse(self._out.read_text())

    def _is_attached(self) -> bool:
        tracer = f"TracerPid:\t{self._strace.pid}\n"
        try:
            return all(
                tracer in Path(f"/proc/{self._pid}/task/{thread}/status").read_text()
                for thread in os.listdir(f"/proc/{self._pid}/task")
            )
        except OSError:
            # a thread or the process ended meanwhile
            return False


def _parse(text: str) -> dict[str, int]:
    calls = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[0].isdigit() and words[1] != "total":
            calls[words[1]] = int(words[0])
    return calls
