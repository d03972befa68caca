"""Every answer of hostile_answers.py, over every way to the server: the client sees what it may see, the next
request on its connection and others on new ones get their own answers, assets are served meanwhile,
and the process lives.

    tests/upstream/hostile.py evloop Http2 chunks          # parts of a test's name select some

A server that a case has ended is started again, so that one run shows all of them."""

import itertools
import urllib.parse

import proxying
from hostile_answers import all_cases
from proxying import HTTP1, HTTP2, TLS_HTTP1, TLS_HTTP2, client, harness
from scripted import Application

CASES = all_cases()
PATHS = """\
proxy.reverse.url: http://127.0.0.1:%d/
proxy.timeout.io: 5000
"""


def answer_to(request):
    name = urllib.parse.unquote(request.target.removeprefix("/case/"))
    case = CASES.get(name)
    if case is None:
        return None
    return (case.steps, []) if case.early else case.steps


class HostileCase(proxying.ProxyCase):
    front = None
    probes = itertools.count()

    @classmethod
    def prepare_paths(cls):
        port = harness.free_port()
        cls.application = cls.with_application(Application(("127.0.0.1", port), answer_to))
        return {"/app": (PATHS % port).splitlines()}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.way = None
        cls.watch = proxying.Watch(cls.port)

    @classmethod
    def tearDownClass(cls):
        wrong = cls.watch.stop()
        if cls.way:
            cls.way.close()
        super().tearDownClass()
        if wrong:
            raise AssertionError("assets suffered: %s" % wrong[:3])

    def setUp(self):
        if not self.is_served():
            self.server.kill()
            type(self).server = harness.Server(self.flavour, self.config)
        if self.way is None or not self.way.is_usable():
            type(self).way = self.connect(self.front)

    @classmethod
    def prepare(cls):
        cls.config = super().prepare()
        return cls.config

    def is_served(self):
        """A process that dies may take a while for it."""
        try:
            client.connect(self.port).close()
            return True
        except ConnectionRefusedError:
            return False

    def probe(self, way):
        """A request whose answer is its own."""
        target = "/probe/%d" % next(self.probes)
        outcome = way.ask("/app" + target)
        self.assertEqual((outcome.status, outcome.body, outcome.whole), (200, target.encode(), True),
                         "what another request got: %r" % outcome)

    def check(self, case):
        way = self.way
        try:
            outcome = way.ask("/app/case/" + urllib.parse.quote(case.name), case.method, case.headers,
                              case.body)
            self.assertEqual(case.expected(outcome), "")
            if case.awaited:
                target = "/case/" + urllib.parse.quote(case.name)
                harness.wait_until(lambda: target in self.application.ended, "the whole answer")
                self.application.ended.discard(target)
            # an answer that left bytes behind would be found on the connection that comes first
            with self.connect(self.front) as other:
                self.probe(other)
            if way.is_usable():
                self.probe(way)
        except BaseException:
            way.close()
            type(self).way = None
            self.assertTrue(self.is_served(), "the server died of it: %s" % self.server.stderr())
            raise

    @classmethod
    def add_cases(cls):
        for case in CASES.values():
            setattr(cls, "test_" + case.name, lambda self, case=case: self.check(case))


class OverHttp1(HostileCase):
    front = HTTP1


class OverHttp2(HostileCase):
    front = HTTP2


class OverTlsHttp1(HostileCase):
    front = TLS_HTTP1


class OverTlsHttp2(HostileCase):
    front = TLS_HTTP2
    flavours = ("evloop",)


HostileCase.add_cases()
# only those that say over what
del HostileCase

if __name__ == "__main__":
    harness.main()
