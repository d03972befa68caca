"""Whole real trees from Debian packages, every file of them fetched over every protocol that a
flavour speaks and compared in bytes, type, tag and headers, then once more in every encoding."""

import base64
import email.utils
import gzip
import hashlib
import os
import re
import urllib.parse

import brotli
import zstandard

import client
import harness

TOKEN = "1718539201234"

# view, the package that its tree comes from, where it lies, and how many files it has at least
TREES = (
    ("bootstrap", "libjs-bootstrap5", "/usr/share/bootstrap-html", 50),
    ("katex", "libjs-katex", "/usr/share/javascript/katex", 10),
    ("awesome", "fonts-font-awesome", "/usr/share/fonts-font-awesome", 20),
    ("python", "python3-doc", "/usr/share/doc/python3-doc/html", 1000),
    ("mathjax", "libjs-mathjax", "/usr/share/javascript/mathjax", 2500),
)

# libh2o's map and what the server adds to it
TYPES = {
    "css": "text/css", "eot": "application/vnd.ms-fontobject", "gif": "image/gif",
    "gz": "application/gzip", "html": "text/html", "inv": "application/octet-stream",
    "js": "text/javascript", "json": "application/json", "less": "application/octet-stream",
    "map": "application/json", "md": "text/markdown", "mjs": "text/javascript",
    "mp3": "audio/mpeg", "ogg": "audio/ogg", "otf": "font/otf", "png": "image/png",
    "py": "application/octet-stream", "scss": "application/octet-stream", "svg": "image/svg+xml",
    "ttf": "font/ttf", "txt": "text/plain", "woff": "font/woff",
    "woff2": "font/woff2", "xml": "text/xml",
}
COMPRESSIBLE = {"css", "html", "js", "json", "map", "mjs", "svg", "txt", "xml"}
NEVER_ENCODED = {"gif", "gz", "mp3", "ogg", "png", "woff", "woff2"}
DECODERS = {
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}


def is_utf8(body):
    """Whether it may be called UTF-8; what has NULs or escapes is some other text."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in body and b"\x1b" not in body


class Asset:
    """What the server must say of a file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.body = file.read()
        self.extension = os.path.splitext(path)[1][1:].lower()
        self.type = TYPES[self.extension] if self.extension else "application/octet-stream"
        if self.type.startswith("text/") and is_utf8(self.body):
            self.type += "; charset=utf-8"
        self.last_modified = email.utils.formatdate(int(os.stat(path).st_mtime), usegmt=True)


def tag_of(body):
    """The strong tag of bytes: 132 bits of their SHA-256 in base64url."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode()
    return '"%s"' % digest[:22]


def collect(root):
    """Logical path → real path of what a view of this tree serves: files and links that stay in
    the tree; no names with a leading dot."""
    top = os.path.realpath(root)
    found, left_out = {}, []
    for directory, subdirectories, files in os.walk(top, followlinks=True):
        for name in [name for name in subdirectories if not inside(top, directory, name)]:
            subdirectories.remove(name)
            here = os.path.join(directory, name)
            left_out += [os.path.relpath(os.path.join(here, child), top)
                         for child in os.listdir(here)]
        for name in files:
            logical = os.path.relpath(os.path.join(directory, name), top)
            if inside(top, directory, name):
                found[logical] = os.path.join(directory, name)
            else:
                left_out.append(logical)
    return found, left_out


def inside(top, directory, name):
    real = os.path.realpath(os.path.join(directory, name))
    return not name.startswith(".") and real.startswith(top + "/")


def quote(path):
    return re.sub(rb"[^A-Za-z0-9./_-]", lambda m: b"%%%02X" % m.group()[0],
                  os.fsencode(path)).decode()


class Library:
    """The trees, read once for all cases."""

    def __init__(self):
        self.assets, self.outside = {}, []
        for view, package, root, least in TREES:
            if not os.path.isdir(root):
                raise AssertionError("%s is missing: install %s" % (root, package))
            found, left_out = collect(root)
            if len(found) < least:
                raise AssertionError("%s has %d files only" % (root, len(found)))
            for logical, path in found.items():
                self.assets["%s/%%s/%s" % (view, quote(logical).replace("%", "%%"))] = Asset(path)
            self.outside += ["%s/%s/%s" % (view, TOKEN, quote(path)) for path in left_out]
        self.same = {}
        for asset in self.assets.values():
            self.same.setdefault((asset.body, asset.type), []).append(asset)

    def last_modified(self, asset, response):
        """Files of one content and type have the time of any one of them."""
        times = {other.last_modified for other in self.same[asset.body, asset.type]}
        got = response.get("last-modified")
        return got if got in times else asset.last_modified

    def requests(self, token=TOKEN, headers=()):
        return [(key, "/" + key % token, headers) for key in self.assets]


_library = []


def library():
    if not _library:
        _library.append(Library())
    return _library[0]


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
@views@
"""


def cache_control_of(response):
    """Of what has no encoding yet, or none that was asked for, what is right now may be either."""
    early = "public, max-age=60"
    if response.get("content-encoding") is None and response.get("cache-control") == early:
        return early
    return "public, max-age=31536000, immutable"


class Trees(harness.ServedCase):
    @classmethod
    def prepare(cls):
        library()
        cls.certificate = harness.Certificate(cls.scratch)
        views = "\n".join('          - {name: "%s/{breaker}", path: %s}' % (view, root)
                          for view, _, root, _ in TREES)
        return cls.expand(CONFIG, cert=cls.certificate.cert, key=cls.certificate.key, token=TOKEN,
                          views=views)

    def tls(self, protocol):
        return client.tls_context(self.certificate.cert, (protocol,))

    def fetch(self, transport, requests, on_response):
        if transport == "http1":
            client.fetch_all_http1(self.port, None, requests, on_response)
        elif transport == "http1-tls":
            client.fetch_all_http1(self.tls_port, self.tls("http/1.1"), requests, on_response)
        else:
            context = self.tls("h2") if transport == "http2-tls" else None
            with client.Http2(self.tls_port if context else self.port, context) as connection:
                connection.fetch_all(requests, on_response)

    def check(self, key, response):
        """Compares an answer in whatever encoding it came; returns the encoding."""
        asset = library().assets[key]
        encoding = response.get("content-encoding")
        body = DECODERS[encoding](response.body) if encoding else response.body
        expected = {"content-type": asset.type, "content-length": str(len(response.body)),
                    "etag": tag_of(response.body),
                    "last-modified": library().last_modified(asset, response),
                    "cache-control": cache_control_of(response),
                    "accept-ranges": "bytes", "access-control-allow-origin": "*"}
        got = {name: response.get(name) for name in expected}
        if response.status != 200 or got != expected or body != asset.body or \
                response.get("vary").lower() != "accept-encoding":
            self.fail("%s: %d, %d bytes instead of %d\n%r\n%r"
                      % (key, response.status, len(body), len(asset.body), got, expected))
        return encoding

    def fetch_everything(self, transport):
        seen = set()

        def on_response(key, response):
            self.assertIsNone(self.check(key, response))
            seen.add(key)

        self.fetch(transport, library().requests(), on_response)
        self.assertEqual(seen, set(library().assets))

    def test_every_file_over_http1(self):
        self.fetch_everything("http1")

    def test_every_file_over_http1_under_tls(self):
        self.fetch_everything("http1-tls")

    def test_every_file_over_http2_in_cleartext(self):
        self.fetch_everything("http2")

    def test_every_file_over_http2_under_tls(self):
        if self.flavour == "evloop":
            self.fetch_everything("http2-tls")
        else:
            # its HTTP/2 would leak sockets there, so it must not be offered
            with client.connect(self.tls_port, client.tls_context(
                    self.certificate.cert, ("h2", "http/1.1"))) as sock:
                self.assertEqual(sock.selected_alpn_protocol(), "http/1.1")

    def test_every_file_is_redirected_from_an_older_token(self):
        seen = set()

        def on_response(key, response):
            asked = "/" + key % "1718539201233"
            self.assertEqual((response.status, urllib.parse.urljoin(asked, response.get("location"))),
                             (301, "/" + key % TOKEN))
            seen.add(key)

        self.fetch("http1", library().requests("1718539201233"), on_response)
        self.assertEqual(seen, set(library().assets))

    def test_links_out_of_the_tree_and_dotfiles_are_not_served(self):
        self.assertTrue(any("underscore.js" in path for path in library().outside))
        self.assertTrue(any("fonts/KaTeX" in path for path in library().outside))
        self.assertTrue(any("/." in path for path in library().outside))
        with client.Http1(self.port) as connection:
            for path in library().outside:
                self.assertEqual(connection.request("/" + path).status, 404, path)

    def fetch_encoded(self, coding, transport):
        """Encodings are made in the background, the smallest file first: waits for one of medium
        size, then looks at all, of which the larger ones may still come as they are."""
        sizes = {key: len(asset.body) for key, asset in library().assets.items()
                 if asset.extension in COMPRESSIBLE and 1000 <= len(asset.body) <= 3000}
        last = max(sizes, key=sizes.get)
        came = {}

        def is_encoded():
            response = connection.request("/" + last % TOKEN,
                                          headers=[("accept-encoding", coding)])
            return response.get("content-encoding") == coding

        def on_response(key, response):
            came[key] = self.check(key, response)

        with client.Http1(self.port) as connection:
            harness.wait_until(is_encoded, "%s in %s" % (last, coding), 60)
        self.fetch(transport, library().requests(headers=(("accept-encoding", coding),)),
                   on_response)
        self.assertEqual(set(came), set(library().assets))
        self.assertLessEqual(set(came.values()), {coding, None})
        for key, encoding in came.items():
            if library().assets[key].extension in NEVER_ENCODED:
                self.assertIsNone(encoding, key)
            if sizes.get(key, sizes[last]) < sizes[last]:
                self.assertEqual(encoding, coding, key)

    def test_every_file_in_brotli(self):
        self.fetch_encoded("br", "http2")

    def test_every_file_in_zstd(self):
        self.fetch_encoded("zstd", "http1")

    def test_every_file_in_gzip(self):
        self.fetch_encoded("gzip", "http1-tls")


class Encodings(harness.ServedCase):
    """A tree small enough to wait for all of its encodings."""

    @classmethod
    def prepare(cls):
        return cls.expand("""
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "bootstrap/{breaker}", path: @root@}
""", token=TOKEN, root=TREES[0][2])

    def test_everything_compressible_comes_smaller_in_each_encoding(self):
        keys = [key for key, asset in library().assets.items()
                if key.startswith("bootstrap/") and len(asset.body) > 4096]
        self.assertGreater(len(keys), 30)
        with client.Http1(self.port) as connection:
            for coding in DECODERS:
                for key in keys:
                    def encoded():
                        response = connection.request("/" + key % TOKEN,
                                                      headers=[("accept-encoding", coding)])
                        return response if response.get("content-encoding") else None
                    response = harness.wait_until(encoded, "%s in %s" % (key, coding), 60)
                    self.assertEqual(response.get("content-encoding"), coding)
                    self.assertEqual(DECODERS[coding](response.body), library().assets[key].body)
                    self.assertLess(len(response.body), len(library().assets[key].body))
                    self.assertEqual(response.get("etag"), tag_of(response.body))


if __name__ == "__main__":
    harness.main()
