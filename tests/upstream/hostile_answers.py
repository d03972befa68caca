"""Answers that a proxy must survive: what the application sends, and what its client may see of it.

Where RFC 9110 and RFC 9112 leave a choice, both ways are right. `HELLO` is the body of most: an answer
that is understood gives these five bytes."""

import gzip
from dataclasses import dataclass
from typing import Callable

from expected import cut, either, failed, refused, right
from scripted import CLOSE, HALF, PAUSE, RESET, answer, endless

HELLO = b"hello"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
# what must never be taken for the answer to another request
POISON = answer(b"poison", b"X-Poison: 1")


@dataclass(frozen=True)
class Case:
    name: str
    steps: list
    expected: Callable
    method: str = "GET"
    headers: tuple = ()
    body: bytes = b""
    # the steps come before the request's body is read
    early: bool = False
    # the next request waits until all of it has been sent
    awaited: bool = False


def _lengths():
    """Content-Length: digits, or nothing that may be trusted (RFC 9110 §8.6)."""
    def one(what, value, expected):
        return Case("length that is " + what, [OK + b"Content-Length:" + value + b"\r\n\r\n" + HELLO],
                    expected)

    yield one("followed by a space", b" 5 ", right())
    yield one("without a space", b"5", right())
    yield one("between tabs", b"\t5\t", right())
    yield one("padded with many spaces", b" " * 200 + b"5" + b" " * 200, right())
    yield one("padded with zeros", b" 0005", either(right(), refused))
    for what, value in (
            ("empty", b""), ("a space", b"  "), ("negative", b" -5"), ("minus one", b" -1"),
            ("signed", b" +5"), ("hexadecimal", b" 0x5"), ("followed by a letter", b" 5a"),
            ("two words", b" 5 5"), ("a fraction", b" 5.0"), ("a power", b" 5e0"),
            ("quoted", b' "5"'), ("followed by a semicolon", b" 5;"), ("a list of two", b" 5, 6"),
            ("a list with junk", b" 5, x"), ("a word", b" five"), ("in other digits", b" \xd9\xa5"),
            ("followed by NUL", b" 5\0"), ("after NUL", b" \x005"), ("after a line feed", b" \x0b5"),
            ("2 to the 63rd", b" 9223372036854775808"), ("2 to the 64th", b" 18446744073709551616"),
            ("5 modulo 2 to the 64th", b" 18446744073709551621"), ("of 40 digits", b" " + b"9" * 40),
            ("of 4,000 digits", b" " + b"9" * 4000), ("5 after 4,000 zeros and a minus", b" -" + b"0" * 4000 + b"5")):
        yield one(what, value, refused)
    yield one("a list of the same", b" 5, 5", either(right(), refused))
    yield one("a list of the same without spaces", b" 5,5", either(right(), refused))
    yield one("a list with an empty element", b" 5,", either(right(), refused))
    for name, first, second, expected in (
            ("two lengths, the same", b"5", b"5", either(right(), refused)),
            ("two lengths, the smaller one first", b"5", b"6", refused),
            ("two lengths, the larger one first", b"6", b"5", refused),
            ("two lengths, one of them empty", b"5", b"", refused),
            ("two lengths, one of them with a zero", b"5", b"05", refused)):
        yield Case(name, [OK + b"Content-Length: %s\r\nContent-Length: %s\r\n\r\n" % (first, second)
                          + HELLO], expected)
    yield Case("three lengths of which the last differs",
               [OK + b"Content-Length: 5\r\n" * 2 + b"Content-Length: 7\r\n\r\n" + HELLO], refused)
    yield Case("a length in capitals", [OK + b"CONTENT-LENGTH: 5\r\n\r\n" + HELLO], right())
    yield Case("a length before its colon's space", [OK + b"Content-Length : 5\r\n\r\n" + HELLO],
               either(right(), refused))
    yield Case("a length folded into the next line", [OK + b"Content-Length:\r\n 5\r\n\r\n" + HELLO],
               either(right(), refused))
    yield Case("a length that goes on in the next line",
               [OK + b"Content-Length: 5\r\n 0\r\n\r\n" + HELLO], refused)
    yield Case("no length, and the end of the connection", [OK + b"\r\n" + HELLO, CLOSE], right())
    yield Case("Content_Length is not a length", [OK + b"Content_Length: 2\r\n\r\n" + HELLO, CLOSE],
               right())
    yield Case("a length of nothing", [answer()], right(b""))
    yield Case("a length in HTTP/1.0", [b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n" + HELLO, CLOSE],
               right())
    yield Case("HTTP/1.0 without a length", [b"HTTP/1.0 200 OK\r\n\r\n" + HELLO, CLOSE], right())
    yield Case("HTTP/1.0 that is kept alive",
               [b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n" + HELLO],
               right())


def _surplus():
    """More than was promised: it belongs to no other request."""
    for name, steps, expected in (
            ("an answer behind the answer", [answer(HELLO) + POISON], right()),
            ("an answer behind chunks", [CHUNKED + CHUNKS + POISON], right()),
            ("an answer behind no body", [answer() + POISON], right(b"")),
            ("an answer behind 204", [b"HTTP/1.1 204 No Content\r\n\r\n" + POISON], right(b"", 204)),
            ("an answer behind 304", [b"HTTP/1.1 304 Not Modified\r\n\r\n" + POISON], right(b"", 304)),
            ("a body that is too long", [answer(HELLO) + b"and more"], right()),
            ("one byte too many", [answer(HELLO) + b"!"], right()),
            ("an empty line too many", [answer(HELLO) + b"\r\n"], right()),
            ("half an answer behind the answer", [answer(HELLO) + POISON[:20]], right()),
            ("a megabyte behind the answer", [answer(HELLO) + b"x" * (1 << 20)], right()),
            ("an answer behind the last", [OK + b"Connection: close\r\nContent-Length: 5\r\n\r\n"
                                           + HELLO + POISON, CLOSE], right()),
            ("an answer behind one that stays open", [OK + b"Connection: close\r\n"
                                                      b"Content-Length: 5\r\n\r\n" + HELLO + POISON],
             right()),
            ("a megabyte and the end behind the answer", [answer(HELLO) + b"x" * (1 << 20), CLOSE], right())):
        yield Case(name, steps, expected)
    # while nobody has asked: behind another request it would be that one's answer
    for name, steps in (("an answer soon after the answer", [answer(HELLO), PAUSE, POISON]),
                        ("an answer soon after chunks", [CHUNKED + CHUNKS, PAUSE, POISON]),
                        ("an answer soon after 304", [b"HTTP/1.1 304 X\r\n\r\n", PAUSE, POISON]),
                        ("endless bytes behind the answer", [endless(b"x", answer(HELLO))]),
                        ("bytes soon after the answer", [answer(HELLO), PAUSE, b"x"])):
        yield Case(name, steps, either(right(), right(b"", 304)), awaited=True)


def _bodiless():
    """Answers that have no body, whatever they say (RFC 9112 §6.3)."""
    for status in (b"204 No Content", b"304 Not Modified"):
        number = int(status[:3])
        nothing = right(b"", number)
        start = b"HTTP/1.1 " + status + b"\r\n"
        yield Case("%d with a length and no body" % number, [start + b"Content-Length: 5\r\n\r\n"],
                   either(nothing, refused) if number == 204 else nothing)
        yield Case("%d with a length and a body" % number,
                   [start + b"Content-Length: 5\r\n\r\n" + HELLO], either(nothing, refused))
        yield Case("%d with a body" % number, [start + b"\r\n" + HELLO], nothing)
        yield Case("%d with chunks" % number,
                   [start + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS], either(nothing, refused))
        yield Case("%d with a bad length" % number, [start + b"Content-Length: x\r\n\r\n"],
                   either(nothing, refused))
        yield Case("%d and the end" % number, [start + b"Connection: close\r\n\r\n", CLOSE], nothing)
    head = right(b"", fields=[("content-length", "5")])
    yield Case("HEAD, and no body", [OK + b"Content-Length: 5\r\n\r\n"], head, "HEAD")
    yield Case("HEAD with a body", [answer(HELLO)], head, "HEAD")
    yield Case("HEAD with an answer behind", [OK + b"Content-Length: 5\r\n\r\n" + POISON], head, "HEAD")
    yield Case("HEAD with chunks", [CHUNKED + CHUNKS], right(b""), "HEAD")
    yield Case("HEAD as of chunks", [CHUNKED], right(b""), "HEAD")
    yield Case("HEAD without a length", [OK + b"\r\n"], right(b""), "HEAD")
    yield Case("HEAD of an error", [b"HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\n"],
               right(b"", 404, [("content-length", "5")]), "HEAD")
    yield Case("HEAD with two lengths", [OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n"],
               refused, "HEAD")


def _codings():
    """Transfer-Encoding: chunked once, in any case, and alone (RFC 9112 §6.1)."""
    def one(what, value, expected, body=CHUNKS):
        return Case("coding that is " + what,
                    [OK + b"Transfer-Encoding:" + value + b"\r\n\r\n" + body, CLOSE], expected)

    for what, value in (("chunked", b" chunked"), ("Chunked", b" Chunked"), ("CHUNKED", b" CHUNKED"),
                        ("chunKeD without a space", b"chunKeD"), ("between tabs", b"\tchunked\t"),
                        ("followed by spaces", b" chunked   ")):
        yield one(what, value, right())
    for what, value in (
            ("chunked twice", b" chunked, chunked"), ("unknown", b" x"), ("a prefix of it", b" chunke"),
            ("longer than it", b" chunkedx"), ("quoted", b' "chunked"'), ("two words", b" chunked x"),
            ("unknown, then chunked", b" x, chunked"), ("chunked, then unknown", b" chunked, x"),
            ("chunked, then gzip", b" chunked, gzip"), ("gzip", b" gzip"), ("compress", b" compress"),
            ("chunked after a vertical tab", b" \x0bchunked"), ("chunked before NUL", b" chunked\0"),
            ("chunked with a tab inside", b" chu\tnked"), ("empty", b""), ("a comma", b" ,"),
            ("chunked, then identity", b" chunked, identity"), ("a question of quality", b" chunked;q=0")):
        yield one(what, value, refused)
    for what, value in (("chunked with a parameter", b" chunked;x=1"),
                        ("chunked before a comma", b" chunked,"), ("chunked after a comma", b" ,chunked"),
                        ("identity, then chunked", b" identity, chunked")):
        yield one(what, value, either(right(), refused))
    yield one("identity", b" identity", either(right(), refused), HELLO)
    packed = gzip.compress(HELLO)
    yield one("gzip, then chunked", b" gzip, chunked", either(right(), refused),
              b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed))
    both = (b"Content-Length: %d\r\nTransfer-Encoding: %s\r\n\r\n",
            b"Transfer-Encoding: %s\r\nContent-Length: %d\r\n\r\n")
    for what, length in (("a smaller length", 3), ("the body's length", 5), ("the chunks' length", 15),
                         ("a larger length", 100), ("no length", 0)):
        yield Case("chunks with %s before" % what, [OK + both[0] % (length, b"chunked") + CHUNKS], refused)
        yield Case("chunks with %s behind" % what, [OK + both[1] % (b"chunked", length) + CHUNKS], refused)
    yield Case("an answer in the chunks of a length",
               [OK + both[0] % (len(CHUNKS), b"chunked") + CHUNKS + POISON], refused)
    yield Case("identity and a length", [OK + both[0] % (5, b"identity") + HELLO], either(right(), refused))
    yield Case("an unknown coding and a length", [OK + both[0] % (5, b"x") + HELLO], refused)
    yield Case("two fields that say chunked",
               [OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n" + CHUNKS], refused)
    yield Case("chunks in HTTP/1.0", [b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
                                      CLOSE], refused)
    yield Case("chunks in HTTP/1.0 with a length",
               [b"HTTP/1.0 200 OK\r\n" + both[0] % (5, b"chunked") + CHUNKS, CLOSE], refused)
    yield Case("a coding before its colon's space",
               [OK + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS, CLOSE], either(right(), refused))
    yield Case("a coding folded into the next line",
               [OK + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS, CLOSE], either(right(), refused))
    yield Case("a coding that goes on in the next line",
               [OK + b"Transfer-Encoding: chunked\r\n x\r\n\r\n" + CHUNKS, CLOSE], refused)
    yield Case("Transfer_Encoding is not a coding",
               [OK + b"Transfer_Encoding: chunked\r\n\r\n" + CHUNKS, CLOSE], right(CHUNKS))
    yield Case("a coding that a control separates",
               [OK + b"X: 1\rTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, CLOSE],
               either(right(CHUNKS), refused))


def _chunks():
    """Chunks by the letter of RFC 9112 §7.1."""
    def one(what, chunks, expected, end=()):
        return Case("chunks " + what, [CHUNKED + chunks, *end], expected)

    data = b"hello" * 100
    yield one("in one", CHUNKS, right())
    yield one("of nothing", b"0\r\n\r\n", right(b""))
    yield one("with a size in capitals", b"1F4\r\n%s\r\n0\r\n\r\n" % data, right(data))
    yield one("with a size in small letters", b"1f4\r\n%s\r\n0\r\n\r\n" % data, right(data))
    yield one("of a byte each", b"1\r\nx\r\n" * 10000 + b"0\r\n\r\n", right(b"x" * 10000))
    for what, size in (("an extension", b"5;a"), ("an extension with a value", b"5;a=b"),
                       ("a quoted extension", b'5;a="x;y"'), ("many extensions", b"5" + b";a=b" * 100)):
        yield one("with " + what, size + b"\r\nhello\r\n0;x\r\n\r\n", right())
    yield one("with an extension of 4 KiB", b"5;" + b"x" * 4096 + b"\r\nhello\r\n0\r\n\r\n",
              either(right(), failed(HELLO)))
    for what, size in (("leading zeros", b"0005"), ("200 leading zeros", b"0" * 200 + b"5"),
                       ("a space behind", b"5 "), ("a space before the extension", b"5 ;a")):
        yield one("with " + what, size + b"\r\nhello\r\n0\r\n\r\n", either(right(), failed(HELLO)))
    for what, size in (
            ("a space before", b" 5"), ("a sign", b"+5"), ("a negative size", b"-5"),
            ("a prefix", b"0x5"), ("a size that is a letter", b"g"), ("no size", b""),
            ("an extension alone", b";a"), ("NUL before", b"\0" + b"5"),
            ("a size above 64 bits", b"10000000000000005"), ("the largest size", b"F" * 16),
            ("a size above 63 bits", b"8000000000000000"), ("a size of 40 digits", b"F" * 40),
            ("a size in quotes", b'"5"'), ("a comma", b",5")):
        yield one("with " + what, size + b"\r\nhello\r\n0\r\n\r\n", failed(), [CLOSE])
    # the answer is framed anew, so that nobody after us can read it otherwise
    for what, size in (("junk behind", b"5x"), ("two sizes", b"5 5"), ("NUL behind", b"5\0"),
                       ("a tab and more behind", b"5\t5")):
        yield one("with " + what, size + b"\r\nhello\r\n0\r\n\r\n", either(right(), failed(HELLO)),
                  [CLOSE])
    yield one("without an end of their lines", b"5\r\nhello0\r\n\r\n", failed(HELLO), [CLOSE])
    yield one("with bytes before the end of a line", b"5\r\nhelloXX0\r\n\r\n", failed(HELLO), [CLOSE])
    yield one("smaller than their data", b"4\r\nhello\r\n0\r\n\r\n", failed(HELLO), [CLOSE])
    yield one("larger than their data", b"7\r\nhello\r\n0\r\n\r\n", failed(b"hello\r\n"), [CLOSE])
    yield one("with bare line feeds", b"5\nhello\n0\n\n", either(right(), failed(HELLO)), [CLOSE])
    yield one("with a bare line feed after the size", b"5\nhello\r\n0\r\n\r\n",
              either(right(), failed(HELLO)), [CLOSE])
    yield one("with a bare carriage return", b"5\rhello\r\n0\r\n\r\n", failed(), [CLOSE])
    yield one("with a trailer", b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n", right(without=["x-trailer"]))
    yield one("with trailers that are framing",
              b"5\r\nhello\r\n0\r\nContent-Length: 999\r\nTransfer-Encoding: x\r\nSet-Cookie: a=b\r\n\r\n",
              either(right(without=["content-length", "set-cookie"]),
                     # a client of HTTP/2 may be told the length that it has
                     right(without=["set-cookie"], fields=[("content-length", "5")]), failed(HELLO)))
    yield one("with 90 trailers", b"5\r\nhello\r\n0\r\n" + b"X-T: 1\r\n" * 90 + b"\r\n",
              right(without=["x-t"]))
    yield one("with a trailer that is none", b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n",
              either(right(), failed(HELLO)))
    yield one("with a trailer of a megabyte",
              b"5\r\nhello\r\n0\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n", either(right(), failed(HELLO)))
    yield one("with 10,000 trailers", b"5\r\nhello\r\n0\r\n" + b"X: 1\r\n" * 10000 + b"\r\n",
              either(right(), failed(HELLO)))
    for what, piece, before in (("trailers", b"X: 1\r\n", b"5\r\nhello\r\n0\r\n"),
                                ("trailer", b"x", b"5\r\nhello\r\n0\r\nX: "),
                                ("extension", b"x", b"5;"), ("zeros", b"0", b""),
                                ("extension of the last chunk", b"x", b"5\r\nhello\r\n0;")):
        yield Case("chunks with endless " + what, [endless(piece, CHUNKED + before)], failed(HELLO))
    for what, chunks in (("before the first", b""), ("within a size", b"5"), ("after a size", b"5\r\n"),
                         ("within the data", b"5\r\nhel"), ("after the data", b"5\r\nhello"),
                         ("between two chunks", b"5\r\nhello\r\n"), ("within the last", b"5\r\nhello\r\n0"),
                         ("before the empty line", b"5\r\nhello\r\n0\r\n"),
                         ("within a trailer", b"5\r\nhello\r\n0\r\nX-T: ")):
        yield one("cut " + what, chunks, failed(HELLO), [CLOSE])
    # nothing but the end of a line is missing
    yield one("cut before the last line feed", b"5\r\nhello\r\n0\r\n\r", either(right(), failed(HELLO)),
              [CLOSE])


def _status_lines():
    rest = b"Content-Length: 5\r\n\r\n" + HELLO

    def one(what, line, expected):
        return Case("status line " + what, [line + b"\r\n" + rest, CLOSE], expected)

    for what, line in (("without a reason", b"HTTP/1.1 200 "),
                       ("without a reason and a space", b"HTTP/1.1 200"),
                       ("with a long reason", b"HTTP/1.1 200 " + b"x" * 500),
                       ("with bytes above ASCII", b"HTTP/1.1 200 \xc3\xa4\xff")):
        yield one(what, line, right())
    for what, line in (
            ("of HTTP/2.0", b"HTTP/2.0 200 OK"), ("of HTTP/2", b"HTTP/2 200 OK"),
            ("of HTTP/3", b"HTTP/3 200 OK"), ("of HTTP/0.9", b"HTTP/0.9 200 OK"),
            ("of HTTP/10.1", b"HTTP/10.1 200 OK"), ("of HTTP/1", b"HTTP/1 200 OK"),
            ("of HTTP/1.", b"HTTP/1. 200 OK"), ("of HTTP/11", b"HTTP/11 200 OK"),
            ("in small letters", b"http/1.1 200 OK"), ("of another protocol", b"RTSP/1.0 200 OK"),
            ("of ICY", b"ICY 200 OK"), ("of a mail server", b"220 mail ready"),
            ("without a protocol", b"200 OK"), ("without a space", b"HTTP/1.1200 OK"),
            ("with a space in the version", b"HTTP/ 1.1 200 OK"), ("after a letter", b"XHTTP/1.1 200 OK"),
            ("after a space", b" HTTP/1.1 200 OK"), ("without a status", b"HTTP/1.1 OK"),
            ("without anything", b"HTTP/1.1"), ("that ends in a space", b"HTTP/1.1 "),
            ("with status 99", b"HTTP/1.1 99 X"), ("with status 20", b"HTTP/1.1 20 OK"),
            ("with status 2000", b"HTTP/1.1 2000 OK"), ("with status 1000", b"HTTP/1.1 1000 OK"),
            ("with status 000", b"HTTP/1.1 000 X"), ("with status 0200", b"HTTP/1.1 0200 OK"),
            ("with a negative status", b"HTTP/1.1 -200 OK"), ("with a signed status", b"HTTP/1.1 +200 OK"),
            ("with letters in the status", b"HTTP/1.1 2OO OK"), ("with a word as status", b"HTTP/1.1 abc"),
            ("with a status that goes on", b"HTTP/1.1 200OK"), ("with status 2.0", b"HTTP/1.1 2.0 OK"),
            ("with status 4294967496", b"HTTP/1.1 4294967496 OK"), ("with NUL", b"HTTP/1.1 200 O\0K"),
            ("that is a field", b"Content-Type: text/html"), ("that is a request", b"GET / HTTP/1.1")):
        yield one(what, line, refused)
    for what, line in (("of HTTP/1.2", b"HTTP/1.2 200 OK"), ("of HTTP/1.10", b"HTTP/1.10 200 OK"),
                       ("with two spaces", b"HTTP/1.1  200 OK"), ("with a tab", b"HTTP/1.1\t200 OK"),
                       ("with a reason of 16 KiB", b"HTTP/1.1 200 " + b"x" * 16384),
                       ("with a carriage return", b"HTTP/1.1 200 O\rK")):
        yield one(what, line, either(right(), refused))
    for status in (299, 404, 451, 499, 500, 502, 503, 599):
        yield one("of %d" % status, b"HTTP/1.1 %d X" % status, right(status=status))
    for status in (600, 999):
        yield one("of %d" % status, b"HTTP/1.1 %d X" % status, either(right(status=status), refused))
    yield Case("no status line at all", [HELLO, CLOSE], refused)
    yield Case("a page without a head", [b"<!doctype html><p>hello\n" * 100, CLOSE], refused)
    yield Case("an alert of TLS", [b"\x15\x03\x01\x00\x02\x02\x28", CLOSE], refused)
    yield Case("a preface of HTTP/2", [b"\0\0\0\4\0\0\0\0\0\0\0\4\1\0\0\0\0", CLOSE], refused)
    yield Case("zeros", [b"\0" * 4096, CLOSE], refused)
    yield Case("an endless status line", [endless(b"x", b"HTTP/1.1 200 ")], refused)
    yield Case("endless bytes without a line", [endless(b"\xff")], refused)
    yield Case("endless empty lines", [endless(b"\r\n")], refused)
    yield Case("an empty line before the status line", [b"\r\n" + answer(HELLO)], either(right(), refused))
    yield Case("line feeds instead of line ends", [OK.replace(b"\r", b"") + rest.replace(b"\r", b"")],
               either(right(), refused))
    yield Case("a status line alone", [OK, CLOSE], refused)


def _fields():
    def one(what, line, expected):
        return Case("field " + what, [OK + line + b"\r\nContent-Length: 5\r\n\r\n" + HELLO], expected)

    for what, line, value in (
            ("without a space", b"X-A:1", "1"), ("between tabs", b"X-A:\t1\t", "1"),
            ("with a tab inside", b"X-A: a\tb", "a\tb"), ("that is empty", b"X-A:", ""),
            ("with bytes above ASCII", b"X-A: \xc3\xa4\xff", "\xc3\xa4\xff"),
            ("with colons", b"X-A: a: b:c", "a: b:c"), ("of 8 KiB", b"X-A: " + b"x" * 8192, "x" * 8192),
            ("in capitals", b"X-A: 1", "1")):
        yield one(what, line, right(fields=[("x-a", value)]))
    yield one("with a strange name", b"!#$%&'*+-.^_`|~9z: 1", right())
    for what, line in (
            ("without a name", b": 1"), ("without a colon", b"nonsense"), ("with a space in its name", b"X A: 1"),
            ("with a tab in its name", b"X\tA: 1"), ("with NUL in its name", b"X\0A: 1"),
            ("with a control in its name", b"X\x01A: 1"), ("that is a space", b" "),
            ("with a carriage return in its name", b"X\rA: 1")):
        # what begins with a space goes on with the line before
        yield one(what, line, either(right(), refused) if line == b" " else refused)
    for what, line in (
            ("with a space before its colon", b"X-A : 1"), ("with bytes above ASCII in its name", b"X-\xc3: 1"),
            ("with a bracket in its name", b"X(A): 1"), ("with an at sign in its name", b"X@A: 1"),
            ("with a slash in its name", b"X/A: 1"), ("with a control in its value", b"X-A: a\x01b"),
            ("with DEL in its value", b"X-A: a\x7fb"), ("with NUL in its value", b"X-A: a\0b"),
            ("with a carriage return in its value", b"X-A: a\rX-B: b"),
            ("that ends in a line feed", b"X-A: a\nX-B: b"), ("folded", b"X-A: a\r\n b"),
            ("folded with a tab", b"X-A: a\r\n\tb"), ("folded often", b"X-A: a" + b"\r\n b" * 50),
            ("folded into nothing", b"X-A: a\r\n ")):
        yield one(what, line, either(right(), refused))
    yield Case("fields that begin with a fold", [OK + b" X: 1\r\nContent-Length: 5\r\n\r\n" + HELLO],
               either(right(), refused))
    yield Case("90 fields", [answer(HELLO, *[b"X-%d: 1" % at for at in range(90)])],
               right(fields=[("x-89", "1")]))
    yield Case("10,000 fields", [answer(HELLO, *[b"X-%d: 1" % at for at in range(10000)])], refused)
    yield Case("a field of a megabyte", [answer(HELLO, b"X: " + b"x" * (1 << 20))], refused)
    yield Case("a name of a megabyte", [answer(HELLO, b"x" * (1 << 20) + b": x")], refused)
    yield Case("endless fields", [endless(b"X: 1\r\n", OK)], refused)
    yield Case("an endless value", [endless(b"x", OK + b"X: ")], refused)
    yield Case("an endless name", [endless(b"x", OK)], refused)
    yield Case("endless folds", [endless(b"\r\n x", OK + b"X: 1")], refused)


def _upgrade_required(outcome):
    """HTTP/2 has no Upgrade (RFC 9113 §8.2.2)."""
    if outcome.version == "HTTP/2":
        return right(status=426, without=["upgrade"])(outcome)
    return right(status=426, fields=[("upgrade", "websocket")])(outcome)


def _between_us():
    """What is between an application and us (RFC 9110 §7.6.1)."""
    def one(what, fields, expected):
        return Case(what, [answer(HELLO, *fields)], expected)

    yield one("a field that Connection names", [b"Connection: X-Secret", b"X-Secret: 1"],
              right(without=["x-secret"]))
    yield one("fields that Connection names, with odd commas",
              [b"X-One: 1", b"Connection: ,x-one,, \tX-TWO ,keep-alive,", b"x-two: 2", b"X-Three: 3"],
              right(without=["x-one", "x-two"], fields=[("x-three", "3")]))
    yield one("fields that two Connection fields name",
              [b"Connection: x-one", b"X-One: 1", b"Connection: x-two", b"X-Two: 2"],
              right(without=["x-one", "x-two"]))
    yield one("Connection names a field that comes twice",
              [b"X-Secret: 1", b"Connection: x-secret", b"X-Secret: 2"], right(without=["x-secret"]))
    yield one("Connection names Content-Length", [b"Connection: content-length"],
              either(right(), refused))
    yield one("Connection names Set-Cookie", [b"Connection: set-cookie", b"Set-Cookie: a=b"],
              right(without=["set-cookie"]))
    yield Case("Connection names Transfer-Encoding",
               [OK + b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS],
               either(right(), refused))
    yield one("an empty Connection", [b"Connection:"], right())
    yield one("Connection is a long list", [b"Connection: " + b"x-a, " * 1000 + b"x-b", b"X-B: 1"],
              right(without=["x-b"]))
    yield one("Keep-Alive", [b"Keep-Alive: timeout=5, max=100"], right(without=["keep-alive"]))
    yield one("Proxy-Connection", [b"Proxy-Connection: keep-alive"], right(without=["proxy-connection"]))
    yield one("TE in an answer", [b"TE: trailers"], right(without=["te"]))
    yield one("an Upgrade that nobody asked for", [b"Upgrade: h2c, h2", b"Connection: upgrade"],
              right(without=["upgrade"]))
    yield Case("426 says to what", [answer(HELLO, b"Upgrade: websocket", b"Connection: Upgrade",
                                           status=b"426 Upgrade Required")], _upgrade_required)
    yield one("three cookies", [b"Set-Cookie: a=1", b"Set-Cookie: b=2; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
                                b"set-cookie: a=3"],
              right(fields=[("set-cookie", "a=1", "b=2; Expires=Fri, 01 Jan 2100 00:00:00 GMT", "a=3")]))
    yield one("two fields of one name", [b"X-A: 1", b"X-B: 2", b"x-a: 3"],
              right(fields=[("x-a", "1", "3"), ("x-b", "2")]))
    yield one("WWW-Authenticate twice", [b"WWW-Authenticate: Basic", b"WWW-Authenticate: Bearer"],
              right(fields=[("www-authenticate", "Basic", "Bearer")]))
    yield one("fields of libh2o's own", [b"X-Compress-Hint: on", b"X-Traffic: 1"],
              right(without=["x-compress-hint"]))
    yield one("a Link that asks for a push", [b"Link: </a.css>; rel=preload; as=style"], right())
    yield one("a Location that is no URL", [b"Location: http://["], right(fields=[("location", "http://[")]))
    yield one("a Server and a Date", [b"Server: x", b"Date: Mon, 01 Jan 2024 00:00:00 GMT"], right())
    yield Case("Connection: close that is kept to", [answer(HELLO, b"Connection: close"), CLOSE], right())
    yield Case("Connection: close that is not kept to", [answer(HELLO, b"Connection: close")], right())


def _informational():
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; as=style\r\n\r\n"
    more = b"HTTP/1.1 100 Continue\r\n\r\n"
    for what, before in (("100", more), ("102", b"HTTP/1.1 102 Processing\r\n\r\n"), ("103", early),
                         ("199", b"HTTP/1.1 199 X\r\n\r\n"), ("three of them", more + early + more)):
        yield Case("1xx: " + what, [before + answer(HELLO)], right(without=["link"]))
        yield Case("1xx: %s, and the rest later" % what, [before, PAUSE, answer(HELLO)], right())
    for what, before in (("ten of them", more * 10), ("100 in HTTP/1.0", b"HTTP/1.0 100 Continue\r\n\r\n")):
        yield Case("1xx: " + what, [before + answer(HELLO)], either(right(), refused))
    for what, steps in (
            ("100 and no more", [more, CLOSE]), ("103 and no more", [early, CLOSE]),
            ("103 with a body", [early[:-2] + b"Content-Length: 5\r\n\r\n" + HELLO + answer(HELLO)]),
            ("103 with chunks", [early[:-2] + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS
                                 + answer(HELLO)]),
            ("endless ones", [endless(more)]), ("endless hints", [endless(early)]),
            ("endless fields", [endless(b"X: 1\r\n", b"HTTP/1.1 103 X\r\n")]),
            ("a megabyte of fields", [b"HTTP/1.1 103 X\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n"
                                      + answer(HELLO)])):
        yield Case("1xx: " + what, steps, refused)
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: %s\r\n\r\n"
    for protocol in (b"websocket", b"h2c", b"x"):
        yield Case("1xx: 101 to %s that nobody asked for" % protocol.decode(),
                   [switch % protocol, PAUSE, POISON], refused)
    yield Case("1xx: 101 without a protocol", [b"HTTP/1.1 101 X\r\n\r\n" + POISON], refused)
    yield Case("1xx: 101, then an answer", [switch % b"x" + answer(HELLO)], refused)


def _ends():
    """Connections that end when they should not."""
    long = b"hello " * 1000
    yield Case("the end instead of an answer", [CLOSE], refused)
    yield Case("the end of one direction instead of an answer", [HALF], refused)
    yield Case("a reset instead of an answer", [RESET], refused)
    for what, part in (("the version", b"HTT"), ("the status line", b"HTTP/1.1 20"), ("a name", OK + b"X-"),
                       ("a value", OK + b"X-A: b"), ("the empty line", OK + b"Content-Length: 5\r\n\r")):
        for how, end in (("the end", CLOSE), ("a reset", RESET), ("the end of one direction", HALF)):
            yield Case("%s within %s" % (how, what), [part, PAUSE, end], refused)
    for how, end in (("the end", CLOSE), ("a reset", RESET), ("the end of one direction", HALF)):
        yield Case("%s within a body" % how, [answer(long)[:-1000], PAUSE, end], failed(long))
        yield Case("%s before a body" % how, [OK + b"Content-Length: 5\r\n\r\n", PAUSE, end], failed(HELLO))
        yield Case("%s before the last byte" % how, [answer(HELLO)[:-1], PAUSE, end], failed(HELLO))
        yield Case("%s within a chunk" % how, [CHUNKED + b"64\r\nhello", PAUSE, end], failed(HELLO))
        yield Case("%s after an answer" % how, [answer(HELLO), PAUSE, end], right())
    yield Case("a reset within a body without a length", [OK + b"\r\n" + HELLO, PAUSE, RESET],
               failed(HELLO))


def _early():
    """Answers that do not wait for the body of the request."""
    body = b"x" * 200000
    no = answer(b"no", status=b"413 Content Too Large")

    def one(what, steps, expected):
        return Case("early " + what, steps, expected, "POST", (), body, True)

    yield one("answer, and the body is read", [no], right(b"no", 413))
    yield one("answer with the end", [answer(b"no", b"Connection: close", status=b"413 X"), HALF],
              either(right(b"no", 413), refused))
    yield one("end", [CLOSE], refused)
    yield one("reset", [RESET], refused)
    yield one("redirect", [answer(b"", b"Location: /x", status=b"303 See Other")],
              right(b"", 303, [("location", "/x")]))
    yield one("100", [b"HTTP/1.1 100 Continue\r\n\r\n" + no], right(b"no", 413))
    yield one("nonsense", [b"nonsense\r\n\r\n", CLOSE], refused)
    yield one("half of a body", [no[:-1], CLOSE], either(refused, cut(b"no", 413)))


def all_cases():
    """The table; names are unique."""
    cases = [case for group in (_lengths, _surplus, _bodiless, _codings, _chunks, _status_lines, _fields,
                                _between_us, _informational, _ends, _early) for case in group()]
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
    return {case.name: case for case in cases}
