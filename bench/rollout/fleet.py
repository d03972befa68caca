"""Four nodes, a Redis where they need one, and an HAProxy without stickiness in front of them.

HAProxy is there twice in one process: as it comes (a connection that fails is tried at another
node), and with 503 and empty answers tried at another node as well. Both have the same nodes and
see the same deploys.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType

from modes import Deploy, Mode
from network import LOOPBACK, Loopback, Namespaces
from nodes import BreakerNode, Failure, NginxNode, Node, Process, answers
from timeline import RESTARTING, Timeline

NUM_NODES = 4
# of an archive that shall be filled
ARCHIVE_SIZE = "64m"
# how the balancers are called wherever figures are told apart
PLAIN, RETRYING = "plain", "retrying"

_HAPROXY = """\
global
    maxconn 4000
    nbthread 1
defaults
    mode http
    maxconn 2000
    timeout connect 1s
    timeout client 30s
    timeout server 5s
    timeout http-keep-alive 5s
    timeout check 1s
    retries 3
    option redispatch 1
    balance roundrobin
    option httpchk GET {health}
    default-server check inter 200ms fall 2 rise 1
"""
_LISTEN = """
listen {name}
    bind 127.0.0.1:{port}
    # so that a failure can be told which node it came from, and whether that said anything itself
    http-response set-header x-answered yes
    http-after-response set-header x-server %s
{rules}{servers}
"""
_RETRY = "    retry-on conn-failure empty-response 503\n"


def free_ports(num: int) -> list[int]:
    """Loopback ports that nobody listens on, below the range of ephemeral ones."""
    found: list[int] = []
    with contextlib.ExitStack() as probes:
        for port in range(20000 + os.getpid() * 13 % 10000, 32700):
            probe = probes.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            found.append(port)
            if len(found) == num:
                return found
    raise Failure("no free ports")


class Redis:
    """One without persistence: when it comes back it is empty."""

    def __init__(self, host: str, port: int, directory: Path) -> None:
        self.address = f"{host}:{port}"
        self._host = host
        self._port = port
        self._directory = directory
        self._process: Process | None = None

    def start(self) -> None:
        words = f"--bind {self._host} --port {self._port} --protected-mode no --appendonly no"
        command = ["redis-server", *words.split(), "--save", "", "--dir", str(self._directory)]
        self._process = Process("redis-server", command, self._directory / "redis.log")
        deadline_s = time.monotonic() + 20
        while not self._listens():
            if not self._process.is_alive() or time.monotonic() > deadline_s:
                raise self._process.fail("did not start")
            time.sleep(0.01)

    def _listens(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex((self._host, self._port)) == 0

    def kill(self) -> None:
        if self._process is not None:
            self._process.end(signal.SIGKILL)
            self._process = None


class Fleet:
    """Use it as a context: it is there from the first line of the body, and goes with the last."""

    def __init__(
        self,
        mode: Mode,
        program: Path,
        network: Loopback | Namespaces | None = None,
        has_small_archives: bool = False,
    ) -> None:
        self.mode = mode
        self.has_small_archives = has_small_archives
        self.timeline = Timeline()
        self.network = network or Loopback()
        self._scratch = tempfile.TemporaryDirectory(prefix="breaker-rollout-")
        self.directory = Path(self._scratch.name)
        self.directory.chmod(0o755)
        (self.directory / "sites").mkdir()
        ports = free_ports(NUM_NODES + 3)
        self.redis = Redis(self.network.hub, ports.pop(), self.directory)
        self.ports = {PLAIN: ports.pop(), RETRYING: ports.pop()}
        self.nodes = [self._make_node(at, port, program) for at, port in enumerate(ports)]
        self._haproxy: Process | None = None
        self._mounted: list[Path] = []
        # set by another thread to end a rollout after the node that is under way
        self.ended = threading.Event()
        # what is happening, for whoever watches
        self.story = ""
        self.deploys: list[Deploy] = []

    def _make_node(self, at: int, port: int, program: Path) -> Node:
        name = f"n{at + 1}"
        place = (
            name,
            self.network.host(at),
            port,
            self.directory / name,
            self.network.prefix(at),
        )
        sites = self.directory / "sites"
        if self.mode.is_hashed:
            return NginxNode(self.mode, sites, *place)
        return BreakerNode(self.mode, program, sites, self.redis.address, *place)

    def __enter__(self) -> "Fleet":
        try:
            if self.has_small_archives:
                for node in self.nodes:
                    self._mount(node.directory / "archive")
            if not self.mode.is_hashed:
                self.redis.start()
            first = Deploy(0, 0)
            for node in self.nodes:
                self._take(node, first)
            self.deploys.append(first)
            self._start_haproxy()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _mount(self, place: Path) -> None:
        place.mkdir()
        words = ["-t", "tmpfs", "-o", f"size={ARCHIVE_SIZE}", "tmpfs", str(place)]
        subprocess.run(["mount", *words], check=True)
        self._mounted.append(place)

    def _start_haproxy(self) -> None:
        servers = "".join(f"    server {n.name} {n.host}:{n.port}\n" for n in self.nodes)
        text = _HAPROXY.format(health=self.nodes[0].health)
        for name, port in self.ports.items():
            rules = _RETRY if name == RETRYING else ""
            text += _LISTEN.format(name=name, port=port, rules=rules, servers=servers)
        config = self.directory / "haproxy.cfg"
        config.write_text(text)
        self._haproxy = Process(
            "haproxy", ["haproxy", "-db", "-f", str(config)], self.directory / "haproxy.log"
        )
        for port in self.ports.values():
            self._haproxy.wait_until_answers(f"http://{LOOPBACK}:{port}/")

    def _take(self, node: Node, deploy: Deploy) -> None:
        with node.lock:
            if not self.mode.is_hashed:
                self.timeline.note(node.name, None)
            node.take(deploy)
            if not self.mode.is_hashed:
                self.timeline.note_spell(RESTARTING, node.gone_s, node.name)
            self.timeline.note(node.name, deploy.number)

    def roll(self, deploy: Deploy, pace_s: float) -> None:
        """Brings a release to one node after another, a node every `pace_s` seconds at most."""
        self.deploys.append(deploy)
        if self.mode.has_two_phases:
            for node in self.nodes:
                node.prepare(deploy)
        for node in self.nodes:
            due_s = time.monotonic() + pace_s
            self.story = f"{node.name} gets release {deploy.number}"
            self._take(node, deploy)
            if self.ended.wait(max(0, due_s - time.monotonic())):
                return
        self.story = f"all have release {deploy.number}"

    def next_deploy(self, is_rollback: bool) -> Deploy:
        """A release that was never there, or the one before the current one."""
        index = len(self.deploys)
        if is_rollback:
            current = self.deploys[-1].number
            earlier = [each.number for each in self.deploys if each.number != current]
            return Deploy(index, earlier[-1], True)
        return Deploy(index, 1 + max(each.number for each in self.deploys))

    def is_whole(self) -> bool:
        """Whether every node is ready."""
        return all(answers(node.url + node.health) for node in self.nodes)

    def copy_logs(self, directory: Path) -> None:
        """What nodes and balancer said."""
        directory.mkdir(parents=True, exist_ok=True)
        for log in [*self.directory.glob("*/output.log"), self.directory / "haproxy.log"]:
            name = log.name if log.parent == self.directory else f"{log.parent.name}.log"
            shutil.copy(log, directory / name)

    def close(self) -> None:
        if self._haproxy is not None:
            self._haproxy.end()
        for node in self.nodes:
            node.end(signal.SIGTERM)
        self.redis.kill()
        for place in self._mounted:
            subprocess.run(["umount", str(place)], check=True)
        self._mounted.clear()
        self._scratch.cleanup()
