"""A client that asks the same of a server every time: a fixed number of requests in a fixed order.

The requests of a round are sent on all connections before the first answer is read, and with more
than one connection the server is stopped meanwhile, so that it finds all of them at once, every
time: how many it finds at each turn of its loop would otherwise depend on the machine.
"""

import contextlib
import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from wanted import Wanted
from server import Failure, until_settled

TIMEOUT_S = 60


@dataclass(frozen=True)
class Prepared:
    """The bytes of a request, and how many come back for it."""

    wanted: Wanted
    message: bytes
    answer_size: int


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body_size: int
    size: int


class Client:
    """`pid` is the server's process, the one that reads the requests."""

    def __init__(self, port: int, pid: int, connections: int):
        self._pid = pid
        self._port = port
        self._connections = connections
        self._sockets: list[socket.socket] = []
        self._buffer = bytearray(1 << 20)

    def __enter__(self) -> "Client":
        for _ in range(self._connections):
            self._sockets.append(connect(self._port))
        return self

    def __exit__(self, *_) -> None:
        for connection in self._sockets:
            connection.close()

    def rounds(self, request: Prepared, num: int) -> int:
        """Does `num` rounds of one request a connection; returns the number of requests."""
        for _ in range(num):
            with self._stopped():
                for connection in self._sockets:
                    connection.sendall(request.message)
            for connection in self._sockets:
                self._read(connection, request)
        return num * len(self._sockets)

    @contextlib.contextmanager
    def _stopped(self):
        if len(self._sockets) == 1:
            yield
            return
        os.kill(self._pid, signal.SIGSTOP)
        try:
            self._wait_until_stopped()
            yield
        finally:
            os.kill(self._pid, signal.SIGCONT)

    def _wait_until_stopped(self) -> None:
        stat = Path(f"/proc/{self._pid}/stat")
        deadline = time.monotonic() + TIMEOUT_S
        # "12 (a name) T 1 …"; "t" when somebody traces it
        while stat.read_text().rpartition(")")[2].split()[0] not in ("T", "t"):
            if time.monotonic() > deadline:
                raise Failure(f"process {self._pid} does not stop")
            time.sleep(0)

    def _read(self, connection: socket.socket, request: Prepared) -> None:
        left = request.answer_size
        first = True
        while left != 0:
            num = connection.recv_into(self._buffer, left)
            if num == 0:
                raise Failure(f"{request.wanted.name!r}: the connection was closed")
            if first and b" %d " % request.wanted.status not in self._buffer[:16]:
                raise Failure(f"{request.wanted.name!r}: {bytes(self._buffer[:num])!r}")
            first = False
            left -= num


def connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def prepare(port: int, wanted: Wanted) -> Prepared:
    """Asks twice and fails unless both answers are right and equally long."""
    header = wanted.header
    if wanted.conditional:
        tag = _ask(port, _message(port, wanted.target, "")).headers.get("etag", "")
        header = header.format(etag=tag)
    message = _message(port, wanted.target, header)
    answers = until_settled(lambda: [_ask(port, message), _ask(port, message)])
    for answer in answers:
        wrong = _wrong(wanted, answer)
        if wrong:
            raise Failure(f"{wanted.name!r} is answered wrongly: {wrong}")
    if answers[0].size != answers[1].size:
        raise Failure(f"{wanted.name!r}: two answers of different lengths")
    return Prepared(wanted, message, answers[0].size)


def _wrong(wanted: Wanted, answer: Answer) -> str:
    if answer.status != wanted.status:
        return f"status {answer.status}"
    if wanted.length is not None and answer.body_size != wanted.length:
        return f"a body of {answer.body_size} bytes"
    if answer.headers.get("content-encoding", "") != wanted.encoding:
        return f"Content-Encoding {answer.headers.get('content-encoding')}"
    return ""


def _message(port: int, target: str, header: str) -> bytes:
    lines = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    return "\r\n".join([*lines, *([header] if header else []), "", ""]).encode()


def _ask(port: int, message: bytes) -> Answer:
    try:
        with connect(port) as connection, connection.makefile("rb") as reader:
            connection.sendall(message)
            return _parse(reader)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise Failure(f"no answer to {message!r}: {error}") from error


def _parse(reader) -> Answer:
    line = reader.readline()
    size = len(line)
    status = int(line.split()[1])
    headers: dict[str, str] = {}
    while (line := reader.readline()) not in (b"\r\n", b""):
        size += len(line)
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    length = 0 if status == 304 else int(headers["content-length"])
    body = reader.read(length)
    return Answer(status, headers, len(body), size + len(line) + len(body))
