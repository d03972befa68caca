"""Answers that end at every one of their bytes, orderly and by a reset: nobody takes for whole what is
not, over every way to the server."""

import proxying
from expected import cut, either, failed, refused, right
from hostile_answers import CHUNKED, HELLO, OK
from proxying import harness
from scripted import CLOSE, PAUSE, RESET, Application, answer

EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
# name: (bytes, method, what comes of all of them, what may come of fewer)
WHOLE = {
    "length": (answer(HELLO, b"Content-Type: text/plain"), "GET", right(), failed(HELLO)),
    "bytes": (answer(bytes(range(40))), "GET", right(bytes(range(40))), failed(bytes(range(40)))),
    "chunk": (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", "GET", right(), failed(HELLO)),
    "chunks": (CHUNKED + b"2\r\nhe\r\n1\r\nl\r\n2\r\nlo\r\n0\r\n\r\n", "GET", right(), failed(HELLO)),
    "extensions": (CHUNKED + b"5;a=b\r\nhello\r\n0;c\r\n\r\n", "GET", right(), failed(HELLO)),
    "trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", "GET", right(), failed(HELLO)),
    "hints": (EARLY + answer(HELLO), "GET", right(), failed(HELLO)),
    "error": (answer(HELLO, status=b"404 Not Found"), "GET", right(status=404),
              either(refused, cut(HELLO, 404))),
    "nothing": (answer(), "GET", right(b""), refused),
    "no-content": (b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", "GET", right(b"", 204), refused),
    "not-modified": (b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", "GET", right(b"", 304), refused),
    "head": (OK + b"Content-Length: 5\r\n\r\n", "HEAD", right(b""), refused),
    "last": (answer(HELLO, b"Connection: close"), "GET", right(), failed(HELLO)),
    "posted": (answer(HELLO), "POST", right(), failed(HELLO)),
}
# without a length nobody can know
UNTOLD = OK + b"X-A: b\r\n\r\n" + HELLO
STREAMS = 40


class Truncated(proxying.ProxyCase):
    @classmethod
    def prepare_paths(cls):
        port = harness.free_port()
        cls.application = cls.with_application(Application(("127.0.0.1", port), cls.answer_to))
        return {"/app": ["proxy.reverse.url: http://127.0.0.1:%d/" % port,
                         "proxy.timeout.io: 5000"]}

    @classmethod
    def answer_to(cls, request):
        parts = request.target.split("/")
        if parts[1] != "cut":
            return None
        whole = UNTOLD if parts[2] == "untold" else WHOLE[parts[2]][0]
        end = {"close": [CLOSE], "reset": [PAUSE, RESET]}[parts[4]]
        return [whole[:int(parts[3])], *end]

    @staticmethod
    def places():
        """(target, method, what is to come of it) for every byte of every answer."""
        for name, (whole, method, complete, incomplete) in WHOLE.items():
            for at in range(len(whole)):
                # of the line that ends chunks, its very last byte says nothing
                is_told = b"chunked" not in whole or at < len(whole) - 1
                expected = incomplete if is_told else either(complete, incomplete)
                yield "/app/cut/%s/%d/close" % (name, at), method, expected
            # costs a pause
            for at in range(0, len(whole), 7):
                yield "/app/cut/%s/%d/reset" % (name, at), method, incomplete
            yield "/app/cut/%s/%d/close" % (name, len(whole)), method, complete

    def check(self, front, places):
        """All of them, many at a time where the way allows it."""
        wrong = []
        way = self.open(front)
        waiting = list(reversed(places))
        if not front.endswith("2"):
            while waiting:
                if not way.is_usable():
                    way.close()
                    way = self.open(front)
                target, method, expected = waiting.pop()
                wrong.append((target, expected(way.ask(target, method))))
        else:
            streams = {}
            while waiting or streams:
                while waiting and len(streams) < STREAMS:
                    target, method, expected = waiting.pop()
                    streams[way.start(target, method, flush=False)] = target, expected
                way.flush()
                stream = next(iter(streams))
                target, expected = streams.pop(stream)
                wrong.append((target, expected(way.outcome(stream))))
        self.assertEqual(len(wrong), len(places))
        self.assertEqual([(target, story) for target, story in wrong if story], [])
        good = way.ask("/app/probe")
        self.assertEqual((good.status, good.body, good.whole), (200, b"/probe", True))

    def test_no_answer_that_is_cut_is_taken_for_whole(self):
        places = list(self.places())
        self.assertGreater(len(places), 900)
        watch = proxying.Watch(self.port)
        try:
            for front in self.fronts:
                with self.subTest(front):
                    self.check(front, places)
        finally:
            wrong = watch.stop()
        self.assertEqual(wrong, [])

    def test_what_has_no_length_is_passed_on_as_far_as_it_came(self):
        head = UNTOLD.index(HELLO)
        places = [("/app/cut/untold/%d/close" % at, "GET",
                   refused if at < head else right(HELLO[:at - head])) for at in range(len(UNTOLD) + 1)]
        for front in self.fronts:
            with self.subTest(front):
                self.check(front, places)


if __name__ == "__main__":
    harness.main()
