"""A shop made with React and built by Vite, in a headless Chromium, while its release is replaced on
one node after the other: a tab that was open before the deploy loads lazy routes in the middle of it
and after the last node of its release is gone, pages of either release load their assets from either
node, and nothing fails or comes from another release.

The site is tests/journey, installed with npm from its lock file and built twice. Where the registry
of npm cannot be reached this says so and is skipped (status 77)."""

import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

import browser
import cluster
import harness
from harness import wait_until

SITE = os.path.join(harness.ROOT, "tests", "journey")
SKIPPED = 77
NODES = ("n1", "n2")
BUILT = {}

# Nodes are containers: nothing of theirs outlives them, not even the archive.
CONFIG = """
num-threads: 2
listen: {host: 127.0.0.1, port: @port@}
breaker.release: "release-@release@"
breaker.archive: @archive@
breaker.health: /health
breaker.cluster:
  app: shop
  redis: "redis://127.0.0.1:@redis@"
  poll: 250ms
  start: strict
  advertise: "127.0.0.1:@port@"
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @static@}
        file.dir: @pages@
        breaker.rewrite: ON
"""

# A balancer without stickiness that the browser tells, by cookies, which node shall answer: one for
# the page, one for its assets.
HAPROXY = """
global
    maxconn 200
defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
listen shop
    bind 127.0.0.1:@port@
    balance roundrobin
    acl is_page path /
    use-server n1 if is_page { req.cook(page) n1 }
    use-server n2 if is_page { req.cook(page) n2 }
    use-server n1 if !is_page { req.cook(assets) n1 }
    use-server n2 if !is_page { req.cook(assets) n2 }
    http-response set-header x-server %s
    server n1 127.0.0.1:@n1@
    server n2 127.0.0.1:@n2@
"""


def build(scratch):
    """The site as two releases, by number; None where npm's registry cannot be reached."""
    if shutil.which("npm") is None:
        print("npm is missing: install nodejs and npm", file=sys.stderr)
        return None
    site = shutil.copytree(SITE, scratch("shop"),
                           ignore=shutil.ignore_patterns("node_modules", "dist"))
    done = subprocess.run(["npm", "ci", "--fetch-timeout=20000", "--fetch-retries=1"], cwd=site,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        if re.search(r"ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|network|E5\d\d", done.stderr):
            print("npm's registry cannot be reached:\n" + done.stderr[-500:], file=sys.stderr)
            return None
        raise AssertionError("npm ci: " + done.stderr)
    releases = {}
    for number in (1, 2):
        made = scratch("release-%d" % number)
        environment = dict(os.environ, RELEASE=str(number))
        done = subprocess.run(["npx", "vite", "build", "--emptyOutDir", "--outDir", made], cwd=site,
                              env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError("vite build: " + done.stdout + done.stderr)
        os.makedirs(scratch("pages-%d" % number))
        shutil.move(os.path.join(made, "index.html"), scratch("pages-%d" % number))
        releases[number] = {"static": made, "pages": scratch("pages-%d" % number)}
    return releases


class Balancer:
    def __init__(self, scratch, ports):
        self.port = harness.free_port()
        path = scratch.write("haproxy.cfg", harness.expand(HAPROXY, port=self.port, **ports))
        with open(scratch("haproxy.log"), "wb") as log:
            self.process = subprocess.Popen(["haproxy", "-db", "-f", path],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Journey(harness.FlavourCase):
    flavours = ("evloop",)

    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.redis = cluster.Redis()
        self.addCleanup(self.redis.kill)
        self.redis.start()
        self.ports = {name: harness.free_port() for name in NODES}
        self.servers = {}
        self.num_started = 0
        for name in NODES:
            self.start(name, 1)
        self.balancer = Balancer(self.scratch, self.ports)
        self.addCleanup(self.balancer.kill)
        self.base = "http://127.0.0.1:%d" % self.balancer.port
        self.browser = browser.Browser(self.scratch)
        self.addCleanup(self.browser.close)

    def start(self, name, release):
        self.num_started += 1
        archive = self.scratch("archive-%d" % self.num_started)
        os.mkdir(archive)
        os.chmod(archive, 0o777)
        text = harness.expand(CONFIG, port=self.ports[name], release=release, archive=archive,
                              redis=self.redis.port, **BUILT[release])
        self.servers[name] = harness.Server(self.flavour, text)
        self.addCleanup(self.servers[name].kill)
        wait_until(lambda: self.is_ready(name), name + " to be ready", 30)

    def is_ready(self, name):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            url = "http://127.0.0.1:%d/health/readyz" % self.ports[name]
            with opener.open(url, timeout=5) as response:
                return response.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def deploy(self, name, release):
        """A new container in the place of the old one."""
        self.servers[name].stop()
        self.start(name, release)

    def ask_nodes(self, page, assets):
        """From now on these two answer."""
        self.browser.run("document.cookie = 'page=%s'; document.cookie = 'assets=%s'"
                         % (page, assets))

    def new_tab(self):
        """Opens the shop in another tab and returns what it is found by."""
        handle = self.browser.call("POST", self.browser.session + "/window/new",
                                   {"type": "tab"})["handle"]
        self.switch(handle)
        self.browser.open(self.base + "/")
        self.home()
        return handle

    def switch(self, handle):
        self.browser.call("POST", self.browser.session + "/window", {"handle": handle})

    def home(self):
        """The release that the shop of this tab says it is of, once React has drawn it."""
        return wait_until(lambda: self.browser.run(
            "return document.querySelector('h1')?.dataset.release"), "the shop to be drawn", 30)

    def visit_route(self, route):
        """Follows the link to a lazy route, as a user does; returns the releases of the route's
        module and of the shop that it found around it, and whether its stylesheet applies."""
        self.browser.run("document.querySelector('a[href=\"#%s\"]').click()" % route)
        try:
            return tuple(wait_until(lambda: self.browser.run("""
                const found = document.querySelector('#%s');
                return found && [found.dataset.release, found.dataset.shop,
                                 getComputedStyle(found).outlineWidth]""" % route), route, 10))
        except AssertionError as error:
            raise AssertionError("%s; %s" % (error, self.browser.log("browser"))) from None

    def assert_nothing_failed(self):
        """Every asset of this tab came with its first answer, and nothing was complained of."""
        entries = self.browser.run("""
            return performance.getEntriesByType('resource').map(
                e => [e.name, e.responseStatus, e.redirectStart])""")
        loaded = [entry for entry in entries if "/static/" in entry[0]]
        self.assertTrue(loaded)
        for name, status, redirect in loaded:
            self.assertEqual((status, redirect), (200, 0), name)
        complaints = [entry for entry in self.browser.log("browser")
                      if entry["level"] == "SEVERE"]
        self.assertEqual(complaints, [])

    def test_a_shop_works_on_in_every_tab_while_its_release_is_replaced(self):
        self.browser.open(self.base + "/")
        early = self.new_tab()
        later = self.new_tab()

        # in the middle: the new node, and the old one
        self.deploy("n1", 2)
        self.switch(early)
        for node, route in (("n1", "cart"), ("n2", "orders")):
            self.ask_nodes(node, node)
            self.assertEqual(self.visit_route(route), ("1", "1", "3px"), (node, route))
        self.assert_nothing_failed()
        for page, assets, release in (("n1", "n2", "2"), ("n2", "n1", "1")):
            self.ask_nodes(page, assets)
            self.new_tab()
            self.assertEqual(self.home(), release)
            self.assertEqual(self.visit_route("profile"), (release, release, "3px"))
            self.assert_nothing_failed()

        # the last old node is gone, and with it all that it had
        self.deploy("n2", 2)
        self.switch(later)
        for node, route in (("n1", "profile"), ("n2", "cart")):
            self.ask_nodes(node, node)
            self.assertEqual(self.visit_route(route), ("1", "1", "3px"), (node, route))
        self.assert_nothing_failed()
        self.new_tab()
        self.assertEqual(self.home(), "2")
        self.assert_nothing_failed()


if __name__ == "__main__":
    place = harness.Scratch()
    try:
        BUILT.update(build(place) or sys.exit(SKIPPED))
        harness.main()
    finally:
        place.remove()
