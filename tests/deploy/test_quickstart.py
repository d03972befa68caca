"""deploy/quickstart.sh as a newcomer meets it: it builds, serves, prints commands that do what is
said of them, and ends with Ctrl-C. The build goes into a directory of its own, which
BREAKER_BUILD names."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD_TIMEOUT_S = 600


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def fetch(url):
    with urllib.request.urlopen(url, timeout=20) as response:
        return response.read()


class Quickstart:
    """A quickstart in a session of its own, as in a terminal of its own."""

    def __init__(self, **environment):
        self.port = int(environment.get("PORT") or free_port())
        self.base = f"http://127.0.0.1:{self.port}"
        environment["PORT"] = str(self.port)
        self.output = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            ["sh", "deploy/quickstart.sh"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self.output,
            stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "BREAKER_INSTALL": "no", **environment})

    def text(self):
        self.output.seek(0)
        return self.output.read()

    def wait_for(self, line):
        deadline = time.monotonic() + BUILD_TIMEOUT_S
        while line not in self.text():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.text()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"no '{line}': {self.text()}")
            time.sleep(0.05)
        return self.text()

    def interrupt(self, number=signal.SIGINT):
        """What a terminal does on Ctrl-C: the signal goes to the whole group."""
        os.killpg(self.process.pid, number)
        return self.process.wait(timeout=60)

    def close(self):
        """Ends the script, which ends the server: that is in another session."""
        try:
            if self.process.poll() is None:
                self.interrupt(signal.SIGTERM)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.output.close()


class QuickstartTest(unittest.TestCase):
    def start(self, **environment):
        quickstart = Quickstart(**environment)
        self.addCleanup(quickstart.close)
        return quickstart

    def started(self, **environment):
        quickstart = self.start(**environment)
        quickstart.wait_for("Ctrl-C stops it")
        return quickstart

    def directory(self, files):
        directory = tempfile.TemporaryDirectory(prefix='a "site" \\ of mine ')
        self.addCleanup(directory.cleanup)
        root = pathlib.Path(directory.name)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return root

    def check_commands(self, text):
        """Runs each printed curl command; the comment above it begins its status."""
        pairs = re.findall(r"# (.*)\n +(curl .*)\n", text)
        self.assertEqual(len(pairs), 4, text)
        promised = []
        for comment, command in pairs:
            promise = re.search(r": (\d{3})", comment) or re.search(r"(\d{3})", comment)
            answer = subprocess.run(command, shell=True, stdout=subprocess.PIPE, text=True,
                                    stderr=subprocess.DEVNULL, check=True, timeout=60).stdout
            status = answer.split()[1]
            self.assertEqual(status, promise.group(1), f"{comment}: {command}: {answer}")
            promised.append(status)
        self.assertEqual(promised, ["200", "301", "503", "404"])

    def test_the_site_is_served_and_every_command_does_what_is_said(self):
        quickstart = self.started()
        text = quickstart.text()
        self.check_commands(text)
        page = fetch(quickstart.base + "/").decode()
        token = re.search(r"the current token +(\S+),", text).group(1)
        self.assertIn(f'href="/static/{token}/css/site.css"', page)
        self.assertNotIn("/static/{breaker}/", page)
        for url in set(re.findall(r'(?:src|href)="(/static/[^"]*)"', page)):
            if token in url and "no/such" not in url:
                name = url.removeprefix(f"/static/{token}/")
                self.assertEqual(fetch(quickstart.base + url),
                                 (ROOT / "deploy/site/static" / name).read_bytes(), url)
        self.assertEqual(quickstart.interrupt(), 0, quickstart.text())
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", quickstart.port), timeout=5)

    def test_ctrl_c_lets_an_open_request_finish(self):
        root = self.directory({"a.css": "a{}", "large.txt": "0123456789abcdef" * (1 << 21)})
        quickstart = self.started(DIR=str(root))
        token = re.search(r"the current token +(\S+),", quickstart.text()).group(1)
        with socket.create_connection(("127.0.0.1", quickstart.port), timeout=60) as sock:
            sock.sendall(f"GET /static/{token}/large.txt HTTP/1.1\r\nHost: a\r\n"
                         "Connection: close\r\n\r\n".encode())
            read = sock.recv(1024)
            os.killpg(quickstart.process.pid, signal.SIGINT)
            quickstart.wait_for("stopping")
            while chunk := sock.recv(1 << 20):
                read += chunk
        self.assertEqual(len(read.partition(b"\r\n\r\n")[2]), 32 << 20)
        self.assertEqual(quickstart.process.wait(timeout=60), 0)
        self.assertNotIn("second signal", quickstart.text())

    def test_another_address(self):
        quickstart = self.started(HOST="0.0.0.0")
        self.check_commands(quickstart.text())
        self.assertIn(b"/css/site.css", fetch(quickstart.base + "/"))
        self.assertEqual(quickstart.interrupt(), 0)
        for host in ("no.such.host.invalid", "a b"):
            self.expect_refusal(f"HOST={host} is not", HOST=host)

    def test_the_end_of_the_script_is_the_end_of_the_server(self):
        quickstart = self.started()
        quickstart.process.send_signal(signal.SIGTERM)
        self.assertEqual(quickstart.process.wait(timeout=60), 0)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", quickstart.port), timeout=5)

    def test_a_directory_with_pages_is_served_with_its_pages(self):
        root = self.directory({
            "index.html": '<link rel="stylesheet" href="/static/{breaker}/main.css">',
            "main.css": "p { color: red }\n"})
        quickstart = self.started(DIR=str(root))
        self.check_commands(quickstart.text())
        url = re.search(r'href="(.*?)"', fetch(quickstart.base + "/").decode()).group(1)
        self.assertRegex(url, r"^/static/[0-9]+/main\.css$")
        self.assertEqual(fetch(quickstart.base + url), b"p { color: red }\n")
        self.assertNotIn("placeholder", quickstart.text())
        self.assertEqual(quickstart.interrupt(), 0)

    def test_pages_without_the_placeholder_are_told(self):
        root = self.directory({"index.html": '<link rel="stylesheet" href="/main.css">',
                               "main.css": "p { color: red }\n"})
        quickstart = self.started(DIR=str(root))
        self.assertIn("none of the pages holds the placeholder", quickstart.text())
        self.assertIn(b'href="/main.css"', fetch(quickstart.base + "/"))
        self.assertEqual(quickstart.interrupt(), 0)

    def test_a_directory_without_pages_has_assets_only(self):
        root = self.directory({"deep/app.js": "export {};\n", ".secret": "x", "a b.txt": "y"})
        quickstart = self.started(DIR=str(root))
        text = quickstart.text()
        self.assertIn("/deep/app.js", text)
        self.assertNotIn("open in a browser", text)
        self.check_commands(text)
        self.assertEqual(quickstart.interrupt(), 0)

    def test_a_directory_without_files_is_no_trouble(self):
        quickstart = self.started(DIR=str(self.directory({})))
        self.assertNotIn("curl", quickstart.text())
        self.assertEqual(quickstart.interrupt(), 0)

    def expect_refusal(self, words, **environment):
        quickstart = self.start(**environment)
        self.assertNotEqual(quickstart.process.wait(timeout=60), 0)
        lines = [line for line in quickstart.text().splitlines() if line.startswith("quickstart: ")]
        self.assertEqual(len(lines), 1, quickstart.text())
        self.assertIn(words, lines[0])

    def test_a_port_in_use_is_named_before_anything_is_built(self):
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            sock.listen()
            port = sock.getsockname()[1]
            self.expect_refusal(f"listening on 127.0.0.1:{port} already", PORT=str(port))

    def test_a_port_that_is_none_is_refused(self):
        for port in ("http", "0", "08080", "65536", "-1", "080800000"):
            with self.subTest(port=port):
                quickstart = subprocess.run(
                    ["sh", "deploy/quickstart.sh"], cwd=ROOT, env={**os.environ, "PORT": port},
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
                self.assertNotEqual(quickstart.returncode, 0)
                self.assertIn(f"PORT={port} is not", quickstart.stdout)

    def test_a_directory_that_is_not_there_is_refused(self):
        self.expect_refusal("DIR=/no/such/directory is not a directory", DIR="/no/such/directory")


if __name__ == "__main__":
    if "BREAKER_BUILD" not in os.environ or shutil.which("curl") is None:
        raise SystemExit("BREAKER_BUILD names the directory to build in; curl is needed")
    unittest.main()
