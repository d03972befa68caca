"""The checking client. For every node a thread asks all the time: the page, the page's own asset,
and every URL that any node ever handed out, some at a time. What it knows for certain: the bytes of
every release, and which release each token names.

P3: no token of a living node goes back, no redirect leads to a smaller order
P4: a token names one release; nobody ever gets another release's bytes
P5: a node's own page and assets never fail"""

import random
import threading
import time

import client
import fleet as fleets
import order as orders

RECENT = 12


class Watch:
    def __init__(self, fleet, book, seed, pause_s):
        self.fleet = fleet
        self.book = book
        self.pause_s = pause_s
        self.lock = threading.Lock()
        self.release_of = {}
        self.handed_out = []
        self.breaches = {}
        self.requests = 0
        self.during = "the start"
        self.is_over = False
        self.threads = [threading.Thread(target=self._run, args=(node, random.Random(
            "%s %d" % (seed, node.at))), daemon=True) for node in fleet.nodes]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()

    def breach(self, what, text):
        with self.lock:
            line = "%s, during %s: %s" % (what, self.during, text)
            self.breaches[line] = self.breaches.get(line, 0) + 1

    def note(self, token, its_release):
        """A token is handed out: it names this release from now on; returns which one it names."""
        with self.lock:
            if token not in self.release_of:
                self.release_of[token] = its_release
                self.handed_out.append(token)
            return self.release_of[token]

    def _run(self, node, rng):
        while not self.is_over:
            if not node.is_up:
                time.sleep(0.01)
                continue
            life = node.life
            seen = Seen(self, node, rng)
            try:
                with client.Http1(node.port, timeout=10) as connection:
                    while not self.is_over and node.is_up and node.life == life:
                        seen.round(connection)
                        time.sleep(self.pause_s)
            except (OSError, AssertionError) as error:
                # a connection may only fail because the process was killed
                if node.is_up and node.life == life:
                    time.sleep(0.2)
                    if node.is_up and node.life == life:
                        self.breach("P5", "node %d, release %d: %s"
                                    % (node.at, seen.release, error))


class Seen:
    """What one life of a node has shown."""

    def __init__(self, watch, node, rng):
        self.watch, self.node, self.rng = watch, node, rng
        self.release = node.release
        self.life = node.life
        self.token = None

    def breach(self, what, text):
        # an answer of the process that was put in this one's place says nothing about it
        if self.node.life == self.life:
            self.watch.breach(what, "node %d, release %d, at %s: %s"
                              % (self.node.at, self.release, self.token, text))

    def get(self, connection, token, path):
        self.watch.requests += 1
        return connection.request("/static/%s/%s" % (token, path))

    def move(self, token):
        """The node's token is this one now."""
        if self.token not in (None, token) and self.watch.book.is_back(self.token, token):
            self.breach("P3", "its token moved back to %s" % token)
        self.token = token
        if self.node.life != self.life:
            return
        named = self.watch.note(token, self.release)
        if named != self.release:
            self.breach("P4", "the token was handed out for release %d before" % named)

    def round(self, connection):
        page = connection.request("/")
        self.watch.requests += 1
        match = fleets.TOKEN.search(page.body)
        if page.status != 200 or match is None or b"{breaker}" in page.body:
            self.breach("P5", "page: %d %r" % (page.status, page.body[:80]))
            return
        self.move(match.group(1).decode())
        self.check_own(connection, self.token, self.rng.choice(fleets.PATHS))
        with self.watch.lock:
            tokens = self.watch.handed_out[-RECENT:]
            older = self.watch.handed_out[:-RECENT]
        for token in self.rng.sample(tokens, min(3, len(tokens))) + \
                self.rng.sample(older, min(2, len(older))):
            self.check(connection, token, self.rng.choice(fleets.PATHS))

    def bytes_of(self, release, path):
        return self.watch.fleet.releases.files[release][path]

    def check_own(self, connection, token, path):
        """What the node's own page names must come, if need be by way of redirects."""
        for _ in range(4):
            response = self.get(connection, token, path)
            if response.status != 301:
                break
            token = self.redirected(token, path, response)
            if token is None:
                return
        if response.status != 200:
            self.breach("P5", "own asset %s under %s: %d" % (path, token, response.status))
        elif response.body != self.bytes_of(self.release, path):
            self.breach("P4", "own asset %s under %s: wrong bytes %r"
                        % (path, token, response.body[:40]))

    def redirected(self, token, path, response):
        """Returns where to; None when that is a breach."""
        words = (response.leads_to or "").split("/", 3)
        if len(words) != 4 or words[1] != "static" or words[3] != path:
            self.breach("P3", "%s of %s redirected to %r" % (path, token, response.headers))
            return None
        if words[2] == token or self.watch.book.is_back(token, words[2]):
            self.breach("P3", "%s of %s redirected to %s" % (path, token, words[2]))
            return None
        self.move(words[2])
        return words[2]

    def check(self, connection, token, path):
        """A URL that was handed out by anybody."""
        before = self.token
        response = self.get(connection, token, path)
        release = self.watch.release_of[token]
        if response.status == 301:
            to = self.redirected(token, path, response)
            if to is not None:
                self.check_own(connection, to, path)
        elif response.status == 200:
            if response.body != self.bytes_of(release, path):
                self.breach("P4", "%s under %s is not release %d's: %r"
                            % (path, token, release, response.body[:40]))
        elif not self.may_lack(token, before, response.status):
            self.breach("P5", "%s under %s of release %d: %d"
                        % (path, token, release, response.status))

    def may_lack(self, token, own, status):
        """A newer token may still come. Of a name that it never heard of, or when its own is one
        whose place it does not know yet, a node cannot tell; `check_known` of run.py is strict."""
        if not orders.is_minted(token):
            return status in (503, 404)
        return status == 503 and (not orders.is_minted(own) or
                                  self.watch.book.of(token) > self.watch.book.of(own))
