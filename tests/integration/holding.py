"""Releases that outlive their nodes: a node by itself that is started with other files answers the
old URLs with the old bytes from its archive, whatever is done to it and to the archive; nodes of
different releases answer each other's URLs through a real redis-server. Every body that is read
here is compared with the file that the URL's release has, byte by byte."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import client
import cluster
import harness
from harness import FlavourCase, Scratch, Server, expand, quoted, wait_until

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.archive: @archive@
@lines@
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @site@, memory-file-limit: 20000}
"""

CLUSTERED = """
listen: {host: 127.0.0.1, port: @port@}
@lines@
breaker.cluster:
  app: shop
  redis: "redis://127.0.0.1:@redis@"
  advertise: "127.0.0.1:@port@"
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @site@, memory-file-limit: 20000}
"""


def files_of(release):
    """Some that all releases share, some that each has of its own, one that is sent from disk."""
    files = {"css/shared-%d.css" % i: b"shared %d" % i * 50 for i in range(20)}
    files.update({"js/%s.js" % name: ("%s of %s " % (name, release)).encode() * 100
                  for name in ("main", "cart", "empty-%s" % release)})
    files["img/large.bin"] = (release.encode() * 64)[:64] * 1000
    files["none"] = b""
    return files


class FarAway:
    """A port from which a server is reached, but every piece takes its time."""

    def __init__(self, delay_s):
        self.delay_s = delay_s
        self.server_port = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.server_port))
            except OSError:
                return
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=ends, daemon=True).start()

    def carry(self, source, sink):
        try:
            while piece := source.recv(65536):
                time.sleep(self.delay_s / 2)
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


SHARING = CONFIG.replace(", memory-file-limit", ", @sharing@, memory-file-limit")


class HoldingCase(FlavourCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.archive = self.scratch("archive")
        os.makedirs(self.archive)
        # servers that root starts serve as somebody else
        os.chmod(self.archive, 0o777)

    def files_of(self, release):
        return files_of(release)

    def start(self, release, *lines, config=CONFIG, wrap=(), **values):
        site = self.scratch("site-" + release)
        shutil.rmtree(site, ignore_errors=True)
        self.scratch.tree("site-" + release, self.files_of(release))
        port = harness.free_port()
        server = Server(self.flavour, expand(config, port=port, site=quoted(site),
                                             archive=quoted(self.archive),
                                             lines="\n".join(lines), **values), wrap=wrap)
        server.port = port
        self.addCleanup(server.kill)
        return server

    def current(self, server):
        """What the node hands out: zeros are older than everything."""
        return client.get(server.port, "/static/0/none").leads_to.split("/")[2]

    def get(self, server, token, path):
        return client.get(server.port, "/static/%s/%s" % (token, path))

    def is_right(self, server, token, path, release):
        response = self.get(server, token, path)
        if response.status == 200:
            self.assertEqual(response.body, files_of(release)[path], path)
            # a minute while encodings are still to be made
            self.assertRegex(response.get("cache-control"), "max-age=(31536000, immutable|60)$")
        return response.status == 200

    def assert_right(self, server, token, release):
        """Every file of the release; and what it has not is none of its."""
        for path in files_of(release):
            self.assertTrue(self.is_right(server, token, path, release),
                            "%s: %s" % (path, self.get(server, token, path).status))
        self.assertEqual(self.get(server, token, "js/nobody.js").status, 404)

    def wait_archived(self, num):
        """Until so many releases lie in the archive whole."""
        def count():
            found = 0
            for name in os.listdir(os.path.join(self.archive, "releases")):
                seen = os.path.join(self.archive, "releases", name, "seen")
                try:
                    with open(seen, "rb") as file:
                        found += b"whole" in file.read().split()
                except OSError:
                    continue
            return found >= num
        wait_until(lambda: os.path.isdir(os.path.join(self.archive, "releases")) and count(),
                   "%d releases in the archive" % num)


class Alone(HoldingCase):
    def test_old_urls_have_the_old_bytes_after_restarts_with_other_files(self):
        tokens = {}
        for release in ("a", "b", "c"):
            server = self.start(release)
            tokens[release] = self.current(server)
            for known, token in tokens.items():
                self.assert_right(server, token, known)
            self.wait_archived(len(tokens))
            server.stop()
        self.assertEqual(len(set(tokens.values())), 3)
        self.assertEqual(sorted(tokens.values()), list(tokens.values()))

    def test_the_same_files_keep_their_token_without_a_state_file(self):
        server = self.start("a")
        token = self.current(server)
        self.wait_archived(1)
        server.stop()
        self.assertEqual(self.current(self.start("a")), token)

    def test_a_rollback_by_restart_serves_what_was_held(self):
        tokens = {}
        for release in ("a", "b", "a", "b"):
            server = self.start(release)
            tokens[release] = self.current(server)
            for known, token in tokens.items():
                self.assert_right(server, token, known)
            self.wait_archived(len(tokens))
            server.stop()

    def test_a_held_release_names_the_origins_that_it_named(self):
        origins = ("https://shop.example", "http://localhost:3000")
        lists = {"a": '["%s", "%s"]' % origins, "b": '"*"'}
        tokens = {}
        for release, allowed in lists.items():
            server = self.start(release, config=SHARING, sharing="allow-origin: " + allowed)
            tokens[release] = self.current(server)
            self.wait_archived(len(tokens))
            if release == "a":
                server.stop()
        for token, origin, named in ((tokens["a"], origins[0], origins[0]),
                                     (tokens["a"], origins[1], origins[1]),
                                     (tokens["a"], "https://other.example", None),
                                     (tokens["b"], "https://other.example", "*")):
            path = "/static/%s/css/shared-1.css" % token
            asked = [("origin", origin), ("access-control-request-method", "GET")]
            for method, status in (("GET", 200), ("OPTIONS", 204)):
                response = client.get(server.port, path, method=method, headers=asked)
                self.assertEqual(response.status, status)
                self.assertEqual(response.get("access-control-allow-origin"), named)

    def test_a_token_that_was_handed_out_is_remembered_however_soon_the_end_comes(self):
        for release in ("a", "b"):
            server = self.start(release)
            self.wait_archived(1 if release == "a" else 2)
            server.stop()
        server = self.start("a")
        token = self.current(server)
        server.kill()
        server = self.start("b")
        self.assertGreater(self.current(server), token)
        self.assert_right(server, token, "a")

    def test_killed_at_any_time_it_serves_nothing_wrong(self):
        token = None
        for turn in range(8):
            server = self.start("a" if turn % 2 == 0 else "b")
            if token is not None:
                # there or not, by how far the archive was; never other bytes
                for path in files_of(was):
                    if path != "none":
                        self.is_right(server, token, path, was)
            token, was = self.current(server), "a" if turn % 2 == 0 else "b"
            server.signal(signal.SIGKILL)
            server.process.wait()

    def test_a_damaged_archive_gives_nothing_wrong(self):
        server = self.start("a")
        token = self.current(server)
        self.wait_archived(1)
        server.stop()
        for directory, _, names in os.walk(os.path.join(self.archive, "blobs")):
            for name in names:
                path = os.path.join(directory, name)
                os.chmod(path, 0o644)
                with open(path, "r+b") as file:
                    file.write(b"X")
        server = self.start("b")
        own = self.current(server)
        self.assert_right(server, own, "b")
        for path in files_of("a"):
            if path not in files_of("b"):
                self.assertNotEqual(self.get(server, token, path).status, 200)
            else:
                self.is_right(server, token, path, "a")

    def test_without_its_archive_it_goes_on(self):
        server = self.start("a")
        token = self.current(server)
        self.wait_archived(1)
        server.stop()
        server = self.start("b")
        self.assert_right(server, token, "a")
        # the node may be writing there
        wait_until(lambda: shutil.rmtree(self.archive, ignore_errors=True) or
                   not os.path.exists(self.archive), "the archive is gone")
        self.assert_right(server, token, "a")
        self.assert_right(server, self.current(server), "b")
        server.stop()
        # neither can it be made again
        shutil.rmtree(self.archive, ignore_errors=True)
        self.scratch.write("archive", "a file")
        server = self.start("b")
        self.assert_right(server, self.current(server), "b")
        self.assertIn(b"trouble=archive", server.stderr())

    def test_an_archive_that_cannot_be_written_to_is_read(self):
        server = self.start("a")
        token = self.current(server)
        self.wait_archived(1)
        server.stop()
        subprocess.run(["chmod", "-R", "a-w", self.archive], check=True)
        self.addCleanup(subprocess.run, ["chmod", "-R", "u+w", self.archive])
        server = self.start("b")
        self.assert_right(server, token, "a")
        self.assert_right(server, self.current(server), "b")

    def test_two_processes_have_one_archive(self):
        first, second = self.start("a"), self.start("b")
        tokens = {"a": self.current(first), "b": self.current(second)}
        self.wait_archived(2)
        first.stop()
        second.stop()
        server = self.start("c")
        for release, token in tokens.items():
            self.assert_right(server, token, release)

    def test_what_memory_has_no_room_for_is_sent_from_the_archive(self):
        server = self.start("a")
        token = self.current(server)
        self.wait_archived(1)
        server.stop()
        server = self.start("b", "breaker.keep: {memory: 0}")
        self.assert_right(server, token, "a")

    def test_no_more_is_kept_than_the_file_says(self):
        tokens = {}
        for release in ("a", "b", "c"):
            server = self.start(release, "breaker.keep: {releases: 1, age: 0s}")
            tokens[release] = self.current(server)
            self.wait_archived(len(tokens))
            server.stop()
        server = self.start("d", "breaker.keep: {releases: 1, age: 0s}")
        self.assert_right(server, tokens["c"], "c")
        # what is not held any more is older
        self.assertEqual(self.get(server, tokens["a"], "none").status, 301)


class ClusteredCase(HoldingCase):
    def setUp(self):
        super().setUp()
        self.redis = cluster.Redis()
        self.addCleanup(self.redis.kill)
        self.redis.start()

    def join(self, release, *lines):
        return self.start(release, *lines, config=CLUSTERED, redis=self.redis.port)


class Clustered(ClusteredCase):
    def assert_held(self, server, token, release):
        """As soon as the node has heard of the release: its bytes, and none of another's."""
        wait_until(lambda: self.is_right(server, token, "none", release),
                   "release " + release)
        self.assert_right(server, token, release)

    def join_far_away(self, release):
        way = FarAway(0.2)
        self.addCleanup(way.listener.close)
        config = CLUSTERED.replace('advertise: "127.0.0.1:@port@"',
                                   'advertise: "127.0.0.1:%d"' % way.port)
        server = self.start(release, config=config, redis=self.redis.port)
        way.server_port = server.port
        return server

    def test_nodes_of_two_releases_answer_each_others_urls(self):
        first, second = self.join("a"), self.join("b")
        tokens = {"a": self.current(first), "b": self.current(second)}
        for server in (first, second):
            for release, token in tokens.items():
                self.assert_held(server, token, release)

    def test_a_release_lives_on_when_its_last_node_is_gone(self):
        first = self.join("a")
        token = self.current(first)
        second = self.join("b")
        wait_until(lambda: b"event=complete" in second.stderr(), "release a on node b")
        first.stop()
        self.assert_right(second, token, "a")
        third = self.join("c")
        self.assert_held(third, token, "a")
        second.kill()
        self.assert_right(third, token, "a")

    def test_what_came_of_a_release_that_never_comes_whole_is_encoded(self):
        first = self.join_far_away("a")
        token = self.current(first)
        # sent from disk: nobody has its bytes any more
        os.truncate(os.path.join(self.scratch("site-a"), "img/large.bin"), 0)
        second = self.join("b")
        wait_until(lambda: b"event=lacking" in second.stderr(), "a round without a file")

        def encoding():
            return client.get(second.port, "/static/%s/js/main.js" % token,
                              headers=[("accept-encoding", "br")]).get("content-encoding")

        wait_until(lambda: encoding() == "br", "the encodings of what has come")
        self.assertNotIn(b"event=complete", second.stderr())

    def test_how_long_requests_wait_is_not_how_long_peers_have(self):
        first = self.join_far_away("a")
        token = self.current(first)
        second = self.join("b", "breaker.fetch: {timeout: 20ms}")
        wait_until(lambda: b"event=complete" in second.stderr(), "release a on node b")
        self.assert_right(second, token, "a")

    def test_a_port_of_this_machine_only_is_advertised_where_there_is_no_other(self):
        local, public = harness.free_port(), harness.free_port()
        config = CLUSTERED.replace('advertise: "127.0.0.1:@port@"', "advertise: auto")
        for listen, advertised in (
                ("{host: 127.0.0.1, port: %d}, {host: 0.0.0.0, port: %d}" % (local, public), public),
                ("{host: 127.0.0.1, port: %d}" % local, local)):
            self.redis("FLUSHALL")
            server = self.start("a", config=config.replace(
                "listen: {host: 127.0.0.1, port: @port@}", "listen: [%s]" % listen),
                redis=self.redis.port)
            nodes = str(self.redis("ZRANGE", "{shop}:breaker:nodes", "0", "-1"))
            self.assertIn("127.0.0.1:%d" % advertised, nodes)
            server.stop()

    def test_a_peer_that_is_killed_in_the_middle_costs_no_wrong_byte(self):
        first = self.join("a")
        token = self.current(first)
        second = self.join("b")
        first.kill()
        for path in files_of("a"):
            self.is_right(second, token, path, "a")
        self.assert_right(second, self.current(second), "b")


if __name__ == "__main__":
    harness.main()
