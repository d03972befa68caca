"""The ways to deploy that are compared."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mode:
    letter: str
    title: str
    # h2o-breaker serves under tokens, nginx under hashed names
    is_hashed: bool
    # h2o-breaker: releases are held (an archive, and peers that fetch from each other)
    is_held: bool = False
    # nginx: of how many deploys a node has the files
    kept: int = 1
    # nginx: files reach every node before any page names them
    has_two_phases: bool = False

    @property
    def colour(self) -> str:
        return {"a": "#edae49", "b": "#d1495b"}.get(self.letter, "#4d7ea8")


MODES = (
    Mode("a", "h2o-breaker, plain rules", is_hashed=False),
    Mode("b", "h2o-breaker, releases held", is_hashed=False, is_held=True),
    Mode("c", "nginx, hashed names, directory replaced", is_hashed=True),
    Mode("d", "nginx, hashed names, both releases kept", is_hashed=True, kept=2),
    Mode(
        "e",
        "nginx, hashed names, two phases, five releases kept",
        is_hashed=True,
        kept=5,
        has_two_phases=True,
    ),
)


@dataclass(frozen=True)
class Deploy:
    """The how-manieth deploy of a run, and the release that it brings. A rollback brings an earlier
    one again."""

    index: int
    number: int
    is_rollback: bool = False

    @property
    def label(self) -> str:
        return f"deploy-{self.index}"
