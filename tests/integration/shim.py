"""The shim that reloads a page once (deploy/shim) in a headless Chromium, against a small site whose
files go away and come back as a test says. The site counts how often its page was asked for by a
navigation; the shim asks for it once more before it reloads, which tells the two apart."""

import http.server
import os
import re
import threading
import unittest

import browser
import harness

SHIM = os.path.join(harness.ROOT, "deploy", "shim")
SIZE_MAX = 1024

LAZY = "export default 1; document.documentElement.dataset.lazy = 'loaded';"


class Site(http.server.ThreadingHTTPServer):
    """Pages of a release, and its files under /static/<release>/ while they are there."""

    daemon_threads = True

    def __init__(self, shim):
        super().__init__(("127.0.0.1", 0), Handler)
        self.base = "http://127.0.0.1:%d" % self.server_address[1]
        self.shim = shim
        self.lock = threading.Lock()
        # the releases that pages are rendered by, the last one from then on
        self.releases = ["r1"]
        self.body = ""
        self.gone = set()
        self.worker = "self.addEventListener('activate', e => e.waitUntil(clients.claim()))"
        self.is_down = False
        self.navigations = []
        # how often the page was asked for by something else than a navigation
        self.num_asked = 0
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def handle_error(self, request, client_address):
        """A browser may hang up whenever it likes."""

    def close(self):
        self.shutdown()
        self.thread.join()
        self.server_close()

    def page(self, is_navigation):
        with self.lock:
            release = self.releases[0]
            if is_navigation:
                self.navigations.append(release)
                if len(self.releases) > 1:
                    self.releases.pop(0)
            else:
                self.num_asked += 1
        return ("<!doctype html><html data-release=%s><head>"
                "<script src=\"/static/%s/reload.js\"></script>%s</head></html>"
                % (release, release, self.body.replace("@release@", release))).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, media_type, body = self.answer(self.path)
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def answer(self, path):
        site = self.server
        if path == "/":
            is_navigation = self.headers.get("sec-fetch-mode") == "navigate"
            page = site.page(is_navigation)
            if site.is_down and not is_navigation:
                return 503, "text/plain", b"down"
            return 200, "text/html", page
        if path == "/worker.js":
            return 200, "text/javascript", site.worker.encode()
        match = re.fullmatch(r"/static/(\w+)/(.*)", path)
        if match is None or path in site.gone or match[1] in site.gone:
            return 404, "text/plain", b"gone"
        if match[2] == "reload.js":
            return 200, "text/javascript", site.shim
        if match[2].endswith(".css"):
            return 200, "text/css", b"p{}"
        return 200, "text/javascript", LAZY.encode()

    def log_message(self, *_):
        pass


class Case(unittest.TestCase):
    """A browser, and a site with a shim of a name."""

    IMPORT = "<script type=module>import('/static/@release@/lazy.js')</script>"
    name: str

    @classmethod
    def setUpClass(cls):
        cls.scratch = harness.Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        cls.browser = browser.Browser(cls.scratch)
        cls.addClassCleanup(cls.browser.close)
        with open(os.path.join(SHIM, cls.name), "rb") as file:
            cls.shim = file.read()

    def setUp(self):
        self.site = Site(self.shim)
        self.addCleanup(lambda: self.site.close())

    def renew(self):
        """Another site: an origin of its own, which finds nothing that another remembered."""
        self.site.close()
        self.site = Site(self.shim)

    def visit(self, body):
        """Opens the page with this in its head."""
        self.site.body = body
        self.browser.open(self.site.base + "/")

    def wait_for(self, script, what):
        # a page that goes away under a script is asked again
        def is_true():
            try:
                return self.browser.run("return " + script)
            except AssertionError:
                return None

        harness.wait_until(is_true, what, 30)

    def wait_for_release(self, release):
        self.wait_for("document.documentElement.dataset.release === '%s' && "
                      "document.readyState === 'complete'" % release, "the page of " + release)

    def settle(self, num_asked):
        """Until the shim has asked for the page so often, and a reload would have begun."""
        harness.wait_until(lambda: self.site.num_asked >= num_asked, "the shim's question", 30)
        self.browser.call("POST", self.browser.session + "/execute/async", {
            "script": "setTimeout(arguments[0], 200)", "args": []})
        self.assertEqual(self.site.num_asked, num_asked)

    def assert_navigations(self, *releases):
        self.assertEqual(self.site.navigations, list(releases))

    def check_a_failed_import(self):
        self.site.releases = ["r1", "r2"]
        self.site.gone = {"/static/r1/lazy.js"}
        self.visit(self.IMPORT)
        self.wait_for("document.documentElement.dataset.lazy === 'loaded'", "the import of r2")
        self.assert_navigations("r1", "r2")

    def check_a_second_failure(self):
        self.site.gone = {"/static/r1/lazy.js"}
        self.visit(self.IMPORT)
        harness.wait_until(lambda: len(self.site.navigations) == 2, "the reload", 30)
        self.wait_for_release("r1")
        self.settle(2)
        self.assert_navigations("r1", "r1")


class Reloads(Case):
    """The shim that pages include."""

    name = "reload.min.js"

    def test_it_is_at_most_one_kilobyte(self):
        self.assertLessEqual(len(self.shim), SIZE_MAX)

    def test_a_failed_import_reloads_the_page_once(self):
        self.check_a_failed_import()

    def test_a_page_that_fails_again_is_left_alone(self):
        self.check_a_second_failure()

    def test_two_releases_by_turns_are_reloaded_once_each(self):
        self.site.releases = ["r1", "r2", "r1", "r2", "r1", "r2", "r1"]
        self.site.gone = {"/static/r1/lazy.js", "/static/r2/lazy.js"}
        self.visit(self.IMPORT)
        harness.wait_until(lambda: len(self.site.navigations) == 3, "two reloads", 30)
        self.wait_for_release("r1")
        self.settle(3)
        self.assert_navigations("r1", "r2", "r1")

    def test_a_later_release_is_reloaded_again(self):
        self.site.gone = {"/static/r1/lazy.js", "/static/r2/lazy.js"}
        self.site.releases = ["r1", "r2", "r3"]
        self.visit(self.IMPORT)
        self.wait_for_release("r3")
        self.wait_for("document.documentElement.dataset.lazy === 'loaded'", "the import of r3")
        self.assert_navigations("r1", "r2", "r3")

    def test_scripts_modules_and_stylesheets_count(self):
        for element in ("<script src='/static/@release@/lazy.js'></script>",
                        "<script type=module src='/static/@release@/lazy.js'></script>",
                        "<link rel=stylesheet href='/static/@release@/lazy.js'>",
                        "<link rel=modulepreload href='/static/@release@/lazy.js'>"):
            with self.subTest(element):
                self.renew()
                self.site.releases = ["r1", "r2"]
                self.site.gone = {"/static/r1/lazy.js"}
                self.visit(element)
                self.wait_for_release("r2")
                self.assert_navigations("r1", "r2")

    def test_what_is_not_ours_or_no_part_of_the_page_is_left_alone(self):
        self.site.gone = {"/static/r1/lazy.js"}
        self.visit("<script src='http://127.0.0.1:1/ad.js'></script>"
                   "<link rel=icon href='/static/@release@/lazy.js'>"
                   "<img src='/static/@release@/lazy.js'>"
                   "<script>throw new Error('mine')</script>"
                   "<script>Promise.reject(new Error('mine'))</script>"
                   "<script>Promise.reject()</script>"
                   "<script>import('http://127.0.0.1:1/ad.js')</script>")
        self.wait_for_release("r1")
        self.settle(0)
        self.assert_navigations("r1")

    def test_an_import_that_the_application_catches_can_be_handed_on(self):
        self.site.releases = ["r1", "r2"]
        self.site.gone = {"/static/r1/lazy.js"}
        self.visit("<script>import('/static/@release@/lazy.js').catch(breakerReload)</script>")
        self.wait_for_release("r2")
        self.assert_navigations("r1", "r2")

    def test_what_vite_webpack_and_other_browsers_say_is_understood(self):
        for script in ("const e = new Event('vite:preloadError', {cancelable: true});"
                       "e.payload = new Error('Unable to preload CSS for /assets/a.css');"
                       "dispatchEvent(e)",
                       "const e = new Error('Loading chunk 7 failed.');"
                       "e.name = 'ChunkLoadError'; Promise.reject(e)",
                       "Promise.reject(new Error('Loading CSS chunk 7 failed.'))",
                       # what Safari and Firefox say of import()
                       "Promise.reject(new TypeError('Importing a module script failed.'))",
                       "Promise.reject(new TypeError('error loading dynamically imported module: '"
                       " + location.origin + '/static/r1/x.js'))"):
            with self.subTest(script):
                self.renew()
                self.site.releases = ["r1", "r2"]
                self.visit("<script>if (document.documentElement.dataset.release == 'r1')"
                           " { %s }</script>" % script)
                self.wait_for_release("r2")
                self.assert_navigations("r1", "r2")

    def test_a_page_that_cannot_be_had_is_not_reloaded(self):
        self.site.gone = {"/static/r1/lazy.js"}
        self.site.is_down = True
        self.visit(self.IMPORT)
        self.wait_for_release("r1")
        self.settle(1)
        self.assert_navigations("r1")

    def test_another_service_worker_reloads_the_page_and_the_first_one_does_not(self):
        self.visit("<script>navigator.serviceWorker.register('/worker.js')</script>")
        self.wait_for("!!navigator.serviceWorker.controller", "the first worker")
        self.assert_navigations("r1")
        self.browser.open(self.site.base + "/")
        self.wait_for("!!navigator.serviceWorker.controller && document.readyState === 'complete'",
                      "a page under the worker")
        self.assert_navigations("r1", "r1")
        self.site.worker += "; self.addEventListener('install', () => self.skipWaiting()) // r2"
        self.site.releases = ["r2"]
        self.browser.run("navigator.serviceWorker.getRegistration().then(r => r.update())")
        self.wait_for_release("r2")
        self.assert_navigations("r1", "r1", "r2")


class Readable(Case):
    """The same as it is to read."""

    name = "reload.js"

    def test_it_does_the_same(self):
        self.check_a_failed_import()
        self.renew()
        self.check_a_second_failure()


if __name__ == "__main__":
    unittest.main(verbosity=2)
