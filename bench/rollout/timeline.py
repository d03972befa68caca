"""What each node did when, and what was done to it, so that a failure that somebody saw can be
explained afterwards: which fault it came with, and whether it had to be.

A failure had to be in two cases. Either the node that the request had been sent to was killed, or
paused, while the request was under way. Or the node said that it has not got a release (503), it
never served that release itself, and of every node that did, each was away, paused or cut off from
this one at some time of the request. Whatever else fails is unexplained.
"""

import bisect
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

REDIS_KILLED = "Redis killed"
KILLED = "node killed"
PAUSED = "node paused"
CUT = "packets dropped"
ARCHIVE_FULL = "archive full"
# no fault: the node is replaced, and nobody listens
RESTARTING = "node restarting"

LOST = "the node was killed or paused while the request was under way"
NO_HOLDER = "no node that had served the release could be reached"
UNEXPLAINED = "unexplained"

# a balancer's answer may be about what a node was a moment ago
_AROUND_S = 0.6
# no whole answer came, or the balancer says so
_BROKEN = ("cut", "closed", "the balancer has status 502", "the balancer has status 504")


@dataclass(frozen=True)
class Spell:
    """Something that was wrong for a while: with one node, between two, or with none."""

    name: str
    began_s: float
    ended_s: float
    nodes: tuple[str, ...] = ()

    def meets(self, began_s: float, ended_s: float) -> bool:
        return self.began_s <= ended_s and began_s <= self.ended_s


@dataclass
class Timeline:
    """Releases by node: the number that it serves, None while it is away; and spells."""

    _states: dict[str, list[tuple[float, int | None]]] = field(default_factory=dict)
    _spells: list[Spell] = field(default_factory=list)

    def note(self, node: str, number: int | None) -> None:
        self._states.setdefault(node, []).append((time.monotonic(), number))

    def note_spell(self, name: str, began_s: float, *nodes: str) -> None:
        """One that has just ended."""
        self._spells.append(Spell(name, began_s, time.monotonic(), nodes))

    def spells(self) -> list[Spell]:
        """All that are over."""
        return list(self._spells)

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
            spell.name
            for spell in self._spells
            if spell.name != RESTARTING and spell.meets(at_s - _AROUND_S, at_s + _AROUND_S)
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

    # ---- whether it had to be ----

    def cause(self, event: dict) -> str:
        """LOST, NO_HOLDER or UNEXPLAINED. Only of what is over, spells included."""
        if event["event"] == "wrong":
            return UNEXPLAINED
        if event["what"].startswith(_BROKEN):
            return LOST if self._was_lost(event) else UNEXPLAINED
        if event["what"].startswith("status 503") and event["page"] >= 0:
            return UNEXPLAINED if self._had_holder(event) else NO_HOLDER
        return UNEXPLAINED

    def _spells_of(self, event: dict) -> Iterator[Spell]:
        return (each for each in self._spells if each.meets(event["began"], event["at"]))

    def _was_lost(self, event: dict) -> bool:
        return any(
            spell.name in (KILLED, PAUSED) and event["server"] in spell.nodes
            for spell in self._spells_of(event)
        )

    def _holders(self, event: dict) -> set[str]:
        """Who has served the page's release by then."""
        return {
            node
            for node, states in self._states.items()
            if any(at_s < event["began"] and number == event["page"] for at_s, number in states)
        }

    def _had_holder(self, event: dict) -> bool:
        """Whether the node had the release itself, or could have had it from another all the
        time."""
        node = event["server"]
        missed = {
            other
            for spell in self._spells_of(event)
            for other in spell.nodes
            if spell.name in (KILLED, PAUSED, RESTARTING)
            or (spell.name == CUT and node in spell.nodes)
        }
        holders = self._holders(event)
        return node in holders or bool(holders - missed)
