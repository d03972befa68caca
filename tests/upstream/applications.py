"""Applications as people write them, behind the server: Flask and Django on the servers that come
with them, Express with a WebSocket (from npm's registry, by its lock file), PHP by php-fpm. Pages,
forms, uploads, downloads, redirects, errors, and events, of which each arrives before the next is
sent."""

import glob
import hashlib
import json
import os
import shutil
import subprocess

import proxying
import websocket
from proxying import HTTP1, TLS_HTTP1, TOKEN, client, harness

HERE = os.path.dirname(os.path.abspath(__file__))
APPS = os.path.join(HERE, "apps")
BODY = os.urandom(1 << 18) * 8
BLOCKS = 64


class Served(proxying.ProxyCase):
    """An application with a server of its own, as a process."""

    base = "/app"

    @classmethod
    def command(cls, port):
        raise NotImplementedError

    @classmethod
    def prepare_paths(cls):
        cls.upstream = harness.free_port()
        log = open(cls.scratch("application.log"), "wb")
        with log:
            cls.process = subprocess.Popen(cls.command(cls.upstream), stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log)
        harness.wait_until(cls.is_up, "the application to listen", 30)
        return {"/": ["breaker.rewrite: ON", "proxy.reverse.url: http://127.0.0.1:%d/" % cls.upstream,
                      "proxy.preserve-host: ON", "proxy.websocket: ON"]}

    @classmethod
    def is_up(cls):
        if cls.process.poll() is not None:
            with open(cls.scratch("application.log"), encoding="utf-8") as log:
                raise AssertionError("the application ended: " + log.read()[-2000:])
        try:
            client.connect(cls.upstream).close()
            return True
        except ConnectionRefusedError:
            return False

    @classmethod
    def end_application(cls):
        # php-fpm ends its children only if it is asked to end
        cls.process.terminate()
        try:
            cls.process.wait(5 * harness.SLOWDOWN)
        except subprocess.TimeoutExpired:
            cls.process.kill()
            cls.process.wait()

    @classmethod
    def setUpClass(cls):
        cls.process = None
        try:
            super().setUpClass()
        except BaseException:
            if cls.process is not None:
                cls.end_application()
            raise

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.end_application()

    def url(self, name, query=""):
        return "/" + name + ("?" + query if query else "")

    def each_way(self):
        for front in self.fronts:
            yield self.open(front)

    def ask(self, way, name, query="", **request):
        return way.ask(self.url(name, query), **request)

    def facts(self, way, name, query="", **request):
        outcome = self.ask(way, name, query, **request)
        self.assertEqual((outcome.status, outcome.whole), (200, True), outcome)
        return json.loads(outcome.body)


def has_common_tests(cls):
    """Adds what every application is asked."""
    for name, test in vars(Common).items():
        if name.startswith("test_"):
            setattr(cls, name, test)
    return cls


class Common:
    """The tests of them all."""

    def test_a_page_gets_its_token_and_keeps_its_cookies_apart(self):
        for way in self.each_way():
            outcome = self.ask(way, "page")
            self.assertEqual(outcome.status, 200)
            self.assertIn(b"/static/%s/site.css" % TOKEN.encode(), outcome.body)
            cookies = [value.split(";")[0] for value in outcome.values("set-cookie")]
            self.assertEqual(cookies, ["a=1", "b=2"])
            asset = way.ask("/static/%s/site.css" % TOKEN)
            self.assertEqual((asset.status, asset.body), (200, proxying.ASSET))

    def test_head_has_the_fields_of_a_page_and_no_body(self):
        for way in self.each_way():
            outcome = self.ask(way, "page", method="HEAD")
            self.assertEqual((outcome.status, outcome.body, outcome.whole), (200, b"", True))
            self.assertTrue(outcome.values("content-type")[0].startswith("text/html"))
            self.assertEqual(self.ask(way, "page").status, 200)

    def test_what_is_asked_is_understood(self):
        for way in self.each_way():
            facts = self.facts(way, "echo", "q=a%20b%26c")
            self.assertEqual((facts["method"], facts["host"], facts["query"]),
                             ("GET", "localhost", "a b&c"))
            if "for" in facts:
                self.assertEqual(facts["for"], "127.0.0.1")
            self.assertEqual(self.facts(way, "echo", method="DELETE")["method"], "DELETE")

    def test_an_upload_arrives_byte_by_byte(self):
        for way in self.each_way():
            for size in (0, 1, 70000, len(BODY)):
                facts = self.facts(way, "upload", method="POST", body=BODY[:size],
                                   headers=[("content-type", "application/octet-stream")])
                self.assertEqual(facts["sha256"], hashlib.sha256(BODY[:size]).hexdigest())

    def test_a_form_with_a_file_arrives(self):
        if not self.has_forms:
            return
        part = b'--frontier\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        body = part % (b"name", b"", "J\xf6rg".encode()) + part % (b"file", b'; filename="f.bin"', BODY)
        for way in self.each_way():
            facts = self.facts(way, "form", method="POST", body=body + b"--frontier--\r\n",
                               headers=[("content-type", "multipart/form-data; boundary=frontier")])
            self.assertEqual(facts, {"name": "J\xf6rg", "sha256": hashlib.sha256(BODY).hexdigest()})

    def test_a_download_arrives_byte_by_byte(self):
        wanted = b"".join(bytes([at % 251]) * 65536 for at in range(BLOCKS))
        for way in self.each_way():
            outcome = self.ask(way, "download", "blocks=%d" % BLOCKS)
            self.assertEqual((outcome.status, outcome.whole), (200, True))
            self.assertTrue(outcome.body == wanted, "other bytes")
            if not way.is_usable():
                way = self.open(HTTP1)
            self.assertEqual(self.ask(way, "page").status, 200)

    def test_redirects_and_errors_are_the_applications(self):
        for front in self.fronts:
            outcome = self.ask(self.open(front), "redirect")
            self.assertEqual(outcome.status, 302)
            location = outcome.values("location")[0]
            self.assertEqual(self.open(front).ask(location).status, 200)
            self.assertEqual(self.ask(self.open(front), "missing").status, 404)
            self.assertEqual(self.ask(self.open(front), "fails").status, 500)


class Events:
    """Of those that can send them."""

    def test_each_event_arrives_before_the_next_is_sent(self):
        for front in self.fronts:
            with self.subTest(front), self.connect(front) as way, self.connect(front) as other:
                listening = Listening(way, self.url("events"))
                self.assertEqual(listening.next(), "data: ready\n\n")
                for event in ("first", "second", "third"):
                    said = self.ask(other, "say", "event=" + event, method="POST")
                    self.assertEqual(said.status, 204)
                    self.assertEqual(listening.next(), "data: %s\n\n" % event)
                self.ask(other, "say", "event=end", method="POST")
                self.assertTrue(listening.ends())


class Listening:
    """A stream of events over either protocol."""

    def __init__(self, way, target):
        self.way = way
        self.text = b""
        self.stream = None
        if isinstance(way, proxying.Way1):
            way.send(client.make_request(target))
        else:
            self.stream = way.start(target)
        self.head = None

    def next(self):
        while b"\n\n" not in self.text:
            self.read()
        event, self.text = self.text.split(b"\n\n", 1)
        return event.decode() + "\n\n"

    def read(self):
        """Some more of the body; returns whether there was any."""
        if self.stream is not None:
            pieces = self.way.started[self.stream].pieces
            if self.stream not in self.way.done and not pieces:
                self.way.receive()
            more, pieces[:] = b"".join(pieces), []
            self.text += more
            return bool(more) or self.stream not in self.way.done
        if self.head is None:
            self.head = self.way.take_until(b"\r\n\r\n").lower()
        if b"transfer-encoding: chunked" in self.head:
            size = int(self.way.take_until(b"\r\n"), 16)
            self.text += self.way.take(size)
            self.way.take(2)
            return size != 0
        more = self.way.take_at_most(1)
        self.text += more
        return bool(more)

    def ends(self):
        while self.read():
            pass
        return True


@has_common_tests
class Flask(Events, Served):
    has_forms = True

    @classmethod
    def command(cls, port):
        return ["/usr/bin/python3", "-B", os.path.join(APPS, "flask_app.py"), str(port)]

    def test_a_page_that_is_as_it_was_is_not_sent_again(self):
        for way in self.each_way():
            tag = self.ask(way, "page").values("etag")[0]
            outcome = self.ask(way, "page", headers=[("if-none-match", tag)])
            self.assertEqual((outcome.status, outcome.body), (304, b""))


@has_common_tests
class Django(Events, Served):
    has_forms = True

    @classmethod
    def command(cls, port):
        return ["/usr/bin/python3", "-B", os.path.join(APPS, "django_app.py"), str(port)]

    test_a_page_that_is_as_it_was_is_not_sent_again = \
        Flask.test_a_page_that_is_as_it_was_is_not_sent_again


@has_common_tests
class Express(Events, Served):
    has_forms = False

    @classmethod
    def command(cls, port):
        directory = shutil.copytree(os.path.join(APPS, "express"), cls.scratch("express"))
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--fetch-timeout=20000",
                               "--fetch-retries=2"], cwd=directory, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise AssertionError("npm ci: " + done.stdout + done.stderr)
        return ["node", os.path.join(directory, "app.js"), str(port)]

    def test_a_websocket_says_what_it_hears(self):
        for front in set(self.fronts) & {HTTP1, TLS_HTTP1}:
            with self.subTest(front), self.connect(front) as way:
                self.talk(websocket.WebSocket(way, "/socket"))

    def talk(self, socket):
        self.assertEqual(socket.outcome.status, 101)
        self.assertEqual(socket.outcome.values("upgrade"), ["websocket"])
        self.assertEqual(socket.outcome.values("sec-websocket-accept"), [socket.accepted])
        for opcode, payload in ((websocket.TEXT, b"hello"), (websocket.BINARY, BODY[:65536]),
                                (websocket.BINARY, b""), (websocket.BINARY, BODY[:1000000])):
            socket.send(opcode, payload)
            self.assertTrue(socket.receive() == (opcode, payload), "other bytes came back")
        socket.send(websocket.TEXT, b"in ", final=False)
        socket.send(websocket.CONTINUATION, b"pieces")
        self.assertEqual(socket.receive(), (websocket.TEXT, b"in pieces"))
        socket.send(websocket.PING, b"are you there")
        self.assertEqual(socket.receive(), (websocket.PONG, b"are you there"))
        socket.send(websocket.TEXT, b"bye")
        self.assertEqual(socket.receive(), (websocket.CLOSE, (4321).to_bytes(2, "big") + b"as asked"))
        socket.send(websocket.CLOSE, (4321).to_bytes(2, "big"))
        self.assertEqual(socket.way.at_end(), b"")

    def test_a_websocket_that_is_refused_is_an_answer_like_others(self):
        with self.connect(HTTP1) as way:
            socket = websocket.WebSocket(way, "/missing")
            self.assertIn(socket.outcome.status, (400, 404))


FPM = """
[global]
error_log = @log@
daemonize = no
[site]
listen = @socket@
listen.mode = 0666
pm = static
pm.max_children = 2
php_admin_value[upload_max_filesize] = 64M
php_admin_value[post_max_size] = 64M
@user@
"""


@has_common_tests
class Php(Served):
    has_forms = True

    @classmethod
    def prepare_paths(cls):
        cls.scratch.tree("php", {})
        shutil.copy(os.path.join(APPS, "site.php"), cls.scratch("php"))
        socket = cls.scratch("fpm.sock")
        user = "user = nobody\ngroup = nogroup" if os.geteuid() == 0 else ""
        config = cls.scratch.write("fpm.conf", harness.expand(
            FPM, log=cls.scratch("fpm.log"), socket=socket, user=user))
        program, = glob.glob("/usr/sbin/php-fpm[0-9]*")
        cls.process = subprocess.Popen([program, "--nodaemonize", "--fpm-config", config],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        harness.wait_until(lambda: os.path.exists(socket), "php-fpm to listen", 30)
        return {"/php": ["breaker.rewrite: ON",
                         "file.custom-handler: {extension: [.php], fastcgi.connect: {port: %s, type: unix}}"
                         % socket, "file.dir: " + cls.scratch("php")]}

    def url(self, name, query=""):
        return "/php/site.php?do=" + name + ("&" + query if query else "")


if __name__ == "__main__":
    # what they have in common has no tests of its own
    del Served
    harness.main()
