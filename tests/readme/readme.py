#!/usr/bin/env python3
"""Runs README.md: its commands in order, its configurations through the server's own check, its
code against what the outside consumer compiles.

What a command needs to be run beside the other tests (a build directory, a port, a prefix, a short
measurement) is in the table below; a command that is not in the table fails the test.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BUILD = pathlib.Path(os.environ["BREAKER_README_BUILD"]).resolve()
SERVER = pathlib.Path(os.environ["BREAKER_BIN"]).resolve() / "h2o-breaker"
DEADLINE_S = 600
# what makes a configuration whole that shows some directives only
REST = """
listen: 8080
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: %s}
"""


def blocks(language):
    return re.findall(r"^```%s\n(.*?)^```$" % language, README, re.M | re.S)


def commands():
    for block in blocks("sh"):
        for line in block.splitlines():
            command = line.split("  #")[0].strip()
            if command:
                yield command


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.05)


class Commands(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.scratch)
        self.environment = dict(os.environ, BREAKER_BUILD=str(BUILD), PORT=str(free_port()))

    def run_to_its_end(self, command):
        subprocess.run(["sh", "-c", command], cwd=ROOT, env=self.environment, check=True,
                       stdin=subprocess.DEVNULL, timeout=DEADLINE_S)

    def serve(self, command):
        """A command that serves in the foreground until it is interrupted."""
        log = open(self.scratch / "serve.log", "w+")
        process = subprocess.Popen(["sh", "-c", "exec " + command], cwd=ROOT, stdout=log,
                                   stderr=log, env=self.environment, stdin=subprocess.DEVNULL)
        try:
            self.look_at_the_page(process, log)
        finally:
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(60), 0)
            log.close()

    def look_at_the_page(self, process, log):
        url = "http://127.0.0.1:%s/" % self.environment["PORT"]

        def answers():
            if process.poll() is not None:
                log.seek(0)
                raise AssertionError("ended early:\n" + log.read())
            try:
                return urllib.request.urlopen(url, timeout=5).read().decode()
            except OSError:
                return None

        wait_for(answers, url)
        page = answers()
        asset = re.search(r'"(/static/\d+/[^"]+\.css)"', page)
        self.assertIsNotNone(asset, page)

        def is_kept():
            with urllib.request.urlopen(url.rstrip("/") + asset.group(1)) as response:
                return response.headers["cache-control"] == "public, max-age=31536000, immutable"

        # not before it has its encodings
        wait_for(is_kept, "a year of caching")

    def has_a_test_of_its_own(self, command):
        """One in tests/deploy that runs it and looks at all that it does."""
        script = command.split()[1]
        test = ROOT / "tests" / "deploy" / ("test_%s.py" % pathlib.Path(script).stem)
        self.assertIn('"%s"' % script, test.read_text())

    def runs_these_tests(self, command):
        """The command that this test is a part of."""
        self.assertTrue((ROOT / command.split()[1]).exists())

    def configure_and_build(self, command):
        self.run_to_its_end(command.replace("-B build", "-DBREAKER_TESTS=OFF -B '%s'" % BUILD)
                            .replace("--build build", "--build '%s'" % BUILD))

    def install(self, command):
        prefix = self.scratch / "prefix"
        self.run_to_its_end(command.replace("--install build", "--install '%s'" % BUILD)
                            .replace("/usr/local", "'%s'" % prefix))
        self.assertTrue(list(prefix.rglob("h2o-breakerConfig.cmake")))

    def measure_briefly(self, command):
        self.run_to_its_end(command.replace("--quick", "--quick --rounds 1 --only latency"))
        self.assertTrue((BUILD / "bench" / "result.json").exists())

    TABLE = {
        "sh deploy/quickstart.sh": serve,
        "sh deploy/cluster.sh": has_a_test_of_its_own,
        "sh deploy/rollout.sh": has_a_test_of_its_own,
        "sh tests/run.sh": runs_these_tests,
        'cmake -B build && cmake --build build -j"$(nproc)"': configure_and_build,
        "cmake --install build --prefix /usr/local": install,
        "sh bench/run.sh --quick": measure_briefly,
    }

    def test_every_command_does_what_it_should(self):
        found = list(commands())
        self.assertGreater(len(found), 3)
        for command in found:
            with self.subTest(command=command):
                self.assertIn(command, self.TABLE)
                self.TABLE[command](self, command)


class Configurations(unittest.TestCase):
    def test_every_configuration_passes_the_check(self):
        self.assertGreater(len(blocks("yaml")), 0)
        for block in blocks("yaml"):
            with self.subTest(block=block), tempfile.TemporaryDirectory() as name:
                self.check(pathlib.Path(name), block)

    def check(self, scratch, block):
        scratch.chmod(0o755)
        block = re.sub(r"/(srv|etc|var|run)/", lambda found: "%s/%s/" % (scratch, found[1]), block)
        for path in re.findall(r"path: (%s\S+)" % scratch, block):
            os.makedirs(path)
        if "certificate-file" in block:
            (scratch / "etc/ssl").mkdir(parents=True)
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
                            "-keyout", "etc/ssl/site.key", "-out", "etc/ssl/site.crt"],
                           cwd=scratch, check=True, capture_output=True)
        for path in re.findall(r"(?:password-file|ca-file): (%s\S+)" % scratch, block):
            pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
            pathlib.Path(path).write_text("secret\n")
        for path in re.findall(r"state-file: (%s\S+)" % scratch, block):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        if "hosts:" not in block:  # a part of a file
            (scratch / "srv").mkdir()
            block += REST % (scratch / "srv")
        (scratch / "h2o.conf").write_text(block)
        result = subprocess.run([SERVER, "-t", "-c", scratch / "h2o.conf"], capture_output=True,
                                text=True, timeout=60)
        self.assertEqual((result.returncode, result.stderr), (0, ""), block)


class Text(unittest.TestCase):
    def test_the_code_is_what_the_consumer_compiles(self):
        parts = []
        for name in ("server.c", "coordinator.c"):
            source = (ROOT / "tests/consumer" / name).read_text()
            parts += [part for _, part in
                      re.findall(r"/\* (\w+): begin \*/\n(.*?)/\* \1: end \*/", source, re.S)]
        self.assertEqual(len(parts), 3)
        self.assertEqual(sorted(parts), sorted(blocks("c")))

    def test_what_it_points_to_is_there(self):
        for target in re.findall(r"\]\(([^)#:]+)\)", README):
            self.assertTrue((ROOT / target).exists(), target)


if __name__ == "__main__":
    unittest.main(verbosity=2)
