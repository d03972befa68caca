"""From samples to figures: medians, spreads, ratios, the best of the peers."""

import statistics
from dataclasses import dataclass, field

from peers import BARE, NODE, OURS, PEER, Peer
from workloads import Workload

# of the measured time; below, the medians take care of it
DOUBTFUL_SHARE = 0.02
PERCENTILES = {"p50_us": "p50", "p90_us": "p90", "p99_us": "p99", "p999_us": "p99.9"}


@dataclass(frozen=True)
class Sample:
    """One run of a load generator against one server."""

    peer: str
    workload: str
    round: int
    requests: int
    wall_s: float
    server_cpu_s: float
    server_waited_s: float
    load_waited_s: float
    # of a workload that is followed
    redirects: int = 0
    # how often the node was seen with another token, where it moves
    token_changes_per_s: float = 0.0
    # open in the middle of the run
    connections: int = 0
    # at a fixed rate: what bare-rate said
    latency: dict[str, int] | None = None

    @property
    def per_cpu_s(self) -> float:
        return self.requests / self.server_cpu_s

    @property
    def per_s(self) -> float:
        return self.requests / self.wall_s


@dataclass(frozen=True)
class Figure:
    median: float
    # median absolute deviation from the median
    deviation: float
    lowest: float
    highest: float


def figure(values: list[float]) -> Figure:
    median = statistics.median(values)
    deviation = statistics.median(abs(value - median) for value in values)
    return Figure(median, deviation, min(values), max(values))


@dataclass
class Result:
    """What a suite found. A peer that cannot do a workload has no samples of it."""

    name: str
    title: str
    peers: list[Peer]
    workloads: list[Workload]
    samples: list[Sample] = field(default_factory=list)
    # after the last round, by peer
    memory_bytes: dict[str, int] = field(default_factory=dict)
    # what ours holds of files and encodings, by peer
    kept_bytes: dict[str, int] = field(default_factory=dict)
    # of a suite at a fixed rate, by workload
    rates: dict[str, int] = field(default_factory=dict)
    # what was left out because answers were lost under load, and how
    losses: list[str] = field(default_factory=list)

    def of(self, peer: str, workload: str) -> list[Sample]:
        found = [s for s in self.samples if s.peer == peer and s.workload == workload]
        return sorted(found, key=lambda sample: sample.round)

    def leave_out(self, peer: str, workload: str, why: str) -> None:
        """A peer that loses answers has no figures there: what it did not answer cost it nothing."""
        self.samples = [s for s in self.samples if (s.peer, s.workload) != (peer, workload)]
        self.losses.append(f"{peer}, {workload}: {why}")

    def names(self, *roles: str) -> list[str]:
        return [peer.name for peer in self.peers if peer.role in roles]

    def per_cpu_s(self, peer: str, workload: str) -> Figure | None:
        return _figure_of([sample.per_cpu_s for sample in self.of(peer, workload)])

    def per_s(self, peer: str, workload: str) -> Figure | None:
        return _figure_of([sample.per_s for sample in self.of(peer, workload)])

    def latency(self, peer: str, workload: str, percentile: str) -> Figure | None:
        samples = self.of(peer, workload)
        return _figure_of([float(s.latency[percentile]) for s in samples if s.latency])

    def best_of(self, names: list[str], workload: str) -> str:
        """The one that does best in a workload; empty when none of them can do it.

        Round by round, like the ratios: best is whose share of a round's mean is the highest in the
        median, so that nobody is chosen for having had the quiet rounds.
        """
        rounds = {name: self.of(name, workload) for name in names}
        able = {name: [s.per_cpu_s for s in samples] for name, samples in rounds.items() if samples}
        means = [statistics.geometric_mean(values) for values in zip(*able.values(), strict=True)]

        def share(name: str) -> float:
            return statistics.median(value / mean for value, mean in zip(able[name], means))

        return max(able, key=share, default="")

    def best_peer(self, workload: str) -> str:
        """The best over all products and all their settings."""
        return self.best_of(self.names(PEER), workload)

    def quickest_peer(self, workload: str, percentile: str) -> str:
        """The peer with the lowest latency."""
        able = [name for name in self.names(PEER) if self.latency(name, workload, percentile)]
        return min(able, key=lambda n: self.latency(n, workload, percentile).median, default="")

    def baseline(self, peer: Peer, workload: str) -> str:
        """What a peer is compared with: a node with the node alone, all others with the best."""
        return peer.baseline if peer.role == NODE else self.best_peer(workload)

    def limit(self, peer: Peer) -> str:
        return peer.limit if peer.limit in self.names(BARE) else ""

    def bound(self, workload: str) -> Figure | None:
        """The better bare loop's own ratio to the best peer."""
        loop = self.best_of(self.names(BARE), workload)
        return self.ratio(loop, self.best_peer(workload), workload)

    def ratio(self, peer: str, other: str, workload: str) -> Figure | None:
        """Per second of server CPU, round by round: what slows both does not count."""
        return self._ratio(peer, other, workload, lambda sample: sample.per_cpu_s)

    def latency_ratio(
        self, peer: str, other: str, workload: str, percentile: str
    ) -> Figure | None:
        return self._ratio(peer, other, workload, lambda s: float(s.latency[percentile]))

    def _ratio(self, peer: str, other: str, workload: str, value) -> Figure | None:
        pairs = zip(self.of(peer, workload), self.of(other, workload))
        return _figure_of([value(ours) / value(theirs) for ours, theirs in pairs])

    def compared(self) -> list[Peer]:
        return [
            peer
            for peer in self.peers
            if peer.role == OURS or (peer.role == NODE and peer.name != peer.baseline)
        ]


def _figure_of(values: list[float]) -> Figure | None:
    return figure(values) if values else None


def doubts(result: Result, stolen_s: float, shared: bool) -> list[str]:
    """What speaks against the figures: the machine did something else at the same time.

    Of the servers ours tell for all, since the threads of caddy and varnish wait for each other.
    """
    names = result.names(OURS, BARE, NODE)
    told = [sample for sample in result.samples if sample.peer in names]
    shares = {
        "the servers waited for their core": _share(told, lambda s: s.server_waited_s),
        "the load generator waited for its core": _share(
            result.samples, lambda s: s.load_waited_s
        ),
        "the hypervisor took the servers' core away": stolen_s
        / max(1.0, sum(s.wall_s for s in result.samples)),
    }
    found = ["the load came from a core of the servers'"] if shared else []
    for what, share in shares.items():
        if share > DOUBTFUL_SHARE:
            found.append(f"{what} for {share:.0%} of the time")
    return found


def _share(samples: list[Sample], seconds) -> float:
    return sum(map(seconds, samples)) / max(1.0, sum(sample.wall_s for sample in samples))
