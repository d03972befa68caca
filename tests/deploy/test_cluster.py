"""deploy/cluster.sh and deploy/redis/sentinels.sh as newcomers meet them: every command that they
print does what is said of it, and Ctrl-C leaves nothing behind. BREAKER_BUILD names the build."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD_TIMEOUT_S = 600
DEADLINE_S = 60


def free_ports(num):
    """The first of `num` ports in a row that nobody listens on."""
    for first in range(20000 + os.getpid() * 7 % 10000, 32000, num):
        socks = []
        try:
            for port in range(first, first + num):
                socks.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for sock in socks:
                sock.close()
    raise AssertionError("no free ports")


def listens(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition, what, deadline_s=DEADLINE_S):
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain for: " + what)
        time.sleep(0.05)


class Script:
    """A script in a session of its own, as in a terminal of its own."""

    def __init__(self, path, **environment):
        self.temporary = tempfile.TemporaryDirectory()
        self.output = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            ["sh", path], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self.output,
            stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "BREAKER_INSTALL": "no", "TMPDIR": self.temporary.name,
                 **{name: str(value) for name, value in environment.items()}})

    def text(self):
        self.output.seek(0)
        return self.output.read()

    def wait_ready(self):
        wait_until(lambda: "Ctrl-C stops everything" in self.text() or
                   self.process.poll() is not None, "the invitation", BUILD_TIMEOUT_S)
        if self.process.poll() is not None:
            raise AssertionError("ended with %d: %s" % (self.process.returncode, self.text()))

    def commands(self):
        """What is to be tried: {comment: command}."""
        tried = self.text().split("Try, in another terminal:")[1]
        return {comment.strip(): command.strip() for comment, command in
                re.findall(r"(?m)^  # (.*)\n  ([^#].*)$", tried)}

    def left(self):
        return os.listdir(self.temporary.name)

    def interrupt(self):
        """What a terminal does on Ctrl-C: the signal goes to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=DEADLINE_S)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=DEADLINE_S)
        self.output.close()
        self.temporary.cleanup()


class ScriptTest(unittest.TestCase):
    def start(self, path, **environment):
        script = Script(path, **environment)
        self.addCleanup(script.close)
        script.wait_ready()
        return script

    def command(self, script, words):
        """The one command whose comment begins with these words."""
        found = [command for comment, command in script.commands().items()
                 if comment.startswith(words)]
        self.assertEqual(len(found), 1, (words, script.commands()))
        return found[0]

    def run_command(self, script, words):
        return subprocess.run(["sh", "-c", self.command(script, words)], check=False,
                              capture_output=True, text=True, timeout=DEADLINE_S)


class Cluster(ScriptTest):
    def tokens(self):
        """The token that every node leads to; nodes that do not answer are missing."""
        done = self.run_command(self.script, "every node")
        return re.findall(r"(?i)location: \.\./\.\./([^/]+)/css/site\.css", done.stdout)

    def knows(self):
        """Whether Redis knows the token, and all nodes."""
        done = self.run_command(self.script, "the cluster")
        return (done.returncode == 0 and "token %s," % self.token in done.stdout and
                len(re.findall("(?m)^  live ", done.stdout)) == 3)

    def test_everything_it_says_is_true(self):
        port = free_ports(4)
        self.script = script = self.start("deploy/cluster.sh", PORT=port, REDIS_PORT=port + 3)
        tokens = self.tokens()
        self.assertEqual(len(tokens), 3)
        wait_until(lambda: len(set(self.tokens())) == 1, "one token")
        self.token = self.tokens()[0]
        wait_until(self.knows, "all nodes in the ledger")
        same = [self.token] * 3

        self.run_command(script, "wipe Redis")
        wait_until(self.knows, "the nodes to put it back")
        self.assertEqual(self.tokens(), same)

        self.run_command(script, "kill Redis")
        wait_until(lambda: not listens(port + 3), "the end of Redis")
        self.assertEqual(self.tokens(), same)
        self.assertEqual(self.run_command(script, "the cluster").returncode, 3)

        self.run_command(script, "kill a node")
        wait_until(lambda: len(self.tokens()) == 2, "the end of a node")
        # what is printed with it, in a terminal of its own
        restart = re.search(r"(?m)^  (\S+/h2o-breaker -c .*)$", script.text()).group(1)
        with open(os.devnull, "w") as null:
            node = subprocess.Popen(["sh", "-c", "exec " + restart], stdout=null, stderr=null)
        try:
            wait_until(lambda: self.tokens() == same, "the node to come back without Redis")
            self.run_command(script, "start it again")
            wait_until(self.knows, "Redis to know everything again")
            self.assertEqual(self.tokens(), same)
            self.assertIn("state=synced", script.text())

            self.assertEqual(script.interrupt(), 0, script.text())
            self.assertEqual(node.wait(timeout=DEADLINE_S), 0)
        finally:
            if node.poll() is None:
                node.kill()
                node.wait()
        self.assertEqual([each for each in range(port, port + 4) if listens(each)], [])
        self.assertEqual(script.left(), [])

    def test_a_port_that_is_taken_is_told(self):
        with socket.create_server(("127.0.0.1", 0)) as sock:
            sock.settimeout(0.01)
            taken = sock.getsockname()[1]
            for environment in ({"REDIS_PORT": taken}, {"PORT": "0"}, {"REDIS_PORT": "x"},
                                {"PORT": "70000"}):
                script = Script("deploy/cluster.sh", **environment)
                self.addCleanup(script.close)
                self.assertEqual(script.process.wait(timeout=DEADLINE_S), 1, script.text())
                self.assertRegex(script.text(), "listening on 127.0.0.1:%d already|port number|"
                                 "not between" % taken)
                self.assertEqual(script.left(), [])


class Sentinels(ScriptTest):
    def master(self, script):
        done = self.run_command(script, "who is the master")
        return [int(line) for line in done.stdout.split() if line.isdigit()]

    def test_a_failover(self):
        port = free_ports(5)
        script = self.start("deploy/redis/sentinels.sh", PORT=port, SENTINEL_PORT=port + 2)
        self.assertEqual(self.master(script), [port])
        self.run_command(script, "the master dies")
        wait_until(lambda: self.master(script) == [port + 1], "the failover")
        self.assertEqual(script.interrupt(), 0, script.text())
        self.assertEqual([each for each in range(port, port + 5) if listens(each)], [])
        self.assertEqual(script.left(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
