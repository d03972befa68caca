"""The servers whose requests are counted: those of bench/peers.py with the same configurations,
each in one process, which somebody else (valgrind) may start for us."""

import os
import subprocess
import time
from pathlib import Path

import cpu
import peers
from client import connect
from server import Failure, free_port
from site_files import make_certificate

START_S = 60
IDLE_S = 60
END_S = 20
# in 0.3 s, under valgrind
IDLE_NS = 5_000_000

OURS = ("h2o-breaker", "h2o-breaker-uv")


# those that the comparison is with
OTHERS = ("nginx, read", "nginx, sendfile", "h2o")


def table(build: Path) -> dict[str, peers.Peer]:
    known = {peer.name: peer for peer in peers.all_peers(build)}
    return {name: known[name] for name in (*OTHERS, *OURS)}


class Process:
    """A server from its start to its end, for use in a `with`."""

    def __init__(self, peer: peers.Peer, directory: Path, site: Path, starter: list[str]):
        self._name = peer.name
        self.port = free_port()
        # nobody asks for it, but nginx reads it whatever listens
        certificate, key = make_certificate(directory / "tls")
        place = peers.Place(directory, site, self.port, peers.H1, 1, certificate, key)
        command, environment = peer.configure(place)
        command = [*starter, *command]
        if peer.product == "nginx":
            command += ["-g", "master_process off;"]
        self._log = directory / "output.log"
        with open(self._log, "wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **environment},
            )
        self.pid = self._process.pid

    def __enter__(self) -> "Process":
        try:
            self._wait_until_listening()
            self._wait_until_idle()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_listening(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            self._check_alive()
            try:
                connect(self.port).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise Failure(f"{self._name} does not listen: {self._words()}") from None
                time.sleep(0.05)

    def _wait_until_idle(self) -> None:
        """Until the encodings are made, so that what is counted afterwards are requests."""
        deadline = time.monotonic() + IDLE_S
        before = cpu.time_of(self.pid)
        while True:
            time.sleep(0.3)
            self._check_alive()
            now = cpu.time_of(self.pid)
            if now.since(before).busy < IDLE_NS and now.since(before).waiting < IDLE_NS:
                return
            if time.monotonic() > deadline:
                raise Failure(f"{self._name} has work to do after {IDLE_S} s without a request")
            before = now

    def _check_alive(self) -> None:
        if self._process.poll() is not None:
            raise Failure(f"{self._name} ended with {self._process.returncode}: {self._words()}")

    def _words(self) -> str:
        return self._log.read_text(errors="replace").strip()[-2000:] or "it said nothing"
