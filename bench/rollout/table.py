"""The figures as text: per 10,000 page loads, a row for each mode and balancer."""

from collections.abc import Iterable

from timeline import UNEXPLAINED

_BALANCERS = {"plain": "as it comes", "retrying": "retries 503"}


def per_10000(part: int, loads: int) -> float:
    return 10_000 * part / loads if loads else 0.0


def row(mode: dict, via: str) -> list[str]:
    figures = mode["figures"][via]
    loads = figures["loads"]
    return [
        f"({mode['letter']}) {mode['title']}",
        _BALANCERS[via],
        f"{loads:,}",
        _share(figures["failed_loads"], loads),
        _share(figures["wrong_loads"], loads),
        _share(figures["hops"], loads),
        f"{figures['bytes'] / loads / 1000:,.0f}" if loads else "-",
        f"{figures.get('p99_ms', 0):.1f}",
        f"{figures.get('max_ms', 0):,.0f}",
        f"{mode['warm_bytes'] / 1000:,.0f} of {mode['cold_bytes'] / 1000:,.0f}",
    ]


def _share(part: int, loads: int) -> str:
    """What is zero is said to be zero; what is not is never rounded to it."""
    if part == 0:
        return "0"
    return f"{max(1, round(per_10000(part, loads))):,}"


HEAD = [
    "mode",
    "balancer",
    "loads",
    "failed",
    "wrong bytes",
    "extra hops",
    "KB a load",
    "p99 ms",
    "max ms",
    "KB, warm cache",
]


def as_markdown(modes: Iterable[dict]) -> str:
    rows = [row(mode, via) for mode in modes for via in mode["figures"]]
    lines = [HEAD, ["---"] * len(HEAD), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def num_unexplained(mode: dict) -> int:
    """Failures, files with wrong bytes and redirects that nothing of the course had to bring."""
    return sum(
        figures["causes"].get(UNEXPLAINED, 0) + figures["hops"]
        for figures in mode["figures"].values()
    )


def explained(modes: Iterable[dict]) -> str:
    """Every failure, by kind."""
    lines = []
    for mode in modes:
        for via, figures in mode["figures"].items():
            told = figures["explained"]
            lines.append(f"({mode['letter']}), {_BALANCERS[via]}: " + ("" if told else "none"))
            lines += [f"  {count:7,}  {what}" for what, count in told.items()]
            if mode["faults"]:
                lines += [f"  {count:7,}  in all: {cause}" for cause, count in figures["causes"].items()]
        if mode["faults"]:
            told = ", ".join(f"{name} {count}" for name, count in sorted(mode["faults"].items()))
            lines.append(f"faults: {told}")
    return "\n".join(lines)
