"""The releases and the nodes that serve them."""

import ctypes
import glob
import os
import re
import select

import client
import harness
import store

PATHS = ["app.js", "css/site.css", "img/logo.svg", "deep/er/data.json"]

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
num-threads: 1
breaker.state-file: @state@
@token@
breaker.cluster:
  app: @app@
  redis: @urls@
  @sentinel@
  user: default
  password-file: @password@
  poll: @poll@ms
  dead-after: @dead@ms
  adopt: @adopt@
  token-suffix: @suffix@
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @tree@}
        breaker.rewrite: ON
        file.dir: @pages@
"""

PAGE = b"<!doctype html><script src=\"/static/{breaker}/app.js\"></script>\n"
TOKEN = re.compile(rb"/static/([^/]+)/app\.js")


class Releases:
    """Trees with the same paths and other bytes."""

    def __init__(self, scratch, number):
        self.files, self.trees = [], []
        for at in range(number):
            # the lengths differ as well, so that no length of another release can pass
            files = {path: (b"release %d of %s\n" % (at, path.encode())) * (at + 1)
                     for path in PATHS}
            self.files.append(files)
            self.trees.append(scratch.tree("release-%d" % at, files))


def faketime_library():
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    return found[0] if found else None


class Node:
    """A place in the cluster: its port, its state file, and the process that lives there now.

    `life` counts the processes; who asks the node and finds another life afterwards, or none, has
    seen a death of our making."""

    def __init__(self, fleet, at):
        self.fleet = fleet
        self.at = at
        self.port = harness.free_port()
        self.directory = fleet.scratch("node-%d" % at)
        os.mkdir(self.directory)
        # a server that root starts becomes another user
        os.chmod(self.directory, 0o777)
        self.state = os.path.join(self.directory, "state")
        self.release = 0
        self.operator = None
        self.suffix = False
        self.dead_ms = fleet.dead_ms
        self.server = None
        self.life = 0
        self.is_up = False

    def config(self):
        fleet = self.fleet
        return harness.expand(
            CONFIG, port=self.port, state=self.state, app=store.APP, urls=fleet.urls(self.at),
            sentinel="sentinel: shop" if fleet.has_sentinels else "", password=fleet.password,
            poll=fleet.poll_ms, dead=self.dead_ms, adopt=fleet.adopt,
            suffix="ON" if self.suffix else "OFF",
            token="breaker.token: %s" % harness.quoted(self.operator) if self.operator else "",
            tree=fleet.releases.trees[self.release], pages=fleet.pages)

    def start(self, release=None, clock=None, operator=None, suffix=False):
        """Starts a process; returns when it says that it is ready. What belongs to a release stays
        until another one comes."""
        assert self.server is None
        if release is not None:
            self.release, self.operator, self.suffix = release, operator, suffix
        env = {}
        if clock is not None:
            env = {"LD_PRELOAD": faketime_library(), "FAKETIME": clock,
                   "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.server = harness.Server(self.fleet.flavour, self.config(), env=env)
        self.life += 1
        self.is_up = True

    def kill(self):
        """Like a crash."""
        self.is_up = False
        if self.server is not None:
            self.server.kill()
            self.server = None

    def stop(self):
        """An orderly end, which proves that the process was well."""
        self.is_up = False
        server, self.server = self.server, None
        server.stop()

    def lane(self):
        """Its way to Redis; None behind sentinels."""
        return self.fleet.lanes[self.at] if self.fleet.lanes else None

    def is_parted(self):
        """Whether nothing of it gets to Redis."""
        lane = self.lane()
        return lane is not None and (lane.is_silent or lane.is_cut)

    def token(self):
        """The current token, by the node's page."""
        try:
            match = TOKEN.search(client.get(self.port, "/").body)
        except OSError:
            return None
        return match.group(1).decode() if match else None


class Fleet:
    def __init__(self, flavour, number, releases, scratch, lanes=None, sentinels=None, poll_ms=1000,
                 dead_ms=30000, adopt="release"):
        self.flavour = flavour
        self.releases = releases
        self.scratch = scratch
        self.lanes = lanes
        self.has_sentinels = sentinels is not None
        self.sentinels = sentinels
        self.poll_ms, self.dead_ms, self.adopt = poll_ms, dead_ms, adopt
        self.pages = scratch.tree("pages", {"index.html": PAGE})
        self.password = scratch.write("password", store.PASSWORD + "\n")
        self.nodes = [Node(self, at) for at in range(number)]

    def urls(self, at):
        ports = self.sentinels or [self.lanes[at].port]
        return "[%s]" % ", ".join("redis://127.0.0.1:%d" % port for port in ports)

    def living(self):
        return [node for node in self.nodes if node.is_up]

    def end(self):
        """Clears away, whatever has happened."""
        for node in self.nodes:
            node.kill()


class Creations:
    """Hears of files that are made or written (inotify(7)), to strike in the act."""

    def __init__(self, directory):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        assert self.fd >= 0
        assert self.libc.inotify_add_watch(self.fd, os.fsencode(directory), 0x102) >= 0

    def wait(self, seconds):
        return bool(select.select([self.fd], [], [], seconds)[0])

    def close(self):
        os.close(self.fd)
