"""One request by hand, to see that the answer is right, and many by wrk, to see how fast it is."""

import json
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import cpu
from server import Failure, Server
from workloads import Answer, Workload

CONNECTIONS = 64
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Request:
    """What wrk sends for a workload to a server, and how long each answer has to be."""

    workload: Workload
    port: int
    header: str
    answer_size: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.workload.target}"


def prepare(server: Server, workload: Workload) -> Request:
    """Asks the server twice on one connection and fails unless both answers are right."""
    header = ""
    if workload.unless_unchanged:
        directory = workload.target.rsplit("/", 1)[0]
        full = ask(server, f"{directory}/{workload.unless_unchanged}", "", times=1)[0]
        header = f"If-None-Match: {full.headers.get('etag', '')}"
    answers = ask(server, workload.target, header, times=2)
    wrong = []
    if len(answers) != 2 or answers[0].size != answers[1].size:
        wrong.append("the second answer on a connection is not like the first")
    for answer in answers:
        if answer.status != workload.status:
            wrong.append(f"status {answer.status}, not {workload.status}")
        wrong.extend(workload.check(answer))
    if wrong:
        story = "; ".join(dict.fromkeys(wrong))
        raise Failure(f"{server.name} answers {workload.name!r} wrongly: {story}")
    return Request(workload, server.port, header, answers[0].size)


def ask(server: Server, target: str, header: str, times: int) -> list[Answer]:
    lines = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{server.port}"]
    message = "\r\n".join([*lines, *([header] if header else []), "", ""]).encode()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            reader = connection.makefile("rb")
            answers = []
            for _ in range(times):
                connection.sendall(message)
                answers.append(_read_answer(reader))
            return answers
    except (OSError, ValueError, IndexError) as error:
        raise Failure(f"{server.name} gives no answer to GET {target}: {error}") from error


def _read_answer(reader) -> Answer:
    status_line = reader.readline()
    size = len(status_line)
    status = int(status_line.split()[1])
    headers = {}
    while (line := reader.readline()) not in (b"\r\n", b""):
        size += len(line)
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    size += len(line)
    if "transfer-encoding" in headers:
        raise ValueError("an answer in chunks, where its length is known")
    length = 0 if status == 304 else int(headers["content-length"])
    body = reader.read(length)
    return Answer(status, headers, body, size + len(body))


@dataclass(frozen=True)
class Run:
    """What wrk saw, and how long its own threads were kept waiting for their core."""

    requests: int
    wall_s: float
    waited_s: float
    # only a workload that is followed has them
    redirects: int


def run_wrk(request: Request, core: int, seconds: int) -> Run:
    """Loads a server; fails when wrk saw anything unexpected."""
    command = ["taskset", "--cpu-list", str(core), "wrk", "--threads", "1"]
    command += ["--connections", str(CONNECTIONS), "--duration", f"{seconds}s"]
    command += ["--timeout", "10s", "--script"]
    command += [str(HERE / ("follow.lua" if request.workload.followed else "wrk.lua"))]
    if request.header:
        command += ["--header", request.header]
    command += [request.url]
    if request.workload.followed:
        command += [str(request.workload.followed)]
    waited = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        while True:
            try:
                output, _ = process.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                waited = cpu.time_of(process.pid).waiting
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if process.returncode != 0 or len(lines) != 1:
        raise Failure(f"wrk failed on {request.url}: {output}")
    summary = json.loads(lines[0])
    wrong = _unexpected(request, summary)
    if wrong:
        raise Failure(f"{request.workload.name!r} on {request.url}: {wrong}")
    redirects = summary.get("redirected", 0)
    return Run(summary["requests"], summary["microseconds"] / 1e6, waited / 1e9, redirects)


def _unexpected(request: Request, summary: dict[str, int]) -> str:
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
    surplus = summary["bytes"] - summary["requests"] * request.answer_size
    if not 0 <= surplus <= CONNECTIONS * request.answer_size:
        return f"answers of another length than {request.answer_size} bytes"
    return ""


def _unexpected_on_the_way(summary: dict[str, int]) -> str:
    """Here wrk looked at every answer itself: the right bytes, a redirect, or wrong."""
    if summary["wrong"] != 0:
        first = summary["first_wrong"]
        return f"{summary['wrong']} wrong answers, the first one a {first}"
    if summary["right"] + summary["redirected"] != summary["requests"]:
        return "not every answer was looked at"
    return ""
