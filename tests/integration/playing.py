"""Headless Chromium plays sound and video and runs service workers with assets of another origin,
under the current token, under an older one, and while the token changes: media are asked for in
ranges, and a worker keeps what it was given."""

import base64
import io
import json
import math
import struct
import wave

import browser
import client
import harness

TOKEN = "1718539201234"
OLDER = "1718539201000"

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static:
          - {name: "static/{breaker}", path: @static@}
          - {name: "workers/{breaker}", path: @workers@, headers: ["Service-Worker-Allowed: /"]}
        file.dir: @pages@
        breaker.rewrite: ON
"""

# A second of moving colour, as the browser itself encodes it.
RECORD = """<!doctype html><canvas width=64 height=48></canvas><script>
async function record() {
    const canvas = document.querySelector("canvas"), context = canvas.getContext("2d");
    let step = 0;
    const painting = setInterval(() => {
        context.fillStyle = `hsl(${step++ * 9}, 100%, 50%)`;
        context.fillRect(0, 0, 64, 48);
    }, 20);
    const recorder = new MediaRecorder(canvas.captureStream(25), {mimeType: "video/webm;codecs=vp8"});
    const pieces = [];
    recorder.ondataavailable = event => pieces.push(event.data);
    recorder.start(100);
    await new Promise(resolve => setTimeout(resolve, 1000));
    await new Promise(resolve => { recorder.onstop = resolve; recorder.stop(); });
    clearInterval(painting);
    const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
    document.documentElement.dataset.done = btoa(String.fromCharCode(...bytes));
}
record().catch(error => { document.documentElement.dataset.done = String(error); });
</script>"""

PLAY = """<!doctype html><script>
// Plays from `start` (0 to 1) to the end.
async function play(kind, url, start) {
    const medium = document.createElement(kind);
    Object.assign(medium, {crossOrigin: "anonymous", muted: true, preload: "metadata"});
    const failure = new Promise((_, reject) => {
        medium.onerror = () => reject(Error(medium.error.message || "error"));
    });
    const event = name => new Promise(resolve => {
        medium.addEventListener(name, resolve, {once: true});
    });
    const wait = promise => Promise.race([promise, failure]);
    const loaded = event("loadeddata");
    medium.src = url;
    document.body.append(medium);
    await wait(loaded);
    if (start > 0) {
        const sought = event("seeked");
        medium.currentTime = medium.duration * start;
        await wait(sought);
    }
    const ended = event("ended");
    await wait(medium.play());
    await wait(ended);
    // another origin's frames may be read with its consent only
    const canvas = document.createElement("canvas");
    if (kind === "video")
        canvas.getContext("2d").drawImage(medium, 0, 0);
    canvas.toDataURL();
    return [medium.videoWidth || 0, Math.round(medium.currentTime)];
}

async function install(script) {
    const registration = await navigator.serviceWorker.register(script, {scope: "/"});
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller)
        await new Promise(resolve => {
            navigator.serviceWorker.addEventListener("controllerchange", resolve, {once: true});
        });
    return registration.scope;
}

async function load(base) {
    const found = {};
    for (const name of ["data.json", "module.js", "a.css"])
        found[name] = await fetch(base + "/" + name).then(
            response => response.text(), error => "refused");
    const module = await import(base + "/module.js");
    found.module = module.word;
    return found;
}

async function answer(promise) {
    document.documentElement.dataset.done = JSON.stringify(
        await promise.catch(error => "failed: " + error));
}
</script><body></body>"""

# Keeps what its page asks of the other origin, and answers from what it kept.
WORKER = """
self.addEventListener("install", event => self.skipWaiting());
self.addEventListener("activate", event => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", event => {
    if (new URL(event.request.url).pathname.startsWith("/static/"))
        event.respondWith(answer(event.request));
});
async function answer(request) {
    const cache = await caches.open("assets");
    const kept = await cache.match(request);
    if (kept)
        return kept;
    const response = await fetch(request);
    if (response.ok)
        await cache.put(request, response.clone());
    return response;
}
"""

SECONDS, RATE = 40, 44100


def sound():
    """Forty seconds of a tone: too much to be loaded as a whole before something is played."""
    period = b"".join(struct.pack("<hh", *[round(3000 * math.sin(2 * math.pi * i / 100))] * 2)
                      for i in range(100))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(period * (RATE * SECONDS // 100))
    return file.getvalue()


class Playing(harness.FlavourCase):
    """The pages are of http://localhost, the assets are of http://127.0.0.1."""

    FOUND = {"data.json": '{"a": 1}', "module.js": "export const word = 'module';\n",
             "a.css": "body {}\n", "module": "module"}

    @classmethod
    def setUpClass(cls):
        cls.scratch = harness.Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        cls.static = cls.scratch.tree("static", {
            "sound.wav": sound(), "data.json": b'{"a": 1}', "a.css": b"body {}\n",
            "module.js": b"export const word = 'module';\n"})
        cls.workers = cls.scratch.tree("workers", {"worker.js": WORKER.encode()})
        cls.pages = cls.scratch.tree("pages", {"record.html": RECORD.encode(),
                                               "index.html": PLAY.encode()})
        cls.browser = browser.Browser(cls.scratch)
        cls.addClassCleanup(cls.browser.close)
        # what the browser records is an asset from the next start on
        cls.start(TOKEN)
        cls.open("/record.html")
        with open(cls.scratch("static", "film.webm"), "wb") as file:
            file.write(base64.b64decode(cls.done(), validate=True))
        cls.restart(TOKEN)

    @classmethod
    def start(cls, token):
        cls.port = harness.free_port()
        cls.run_server(token)

    @classmethod
    def run_server(cls, token):
        cls.server = harness.Server(cls.flavour, harness.expand(
            CONFIG, port=cls.port, token=token, static=cls.static, workers=cls.workers,
            pages=cls.pages))
        cls.addClassCleanup(cls.server.kill)

    @classmethod
    def restart(cls, token):
        """At the same address, as a deploy does."""
        cls.stop()
        cls.run_server(token)

    @classmethod
    def stop(cls):
        # the browser keeps connections open
        cls.server.stop()

    @classmethod
    def tearDownClass(cls):
        cls.stop()

    @classmethod
    def open(cls, path):
        cls.browser.open("http://localhost:%d%s" % (cls.port, path))

    @classmethod
    def done(cls):
        return harness.wait_until(
            lambda: cls.browser.run("return document.documentElement.dataset.done || ''"),
            "the page to be done", 30)

    def answer(self, expression):
        """What the page's promise comes to."""
        self.browser.run("delete document.documentElement.dataset.done; answer(%s)" % expression)
        return json.loads(self.done())

    def url(self, name, token=TOKEN):
        return "http://127.0.0.1:%d/static/%s/%s" % (self.port, token, name)

    def play(self, kind, name, token=TOKEN, start=0):
        return self.answer("play(%s, %s, %s)" % (
            json.dumps(kind), json.dumps(self.url(name, token)), start))

    def ranges(self):
        """The (status, Content-Range) that media were answered with since the last time."""
        return [(event["response"]["status"],
                 {name.lower(): value for name, value in
                  event["response"]["headers"].items()}.get("content-range"))
                for method, event in self.browser.events()
                if method == "Network.responseReceived" and event["type"] == "Media"]

    def test_a_film_is_played_and_its_frames_may_be_read(self):
        for token in (TOKEN, OLDER):
            self.open("/")
            width, _ = self.play("video", "film.webm", token)
            self.assertEqual(width, 64)

    def test_a_sound_is_played_from_near_its_end(self):
        for token in (TOKEN, OLDER):
            self.open("/")
            self.ranges()
            self.assertEqual(self.play("audio", "sound.wav", token, 0.97), [0, SECONDS])
            ranges = self.ranges()
            self.assertEqual({status for status, _ in ranges}, {206}, ranges)
            # what is played comes by a range of its own: the whole was not loaded
            self.assertGreater(len({first for _, first in ranges}), 1, ranges)

    def test_a_worker_of_a_view_serves_assets_of_another_origin_when_the_server_is_gone(self):
        self.open("/")
        scope = self.answer("install('/workers/%s/worker.js')" % TOKEN)
        self.assertEqual(scope, "http://localhost:%d/" % self.port)
        for token in (TOKEN, OLDER):
            self.assertEqual(self.answer("load(%s)" % json.dumps(self.url("", token)[:-1])),
                             self.FOUND)
        self.stop()
        try:
            for token in (TOKEN, OLDER):
                self.assertEqual(self.answer("load(%s)" % json.dumps(self.url("", token)[:-1])),
                                 self.FOUND)
        finally:
            self.run_server(TOKEN)

    def test_a_worker_under_an_older_token_is_refused_by_the_browser(self):
        """A script behind a redirect is no worker (Service Workers §6.3): a page that is newly
        loaded names it by the current token."""
        self.open("/")
        answer = self.answer("install('/workers/%s/worker.js')" % OLDER)
        self.assertIn("redirect", answer)


if __name__ == "__main__":
    harness.main()
