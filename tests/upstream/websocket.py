"""The client's side of RFC 6455, over a connection that a request has changed."""

import base64
import hashlib
import os
import struct

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocket:
    def __init__(self, way, target):
        self.way = way
        key = base64.b64encode(os.urandom(16)).decode()
        self.outcome = way.ask(target, headers=[
            ("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13"),
            ("sec-websocket-key", key)])
        self.accepted = base64.b64encode(hashlib.sha1((key + MAGIC).encode()).digest()).decode()

    def send(self, opcode, payload, final=True):
        mask = os.urandom(4)
        size = len(payload)
        head = bytes([(0x80 if final else 0) | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += struct.pack("!BH", 0x80 | 126, size)
        else:
            head += struct.pack("!BQ", 0x80 | 127, size)
        key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        masked = (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")
        self.way.send(head + mask + masked)

    def receive(self):
        """The next frame: (opcode, payload)."""
        first, second = self.way.take(2)
        size = second & 127
        if size == 126:
            size, = struct.unpack("!H", self.way.take(2))
        elif size == 127:
            size, = struct.unpack("!Q", self.way.take(8))
        return first & 15, self.way.take(size)
