"""A small HTTP/1.1 client for asyncio that costs little enough to play many browsers at once.

It reads bodies by Content-Length, chunked, or to the end of the connection, and keeps connections
alive. Like browsers it repeats a GET on a new connection when a connection that was used before
ends without a single byte of the answer (RFC 9112 §9.3.1).
"""

import asyncio
from dataclasses import dataclass

CONNECTIONS = 6
REQUEST_TIMEOUT_S = 10
ATTEMPTS = 3


class Broken(Exception):
    """No whole answer came; the text says what did, `headers` what was said before it broke."""

    def __init__(self, what: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(what)
        self.headers = headers or {}


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    body: bytes
    wire_bytes: int


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.is_used = False
        self._buffer = bytearray()
        self._head: tuple[int, dict[str, str]] | None = None
        self._body_at = 0
        self._waiter: asyncio.Future[Response] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def ask(self, request: bytes) -> "asyncio.Future[Response]":
        assert self._waiter is None
        assert self.transport is not None
        self._buffer.clear()
        self._head = None
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._waiter

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._waiter is None:
            self.close()
        elif self._head is not None or self._read_head():
            self._read_body(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._waiter is None:
            return
        if self._head is not None:
            self._read_body(True)
        if self._waiter is not None:
            headers = self._head[1] if self._head is not None else None
            self._finish(error=Broken("cut" if self._buffer else "closed", headers))

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()
            self.transport = None

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        self._head = int(first.split(" ", 2)[1]), headers
        self._body_at = end + 4
        return True

    def _read_body(self, is_end: bool) -> None:
        assert self._head is not None
        status, headers = self._head
        body: bytes | None = None
        if status == 304:
            body = b""
        elif "content-length" in headers:
            end = self._body_at + int(headers["content-length"])
            if len(self._buffer) >= end:
                body = bytes(self._buffer[self._body_at : end])
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            body = _unchunked(self._buffer, self._body_at)
        elif is_end:
            body = bytes(self._buffer[self._body_at :])
        if body is not None:
            if headers.get("connection", "").lower() == "close":
                self.close()
            self._finish(Response(status, headers, body, len(self._buffer)))

    def _finish(self, response: Response | None = None, error: Broken | None = None) -> None:
        waiter, self._waiter = self._waiter, None
        self.is_used = True
        assert waiter is not None
        if waiter.done():
            self.close()
        elif error:
            waiter.set_exception(error)
        else:
            assert response is not None
            waiter.set_result(response)


def _unchunked(buffer: bytearray, at: int) -> bytes | None:
    """The body, or None where it is not whole yet. Trailers are not expected."""
    parts = []
    while True:
        end = buffer.find(b"\r\n", at)
        if end < 0:
            return None
        size = int(buffer[at:end].split(b";")[0], 16)
        at = end + 2
        if len(buffer) < at + size + 2:
            return None
        if size == 0:
            return b"".join(parts)
        parts.append(bytes(buffer[at : at + size]))
        at += size + 2


class Client:
    """What a browser has towards one origin: a few connections, each for one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Connection] = []
        self._places = asyncio.Semaphore(CONNECTIONS)

    async def get(self, path: str, headers: str = "") -> Response:
        """The answer, whatever its status. Raises Broken."""
        request = f"GET {path} HTTP/1.1\r\nHost: rollout.example\r\n{headers}\r\n".encode()
        async with self._places:
            for attempt in range(ATTEMPTS):
                connection, is_fresh = await self._connection()
                try:
                    answer = await asyncio.wait_for(connection.ask(request), REQUEST_TIMEOUT_S)
                except asyncio.TimeoutError:
                    connection.close()
                    raise Broken("no answer in time") from None
                except Broken as broken:
                    connection.close()
                    if is_fresh or str(broken) != "closed" or attempt == ATTEMPTS - 1:
                        raise
                    continue
                if connection.transport is not None:
                    self._idle.append(connection)
                return answer
        raise Broken("closed")

    async def _connection(self) -> tuple[Connection, bool]:
        while self._idle:
            connection = self._idle.pop()
            if connection.transport is not None and not connection.transport.is_closing():
                return connection, False
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection, "127.0.0.1", self._port
            )
        except OSError as error:
            raise Broken(f"no connection: {error.strerror}") from None
        return connection, True

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()
