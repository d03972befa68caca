"""A fault every second while releases are rolled: Redis killed, a node killed, a node paused,
packets between two nodes dropped, a node's archive full. Each is over within the second, so that no
two are on at a time, and each is written into the timeline with the nodes that it was about, so that
it can be checked whether a failure had to be (timeline.py).

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
from timeline import ARCHIVE_FULL, CUT, KILLED, PAUSED, REDIS_KILLED

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
        # each returns the names of the nodes that it was about
        self._kinds: dict[str, Callable[[], tuple[str, ...]]] = {
            REDIS_KILLED: self._redis_killed,
            KILLED: self._node_killed,
            PAUSED: self._node_paused,
        }
        if isinstance(fleet.network, Namespaces):
            self._kinds[CUT] = self._packets_dropped
        if fleet.has_small_archives:
            self._kinds[ARCHIVE_FULL] = self._archive_full
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
                nodes = self._kinds[name]()
            except Failure as failure:
                self._error = failure
                return
            self._fleet.timeline.note_spell(name, began_s, *nodes)
            self.counts[name] += 1
            self._ended.wait(max(0, due_s - time.monotonic()))

    def _redis_killed(self) -> tuple[str, ...]:
        self._fleet.redis.kill()
        time.sleep(LASTS_S)
        self._fleet.redis.start()
        return ()

    def _node_killed(self) -> tuple[str, ...]:
        with self._one_node() as node:
            assert isinstance(node, BreakerNode)
            timeline = self._fleet.timeline
            number = timeline.state(node.name, time.monotonic())
            timeline.note(node.name, None)
            node.end(signal.SIGKILL)
            node.start()
            timeline.note(node.name, number)
            return (node.name,)

    def _node_paused(self) -> tuple[str, ...]:
        with self._one_node() as node:
            assert node.process is not None
            node.process.send(signal.SIGSTOP)
            time.sleep(LASTS_S)
            node.process.send(signal.SIGCONT)
            return (node.name,)

    def _packets_dropped(self) -> tuple[str, ...]:
        assert isinstance(self._fleet.network, Namespaces)
        one, other = self._random.sample(range(NUM_NODES), 2)
        with self._fleet.network.dropped(one, other):
            time.sleep(LASTS_S)
        return self._fleet.nodes[one].name, self._fleet.nodes[other].name

    def _archive_full(self) -> tuple[str, ...]:
        with self._one_node() as node:
            assert isinstance(node, BreakerNode)
            filler = node.archive / "filler"
            with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 20))
            time.sleep(LASTS_S)
            filler.unlink()
            return (node.name,)

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

