"""Many requests: by wrk (HTTP/1.1), by h2load (HTTP/2, TLS), at a fixed rate (bare/rate.c).

Each of them reports what it counted, and the run ends unless that is what was checked before.
"""

import json
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import cpu
from ask import Request
from peers import H1, H2, OVER_TLS, TLS_H2
from server import Failure, Loss

HERE = Path(__file__).resolve().parent
PATIENCE_S = 60
WARM_UP_AT_RATE_S = 0.25
# how much longer an answer may be in many chunks than in few
MOST_FRAMING = 1.02
# the same for all, whatever a server would choose
TLS_SUITE = "TLS_AES_128_GCM_SHA256"


@dataclass(frozen=True)
class Load:
    """How a server is loaded."""

    connections: int = 64
    # of HTTP/2: requests under way on each connection
    streams: int = 1
    # requests per second; 0: as fast as it goes
    rate: int = 0
    seconds: int = 1
    core: int = 0
    # where bare-rate is
    programs: Path = Path()


@dataclass(frozen=True)
class Run:
    """What the load generator saw, and how long its own threads were kept waiting for a core."""

    requests: int
    wall_s: float
    waited_s: float
    # only a workload that is followed has them
    redirects: int = 0
    # connections that were open in the middle of the run
    connections: int = 0
    # at a fixed rate: percentiles in microseconds
    latency: dict[str, int] | None = None


def run_load(request: Request, load: Load) -> Run:
    if load.rate:
        return _run_rate(request, load)
    if request.protocol == H1:
        return _run_wrk(request, load)
    return _run_h2load(request, load)


def _run(command: list[str], port: int, load: Load) -> tuple[str, float, int]:
    """Output, seconds that it waited for a core, connections in the middle of the run."""
    waited = connections = 0
    middle = time.monotonic() + load.seconds / 2
    end = time.monotonic() + load.seconds + PATIENCE_S
    with subprocess.Popen(
        ["taskset", "--cpu-list", str(load.core), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        while True:
            try:
                output, _ = process.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                waited = cpu.time_of(process.pid).waiting
            if middle and time.monotonic() >= middle:
                connections, middle = cpu.established(port), 0.0
            if time.monotonic() > end:
                process.kill()
                raise Failure(f"{command[0]} does not end") from None
    if process.returncode != 0:
        raise Failure(f"{' '.join(command[:1])} failed on port {port}: {output.strip()[-1000:]}")
    return output, waited / 1e9, connections


def _the_line_of_json(output: str) -> dict:
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if len(lines) != 1:
        raise Failure(f"the load generator said {output!r}")
    return json.loads(lines[0])


def _fail(request: Request, wrong: str) -> None:
    if wrong:
        raise Loss(f"{request.workload.name!r} on {request.url} ({request.protocol}): {wrong}")


def _run_wrk(request: Request, load: Load) -> Run:
    workload = request.workload
    script = "follow.lua" if workload.followed else "site.lua" if workload.mixed else "wrk.lua"
    command = ["wrk", "--threads", "1", "--connections", str(load.connections)]
    command += ["--duration", f"{load.seconds}s", "--timeout", "10s"]
    command += ["--script", str(HERE / script)]
    command += ["--header", request.header] if request.header else []
    command += [request.url]
    command += [str(path) for path in (workload.followed, request.targets) if path]
    output, waited_s, connections = _run(command, request.port, load)
    summary = _the_line_of_json(output)
    _fail(request, _unexpected(request, summary, load))
    return Run(
        summary["requests"],
        summary["microseconds"] / 1e6,
        waited_s,
        summary.get("redirected", 0),
        connections,
    )


def _unexpected(request: Request, summary: dict[str, int], load: Load) -> str:
    """What wrk saw besides the one answer that was checked, or nothing.

    wrk counts statuses from 400 on; the rest shows in the bytes, because every answer of a
    workload has the same length, and at most one per connection was cut off at the end.
    """
    if summary["requests"] == 0:
        return "no answers"
    for kind in ("connect", "read", "write", "timeout"):
        if summary[kind] != 0:
            return f"{summary[kind]} {kind} errors"
    refusals = summary["requests"] if request.workload.status >= 400 else 0
    if summary["status"] != refusals:
        return f"{summary['status']} statuses of 400 and more, not {refusals}"
    if request.workload.followed:
        return _unexpected_on_the_way(summary)
    if request.workload.mixed:
        return _unexpected_of_site(request, summary, load)
    if request.workload.in_chunks:
        return _unexpected_of_chunks(request, summary, load)
    surplus = summary["bytes"] - summary["requests"] * request.answer_size
    if not 0 <= surplus <= load.connections * request.answer_size:
        return f"answers of another length than {request.answer_size} bytes"
    return ""


def _unexpected_of_chunks(request: Request, summary: dict[str, int], load: Load) -> str:
    """No answer is shorter than its body, nor longer than checked by more than its framing may be."""
    least = summary["requests"] * request.body_size
    most = (summary["requests"] + load.connections) * request.answer_size * MOST_FRAMING
    if not least <= summary["bytes"] <= most:
        return f"{summary['bytes']} bytes, not {least} to {most:.0f}"
    return ""


def _unexpected_on_the_way(summary: dict[str, int]) -> str:
    """Here wrk looked at every answer itself: the right bytes, a redirect, or wrong."""
    if summary["wrong"] != 0:
        first = summary["first_wrong"]
        return f"{summary['wrong']} wrong answers, the first one a {first}"
    if summary["right"] + summary["redirected"] != summary["requests"]:
        return "not every answer was looked at"
    return ""


def _unexpected_of_site(request: Request, summary: dict[str, int], load: Load) -> str:
    """The list is worked off in order: all answers but the last few are its first ones.

    Of n answers, at most as many as there are connections may be others than the first n of the
    list; each of those differs by less than the largest file.
    """
    laps, rest = divmod(summary["requests"], len(request.sizes) - 1)
    expected = laps * request.sizes[-1] + request.sizes[rest]
    steps = (after - before for before, after in zip(request.sizes, request.sizes[1:]))
    slack = load.connections * max(steps)
    if abs(summary["bytes"] - expected) > slack:
        return f"{summary['bytes']} bytes, not the {expected} of the list's first answers"
    return ""


def _run_h2load(request: Request, load: Load) -> Run:
    is_h2 = request.protocol in (H2, TLS_H2)
    command = ["h2load", "--threads", "1", "--clients", str(load.connections)]
    command += ["--duration", str(load.seconds)]
    command += ["--max-concurrent-streams", str(load.streams)] if is_h2 else ["--h1"]
    command += ["--header", request.header] if request.header else []
    command += ["--tls13-ciphers", TLS_SUITE] if request.protocol in OVER_TLS else []
    output, waited_s, connections = _run([*command, request.url], request.port, load)
    _check_negotiated(request, output)
    requests = _counted_by_h2load(request, load, output)
    return Run(requests, float(load.seconds), waited_s, 0, connections)


def _check_negotiated(request: Request, output: str) -> None:
    wanted = ["Application protocol: " + ("h2" if request.protocol == TLS_H2 else "http/1.1")]
    wanted += ["TLS Protocol: TLSv1.3", f"Cipher: {TLS_SUITE}"]
    missing = [line for line in wanted if f"{line}\n" not in output]
    if request.protocol in OVER_TLS and missing:
        _fail(request, f"no {', '.join(missing)}, but {output!r}")


def _counted_by_h2load(request: Request, load: Load, output: str) -> int:
    found = re.search(
        r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, "
        r"(\d+) errored, (\d+) timeout\n"
        r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx\n"
        r"traffic: \S+ \(\d+\) total, \S+ \(\d+\) headers .*, \S+ \((\d+)\) data",
        output,
    )
    if not found:
        raise Failure(f"h2load said {output!r}")
    _, done, good, failed, errored, late, *statuses, data = map(int, found.groups())
    if done == 0:
        _fail(request, "no answers")
    in_flight = load.connections * (load.streams if request.protocol in (H2, TLS_H2) else 1)
    right = statuses[request.workload.status // 100 - 2]
    # an answer whose head has come counts with its status before it is done
    if sum(statuses) != right or not 0 <= right - done <= in_flight:
        _fail(request, f"of {done} answers {right} had the right status, {statuses}")
    if errored or late or (failed if request.workload.status < 400 else good):
        _fail(request, f"{failed} failed, {errored} errors, {late} time-outs")
    surplus = data - done * request.body_size
    if not 0 <= surplus <= in_flight * request.body_size:
        _fail(request, f"bodies of another length than {request.body_size} bytes")
    return done


def _run_rate(request: Request, load: Load) -> Run:
    command = [str(load.programs / "bare-rate"), str(request.port), str(load.connections)]
    command += [str(load.rate), str(WARM_UP_AT_RATE_S), str(load.seconds)]
    command += [str(request.workload.status), str(request.answer_size), request.message]
    output, waited_s, connections = _run(command, request.port, load)
    counted = _the_line_of_json(output)
    return Run(
        counted["requests"],
        float(load.seconds),
        waited_s,
        connections=connections,
        latency={name: value for name, value in counted.items() if name != "requests"},
    )
