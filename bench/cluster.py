"""What --cluster measures: its workloads, its Redis, the token that moves, its rounds.

The nodes are real ones, the Redis is real, and the token moves as it does in a cluster: somebody
of the same release asserts a newer one through lib/cluster/agree.lua, and the node finds it at its
next poll.
"""

import contextlib
import re
import socket
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cpu
import report
from ask import Request, ask, prepare
from figures import Result, Sample, doubts
from load import Load, run_load
from peers import RELEASE, Peer, Place, nodes
from runner import Settings, measure, start
from server import Failure, Server, check_known, free_port
from workloads import OLDER, Answer, Workload, is_asset, is_redirect, is_same_bytes

SCRIPT = Path(__file__).resolve().parent.parent / "lib/cluster/agree.lua"
MOVES_PER_S = 10
FOLLOW_S = 10
DEAD_AFTER_MS = 30000


class Redis:
    """A connection to Redis that says what a node of the release would say."""

    def __init__(self, port: int):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._reader = self._socket.makefile("rb")
        self._script = SCRIPT.read_text()
        self._order = 0

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def assert_newer_token(self, app: str) -> str:
        """Puts a token of this moment, above all before it, into the ledger of an application."""
        self._order = max(self._order + 1, time.time_ns() // 1_000_000)
        keys = (f"{{{app}}}:breaker", f"{{{app}}}:breaker:nodes")
        own = (RELEASE, "-", "", "settle", "", "", str(self._order), str(DEAD_AFTER_MS), "", "")
        token = f"{self._order:012d}"
        self._command("EVAL", self._script, "2", *keys, *own, f"{self._order} {token} {RELEASE}")
        return token

    def _command(self, *words: str) -> None:
        parts = [b"*%d\r\n" % len(words)]
        for word in (word.encode() for word in words):
            parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self._socket.sendall(b"".join(parts))
        self._read_reply()

    def _read_reply(self) -> None:
        """Reads one reply to its end; only errors are of interest."""
        line = self._reader.readline()
        if line[:1] == b"-" or not line:
            raise Failure(f"redis-server: {line.decode(errors='replace').strip() or 'hung up'}")
        if line[:1] == b"*":
            for _ in range(int(line[1:])):
                self._read_reply()
        elif line[:1] == b"$" and int(line[1:]) >= 0:
            self._reader.read(int(line[1:]) + 2)


def redis_command(port: int) -> list[str]:
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port)]
    return [*command, "--save", "", "--appendonly", "no"]


def _older(server: Server) -> Answer:
    return ask(server, f"/static/{OLDER}/app-1k.js", "", times=1)[0]


def token_of(server: Server) -> str:
    """The token that a node redirects to now."""
    answer = _older(server)
    found = re.fullmatch(r"\.\./(\d+)/app-1k\.js", answer.headers.get("location", ""))
    if answer.status != 301 or not found:
        raise Failure(f"{server.name} answers {answer.status} to an older token, not 301")
    return found[1]


def join(redis_port: int, peer: Peer, server: Server) -> None:
    """Returns when a node has taken over a token from Redis."""
    redis = Redis(redis_port)
    token = redis.assert_newer_token(peer.app)
    redis.close()
    deadline = time.monotonic() + FOLLOW_S
    while _older(server).headers.get("location") != f"../{token}/app-1k.js":
        if time.monotonic() > deadline:
            raise Failure(f"{server.name} does not take over the token of its cluster")
        time.sleep(0.05)


def workloads_at(token: str, site: Path) -> list[Workload]:
    """The workloads of a node that has this token when it is checked."""
    name = "app-1k.js"
    return [
        Workload(
            "200, followed",
            f"/static/{token}/{name}",
            200,
            is_asset(name),
            followed=site / name,
        ),
        Workload(
            "301",
            f"/static/{OLDER}/{name}?v=1",
            301,
            is_redirect(f"/static/{OLDER}/{name}?v=1", f"/static/{token}/{name}?v=1"),
        ),
        Workload("outside the view", f"/{name}", 200, outside(name)),
    ]


def outside(name: str):
    def check(answer: Answer) -> list[str]:
        wrong = is_same_bytes(name, answer)
        if "immutable" in answer.headers.get("cache-control", ""):
            wrong.append("the view answered, not the next handler")
        return wrong

    return check


class Mover:
    """Moves a node's token while the `with` lasts, and watches that the node follows."""

    def __init__(self, redis_port: int, peer: Peer, server: Server):
        self._redis_port = redis_port
        self._app = peer.app
        self._server = server
        self.moves = self.changes = 0
        self.seconds = 0.0
        self._error: Exception | None = None
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Mover":
        self._started = time.monotonic()
        self._thread.start()
        deadline = self._started + FOLLOW_S
        while self.changes == 0 and self._error is None and time.monotonic() < deadline:
            time.sleep(0.01)
        return self

    def __exit__(self, kind, *_) -> None:
        self._ends.set()
        self._thread.join()
        self.seconds = time.monotonic() - self._started
        if kind is not None:
            return
        if self._error is not None:
            raise Failure(f"{self._server.name}: the token cannot be moved: {self._error}")
        if self.changes * 2 < self.moves:
            story = f"{self.changes} changes were seen of {self.moves}"
            raise Failure(f"{self._server.name} does not follow the token: {story}")

    def _run(self) -> None:
        try:
            redis = Redis(self._redis_port)
            seen, due = token_of(self._server), time.monotonic()
            while not self._ends.wait(max(0.0, due - time.monotonic())):
                # what was late is not made up for in a burst, of which the node sees only the end
                due = max(due + 1 / MOVES_PER_S, time.monotonic() + 0.9 / MOVES_PER_S)
                before, seen = seen, token_of(self._server)
                self.changes += seen != before
                redis.assert_newer_token(self._app)
                self.moves += 1
            redis.close()
        except (Failure, OSError, ValueError) as error:
            self._error = error


@dataclass(frozen=True)
class Node:
    """A node with what it is asked, checked beforehand."""

    peer: Peer
    server: Server
    requests: list[Request]


def run(settings: Settings, names: list[str], peers: list[str]) -> tuple[Result, list[str], Path]:
    """Measures the nodes: what was found, what speaks against it, where it was written.

    `names` and `peers` narrow it down to some workloads and nodes; empty means all of them.
    """
    cores = cpu.choose_cores(1)
    redis_port = free_port()
    load = Load(seconds=settings.seconds, core=cores.load)
    table = nodes(settings.build, redis_port)
    check_known("node", [peer.name for peer in table], peers)
    table = [peer for peer in table if not peers or peer.name in peers]
    with contextlib.ExitStack() as stack:
        _start_redis(stack, settings, redis_port, cores)
        targets = []
        for peer in table:
            server = start(peer, _place(settings, peer), cores.servers)
            stack.callback(server.end)
            targets.append((peer, server))
        found = [_prepare(peer, server, settings, redis_port, names) for peer, server in targets]
        stolen_before_s = sum(map(cpu.stolen_s, cores.servers))
        workloads = [request.workload for request in found[0].requests]
        result = Result("cluster", "A node alone and in a cluster", table, workloads)
        result.samples = _rounds(found, settings, load, redis_port)
        stolen_s = sum(map(cpu.stolen_s, cores.servers)) - stolen_before_s
    path = settings.directory / "cluster.json"
    return result, doubts(result, stolen_s, cores.shared), path


def _start_redis(
    stack: contextlib.ExitStack, settings: Settings, port: int, cores: cpu.Cores
) -> None:
    own = settings.directory / "servers/redis"
    own.mkdir(parents=True, exist_ok=True)
    redis = Server("redis-server", redis_command(port), port, [cores.load], own)
    stack.callback(redis.end)
    redis.wait_until_listening()


def _place(settings: Settings, peer: Peer) -> Place:
    return Place(
        directory=settings.directory / "servers/cluster" / peer.directory_name,
        site=settings.assets,
        port=free_port(),
        protocol="HTTP/1.1",
        threads=1,
        certificate=settings.certificate,
        key=settings.key,
    )


def _prepare(
    peer: Peer, server: Server, settings: Settings, redis_port: int, names: list[str]
) -> Node:
    server.wait_until_listening()
    if peer.app:
        join(redis_port, peer, server)
    workloads = workloads_at(token_of(server), settings.assets)
    check_known("workload", [workload.name for workload in workloads], names)
    chosen = [workload for workload in workloads if not names or workload.name in names]
    return Node(peer, server, [prepare(server, workload) for workload in chosen])


def _rounds(found: list[Node], settings: Settings, load: Load, redis_port: int) -> list[Sample]:
    print("every node answers rightly; warming up", flush=True)
    for node in found:
        run_load(node.requests[0], replace(load, seconds=1))
    samples = []
    for turn in range(settings.rounds):
        print(f"round {turn + 1} of {settings.rounds}", flush=True)
        first = turn % len(found)
        for at in range(len(found[0].requests)):
            for node in found[first:] + found[:first]:
                samples.append(_measure(node, node.requests[at], turn, load, redis_port))
    return samples


def _measure(node: Node, request: Request, turn: int, load: Load, redis_port: int) -> Sample:
    most = 0
    if not node.peer.moves:
        sample = measure(node.server, request, turn, load)
    else:
        with Mover(redis_port, node.peer, node.server) as mover:
            sample = measure(node.server, request, turn, load)
        sample = replace(sample, token_changes_per_s=mover.changes / mover.seconds)
        # each connection once a move, and once from the token of the preparation
        most = load.connections * (mover.moves + 1)
    if sample.redirects > most:
        story = f"redirected {sample.redirects} times, {most} at most were expected"
        raise Failure(f"{sample.peer}, {sample.workload!r}: {story}")
    return sample


def as_text(result: Result) -> str:
    text = report.as_text(result)
    moving = [s.token_changes_per_s for s in result.samples if s.token_changes_per_s]
    if moving:
        text += f"\n\nMoving: the nodes changed their token {min(moving):.1f} to"
        text += f" {max(moving):.1f} times a second."
    return text
