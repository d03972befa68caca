"""What a worker may do with files: everything that its configuration is about, and nothing else."""

import glob
import os
import re
import shutil
import signal
import tempfile
import unittest

import client
import harness
from harness import FlavourCase, Server, free_port, wait_until, write_tree

CONFIG = """
sandbox: @switch@
num-threads: 2
listen: 127.0.0.1:@port@
error-log: @site@/logs/error
access-log: @site@/logs/access
breaker.token: v1
breaker.archive: @site@/kept/archive
breaker.encoding-cache: @site@/kept/encodings
breaker.state-file: @site@/state/breaker
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @site@/current/static}
        file.dir: @site@/current/pages
      "/one.txt":
        file.file: @site@/one/file.txt
"""


class Sandbox(FlavourCase):
    """The files lie outside of what is open to everyone for temporary ones."""

    def setUp(self):
        self.site, self.outside = self.directory(), self.directory()
        write_tree(self.outside, {"secret.txt": b"secret"})
        for name in ("releases/1", "releases/2"):
            write_tree(os.path.join(self.site, name),
                       {"pages/index.html": name.encode(), "static/a.css": b"a" * 5000})
        write_tree(self.site, {"one/file.txt": b"one"})
        for name in ("logs", "kept", "state"):
            os.mkdir(os.path.join(self.site, name))
            os.chmod(os.path.join(self.site, name), 0o777)
        self.switch_to("1")
        os.symlink(os.path.join(self.outside, "secret.txt"),
                   os.path.join(self.site, "releases/1/pages/link.txt"))
        self.port = free_port()

    def directory(self):
        path = tempfile.mkdtemp(prefix="breaker-test-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        os.chmod(path, 0o755)
        return path

    def switch_to(self, release):
        """As deploys do it, at once for everybody who looks."""
        current = os.path.join(self.site, "current")
        os.symlink("releases/" + release, current + ".new")
        os.rename(current + ".new", current)

    def start(self, switch="ON", **options):
        server = Server(self.flavour, harness.expand(CONFIG, switch=switch, site=self.site,
                                                     port=self.port), **options)
        self.addCleanup(server.kill)
        return server

    def get(self, path):
        return client.get(self.port, path)

    def test_a_link_to_the_outside_leads_nowhere(self):
        server = self.start()
        self.assertEqual(self.get("/index.html").body, b"releases/1")
        self.assertEqual(self.get("/link.txt").status, 403)
        server.stop()

    def test_without_the_sandbox_it_is_followed(self):
        server = self.start("OFF")
        self.assertEqual(self.get("/link.txt").body, b"secret")
        server.stop()

    def test_no_thread_gains_rights_and_the_master_keeps_its_own(self):
        server = self.start(master=True)
        self.assertEqual(self.get("/static/v1/a.css").status, 200)
        for path in glob.glob("/proc/%d/task/*/status" % server.pid):
            with open(path) as file:
                self.assertIn("NoNewPrivs:\t1\n", file.read(), path)
        with open("/proc/%d/status" % server.process.pid) as file:
            self.assertIn("NoNewPrivs:\t0\n", file.read())
        server.stop()

    def test_what_the_configuration_is_about_is_read_and_written(self):
        server = self.start()
        self.assertEqual(self.get("/static/v1/a.css").body, b"a" * 5000)
        self.assertEqual(self.get("/one.txt").body, b"one")
        for pattern in ("state/breaker", "kept/encodings/*", "kept/archive/releases/*"):
            wait_until(lambda name=pattern: glob.glob(os.path.join(self.site, name)), pattern)
        server.stop()

    @unittest.skipUnless(os.access("/", os.W_OK), "directories right below the root cannot be made")
    def test_what_is_kept_is_made_right_below_a_directory_of_the_root(self):
        above = tempfile.mkdtemp(prefix="breaker-test-", dir="/")
        self.addCleanup(shutil.rmtree, above, ignore_errors=True)
        os.chmod(above, 0o777)
        os.symlink(above, os.path.join(self.site, "above"))
        config = CONFIG.replace("@site@/kept", "@site@/above")
        server = Server(self.flavour, harness.expand(config, switch="ON", site=self.site,
                                                     port=self.port))
        self.addCleanup(server.kill)
        for pattern in ("encodings/*", "archive/releases/*"):
            wait_until(lambda name=pattern: glob.glob(os.path.join(above, name)), pattern)
        server.stop()

    def test_a_release_is_switched_by_its_link_and_a_file_is_replaced(self):
        server = self.start()
        self.assertEqual(self.get("/index.html").body, b"releases/1")
        self.switch_to("2")
        self.assertEqual(self.get("/index.html").body, b"releases/2")
        write_tree(self.site, {"one/new": b"two"})
        os.rename(os.path.join(self.site, "one/new"), os.path.join(self.site, "one/file.txt"))
        self.assertEqual(self.get("/one.txt").body, b"two")
        server.stop()

    def test_logs_are_opened_anew_with_a_master_and_without(self):
        for master in (True, False):
            server = self.start(master=master)
            access = os.path.join(self.site, "logs/access")
            os.rename(access, access + ".old")
            server.signal(signal.SIGUSR1)
            wait_until(lambda: os.path.exists(access), "another log")
            self.get("/one.txt")
            wait_until(lambda: os.path.getsize(access) != 0, "a line in it")
            os.remove(access)
            server.stop()

    def test_the_switch_is_one(self):
        path = os.path.join(self.site, "h2o.conf")
        with open(path, "w") as file:
            file.write(harness.expand(CONFIG, switch="maybe", site=self.site, port=self.port))
        status, _, stderr = harness.run_program(self.flavour, "-t", "-c", path)
        self.assertEqual(status, 78)
        self.assertRegex(stderr, r"h2o.conf:2:10: sandbox: got `maybe`; accepted: ON, OFF")


class Table(unittest.TestCase):
    # written, or read, before the sandbox is entered; not a directive here
    EARLY = {"pid-file", "user-file", "mruby.handler-file", "proxy.ssl.certificate-file",
             "proxy.ssl.key-file"}

    def test_every_file_that_a_directive_names_is_known_to_the_sandbox(self):
        found, known = set(), set()
        for folder in ("handlers/config", "bin/config", "bin/yaml"):
            for path in glob.glob(os.path.join(harness.ROOT, folder, "*.c")):
                with open(path) as file:
                    names = re.findall(r'"([a-z.-]+-file)"', file.read())
                (known if path.endswith("/paths.c") else found).update(names)
        self.assertEqual(found - known, self.EARLY)


if __name__ == "__main__":
    harness.main()
