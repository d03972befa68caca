"""Asks a server by hand, to see that its answers are right, before anybody measures how fast they
come. HTTP/1.1 by hand, so that every byte is seen; HTTP/2 by python3-h2."""

import socket
import ssl
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from peers import H1, H2, OVER_TLS, TLS_H1, TLS_H2
from server import Failure, Server, until_settled
from site_files import files_below, zipf_order
from workloads import Answer, Workload

PATIENCE_S = 10


@dataclass(frozen=True)
class Request:
    """What a workload sends to a server, and how long each answer has to be."""

    workload: Workload
    protocol: str
    port: int
    header: str
    # on the wire, head included; 0 where that is not the same each time (HTTP/2, TLS)
    answer_size: int
    body_size: int
    # the answer itself, where it was taken from a socket
    raw: bytes = b""
    # of the mixed site: the list of targets, the size of the first n answers
    targets: Path | None = None
    sizes: tuple[int, ...] = ()

    @property
    def url(self) -> str:
        return url_of(self.port, self.workload.target, self.protocol)

    @property
    def message(self) -> str:
        return message_of(self.port, self.workload.target, self.header)


def url_of(port: int, target: str, protocol: str) -> str:
    return f"{'https' if protocol in OVER_TLS else 'http'}://127.0.0.1:{port}{target}"


def message_of(port: int, target: str, header: str) -> str:
    lines = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    return "\r\n".join([*lines, *([header] if header else []), "", ""])


def prepare(server: Server, workload: Workload, protocol: str = H1) -> Request:
    """Asks the server twice on one connection and fails unless both answers are right."""
    header = workload.header
    if workload.unless_unchanged:
        directory = workload.target.rsplit("/", 1)[0]
        file = f"{directory}/{workload.unless_unchanged}"
        full = until_settled(lambda: ask(server, file, "", 1, protocol))[0]
        header = f"If-None-Match: {full.headers.get('etag', '')}"
    answers = until_settled(lambda: ask(server, workload.target, header, 2, protocol))
    wrong = []
    if len(answers) != 2 or not (workload.in_chunks or answers[0].size == answers[1].size):
        wrong.append("the second answer on a connection is not like the first")
    for answer in answers:
        if answer.status != workload.status:
            wrong.append(f"status {answer.status}, not {workload.status}")
        wrong.extend(workload.check(answer))
    if wrong:
        story = "; ".join(dict.fromkeys(wrong))
        raise Failure(f"{server.name} answers {workload.name!r} ({protocol}) wrongly: {story}")
    last = answers[-1]
    return Request(
        workload, protocol, server.port, header, last.size, len(last.body), raw=last.raw
    )


def prepare_mixed(server: Server, workload: Workload, site: Path, directory: Path) -> Request:
    """Asks for every file of a site and fails unless each is right."""
    names = files_below(site)
    sizes = []
    for at in range(0, len(names), 100):
        some = names[at : at + 100]
        wanted = [workload.target + name for name in some]
        answers = until_settled(lambda: ask_each(server, wanted))
        for name, answer in zip(some, answers, strict=True):
            if answer.status != 200 or answer.body != (site / name).read_bytes():
                raise Failure(f"{server.name} answers {answer.status} to {name}, or wrong bytes")
            sizes.append(answer.size)
    order = zipf_order(names)
    targets = directory / "targets.txt"
    targets.write_text("".join(f"{workload.target}{names[at]}\n" for at in order))
    return Request(
        workload,
        H1,
        server.port,
        "",
        0,
        0,
        targets=targets,
        sizes=tuple(accumulate((sizes[at] for at in order), initial=0)),
    )


def ask(
    server: Server, target: str, header: str, times: int, protocol: str = H1
) -> list[Answer]:
    """The answers to one request, sent `times` times on one connection."""
    if protocol in (H2, TLS_H2):
        return _ask_h2(server, target, header, times, protocol)
    return _ask_socket(server, [message_of(server.port, target, header)] * times, protocol)


def ask_each(server: Server, targets: list[str], header: str = "") -> list[Answer]:
    """The answers to requests for different targets on one connection, over HTTP/1.1."""
    return _ask_socket(server, [message_of(server.port, t, header) for t in targets], H1)


def _ask_socket(server: Server, messages: list[str], protocol: str) -> list[Answer]:
    try:
        with _connect(server.port, protocol) as connection:
            reader = connection.makefile("rb")
            answers = []
            for message in messages:
                connection.sendall(message.encode())
                answers.append(_read_answer(reader))
            return answers
    except (OSError, ValueError, IndexError, KeyError) as error:
        first = messages[0].splitlines()[0]
        raise Failure(f"{server.name} gives no answer to {first}: {error!r}") from error


def _connect(port: int, protocol: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    if protocol in OVER_TLS:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["http/1.1" if protocol == TLS_H1 else "h2"])
        return context.wrap_socket(connection)
    return connection


def _read_answer(reader) -> Answer:
    status_line = reader.readline()
    raw = status_line
    status = int(status_line.split()[1])
    headers = {}
    while (line := reader.readline()) not in (b"\r\n", b""):
        raw += line
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    raw += line
    if "transfer-encoding" in headers:
        framed, body = _read_chunks(reader)
    else:
        framed = body = reader.read(0 if status == 304 else int(headers["content-length"]))
    raw += framed
    return Answer(status, headers, body, len(raw), raw)


def _read_chunks(reader) -> tuple[bytes, bytes]:
    """A body in chunks, as it came and as it is."""
    raw = body = b""
    while True:
        line = reader.readline()
        chunk = reader.read(int(line, 16) + 2)
        raw += line + chunk
        body += chunk[:-2]
        if len(chunk) == 2:
            return raw, body


def _ask_h2(
    server: Server, target: str, header: str, times: int, protocol: str
) -> list[Answer]:
    name, _, value = header.partition(": ")
    request = [
        (":method", "GET"),
        (":path", target),
        (":scheme", "https" if protocol in OVER_TLS else "http"),
        (":authority", f"127.0.0.1:{server.port}"),
        *([(name.lower(), value)] if header else []),
    ]
    try:
        with _connect(server.port, protocol) as connection:
            client = H2Connection()
            client.initiate_connection()
            return [_exchange(connection, client, request) for _ in range(times)]
    except (OSError, ValueError, KeyError, ProtocolError) as error:
        raise Failure(f"{server.name} gives no answer to {target}: {error!r}") from error


def _exchange(connection: socket.socket, client: H2Connection, request: list) -> Answer:
    stream = client.get_next_available_stream_id()
    client.send_headers(stream, request, end_stream=True)
    headers: dict[str, str] = {}
    body = []
    while True:
        connection.sendall(client.data_to_send())
        data = connection.recv(1 << 20)
        if not data:
            raise ValueError("the connection was closed")
        for event in client.receive_data(data):
            if isinstance(event, ResponseReceived):
                headers = {_str(name): _str(value) for name, value in event.headers}
            elif isinstance(event, DataReceived):
                body.append(event.data)
                client.acknowledge_received_data(event.flow_controlled_length, stream)
            elif isinstance(event, StreamReset):
                raise ValueError(f"the stream was reset, {event.error_code}")
            elif isinstance(event, StreamEnded):
                connection.sendall(client.data_to_send())
                return Answer(int(headers[":status"]), headers, b"".join(body), 0)


def _str(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
