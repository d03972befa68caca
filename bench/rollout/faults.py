"""A fault every second while releases are rolled: Redis killed, a node killed, a node paused,
packets between two nodes dropped, a node's archive full. Each is over within the second, so that no
two are on at a time, and each is written into the timeline, so that a failure can be told which one
it came with.

Two kinds need root, and are left out without it: packets are dropped between network namespaces,
and an archive that can be filled is a small file system of its own.
"""

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from fleet import NUM_NODES, Fleet
from network import Namespaces
from nodes import BreakerNode, Failure, Node

EVERY_S = 1.0
LASTS_S = 0.7


class Faults:
    """A thread beside the one that deploys. A node that is being deployed to is left alone."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self._fleet = fleet
        self._random = random.Random(seed)
        self._ended = threading.Event()
        self._error: Failure | None = None
        self._kinds: dict[str, Callable[[], None]] = {
            "Redis killed": self._redis_killed,
            "node killed": self._node_killed,
            "node paused": self._node_paused,
        }
        if isinstance(fleet.network, Namespaces):
            self._kinds["packets dropped"] = self._packets_dropped
        if fleet.has_small_archives:
            self._kinds["archive full"] = self._archive_full
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def check(self) -> None:
        """Fails when a fault could not be done, or a node did not come back from one."""
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Returns when the last fault is over. May be called again."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            due_s = time.monotonic() + EVERY_S
            name = self._random.choice(list(self._kinds))
            began_s = time.monotonic()
            try:
                self._kinds[name]()
            except Failure as failure:
                self._error = failure
                return
            self._fleet.timeline.note_fault(began_s, name)
            self.counts[name] += 1
            self._ended.wait(max(0, due_s - time.monotonic()))

    def _redis_killed(self) -> None:
        self._fleet.redis.kill()
        time.sleep(LASTS_S)
        self._fleet.redis.start()

    def _node_killed(self) -> None:
        with self._one_node() as node:
            assert isinstance(node, BreakerNode)
            timeline = self._fleet.timeline
            number = timeline.state(node.name, time.monotonic())
            timeline.note(node.name, None)
            node.end(signal.SIGKILL)
            node.start()
            timeline.note(node.name, number)

    def _node_paused(self) -> None:
        with self._one_node() as node:
            assert node.process is not None
            node.process.send(signal.SIGSTOP)
            time.sleep(LASTS_S)
            node.process.send(signal.SIGCONT)

    def _packets_dropped(self) -> None:
        assert isinstance(self._fleet.network, Namespaces)
        one, other = self._random.sample(range(NUM_NODES), 2)
        with self._fleet.network.dropped(one, other):
            time.sleep(LASTS_S)

    def _archive_full(self) -> None:
        with self._one_node() as node:
            assert isinstance(node, BreakerNode)
            filler = node.archive / "filler"
            with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 20))
            time.sleep(LASTS_S)
            filler.unlink()

    @contextlib.contextmanager
    def _one_node(self) -> Iterator[Node]:
        """Any node that is not being deployed to, and that will not be until this is over."""
        nodes = self._random.sample(self._fleet.nodes, NUM_NODES)
        for node in nodes:
            if node.lock.acquire(blocking=False):
                try:
                    yield node
                finally:
                    node.lock.release()
                return
        raise Failure("every node is being deployed to")

