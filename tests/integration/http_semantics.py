"""RFC 9110 over real connections: conditions, ranges, negotiation, HEAD, and large files that are
sent from disk in pieces to readers of every kind."""

import hashlib
import os
import random
import re

import client
import harness
from trees import DECODERS, tag_of

TOKEN = "1718539201234"
MODIFIED_S = 1704067200
MODIFIED = "Mon, 01 Jan 2024 00:00:00 GMT"
EARLIER = "Sun, 31 Dec 2023 23:59:59 GMT"
LATER = "Mon, 01 Jan 2024 00:00:01 GMT"

ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
CSS = b"".join(b".rule-%d { margin: %dpx; color: #%06x }\n" % (i, i % 7, i * 7919 % (1 << 24))
               for i in range(2000))
SIZE = 32 << 20
RANDOM = random.Random(20241123)
BIG = RANDOM.randbytes(SIZE)
DISK = RANDOM.randbytes(200000)

CONFIG = """
listen:
  - {host: 127.0.0.1, port: @port@}
  - host: 127.0.0.1
    port: @tls_port@
    ssl: {certificate-file: @cert@, key-file: @key@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static:
          - {name: "static/{breaker}", path: @tree@}
          - {name: "disk/{breaker}", path: @tree@, memory-file-limit: 10}
"""

# a file that another view has in memory is sent from there, whatever happens to it on disk
DISK_ONLY = CONFIG.replace('          - {name: "static/{breaker}", path: @tree@}\n', "")

# what a copy of the whole must say of itself, whichever part of it is sent
SHARED = ("etag", "cache-control", "vary", "access-control-allow-origin")


class SemanticsCase(harness.ServedCase):
    files = {"alphabet.txt": ALPHABET, "style.css": CSS, "empty.txt": b"", "disk.bin": DISK}
    config = CONFIG

    @classmethod
    def prepare(cls):
        cls.certificate = harness.Certificate(cls.scratch)
        tree = cls.scratch.tree("tree", cls.files)
        for name in cls.files:
            os.utime(os.path.join(tree, name), (MODIFIED_S, MODIFIED_S))
        return cls.expand(cls.config, cert=cls.certificate.cert, key=cls.certificate.key, token=TOKEN,
                          tree=tree)

    def setUp(self):
        self.connection = client.Http1(self.port)
        self.addCleanup(self.connection.close)

    def get(self, path, *headers, method="GET"):
        return self.connection.request(url(path), method, headers)

    def wait_encoded(self, path, coding):
        def encoded():
            response = self.get(path, ("accept-encoding", coding))
            return response if response.get("content-encoding") == coding else None
        return harness.wait_until(encoded, "%s in %s" % (path, coding))


def url(path, view="static"):
    return "/%s/%s/%s" % (view, TOKEN, path)


class Conditions(SemanticsCase):
    def table(self):
        tag = tag_of(ALPHABET)
        none, match = "if-none-match", "if-match"
        since, unless = "if-modified-since", "if-unmodified-since"
        return (
            (304, (none, tag)), (304, (none, "W/" + tag)), (304, (none, '"x", ' + tag)),
            (304, (none, '"x",W/"y" , W/%s' % tag)), (304, (none, tag + ', "x"')),
            (304, (none, "*")), (304, (none, '"x"'), (none, tag)), (304, (none, ',, ' + tag)),
            (200, (none, '"x"')), (200, (none, '"x", "y"')), (200, (none, tag.strip('"'))),
            (200, (none, tag[:-2] + '"')), (200, (none, "")), (200, (none, tag.swapcase())),
            (200, (none, 'bogus, ' + tag)),
            (304, (since, MODIFIED)), (304, (since, LATER)), (200, (since, EARLIER)),
            (304, (since, "Monday, 01-Jan-24 00:00:00 GMT")),
            (304, (since, "Mon Jan  1 00:00:00 2024")), (200, (since, "yesterday")),
            (200, (since, "")), (200, (since, "2024-01-01T00:00:00Z")),
            (200, (none, '"x"'), (since, LATER)), (304, (none, tag), (since, EARLIER)),
            (200, (match, tag)), (200, (match, '"x", ' + tag)), (200, (match, "*")),
            (412, (match, '"x"')), (412, (match, "W/" + tag)), (412, (match, '"x", "y"')),
            (200, (unless, MODIFIED)), (200, (unless, LATER)), (412, (unless, EARLIER)),
            (200, (unless, "whenever")), (200, (match, tag), (unless, EARLIER)),
            (412, (match, '"x"'), (unless, LATER)), (304, (match, tag), (none, tag)),
            (412, (match, '"x"'), (none, tag)), (412, (unless, EARLIER), (since, LATER)),
            (304, (unless, LATER), (since, MODIFIED)),
        )

    def test_every_condition_has_its_status(self):
        whole = self.get("alphabet.txt")
        self.assertEqual(whole.get("last-modified"), MODIFIED)
        for status, *headers in self.table():
            for method in ("GET", "HEAD"):
                with self.subTest(headers=headers, method=method):
                    response = self.get("alphabet.txt", *headers, method=method)
                    self.assertEqual(response.status, status)
                    if status == 304:
                        self.assertEqual(response.body, b"")
                        for name in SHARED:
                            self.assertEqual(response.get(name), whole.get(name))
                    elif status == 412:
                        self.assertEqual(response.get("cache-control"), "no-store")
                        self.assertIsNone(response.get("etag"))
                    elif method == "GET":
                        self.assertEqual(response.body, ALPHABET)

    def test_every_condition_has_its_status_over_http2(self):
        with client.Http2(self.port) as connection:
            for status, *headers in self.table():
                with self.subTest(headers=headers):
                    response = connection.request(url("alphabet.txt"), headers=headers)
                    self.assertEqual((response.status, response.body),
                                     (status, ALPHABET) if status == 200 else
                                     (status, response.body if status == 412 else b""))

    def test_a_file_on_disk_obeys_conditions_too(self):
        tag = tag_of(DISK)
        self.assertEqual(self.get("disk.bin", ("if-none-match", tag)).status, 304)
        with client.Http1(self.port) as connection:
            response = connection.request(url("disk.bin", "disk"),
                                          headers=[("if-none-match", tag)])
            self.assertEqual((response.status, response.get("etag")), (304, tag))

    def test_conditions_change_no_other_answer(self):
        for token, path, status in (("1718539201233", "alphabet.txt", 301), (TOKEN, "no", 404),
                                    ("1718539201235", "alphabet.txt", 503)):
            for header in (("if-none-match", "*"), ("if-match", '"x"'),
                           ("if-modified-since", LATER), ("range", "bytes=0-1")):
                response = self.connection.request("/static/%s/%s" % (token, path),
                                                   headers=[header])
                self.assertEqual(response.status, status)

    def test_each_encoding_has_a_tag_of_its_own(self):
        encoded = self.wait_encoded("style.css", "br")
        tag, identity = encoded.get("etag"), tag_of(CSS)
        self.assertNotEqual(tag, identity)
        accept = ("accept-encoding", "br")
        for status, *headers in ((304, accept, ("if-none-match", tag)),
                                 (200, accept, ("if-none-match", identity)),
                                 (200, ("if-none-match", tag)),
                                 (304, ("if-none-match", identity)),
                                 (304, accept, ("if-none-match", "%s, %s" % (identity, tag)))):
            with self.subTest(headers):
                self.assertEqual(self.get("style.css", *headers).status, status)


class Ranges(SemanticsCase):
    SINGLE = (("0-0", 0, 0), ("0-25", 0, 25), ("0-", 0, 25), ("5-9", 5, 9), ("25-25", 25, 25),
              ("25-100", 25, 25), ("-1", 25, 25), ("-26", 0, 25), ("-100", 0, 25),
              ("10-", 10, 25), ("0-1,2-3", 0, 3), ("0-9,5-14", 0, 14), ("3-4,90-91", 3, 4),
              ("90-,3-4", 3, 4), ("000-0001", 0, 1))
    UNSATISFIABLE = ("26-", "26-26", "100-200", "-0", "26-,30-40", "9999999999-")
    IGNORED = ("bytes=", "bytes=a-b", "bytes=5-2", "bytes 0-1", "items=0-1", "bytes=0-1,a",
               "bytes=1-2-3", "bytes=--1", "bytes=-", "0-1", "bytes=0x0-0x1", "bytes=0-1;2-3",
               "bytes=+1-2", "bytes=1-+2", "bytes=0-99999999999999999999",
               "bytes=99999999999999999999-", "bytes=-99999999999999999999",
               "bytes=1-0,0-1", "=", "bytes", "bytes=\xb9-\xb2",
               "bytes=" + ",".join("%d-%d" % (i, i) for i in range(0, 34, 2)))

    def test_single_ranges(self):
        whole = self.get("alphabet.txt")
        for text, first, last in self.SINGLE:
            with self.subTest(text):
                response = self.get("alphabet.txt", ("range", "bytes=" + text))
                self.assertEqual((response.status, response.body),
                                 (206, ALPHABET[first:last + 1]))
                self.assertEqual(response.get("content-range"), "bytes %d-%d/26" % (first, last))
                self.assertEqual(response.get("content-length"), str(last - first + 1))
                for name in SHARED + ("content-type", "last-modified"):
                    self.assertEqual(response.get(name), whole.get(name))

    def test_unsatisfiable_ranges(self):
        for text in self.UNSATISFIABLE:
            with self.subTest(text):
                response = self.get("alphabet.txt", ("range", "bytes=" + text))
                self.assertEqual((response.status, response.get("content-range")),
                                 (416, "bytes */26"))
                self.assertEqual(response.get("cache-control"), "no-store")
                self.assertNotIn(b"xyz", response.body)
        response = self.get("empty.txt", ("range", "bytes=0-"))
        self.assertEqual((response.status, response.get("content-range")), (416, "bytes */0"))

    def test_what_is_no_range_is_ignored(self):
        for text in self.IGNORED:
            with self.subTest(text):
                response = self.get("alphabet.txt", ("range", text))
                self.assertEqual((response.status, response.body), (200, ALPHABET))
                self.assertIsNone(response.get("content-range"))

    def test_a_range_of_head_is_ignored(self):
        response = self.get("alphabet.txt", ("range", "bytes=0-1"), method="HEAD")
        self.assertEqual((response.status, response.get("content-length")), (200, "26"))

    def assert_multipart(self, response, whole, expected):
        self.assertEqual(response.status, 206)
        self.assertIsNone(response.get("content-range"))
        found = re.fullmatch(r'multipart/byteranges; ?boundary="?([A-Za-z0-9_=.-]{1,70})"?',
                             response.get("content-type"))
        self.assertIsNotNone(found, response.get("content-type"))
        boundary = b"--" + found.group(1).encode()
        self.assertEqual(response.get("content-length"), str(len(response.body)))
        position = 0
        for i, (first, last) in enumerate(expected):
            head_end = response.body.index(b"\r\n\r\n", position)
            head = response.body[position:head_end].split(b"\r\n")
            if i:
                self.assertEqual(head.pop(0), b"")
            self.assertEqual(head[0], boundary)
            fields = dict(line.lower().split(b": ", 1) for line in head[1:])
            self.assertEqual(fields[b"content-range"],
                             b"bytes %d-%d/%d" % (first, last, len(whole)))
            self.assertIn(b"content-type", fields)
            position = head_end + 4 + last - first + 1
            self.assertEqual(response.body[head_end + 4:position], whole[first:last + 1])
        self.assertEqual(response.body[position:].rstrip(b"\r\n"), b"\r\n" + boundary + b"--")

    def test_several_ranges_come_as_multipart(self):
        for text, expected in (("0-1,4-5", ((0, 1), (4, 5))), ("20-25,0-3", ((20, 25), (0, 3))),
                               ("0-0,-1", ((0, 0), (25, 25))), ("0-0, ,3-3", ((0, 0), (3, 3))),
                               ("0-1,90-,4-5,-1", ((0, 1), (4, 5), (25, 25)))):
            with self.subTest(text):
                response = self.get("alphabet.txt", ("range", "bytes=" + text))
                self.assert_multipart(response, ALPHABET, expected)
                self.assertEqual(response.get("etag"), tag_of(ALPHABET))

    def test_sixteen_ranges_of_a_file_on_disk(self):
        expected = [(i * 12000, i * 12000 + 999) for i in range(16)]
        text = "bytes=" + ",".join("%d-%d" % pair for pair in expected)
        for view in ("static", "disk"):
            response = self.connection.request(url("disk.bin", view), headers=[("range", text)])
            self.assert_multipart(response, DISK, expected)
        with client.Http2(self.port) as connection:
            response = connection.request(url("disk.bin", "disk"), headers=[("range", text)])
            self.assert_multipart(response, DISK, expected)

    def test_if_range(self):
        tag = tag_of(ALPHABET)
        for value, status in ((tag, 206), (MODIFIED, 206), ("W/" + tag, 200), ('"x"', 200),
                              (EARLIER, 200), (LATER, 200), ("*", 200), ("bogus", 200),
                              ("%s, %s" % (tag, tag), 200)):
            with self.subTest(value):
                response = self.get("alphabet.txt", ("range", "bytes=1-2"), ("if-range", value))
                self.assertEqual((response.status, response.body),
                                 (206, b"bc") if status == 206 else (200, ALPHABET))

    def test_if_range_that_fails_hides_an_unsatisfiable_range(self):
        response = self.get("alphabet.txt", ("range", "bytes=90-"), ("if-range", '"x"'))
        self.assertEqual((response.status, response.body), (200, ALPHABET))

    def test_conditions_come_before_ranges(self):
        tag = tag_of(ALPHABET)
        for header, status in ((("if-none-match", tag), 304), (("if-match", '"x"'), 412),
                               (("if-match", tag), 206)):
            response = self.get("alphabet.txt", ("range", "bytes=0-1"), header)
            self.assertEqual(response.status, status)

    def test_a_range_is_of_the_encoded_bytes(self):
        whole = self.wait_encoded("style.css", "gzip")
        response = self.get("style.css", ("accept-encoding", "gzip"), ("range", "bytes=10-99"))
        self.assertEqual((response.status, response.body), (206, whole.body[10:100]))
        self.assertEqual(response.get("content-encoding"), "gzip")
        self.assertEqual(response.get("etag"), whole.get("etag"))
        self.assertEqual(response.get("content-range"), "bytes 10-99/%d" % len(whole.body))
        stale = self.get("style.css", ("accept-encoding", "gzip"), ("range", "bytes=10-99"),
                         ("if-range", tag_of(CSS)))
        self.assertEqual((stale.status, stale.body), (200, whole.body))


class Negotiation(SemanticsCase):
    TABLE = (
        (None, None), ("", None), ("br", "br"), ("gzip", "gzip"), ("zstd", "zstd"),
        ("gzip, br", "br"), ("gzip, deflate, br, zstd", "br"), ("gzip, zstd", "zstd"),
        ("gzip;q=1.0, br;q=0.5", "gzip"), ("gzip;q=0.5,zstd;q=0.7,br;q=0.6", "zstd"),
        ("gzip; q=1.0", "gzip"), ("gzip;q=1", "gzip"), ("br;q=0", None), ("br;q=0, gzip", "gzip"),
        ("br;q=0.000, *", "zstd"), ("*", "br"), ("*;q=0, gzip", "gzip"),
        ("identity;q=0, gzip", "gzip"), ("identity;q=0, *", "br"),
        ("identity, gzip;q=0.5", None), ("gzip;q=0.5, identity;q=0.1", "gzip"),
        ("x-gzip", "gzip"), ("GZIP", "gzip"), ("deflate", None), ("deflate, compress", None),
        ("br;q=0.001", "br"), ("br;q=bogus, gzip", "gzip"), ("gzipp", None), ("bro", None),
        ("br" * 5000, None), (", ,gzip", "gzip"), ("\tgzip\t;\tq=0.4", "gzip"),
        ("identity;q=0", 406), ("*;q=0", 406), ("identity;q=0, br;q=0", 406),
        ("*;q=0, identity", None), ("*;q=0, deflate", 406),
    )

    def test_every_field_has_its_encoding(self):
        for coding in DECODERS:
            self.wait_encoded("style.css", coding)
        for field, expected in self.TABLE:
            headers = [] if field is None else [("accept-encoding", field)]
            for method in ("GET", "HEAD"):
                with self.subTest(field=(field or "")[:60], method=method):
                    response = self.get("style.css", *headers, method=method)
                    if expected == 406:
                        self.assertEqual(response.status, 406)
                        self.assertEqual(response.get("cache-control"), "no-store")
                        continue
                    self.assertEqual(response.status, 200)
                    self.assertEqual(response.get("content-encoding"), expected)
                    self.assertEqual(response.get("vary").lower(), "accept-encoding")
                    if method == "GET":
                        self.assertEqual(response.get("etag"), tag_of(response.body))
                        decode = DECODERS.get(expected, lambda body: body)
                        self.assertEqual(decode(response.body), CSS)

    def test_what_has_no_encoding_comes_as_it_is(self):
        for field, status in (("br, gzip", 200), ("identity;q=0, br", 406)):
            response = self.get("disk.bin", ("accept-encoding", field))
            self.assertEqual(response.status, status)
            if status == 200:
                self.assertEqual(response.body, DISK)

    def test_vary_stands_on_every_part_of_the_answer(self):
        tag = tag_of(CSS)
        for headers in ((), (("range", "bytes=0-9"),), (("if-none-match", tag),),
                        (("user-agent", "Mozilla/4.0 (compatible; MSIE 8.0)"),)):
            response = self.get("style.css", *headers)
            self.assertEqual(response.get("vary").lower(), "accept-encoding")
            self.assertIn("public", response.get("cache-control"))


class Encrypted(SemanticsCase):
    """Bodies around the lengths up to which they share a TLS record with their heads."""

    LENGTHS = (1, 500, 12287, 12288, 12289, 16383, 16384, 65536, 65537)
    files = {"%d.bin" % length: BIG[length:2 * length] for length in LENGTHS}

    def setUp(self):
        context = client.tls_context(self.certificate.cert)
        self.connection = client.Http1(self.tls_port, context)
        self.addCleanup(self.connection.close)

    def test_a_small_body_shares_the_record_of_its_head(self):
        for _ in range(3):
            self.connection.send(client.make_request(url("500.bin")))
            # a read from a TLS socket gives one record at most, and the first ones of a connection
            # are no longer than a packet
            record = self.connection.sock.recv(1 << 20)
            self.assertTrue(record.startswith(b"HTTP/1.1 200 OK\r\n"))
            self.assertTrue(record.endswith(b"\r\n\r\n" + self.files["500.bin"]))

    def test_every_length_comes_whole_and_in_order(self):
        for _ in range(2):
            for length in self.LENGTHS:
                name = "%d.bin" % length
                with self.subTest(length):
                    self.assertEqual(self.get(name).body, self.files[name])
                    head = self.get(name, method="HEAD")
                    self.assertEqual((head.body, head.get("content-length")), (b"", str(length)))
                    part = self.get(name, ("range", "bytes=%d-" % (length // 2)))
                    self.assertEqual((part.status, part.body),
                                     (206, self.files[name][length // 2:]))

    def test_requests_as_long_as_a_read_leave_the_connection_open(self):
        overhead = 22  # of a record of TLS 1.3: head, type, tag
        for length in range(8192 - overhead - 3, 8192 - overhead + 4):
            with self.subTest(length), client.Http1(
                    self.tls_port, client.tls_context(self.certificate.cert)) as connection:
                request = client.make_request(url("500.bin"), headers=[("x-pad", "")])
                connection.send(client.make_request(
                    url("500.bin"), headers=[("x-pad", "x" * (length - len(request)))]))
                self.assertEqual(connection.read().body, self.files["500.bin"])
                self.assertEqual(connection.request(url("1.bin")).body, self.files["1.bin"])

    def test_a_long_connection_goes_over_to_long_records(self):
        for _ in range(20):
            self.assertEqual(self.get("65536.bin").body, self.files["65536.bin"])
        self.connection.send(client.make_request(url("12288.bin")))
        record = self.connection.sock.recv(1 << 20)
        self.assertTrue(record.endswith(b"\r\n\r\n" + self.files["12288.bin"]))

    def test_clients_that_go_away_leave_nothing_behind(self):
        for name in ("500.bin", "12288.bin", "65537.bin"):
            for _ in range(20):
                connection = client.Http1(self.tls_port, client.tls_context(self.certificate.cert))
                connection.send(client.make_request(url(name)))
                client.reset(connection.sock)
        self.assertEqual(self.get("500.bin").body, self.files["500.bin"])

    def test_pipelined_requests_are_answered_in_order(self):
        names = ["%d.bin" % length for length in self.LENGTHS] * 3
        self.connection.send(b"".join(
            client.make_request(url(name)) for name in names))
        for name in names:
            self.assertEqual(self.connection.read().body, self.files[name])


class LargeFile(SemanticsCase):
    files = {"big.bin": BIG, "alphabet.txt": ALPHABET, "memory.bin": BIG[:7 << 20]}
    digest = hashlib.sha256(BIG).hexdigest()

    def contexts(self):
        yield "http1", self.port, None
        yield "http1-tls", self.tls_port, client.tls_context(self.certificate.cert)

    def h2_contexts(self):
        yield "http2", self.port, None
        if self.flavour == "evloop":
            yield "http2-tls", self.tls_port, client.tls_context(self.certificate.cert, ("h2",))

    def test_the_whole_file_over_every_protocol(self):
        for name, port, context in self.contexts():
            with self.subTest(name), client.Http1(port, context) as connection:
                response = connection.request(url("big.bin"))
                self.assertEqual(hashlib.sha256(response.body).hexdigest(), self.digest)
                self.assertEqual(response.get("etag"), tag_of(BIG))
                self.assertEqual(connection.request(url("alphabet.txt")).body, ALPHABET)
        for name, port, context in self.h2_contexts():
            with self.subTest(name), client.Http2(port, context) as connection:
                streams = [connection.start(url("big.bin")), connection.start(url("memory.bin")),
                           connection.start(url("alphabet.txt"))]
                bodies = [connection.wait(stream).body for stream in streams]
                self.assertEqual(hashlib.sha256(bodies[0]).hexdigest(), self.digest)
                self.assertEqual(bodies[1:], [BIG[:7 << 20], ALPHABET])

    def test_ranges_around_the_pieces_that_are_sent(self):
        edges = (0, 1, 65535, 65536, 65537, 131071, 131072, SIZE // 2, SIZE - 65537, SIZE - 1)
        for name, port, context in self.contexts():
            with self.subTest(name), client.Http1(port, context) as connection:
                for first in edges:
                    for length in (1, 2, 65535, 65536, 65537, 200001):
                        last = min(first + length, SIZE) - 1
                        response = connection.request(
                            url("big.bin"), headers=[("range", "bytes=%d-%d" % (first, last))])
                        self.assertEqual(response.status, 206)
                        if response.body != BIG[first:last + 1]:
                            self.fail("bytes %d-%d differ" % (first, last))

    def test_a_slow_reader_gets_every_byte_and_holds_nobody_up(self):
        for name, port, context in self.contexts():
            with self.subTest(name):
                slow = client.Http1(port, context, receive_buffer=4096)
                self.addCleanup(slow.close)
                slow.send(client.make_request(url("big.bin")))
                digest = hashlib.sha256()
                head = slow.take_until(b"\r\n\r\n")
                self.assertIn(b"content-length: %d" % SIZE, head.lower())
                for turn in range(64):
                    digest.update(slow.take(1 + turn * 13))
                    with client.Http1(port, context) as other:
                        self.assertEqual(other.request(url("alphabet.txt")).body, ALPHABET)
                sent = sum(1 + turn * 13 for turn in range(64))
                slow.sock.setsockopt(client.socket.SOL_SOCKET, client.socket.SO_RCVBUF, 1 << 20)
                digest.update(slow.take(SIZE - sent))
                self.assertEqual(digest.hexdigest(), self.digest)

    def test_readers_that_stop_cost_little_memory(self):
        """Ten downloads that nobody reads must not be encrypted or read from disk in advance."""
        if harness.SLOWDOWN > 1:
            self.skipTest("memory of an instrumented build says nothing")
        for path in ("big.bin", "memory.bin"):
            for name, port, context in self.contexts():
                with self.subTest(name=name, path=path):
                    before = resident(self.server.pid)
                    stuck = [client.Http1(port, context, receive_buffer=4096) for _ in range(10)]
                    for connection in stuck:
                        connection.send(client.make_request(url(path)))
                        connection.take_until(b"\r\n\r\n")
                    for _ in range(100):
                        self.get("alphabet.txt")
                    growth = resident(self.server.pid) - before
                    for connection in stuck:
                        connection.close()
                    self.assertLess(growth, 40 << 20)

    def test_clients_that_go_away_in_the_middle_leave_nothing_behind(self):
        self.get("alphabet.txt")
        before = self.server.descriptors()
        for name, port, context in list(self.contexts()) + list(self.h2_contexts()):
            with self.subTest(name):
                kind = client.Http2 if name.startswith("http2") else client.Http1
                for size in (1, 1000, 70000, 1000000):
                    connection = kind(port, context)
                    if kind is client.Http2:
                        connection.start(url("big.bin"))
                    else:
                        connection.send(client.make_request(url("big.bin")))
                    connection.sock.recv(size)
                    client.reset(connection.sock)
        harness.wait_until(lambda: self.server.descriptors() <= before,
                           "descriptors to be closed")
        self.assertEqual(self.get("alphabet.txt").body, ALPHABET)


def resident(pid):
    with open("/proc/%d/statm" % pid) as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class ChangedFiles(SemanticsCase):
    """A file that changes on disk after it was loaded never gives bytes that do not belong to its
    tag. What may have changed is answered with 503 until it has been read again, then with its bytes
    or with 404; nothing that was announced is broken off but what changes while it is sent."""

    NAMES = ("overwritten", "truncated", "grown", "replaced", "deleted", "midway", "touched", "linked",
             "closed", "rewritten", "renamed", "set-back")
    # each of a content of its own: files of one content are sent from any one of them
    OLD = {name: b"o" * (3000000 - i) for i, name in enumerate(NAMES)}
    OLD["memory"] = b"o" * 10
    NEW = b"N" * 3000000
    files = dict(OLD)
    config = DISK_ONLY

    def tree(self, name):
        return self.scratch("tree", name)

    def fetch(self, name):
        """What of the body comes; None for an answer that is an error."""
        with client.Http1(self.port) as connection:
            connection.send(client.make_request(url(name, "disk")))
            head = connection.take_until(b"\r\n\r\n").lower()
            if head.split(b" ")[1] == b"200":
                length = re.search(rb"\r\ncontent-length: (\d+)", head).group(1)
                return connection.take_at_most(int(length))
        self.assertNotRegex(head, rb"immutable|max-age=[1-9]")
        self.assertRegex(head, rb"^http/1.1 (404|503) ")
        self.assertRegex(head, rb"\r\ncache-control: no-store(\r\n|$)")
        if head.split(b" ")[1] == b"503":
            self.assertRegex(head, rb"\r\nretry-after: 3(\r\n|$)")
        return None

    def status(self, name, method="HEAD"):
        with client.Http1(self.port) as connection:
            return connection.request(url(name, "disk"), method).status

    def assert_nothing_wrong(self, name):
        for _ in range(3):
            body = self.fetch(name)
            if body is not None:
                self.assertEqual(body.strip(b"o"), b"", name)
                self.assertLessEqual(len(body), len(self.OLD[name]))

    def assert_gone(self, name):
        """503 until the file has been read again, and 404 from then on."""
        self.assert_nothing_wrong(name)
        seen = set()
        harness.wait_until(lambda: (seen.add(self.status(name)), 404 in seen)[1], name)
        self.assertLessEqual(seen, {404, 503})
        for _ in range(3):
            self.assertIsNone(self.fetch(name))
            self.assertEqual(self.status(name), 404)

    def assert_comes_back(self, name):
        """503 until the file has been read again, and its bytes from then on."""
        seen = set()
        harness.wait_until(lambda: (seen.add(self.status(name)), 200 in seen)[1], name)
        self.assertLessEqual(seen, {200, 503})
        for _ in range(3):
            self.assertEqual(self.fetch(name), self.OLD[name])

    def test_a_file_that_is_overwritten_in_place(self):
        self.assertEqual(self.fetch("overwritten"), self.OLD["overwritten"])
        with open(self.tree("overwritten"), "r+b") as file:
            file.write(self.NEW[:len(self.OLD["overwritten"])])
        self.assert_gone("overwritten")

    def test_a_file_that_shrinks(self):
        os.truncate(self.tree("truncated"), 1000)
        self.assert_gone("truncated")

    def test_a_file_that_grows(self):
        with open(self.tree("grown"), "ab") as file:
            file.write(self.NEW)
        self.assert_gone("grown")

    def test_a_file_that_is_replaced(self):
        with open(self.tree("replaced.tmp"), "wb") as file:
            file.write(self.NEW)
        os.rename(self.tree("replaced.tmp"), self.tree("replaced"))
        for _ in range(3):
            self.assertEqual(self.fetch("replaced"), self.OLD["replaced"])

    def test_a_file_that_is_deleted(self):
        os.unlink(self.tree("deleted"))
        for _ in range(3):
            self.assertEqual(self.fetch("deleted"), self.OLD["deleted"])

    def test_a_file_that_gets_another_link_or_mode(self):
        os.link(self.tree("linked"), self.scratch("link"))
        os.chmod(self.tree("closed"), 0o600)
        for _ in range(3):
            self.assertEqual(self.fetch("linked"), self.OLD["linked"])
            self.assertEqual(self.fetch("closed"), self.OLD["closed"])

    def test_a_file_that_is_touched_or_renamed_or_written_with_the_same_bytes(self):
        os.utime(self.tree("touched"))
        os.rename(self.tree("renamed"), self.tree("elsewhere"))
        with open(self.tree("rewritten"), "r+b") as file:
            file.write(self.OLD["rewritten"])
        for name in ("touched", "renamed", "rewritten"):
            self.assert_comes_back(name)

    def test_a_file_whose_time_is_set_back_after_a_write(self):
        with open(self.tree("set-back"), "r+b") as file:
            file.write(self.NEW[:len(self.OLD["set-back"])])
        os.utime(self.tree("set-back"), (MODIFIED_S, MODIFIED_S))
        self.assert_gone("set-back")
        with open(self.tree("set-back"), "r+b") as file:
            file.write(self.OLD["set-back"])
        self.assert_comes_back("set-back")

    def test_a_file_in_memory_does_not_notice(self):
        with open(self.tree("memory"), "wb") as file:
            file.write(self.NEW)
        self.assertEqual(self.fetch("memory"), self.OLD["memory"])

    def test_a_file_that_changes_while_it_is_sent(self):
        with client.Http1(self.port, receive_buffer=4096) as connection:
            connection.send(client.make_request(url("midway", "disk")))
            connection.take_until(b"\r\n\r\n")
            first = connection.take(100000)
            with open(self.tree("midway"), "r+b") as file:
                file.write(self.NEW[:len(self.OLD["midway"])])
            rest = connection.take_at_most(len(self.OLD["midway"]) - len(first))
            self.assertEqual((first + rest).strip(b"o"), b"")


if __name__ == "__main__":
    harness.main()
