"""A headless Chromium opens the site of the quickstart: its module runs, its stylesheet, its images
and its data load, nothing fails, and a page that still carries an older token works as well. Then a
page of another origin uses the site's assets, by older tokens and after errors."""

import base64
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request

import client
import harness

SITE = os.path.join(harness.ROOT, "deploy", "site")
TOKEN = "1718539201234"
OLDER = "1718539201000"

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @static@}
        file.dir: @pages@
        breaker.rewrite: ON
      "/stale":
        file.dir: @stale@
"""


class Browser:
    """Chromium through chromedriver, by the WebDriver protocol (W3C)."""

    def __init__(self, scratch, arguments=()):
        self.session = None
        port = harness.free_port()
        self.base = "http://127.0.0.1:%d" % port
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        environment = dict(os.environ, HOME=scratch.path, TMPDIR=scratch.path)
        with open(scratch("driver.log"), "wb") as log:
            self.driver = subprocess.Popen(["chromedriver", "--port=%d" % port],
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           env=environment)
        try:
            harness.wait_until(self.is_ready, "chromedriver", 30)
            options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                                "--disable-dev-shm-usage", "--disable-background-networking",
                                "--disable-component-update", "--no-proxy-server",
                                "--autoplay-policy=no-user-gesture-required",
                                "--user-data-dir=" + scratch("profile"), *arguments]}
            answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": options,
                "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}}}})
            self.session = "/session/" + answer["sessionId"]
        except BaseException:
            self.close()
            raise

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method,
                                         headers={"content-type": "application/json"})
        try:
            with self.opener.open(request, timeout=60 * harness.SLOWDOWN) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError("%s %s: %s" % (method, path, error.read()[:500])) from error

    def is_ready(self):
        try:
            return self.call("GET", "/status")["ready"]
        except OSError:
            return False

    def open(self, url):
        self.call("POST", self.session + "/url", {"url": url})

    def run(self, script):
        return self.call("POST", self.session + "/execute/sync", {"script": script, "args": []})

    def log(self, kind):
        return self.call("POST", self.session + "/se/log", {"type": kind})

    def events(self):
        """What the network did since the last time: (method, parameters)."""
        for entry in self.log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"].startswith("Network."):
                yield message["method"], message["params"]

    def close(self):
        try:
            if self.session:
                self.call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()


class Visits(harness.FlavourCase):
    @classmethod
    def setUpClass(cls):
        for program in ("chromium", "chromedriver"):
            if shutil.which(program) is None:
                raise AssertionError("%s is missing: install chromium and chromium-driver" % program)
        cls.scratch = harness.Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        # copied, so that the user that the server becomes may read it
        static, pages = (shutil.copytree(os.path.join(SITE, name), cls.scratch(name))
                         for name in ("static", "pages"))
        with open(os.path.join(pages, "index.html")) as file:
            page = file.read()
        stale = cls.scratch.tree("stale", {
            "index.html": page.replace("/static/{breaker}/", "/static/%s/" % OLDER).encode()})
        cls.port = harness.free_port()
        cls.base = "http://127.0.0.1:%d" % cls.port
        cls.server = harness.Server(cls.flavour, harness.expand(
            CONFIG, port=cls.port, token=TOKEN, static=static, pages=pages, stale=stale))
        cls.addClassCleanup(cls.server.kill)
        cls.browser = Browser(cls.scratch)
        cls.addClassCleanup(cls.browser.close)

    @classmethod
    def tearDownClass(cls):
        # the browser keeps connections open, which must not keep the server
        cls.server.stop()

    def visit(self, path, assets=()):
        """Opens a page, waits for its module, for some assets and for quiet, and returns what was
        answered: (path, status, media type) of every response, redirects included."""
        wanted = {"/static/%s/%s" % (TOKEN, asset) for asset in assets}
        list(self.browser.events())
        self.browser.log("browser")
        self.browser.open(self.base + path)
        state = harness.wait_until(self.module_state, "the module to run", 30)
        self.assertEqual(state, "ready", self.browser.log("browser"))
        answers, open_requests = [], set()

        def is_quiet():
            for method, event in self.browser.events():
                self.collect(method, event, answers, open_requests)
            return not open_requests and wanted <= {answer[0] for answer in answers}

        harness.wait_until(is_quiet, "the network to be quiet", 30)
        return answers

    def module_state(self):
        state = self.browser.run("return document.documentElement.dataset.module || ''")
        return state if state not in ("", "loading") else None

    def collect(self, method, event, answers, open_requests):
        if method == "Network.requestWillBeSent":
            # the browser's own pages and inline images are none of ours
            if event["request"]["url"].startswith("http"):
                open_requests.add(event["requestId"])
            if "redirectResponse" in event:
                answers.append(self.answer(event["redirectResponse"]))
        elif event.get("requestId") not in open_requests:
            return
        elif method == "Network.responseReceived":
            answers.append(self.answer(event["response"]))
        elif method == "Network.loadingFinished":
            open_requests.discard(event["requestId"])
        elif method == "Network.loadingFailed":
            self.fail("a request failed: %r" % event)

    def answer(self, response):
        self.assertTrue(response["url"].startswith(self.base), response["url"])
        return response["url"][len(self.base):], response["status"], response["mimeType"]

    def assert_page_works(self):
        facts = self.browser.run("""
            return {
                token: document.documentElement.dataset.token,
                module: document.querySelector('[data-fact=module]').textContent,
                broken: [...document.images].filter(i => !i.complete || !i.naturalWidth).length,
                images: document.images.length,
                sheets: [...document.styleSheets].map(s => s.href),
                rules: [...document.styleSheets].reduce((n, s) => n + s.cssRules.length, 0),
                background: getComputedStyle(document.body).backgroundImage,
            }""")
        self.assertEqual(facts["broken"], 0)
        self.assertGreater(facts["images"], 0)
        self.assertEqual(len(facts["sheets"]), 1)
        self.assertGreater(facts["rules"], 10)
        self.assertIn("/static/%s/img/grid.png" % TOKEN, facts["background"])
        return facts

    def needed(self):
        """The assets that the first page cannot do without, and what they must come as."""
        return {"css/site.css": "text/css", "js/site.js": "javascript", "js/token.js": "javascript",
                "js/requests.js": "javascript", "img/grid.png": "image/png",
                "img/breaker.svg": "image/svg+xml", "data/requests.json": "application/json"}

    def assert_assets(self, answers):
        for asset, kind in self.needed().items():
            found = [answer for answer in answers
                     if answer[0] == "/static/%s/%s" % (TOKEN, asset)]
            self.assertTrue(found, asset)
            for _, status, media_type in found:
                self.assertEqual(status, 200)
                self.assertIn(kind, media_type)

    def test_1_the_site_loads_and_its_module_runs(self):
        answers = self.visit("/", self.needed())
        self.assert_assets(answers)
        self.assertEqual({status for _, status, _ in answers}, {200})
        facts = self.assert_page_works()
        self.assertEqual(facts["token"], TOKEN)
        self.assertEqual(facts["module"], "%s/static/%s/js/site.js" % (self.base, TOKEN))
        self.assertFalse([entry for entry in self.browser.log("browser")
                          if entry["level"] == "SEVERE"])

    def test_2_a_second_visit_takes_the_assets_from_the_cache(self):
        self.visit("/")
        self.visit("/deploy.html")
        loaded = self.browser.run("""
            return performance.getEntriesByType('resource').map(
                e => [new URL(e.name).pathname, e.transferSize])""")
        assets = [entry for entry in loaded if entry[0].startswith("/static/")]
        self.assertTrue(assets)
        self.assertFalse([path for path, size in assets
                          if size and path.endswith(("site.css", "site.js", "token.js"))])

    def test_3_a_page_with_an_older_token_works(self):
        stale = client.get(self.port, "/stale/")
        self.assertIn(b"/static/%s/js/site.js" % OLDER.encode(), stale.body)
        answers = self.visit("/stale/", self.needed())
        redirected = [path for path, status, _ in answers if status == 301]
        self.assertTrue(any(re.search(r"/static/%s/js/site\.js" % OLDER, path)
                            for path in redirected), answers)
        self.assertEqual({status for _, status, _ in answers} - {304}, {200, 301})
        self.assert_page_works()


OTHER_ORIGIN = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static:
          - {name: "any/{breaker}", path: @static@}
          - {name: "some/{breaker}", path: @static@,
             allow-origin: ["https://shop.example", "http://localhost:@port@"]}
          - {name: "closed/{breaker}", path: @static@, allow-origin: OFF}
        file.dir: @pages@
"""

# what a page may do with assets of another origin, each by a promise of a word
USES = """<!doctype html><script>
const uses = base => ({
    font: new FontFace("own", `url(${base}/font.ttf)`).load().then(font => font.status),
    module: import(base + "/module.js").then(module => module.word),
    script: new Promise((resolve, reject) => {
        const script = document.createElement("script");
        Object.assign(script, {src: base + "/script.js", crossOrigin: "anonymous",
                               integrity: "@integrity@", onerror: reject,
                               onload: () => resolve(window.word)});
        document.head.append(script);
    }),
    fetch: fetch(base + "/data.json").then(response => response.text()),
    missing: fetch(base + "/none.json").then(response => response.status),
    asked: fetch(base + "/data.json", {headers: {"x-requested-with": "page"}}).then(
        response => response.text()),
    partial: fetch(base + "/data.json", {headers: {"range": "bytes=0-1"}}).then(
        response => response.status),
});
async function use(base) {
    const found = {};
    for (const [name, promise] of Object.entries(uses(base)))
        found[name] = await promise.catch(() => "refused");
    document.documentElement.dataset.found = JSON.stringify(found);
}
</script>"""

SCRIPT = b"window.word = 'script';\n"


class OtherOrigins(harness.FlavourCase):
    """The page is of http://localhost, the assets are of http://127.0.0.1."""

    USED = {"font": "loaded", "module": "module", "script": "script", "fetch": "{}", "missing": 404,
            "asked": "{}", "partial": 206}
    NEWER = "1718539299999"

    @classmethod
    def setUpClass(cls):
        cls.scratch = harness.Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        with open(glob.glob("/usr/share/fonts/**/*.ttf", recursive=True)[0], "rb") as file:
            font = file.read()
        static = cls.scratch.tree("static", {
            "font.ttf": font, "module.js": b"export const word = 'module';\n", "script.js": SCRIPT,
            "data.json": b"{}"})
        integrity = "sha384-" + base64.b64encode(hashlib.sha384(SCRIPT).digest()).decode()
        pages = cls.scratch.tree("pages", {
            "index.html": USES.replace("@integrity@", integrity).encode()})
        cls.port = harness.free_port()
        cls.server = harness.Server(cls.flavour, harness.expand(
            OTHER_ORIGIN, port=cls.port, token=TOKEN, static=static, pages=pages))
        cls.addClassCleanup(cls.server.kill)
        cls.browser = Browser(cls.scratch)
        cls.addClassCleanup(cls.browser.close)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def use(self, view, token):
        self.browser.open("http://localhost:%d/" % self.port)
        self.browser.run("use('http://127.0.0.1:%d/%s/%s')" % (self.port, view, token))
        found = harness.wait_until(
            lambda: self.browser.run("return document.documentElement.dataset.found || ''"),
            "the assets to be used", 30)
        return json.loads(found)

    def test_assets_are_used_under_the_current_token_and_an_older_one(self):
        for view in ("any", "some"):
            for token in (TOKEN, OLDER):
                self.assertEqual(self.use(view, token), self.USED, (view, token))

    def test_errors_can_be_read(self):
        for view in ("any", "some"):
            found = self.use(view, self.NEWER)
            self.assertEqual((found["missing"], found["partial"]), (503, 503))

    def test_a_view_that_is_closed_is_of_no_use(self):
        for token in (TOKEN, OLDER):
            self.assertEqual(set(self.use("closed", token).values()), {"refused"})


if __name__ == "__main__":
    harness.main()
