"""Where nodes live: on loopback, or each in a network namespace of its own, so that packets between
two of them can be dropped without anybody else noticing."""

import contextlib
import subprocess
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
_BRIDGE = "br-rollout"
_SUBNET = "10.77.0"
_NOBODY = "02:00:00:00:00:fe"


class Loopback:
    """All on 127.0.0.1, told apart by their ports."""

    hub = LOOPBACK

    def host(self, at: int) -> str:
        return LOOPBACK

    def prefix(self, at: int) -> list[str]:
        """What stands before a node's command."""
        return []

    def close(self) -> None:
        pass


class Namespaces:
    """A bridge with one namespace a node. Needs root."""

    hub = f"{_SUBNET}.1"

    def __init__(self, num: int) -> None:
        self._num = num
        self._cut: set[tuple[int, int]] = set()
        self.close()
        _ip("link", "add", _BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{self.hub}/24", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
        for at in range(num):
            self._add(at)

    def _add(self, at: int) -> None:
        name, inside = self._name(at), f"eth{at}"
        _ip("netns", "add", name)
        _ip("link", "add", f"ro-{at}", "type", "veth", "peer", "name", inside, "netns", name)
        _ip("link", "set", f"ro-{at}", "master", _BRIDGE, "up")
        for words in (
            ("addr", "add", f"{self.host(at)}/24", "dev", inside),
            ("link", "set", inside, "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", name, *words)

    @staticmethod
    def _name(at: int) -> str:
        return f"rollout-{at}"

    def host(self, at: int) -> str:
        return f"{_SUBNET}.{at + 10}"

    def prefix(self, at: int) -> list[str]:
        return ["ip", "netns", "exec", self._name(at)]

    @contextlib.contextmanager
    def dropped(self, one: int, other: int) -> Iterator[None]:
        """Packets between the two vanish silently: each believes the other at a link address that
        nobody has."""
        for here, there in ((one, other), (other, one)):
            self._neighbour(here, "replace", there, "lladdr", _NOBODY, "nud", "permanent")
        try:
            yield
        finally:
            for here, there in ((one, other), (other, one)):
                self._neighbour(here, "del", there)

    def _neighbour(self, here: int, verb: str, there: int, *words: str) -> None:
        device = f"eth{here}"
        _ip("-n", self._name(here), "neigh", verb, self.host(there), *words, "dev", device)

    def close(self) -> None:
        """Takes away what this or an earlier run has left."""
        for at in range(self._num):
            # a namespace goes later than its name, and takes this with it only then
            _ip("link", "del", f"ro-{at}", is_needed=False)
            _ip("netns", "del", self._name(at), is_needed=False)
        _ip("link", "del", _BRIDGE, is_needed=False)


def _ip(*words: str, is_needed: bool = True) -> None:
    subprocess.run(["ip", *words], check=is_needed, capture_output=not is_needed)
