"""A web application for the tests to proxy to: pages that come in pieces, encoded, with validators
of their own, and an echo of what it was asked."""

import gzip
import http.server
import json
import threading
import zlib

import brotli
import zstandard

MODIFIED = "Mon, 01 Jan 2024 00:00:00 GMT"
TAG = '"app-1"'
PAGE = (b'<!doctype html>\n<link rel=stylesheet href="/static/{breaker}/css/site.css">\n'
        b'<script src=/static/{breaker}/js/site.js></script>\n'
        b'<img src="/assets/v{breaker}/pub/a.png"> {breaker} /static/{breaker} /static/{breake}/\n'
        b'/static//static/{breaker}//static/{breaker}/static/{breaker}/\n')
LARGE = b"".join(b'<p id=%d><a href="/static/{breaker}/%d.css">%s</a>\n' % (i, i, b"x" * (i % 500))
                 for i in range(20000))

ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": lambda body: zstandard.ZstdCompressor().compress(body),
    "x-unknown": lambda body: body[::-1],
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.application.note(self)
        path = self.path.partition("?")[0]
        action = getattr(self, "get_" + path.rpartition("/")[2].partition(".")[0], None)
        if action is None:
            self.reply(404, b"<p>no /static/{breaker}/ here\n")
        else:
            action()

    do_HEAD = do_GET

    def do_POST(self):
        self.server.application.note(self)
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.path.endswith("/echo"):
            self.reply(200, body, "application/octet-stream")
            return
        self.reply(200, b"%d bytes of %s" % (len(body), PAGE), type_="text/html")

    def reply(self, status, body, type_="text/html; charset=utf-8", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def get_page(self):
        self.reply(200, PAGE)

    def get_shout(self):
        self.reply(200, PAGE, "TEXT/HTML")

    def get_json(self):
        self.reply(200, PAGE, "application/json", [("ETag", TAG), ("Last-Modified", MODIFIED)])

    def get_plain(self):
        self.reply(200, PAGE, "text/htmlx")

    def get_large(self):
        self.reply(200, LARGE)

    def get_error(self):
        self.reply(500, PAGE)

    def get_kept(self):
        """A page with validators, which the application judges by itself."""
        tags = [tag.strip() for tag in (self.headers["if-none-match"] or "").split(",")]
        validators = [("ETag", TAG), ("Last-Modified", MODIFIED)]
        if TAG in tags or (not tags[0] and self.headers["if-modified-since"] == MODIFIED):
            self.send_response(304)
            for name, value in validators:
                self.send_header(name, value)
            self.end_headers()
        else:
            self.reply(200, PAGE, headers=validators)

    def get_encoded(self):
        coding = self.path.partition("?")[2]
        self.reply(200, ENCODERS[coding](PAGE),
                   headers=[("Content-Encoding", coding), ("ETag", TAG)])

    def get_echo(self):
        self.reply(200, json.dumps(self.headers.items()).encode(), "application/json")

    def get_said(self):
        """What the test says: status, header fields, body."""
        status, headers, body = self.server.application.answer
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def get_events(self):
        """Events that the test hands out, compressed where the test asks for it; each is flushed."""
        coding = self.path.partition("?")[2]
        compressor = zlib.compressobj(wbits=31) if coding == "gzip" else None
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if compressor:
            self.send_header("Content-Encoding", coding)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in iter(self.server.application.pieces.get, None):
            if compressor:
                event = compressor.compress(event) + compressor.flush(zlib.Z_SYNC_FLUSH)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.flush()
        end = compressor.flush() if compressor else b""
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(end), end) if end else b"0\r\n\r\n")

    def get_chunks(self):
        """Sends the pieces that the test hands out, each when the test says so."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in iter(self.server.application.pieces.get, None):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def get_unbounded(self):
        """A page that ends with its connection."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(PAGE)
        self.close_connection = True


class Application:
    """The application, listening in threads of this process."""

    def __init__(self, port):
        self.seen = []
        self.pieces = self.answer = None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.application = self
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def note(self, handler):
        self.seen.append((handler.command, handler.path,
                          [(name.lower(), value) for name, value in handler.headers.items()]))

    def last(self):
        """The header fields of the last request."""
        return self.seen[-1][2]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
