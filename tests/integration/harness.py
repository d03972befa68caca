"""Starts real server processes for the integration tests and ends them with proof that they are
well: every server must become ready by its own word (sd_notify), stop with the status expected and
never print a sanitizer's report. Nothing here sleeps a fixed time: what is awaited has a condition
and a deadline."""

import contextlib
import glob
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("BREAKER_BIN", os.path.join(ROOT, "build", "bin"))
PROGRAMS = {"evloop": "h2o-breaker", "uv": "h2o-breaker-uv"}
FLAVOURS = os.environ.get("BREAKER_FLAVOURS", "evloop,uv").split(",")
# how much slower than a plain build the servers are; sanitizers and valgrind set it
SLOWDOWN = float(os.environ.get("BREAKER_SLOWDOWN", "1"))
DEADLINE_S = 20 * SLOWDOWN

# What the sanitizers find in libh2o and libuv themselves is left out. libuv closes descriptors by a
# bare system call, so that a number given out again by another thread would look shared.
HERE = os.path.dirname(os.path.abspath(__file__))
ENVIRONMENT = {"LSAN_OPTIONS": "suppressions=%s/lsan.supp:print_suppressions=0" % HERE,
               "TSAN_OPTIONS": "suppressions=%s/tsan.supp:ignore_noninstrumented_modules=1" % HERE,
               **os.environ}

REPORTS = re.compile(
    rb"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:|"
    rb"Assertion .* failed|==\d+== .*(Invalid|uninitialised|definitely lost: [^0])")


def trace_allocations():
    """For configurations whose leaks within libh2o can be told by their callers only: libh2o has no
    frame pointers, so the sanitizer has to unwind the slow way."""
    ENVIRONMENT.setdefault("ASAN_OPTIONS", "fast_unwind_on_malloc=0")


def wait_until(condition, what, deadline_s=None):
    """Returns the first true value of `condition()`; fails when the deadline passes before."""
    end = time.monotonic() + (DEADLINE_S if deadline_s is None else deadline_s * SLOWDOWN)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited in vain for: " + what)
        time.sleep(0.01)


_reserved = []


def free_port():
    """A loopback port that no other test takes as long as this process lives: below the range of
    ephemeral ports, and reserved by the name of an abstract socket."""
    for port in range(10000 + os.getpid() * 37 % 20000, 32700):
        token = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        probe = socket.socket()
        try:
            token.bind("\0breaker-test-port-%d" % port)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
        except OSError:
            token.close()
            continue
        finally:
            probe.close()
        _reserved.append(token)
        return port
    raise AssertionError("no free port")


def expand(text, **values):
    """Puts values into `@name@` places of a configuration."""
    def value_of(match):
        return str(values[match.group(1)])
    return re.sub(r"@(\w+)@", value_of, text)


def quoted(value):
    """A string as YAML takes it, whatever is in it."""
    return json.dumps(value)


def write_tree(directory, files):
    """Writes {relative path: bytes} below a directory, which is made if needed."""
    for path, content in files.items():
        full = os.path.join(os.fsencode(directory), os.fsencode(path))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(content)
    return directory


class Scratch:
    """A directory that goes away with the test, readable for any user that a server becomes."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="breaker-test-", dir=os.environ.get("BREAKER_SCRATCH"))
        os.chmod(self.path, 0o755)

    def __call__(self, *names):
        return os.path.join(self.path, *names)

    def write(self, name, content):
        mode = "wb" if isinstance(content, bytes) else "w"
        with open(self(name), mode) as file:
            file.write(content)
        return self(name)

    def tree(self, name, files):
        os.makedirs(self(name), exist_ok=True)
        return write_tree(self(name), files)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Certificate:
    """A self-signed certificate for localhost and 127.0.0.1, made by the openssl command."""

    def __init__(self, scratch, name="localhost"):
        self.cert = scratch(name + ".crt")
        self.key = scratch(name + ".key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.key, "-out", self.cert,
             "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            check=True, capture_output=True)


def children(pid):
    """The process ids of a process's children, the oldest first."""
    found = set()
    for path in glob.glob("/proc/%d/task/*/children" % pid):
        with contextlib.suppress(OSError), open(path) as file:
            found.update(map(int, file.read().split()))
    return sorted(found, key=started_at)


def started_at(pid):
    """When a process began, in ticks since the system did; 0 for one that is gone."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return int(file.read().rsplit(")", 1)[1].split()[19])
    except OSError:
        return 0


def is_alive(pid):
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class NotifySocket:
    """The receiving end of sd_notify."""

    def __init__(self, path):
        self.path = path
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        os.chmod(path, 0o777)
        self.lines = []

    def receive(self):
        """Takes what has come without waiting; returns all lines so far."""
        while select.select([self.sock], [], [], 0)[0]:
            self.lines += self.sock.recv(4096).decode().splitlines()
        return self.lines

    def close(self):
        self.sock.close()


class Server:
    """A server process. It is ready when the constructor returns, unless `ready` is false."""

    def __init__(self, flavour, config, args=(), env=None, ready=True, wrap=(), pass_fds=(),
                 directory=BIN, master=False, program=None):
        self.flavour = flavour
        self.scratch = Scratch()
        self.config_path = self.scratch.write("h2o.conf", config)
        self.notify = NotifySocket(self.scratch("notify"))
        self.stderr_path = self.scratch("stderr")
        environment = dict(ENVIRONMENT, NOTIFY_SOCKET=self.notify.path)
        environment.update(env or {})
        # most tests are about the process that serves; reload.py is about the two together
        self.args = args = args if master else ("--no-master", *args)
        program = program or os.path.join(directory, PROGRAMS[flavour])
        command = [*wrap, program, "-c", self.config_path, *args]
        try:
            with open(self.stderr_path, "wb") as stderr:
                self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stderr,
                                                stderr=stderr, env=environment,
                                                cwd=self.scratch.path, pass_fds=pass_fds)
        except OSError:
            self.notify.close()
            self.scratch.remove()
            raise
        # of the process that serves, once it does: the master's worker
        self.pid = self.process.pid
        self.exit_stderr = None
        self.is_ending = False
        if ready:
            self.wait_ready()

    def wait_ready(self):
        try:
            wait_until(lambda: "READY=1" in self.notify.receive() or self.process.poll() is not None,
                       "readiness of the server", 60)
        except AssertionError:
            self.kill()
            raise
        if self.process.poll() is not None:
            message = self.stderr().decode("utf-8", "replace")
            status = self.process.returncode
            self.kill()
            raise AssertionError("the server ended with %d before it was ready:\n%s"
                                 % (status, message))
        self.pid = (self.workers() or [self.process.pid])[-1]

    def workers(self):
        """The process ids of the workers, the oldest first; none without a master."""
        if "--no-master" in self.args:
            return []
        return children(self.process.pid)

    def stderr(self):
        with open(self.stderr_path, "rb") as file:
            return file.read()

    def descriptors(self):
        """The number of open descriptors."""
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        """Sends a signal; to all of the server's processes where they cannot pass it on."""
        self.is_ending |= number in (signal.SIGTERM, signal.SIGINT)
        workers = self.workers() if number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT) else []
        self.process.send_signal(number)
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGKILL:
            wait_until(lambda: not any(map(is_alive, workers)), "the workers to be dead")

    def reload(self, number=None):
        """Returns once another worker serves and the one before accepts nothing more: until then
        either may answer. The log must be at stderr."""
        def num_told():
            self.notify.receive()
            return self.stderr().count(b"event=took-over")
        before = num_told()
        self.signal(number or signal.SIGHUP)
        try:
            wait_until(lambda: num_told() > before, "another worker", 60)
        except AssertionError as error:
            raise AssertionError("%s: %s" % (error, self.stderr()[-4000:].decode("utf-8", "replace")))

    def wait_exit(self, deadline_s=30):
        try:
            return self.process.wait(deadline_s * SLOWDOWN)
        except subprocess.TimeoutExpired:
            raise AssertionError("the server does not end")

    def check_reports(self):
        stderr = self.exit_stderr = self.stderr()
        if REPORTS.search(stderr):
            raise AssertionError("the server reports a fault:\n" + stderr.decode("utf-8", "replace"))

    def stop(self, status=0):
        """Asks the server to end, if nobody has, and checks its status and that it died without a
        complaint."""
        try:
            if self.process.poll() is None and not self.is_ending:
                self.signal(signal.SIGTERM)
            got = self.wait_exit()
            self.check_reports()
            if got != status:
                raise AssertionError("the server ended with %d:\n%s"
                                     % (got, self.stderr().decode("utf-8", "replace")))
        finally:
            self.kill()

    def kill(self):
        """Clears away, whatever has happened."""
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()
        self.notify.close()
        self.scratch.remove()


def run_program(flavour, *args, env=None, input_config=None, preexec=None):
    """Runs a server that is expected to end by itself; returns (status, stdout, stderr) as text."""
    process = subprocess.Popen([os.path.join(BIN, PROGRAMS[flavour]), *args],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=dict(ENVIRONMENT, **(env or {})),
                               preexec_fn=preexec)
    try:
        stdout, stderr = process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        raise AssertionError("the program went on running: " + stderr.decode("utf-8", "replace"))
    if REPORTS.search(stderr):
        raise AssertionError("the program reports a fault:\n" + stderr.decode("utf-8", "replace"))
    return process.returncode, stdout.decode(), stderr.decode("utf-8", "replace")


class FlavourCase(unittest.TestCase):
    """A case that runs once for each flavour; `flavour` says which one."""

    flavour = None
    flavours = ("evloop", "uv")
    maxDiff = 2000


class ServedCase(FlavourCase):
    """A case whose tests share one server, which must survive them all and end well.

    A subclass overrides `prepare`, which fills `cls.scratch` and returns the configuration.
    `cls.port` (cleartext) and `cls.tls_port` are reserved for it.
    """

    args = ()

    @classmethod
    def prepare(cls):
        raise NotImplementedError

    @classmethod
    def setUpClass(cls):
        cls.scratch = Scratch()
        cls.server = None
        try:
            cls.port = free_port()
            cls.tls_port = free_port()
            cls.server = Server(cls.flavour, cls.prepare(), args=cls.args)
        except BaseException:
            cls.scratch.remove()
            raise

    @classmethod
    def tearDownClass(cls):
        try:
            cls.server.stop()
        finally:
            cls.scratch.remove()

    @classmethod
    def expand(cls, text, **values):
        return expand(text, port=cls.port, tls_port=cls.tls_port, **values)


def load(module, patterns):
    """Every test of the module, those of a FlavourCase once for each flavour."""
    loader = unittest.TestLoader()
    suite = unittest.TestSuite()
    for case in list(vars(module).values()):
        if not (isinstance(case, type) and issubclass(case, unittest.TestCase)):
            continue
        if case.__module__ != module.__name__:
            continue
        cases = [case]
        if issubclass(case, FlavourCase):
            cases = [type("%s[%s]" % (case.__name__, flavour), (case,),
                          {"flavour": flavour, "__module__": case.__module__})
                     for flavour in FLAVOURS if flavour in case.flavours]
        for each in cases:
            tests = [each(name) for name in loader.getTestCaseNames(each)]
            suite.addTests(test for test in tests
                           if all(pattern in test.id() for pattern in patterns))
    return suite


class TimedResult(unittest.TextTestResult):
    """Says how long each test took."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)
        self.stream.writeln("ok (%.1f s)" % (time.monotonic() - self.began))
        self.stream.flush()


def main():
    """Runs the tests of the calling program; arguments are parts of names that select some."""
    suite = load(sys.modules["__main__"], sys.argv[1:])
    result = unittest.TextTestRunner(verbosity=2, resultclass=TimedResult).run(suite)
    run = result.testsRun - len(result.skipped)
    if run == 0:
        print("no test was run", file=sys.stderr)
    sys.exit(0 if result.wasSuccessful() and run > 0 else 1)
