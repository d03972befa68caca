"""deploy/rollout.sh as newcomers meet it: it ends by itself, its live line says what failed, the
fleet that holds releases fails nobody, and Ctrl-C leaves nothing behind. BREAKER_BUILD names the
build."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT_S = 600
LINE = re.compile(r"(?m)^ +\d+ s  .*?  +([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+) *$")


class Rollout(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.output = tempfile.TemporaryFile("w+")
        self.addCleanup(self.output.close)

    def start(self, *words):
        environment = {**os.environ, "BREAKER_INSTALL": "no", "TMPDIR": self.temporary.name}
        process = subprocess.Popen(
            ["sh", "deploy/rollout.sh", *words], cwd=ROOT, env=environment,
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT,
            start_new_session=True)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)

    def text(self):
        self.output.seek(0)
        return self.output.read()

    def left(self):
        """Directories, and processes that were started in them."""
        names = os.listdir(self.temporary.name)
        for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = entry.read_bytes().decode(errors="replace")
            except OSError:
                continue
            if self.temporary.name in command:
                names.append(command)
        return names

    def test_visitors_of_held_releases_lose_nothing_and_those_of_the_plain_rules_do(self):
        process = self.start("--deploys", "1", "--visitors", "5")
        self.assertEqual(process.wait(timeout=TIMEOUT_S), 0, self.text())
        text = self.text()
        lines = LINE.findall(text)
        self.assertTrue(lines, text)
        _, plain_failed, _, _, held_failed, held_wrong = lines[-1]
        self.assertNotEqual(plain_failed, "0", text)
        self.assertEqual((held_failed, held_wrong), ("0", "0"), text)
        self.assertRegex(text, r"releases held: \d+ page loads, 0 of them failed, 0 with bytes")
        self.assertEqual(self.left(), [])

    def test_an_interrupt_takes_everything_down(self):
        process = self.start()
        deadline_s = time.monotonic() + TIMEOUT_S
        while not LINE.search(self.text()):
            self.assertIsNone(process.poll(), self.text())
            self.assertLess(time.monotonic(), deadline_s)
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), 130, self.text())
        self.assertNotIn("Traceback", self.text())
        self.assertEqual(self.left(), [])


if __name__ == "__main__":
    unittest.main()
