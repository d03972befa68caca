"""What each node did when, so that a failure that somebody saw can be explained afterwards."""

import bisect
import time
from dataclasses import dataclass, field

# a balancer's answer may be about what a node was a moment ago
_AROUND_S = 0.6


@dataclass
class Timeline:
    """Releases by node: the number that it serves, None while it is away; and faults by name."""

    _states: dict[str, list[tuple[float, int | None]]] = field(default_factory=dict)
    _faults: list[tuple[float, float, str]] = field(default_factory=list)

    def note(self, node: str, number: int | None) -> None:
        self._states.setdefault(node, []).append((time.monotonic(), number))

    def note_fault(self, began_s: float, name: str) -> None:
        """A fault that has just ended."""
        self._faults.append((began_s, time.monotonic(), name))

    def state(self, node: str, at_s: float) -> int | None:
        states = self._states.get(node, [])
        place = bisect.bisect_right(states, at_s, key=lambda state: state[0])
        return states[place - 1][1] if place else None

    def _was_away(self, at_s: float) -> bool:
        return any(
            number is None and abs(at_s - when_s) < 2 * _AROUND_S
            for states in self._states.values()
            for when_s, number in states
        )

    def faults_at(self, at_s: float) -> list[str]:
        found = {
            name
            for began_s, ended_s, name in self._faults
            if began_s - _AROUND_S < at_s < ended_s + _AROUND_S
        }
        return sorted(found)

    def explain(self, event: dict) -> str:
        """In a few words: what came, and what the node was that it came from."""
        what = event["what"]
        if event["event"] == "wrong":
            words = f"another release's bytes {what}"
        else:
            words = what
        if event["server"] == "none":
            where = "a node was restarting" if self._was_away(event["at"]) else "no node named"
        else:
            number = self.state(event["server"], event["at"])
            if number is None:
                where = "from a node that was restarting"
            elif event["page"] < 0:
                where = "for a page"
            elif number == event["page"]:
                where = "from a node with the page's release"
            else:
                where = "from a node with another release"
        faults = "".join(f", {name}" for name in self.faults_at(event["at"]))
        return f"{words}, {where}{faults}"
