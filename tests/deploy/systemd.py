"""The installed package under a real systemd, as an operator has it: a system of its own is booted
(booted.py) and driven with systemctl. Nothing is asked of a stand-in: units, sockets, users, the
journal and the limits are systemd's.

    BREAKER_BUILD=build python3 tests/deploy/systemd.py [NAME…]

It takes root; where it cannot be done the tests are skipped, and say why.
"""

import contextlib
import http.client
import os
import pathlib
import re
import resource
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import booted
import test_install

UNIT = "h2o-breaker.service"
SOCKET = "h2o-breaker.socket"
CONFIG = "etc/h2o-breaker/h2o-breaker.conf"
TLS_PORT, REDIS_PORT, APPLICATION_PORT = 8443, 16379, 3000
LARGE = os.urandom(1 << 16) * 512

PLAIN = """
listen: 80
breaker.state-file: /var/lib/h2o-breaker/state
shutdown-timeout: {shutdown_timeout}
access-log: /var/log/h2o-breaker/access.log
hosts:
  default:
    paths:
      "/":
        breaker.static: {{name: "static/{{breaker}}", path: /srv/www}}
        breaker.rewrite: ON
        file.dir: /srv/www
        header.set: "x-told: {told}"
"""

# what touches files, programs, names and other services
EVERYTHING = """
listen: 80
listen: {{port: /run/h2o-breaker/web.sock, type: unix, permission: 666}}
listen: {{port: {tls}, ssl: {{certificate-file: /etc/site.crt,
                              key-file: "${{CREDENTIALS_DIRECTORY}}/key"}}}}
error-log: "|exec cat >>/var/log/h2o-breaker/error.log"
access-log: "|exec cat >>/var/log/h2o-breaker/piped.log"
pid-file: /run/h2o-breaker/pid
breaker.state-file: /var/lib/h2o-breaker/state
breaker.archive: /var/lib/h2o-breaker/archive
breaker.encoding-cache: /var/cache/h2o-breaker
breaker.cluster: {{app: shop, redis: "redis://localhost:{redis}", advertise: auto}}
breaker.health: /breaker
hosts:
  default:
    paths:
      "/":
        breaker.static: {{name: "static/{{breaker}}", path: /srv/www}}
        breaker.rewrite: ON
        file.dir: /srv/www
      "/status": {{breaker.status: ON}}
      "/application": {{proxy.reverse.url: "http://localhost:{application}/"}}
"""

SSL_CERT_GID = 110
# the unit's, or as many as a systemd without CAP_SYS_RESOURCE may give
MAX_FILES = "|".join({"1048576", str(resource.getrlimit(resource.RLIMIT_NOFILE)[1])})
DIRECTORY = SYSTEM = None


def setUpModule():
    global DIRECTORY, SYSTEM
    why = booted.missing()
    if why is not None:
        raise unittest.SkipTest(f"no system can be booted here: {why}")
    directory = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(directory.cleanup)
    os.chmod(directory.name, 0o755)
    DIRECTORY = pathlib.Path(directory.name)
    files = {CONFIG: plain(), "etc/ssl/private/key": "", "srv/www/index.html": "/static/{breaker}/a.css",
             "srv/www/a.css": "a {}\n" * 1000, "srv/www/large.bin": LARGE}
    SYSTEM = booted.System(test_install.install(DIRECTORY), files, enabled=[UNIT])
    unittest.addModuleCleanup(SYSTEM.end)


def plain(told="first", shutdown_timeout="10s"):
    return PLAIN.format(told=told, shutdown_timeout=shutdown_timeout)


def make_certificate(key):
    """A new one, whose key only root may read."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
                    "-keyout", SYSTEM.root / key, "-out", SYSTEM.root / "etc/site.crt"],
                   check=True, capture_output=True)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Case(unittest.TestCase):
    """Begins with the unit as it was installed, started on the plain configuration."""

    started = True

    def setUp(self):
        self.ctl("stop", SOCKET, UNIT)
        self.since = time.time()
        shutil.rmtree(SYSTEM.root / "run/systemd/system", ignore_errors=True)
        for unit in (UNIT, SOCKET):
            shutil.rmtree(SYSTEM.root / f"etc/systemd/system/{unit}.d", ignore_errors=True)
        self.ctl("daemon-reload")
        SYSTEM.run("systemctl", "reset-failed")
        self.configure(plain())
        if self.started:
            self.ctl("start", UNIT)

    def run(self, result=None):
        """What failed shows what the journal has."""
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if SYSTEM is not None and len(result.failures) + len(result.errors) != before:
            print(f"---- {self.id()}\n{self.journal()}----")

    def configure(self, text):
        SYSTEM.write(CONFIG, text)

    def drop_in(self, unit, text):
        SYSTEM.write(f"etc/systemd/system/{unit}.d/test.conf", text)
        self.ctl("daemon-reload")

    def ctl(self, *words, status=0):
        done = SYSTEM.run("systemctl", *words)
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout}")
        return done.stdout

    def show(self, name, unit=UNIT):
        return self.ctl("show", f"--property={name}", "--value", unit).strip()

    def main(self):
        return int(self.show("MainPID"))

    def worker(self):
        """The worker that was started last, as the system numbers it."""
        found = SYSTEM.run("ps", "--ppid", self.main(), "-o", "pid=", "--sort=-start_time").stdout
        return int(found.split()[-1])

    def journal(self, *options):
        """What it says since the test began."""
        SYSTEM.run("journalctl", "--sync")
        return SYSTEM.run("journalctl", "-q", "-o", "cat", f"--since=@{self.since:.6f}",
                          "-u", UNIT, *options).stdout

    def wait_for_line(self, pattern, times=1):
        SYSTEM.wait_for(lambda: len(re.findall(pattern, self.journal())) >= times, pattern)

    def get(self, path="/", port=80, connection=None):
        connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            return response, response.read()

    def told(self):
        return self.get()[0].headers["x-told"]

    def token(self):
        return self.get()[1].split(b"/")[2].decode()

    def download(self):
        """A connection on which the beginning of a large answer has come."""
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.settimeout(booted.DEADLINE_S)
        sock.connect(("127.0.0.1", 80))
        sock.sendall(b"GET /static/%s/large.bin HTTP/1.1\r\nhost: x\r\n\r\n" %
                     self.token().encode())
        return sock, sock.recv(4096)

    def rest(self, sock, begun):
        """The body once all of it has come, or the other side has had enough."""
        received = bytearray(begun)
        with contextlib.suppress(ConnectionError):
            while len(received) < len(LARGE) + received.find(b"\r\n\r\n") + 4:
                part = sock.recv(1 << 20)
                if not part:
                    break
                received += part
        return received.partition(b"\r\n\r\n")[2]


class Start(Case):
    started = False

    def test_the_machine_has_booted_with_it(self):
        """Nothing that systemd started has failed, and the unit was part of the boot."""
        self.assertEqual(SYSTEM.state(), "running")
        self.assertIn(UNIT, SYSTEM.run("systemctl", "list-dependencies", "multi-user.target").stdout)

    def test_it_is_started_when_it_serves(self):
        self.ctl("start", UNIT)
        self.assertEqual(self.told(), "first")
        self.assertEqual(self.show("SubState"), "running")
        self.assertEqual(self.show("StatusText"), "serving")

    def test_a_start_that_fails_says_so_and_is_tried_until_it_works(self):
        self.drop_in(UNIT, "[Service]\nRestartSec=100ms\n")
        self.configure("nonsense: 1\n" + plain())
        self.assertIn("failed", self.ctl("start", UNIT, status=1))
        self.assertIn("h2o-breaker.conf:1:1: unknown key", self.journal("-p", "err"))
        # more often than systemd would by itself
        self.wait_for_line("unknown key", times=7)
        self.configure(plain())
        SYSTEM.wait_for(lambda: self.show("ActiveState") == "active", "the unit")
        self.assertEqual(self.told(), "first")

    def test_it_is_no_root_and_may_do_little(self):
        self.ctl("start", UNIT)
        for pid in (self.main(), self.worker()):
            status = SYSTEM.run("cat", f"/proc/{pid}/status").stdout
            self.assertNotRegex(status, r"(?m)^[UG]id:.*\b0\b")
            self.assertRegex(status, r"(?m)^CapBnd:\s+0*400$")
            self.assertRegex(status, r"(?m)^NoNewPrivs:\s+1$")
            self.assertRegex(status, r"(?m)^Seccomp:\s+2$")
            limits = SYSTEM.run("cat", f"/proc/{pid}/limits").stdout
            self.assertRegex(limits, rf"(?m)^Max open files +({MAX_FILES}) +\1 ")
        done = SYSTEM.run("systemd-analyze", "security", "--no-pager", "--threshold=20", UNIT)
        self.assertEqual(done.returncode, 0, done.stdout)
        print(done.stdout.strip().splitlines()[-1])


class Reload(Case):
    def test_it_is_done_when_the_command_is(self):
        main = self.main()
        for number in range(20):
            self.configure(plain(told=f"reload-{number}"))
            self.ctl("reload", UNIT)
            self.assertEqual(self.told(), f"reload-{number}")
        self.assertEqual(self.main(), main)
        self.assertEqual(self.show("NRestarts"), "0")

    def test_commands_at_the_same_time_are_all_answered(self):
        """Signals that come at once become one; whoever sent them hears of it all the same."""
        done = SYSTEM.run("sh", "-c", "for i in 1 2 3 4 5 6 7 8; do h2o-breaker --reload %d & "
                          "all=\"$all $!\"; done; for i in $all; do wait $i || exit; done"
                          % self.main())
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_a_broken_configuration_fails_it_and_changes_nothing(self):
        main, worker = self.main(), self.worker()
        self.configure("nonsense: 1\n" + plain(told="second"))
        self.assertIn("failed", self.ctl("reload", UNIT, status=1))
        self.assertEqual((self.main(), self.worker(), self.told()), (main, worker, "first"))
        self.assertEqual(self.show("ActiveState"), "active")
        self.assertIn("refused: /etc/h2o-breaker/h2o-breaker.conf:1:1: unknown key",
                      self.show("StatusText"))
        self.assertIn("status=78", SYSTEM.run("systemctl", "status", UNIT).stdout)
        self.assertIn("reload-refused", self.journal("-p", "err"))
        self.assertNotIn("event=", self.journal("-p", "warning"))
        # and is forgotten
        self.configure(plain(told="second"))
        self.ctl("reload", UNIT)
        self.assertEqual((self.told(), self.show("StatusText")), ("second", "serving"))

    def test_a_port_of_somebody_else_fails_it(self):
        """Which no check of a file finds."""
        with socket.create_server(("127.0.0.1", 8081)):
            self.configure(plain(told="second") + "\nlisten: 127.0.0.1:8081\n")
            self.ctl("reload", UNIT, status=1)
        self.assertIn("in use", self.show("StatusText"))
        self.assertEqual(self.told(), "first")

    def test_the_program_is_replaced(self):
        main = self.main()
        program = SYSTEM.root / "usr/sbin/h2o-breaker"
        for number, command in enumerate((["systemctl", "kill", "-s", "USR2", "--kill-whom=main", UNIT],
                                          ["h2o-breaker", "--upgrade", main]), 1):
            shutil.copy(program, f"{program}.new")
            os.rename(f"{program}.new", program)
            self.configure(plain(told=f"upgrade-{number}"))
            done = SYSTEM.run(*command)
            self.assertEqual(done.returncode, 0, done.stdout)
            if "--upgrade" in command:
                self.assertEqual(self.told(), f"upgrade-{number}")
            self.wait_for_line("event=upgraded", times=number)
            self.assertEqual(self.told(), f"upgrade-{number}")
            self.assertEqual(self.main(), main)
            self.assertEqual(SYSTEM.run("stat", "-Lc", "%i", f"/proc/{main}/exe").stdout,
                             SYSTEM.run("stat", "-Lc", "%i", "/usr/sbin/h2o-breaker").stdout)
        self.assertEqual((self.show("ActiveState"), self.show("NRestarts")), ("active", "0"))
        self.ctl("reload", UNIT)

    def test_a_program_that_does_not_start_is_not_taken(self):
        main = self.main()
        program = SYSTEM.root / "usr/sbin/h2o-breaker"
        kept = program.read_bytes()
        os.unlink(program)
        SYSTEM.write("usr/sbin/h2o-breaker", "#!/bin/sh\nexit 3\n").chmod(0o755)
        try:
            done = SYSTEM.run("h2o-breaker-uv", "--upgrade", main)
        finally:
            os.unlink(program)
            program.write_bytes(kept)
            program.chmod(0o755)
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertEqual((self.main(), self.told()), (main, "first"))


class Certificate(Case):
    """Rotated by a reload, with a key that root and a group may read."""

    started = False
    listens = "\nlisten: {port: %d, ssl: {certificate-file: /etc/site.crt, key-file: %s}}\n"

    def served(self):
        return ssl.get_server_certificate(("127.0.0.1", TLS_PORT), timeout=60)

    def test_a_group_may_read_the_key(self):
        self.drop_in(UNIT, "[Service]\nSupplementaryGroups=ssl-cert\n")
        self.configure(plain() + self.listens % (TLS_PORT, "/etc/ssl/private/key"))
        for command in "start", "reload", "reload":
            make_certificate("etc/ssl/private/key")
            os.chown(SYSTEM.root / "etc/ssl/private/key", 0, SSL_CERT_GID)
            os.chmod(SYSTEM.root / "etc/ssl/private/key", 0o640)
            self.ctl(command, UNIT)
            self.assertEqual(self.served(), (SYSTEM.root / "etc/site.crt").read_text())


class End(Case):
    def stop(self):
        """`systemctl stop` beside what the test does; the outcome once it is over."""
        done = []
        thread = threading.Thread(target=lambda: done.append(SYSTEM.run("systemctl", "stop", UNIT)))
        thread.start()

        def wait():
            thread.join()
            self.assertEqual(done[0].returncode, 0, done[0].stdout)
        return wait

    def test_a_download_is_finished(self):
        self.configure(plain(shutdown_timeout="40s"))
        self.ctl("reload", UNIT)
        sock, begun = self.download()
        wait = self.stop()
        self.wait_for_line("event=draining .*why=stopping connections=1")
        self.assertEqual(self.show("StatusText"), "finishing the requests in flight")
        self.assertEqual(self.rest(sock, begun), LARGE)
        wait()
        self.assertEqual((self.show("ActiveState"), self.show("Result")), ("inactive", "success"))
        self.assertNotIn("event=cut", self.journal())

    def test_one_that_does_not_go_on_is_cut_by_the_server_and_not_by_systemd(self):
        self.configure(plain(shutdown_timeout="1s"))
        self.ctl("reload", UNIT)
        sock, begun = self.download()
        self.stop()()
        self.assertIn("event=cut", self.journal())
        self.assertEqual(self.show("Result"), "success")
        self.assertLess(len(self.rest(sock, begun)), len(LARGE))

    def test_a_master_that_is_killed_comes_back(self):
        main, token = self.main(), self.token()
        SYSTEM.run("kill", "-KILL", main)
        SYSTEM.wait_for(lambda: self.show("NRestarts") == "1" and
                        self.show("SubState") == "running", "the restart")
        self.assertNotIn(self.main(), (0, main))
        self.assertEqual(self.token(), token)

    def test_a_worker_that_is_killed_is_the_masters_business(self):
        main, worker = self.main(), self.worker()
        SYSTEM.run("kill", "-KILL", worker)
        self.wait_for_line("event=serving", times=2)
        self.assertEqual(self.told(), "first")
        self.assertEqual((self.main(), self.show("NRestarts")), (main, "0"))
        self.assertIn("trouble=died", self.journal("-p", "err"))


class Sockets(Case):
    started = False

    def setUp(self):
        super().setUp()
        self.drop_in(SOCKET, "[Socket]\nListenStream=\nListenStream=0.0.0.0:80\n"
                             "ListenStream=[::]:80\n")
        self.ctl("start", SOCKET)

    def test_a_connection_starts_it(self):
        self.assertEqual(self.show("ActiveState"), "inactive")
        self.assertEqual(self.told(), "first")
        self.assertEqual(self.show("ActiveState"), "active")
        self.assertNotIn("no `listen` names", self.journal())
        response, _ = self.get(connection=http.client.HTTPConnection("::1", 80, timeout=60))
        self.assertEqual(response.status, 200)

    def test_nobody_is_refused_while_it_is_started_anew(self):
        self.ctl("start", UNIT)
        ended, refused, answers = threading.Event(), [], []

        def ask():
            while not ended.is_set():
                try:
                    answers.append(self.get()[0].status)
                except ConnectionRefusedError as error:
                    refused.append(error)
                except (OSError, http.client.HTTPException):
                    pass
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            main = self.main()
            for _ in range(3):
                self.ctl("restart", UNIT)
            SYSTEM.run("kill", "-KILL", self.main())
            SYSTEM.wait_for(lambda: self.show("NRestarts") == "1" and
                            self.show("SubState") == "running", "the restart")
            self.assertNotEqual(self.main(), main)
            asked = len(answers)
            SYSTEM.wait_for(lambda: len(answers) > asked, "an answer")
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        self.assertEqual((refused, set(answers)), ([], {200}))

    def test_reloads_and_programs_keep_them(self):
        self.ctl("start", UNIT)
        for _ in range(2):
            self.ctl("reload", UNIT)
            done = SYSTEM.run("h2o-breaker", "--upgrade", self.main())
            self.assertEqual(done.returncode, 0, done.stdout)
            self.wait_for_line("event=upgraded")
        self.ctl("stop", UNIT)
        # systemd's again
        self.assertEqual(self.told(), "first")

    def test_a_socket_that_nothing_listens_on_is_said(self):
        self.configure(plain().replace("listen: 80", "listen: 81"))
        self.ctl("start", UNIT)
        self.assertRegex(self.journal("-p", "warning"), "no `listen` names 0.0.0.0:80")


class Logs(Case):
    log = "var/log/private/h2o-breaker/access.log"

    def lines(self, name=log):
        path = SYSTEM.root / name
        return path.read_text().splitlines() if path.exists() else []

    def test_a_log_is_renamed_and_opened_anew(self):
        for path in (SYSTEM.root / self.log).parent.glob("access.log*"):
            path.unlink()
        self.ctl("restart", UNIT)
        self.get("/before")
        SYSTEM.wait_for(lambda: "/before" in str(self.lines()), "the line")
        if shutil.which("logrotate"):
            done = SYSTEM.run("logrotate", "--force", "--state", "/run/rotated",
                              "/usr/share/doc/h2o-breaker/h2o-breaker.logrotate")
            self.assertEqual((done.returncode, done.stdout), (0, ""))
        else:
            (SYSTEM.root / self.log).rename(SYSTEM.root / f"{self.log}.1")
            self.ctl("kill", "-s", "USR1", "--kill-whom=main", UNIT)
        self.wait_for_line("event=reopened")
        self.get("/after")
        SYSTEM.wait_for(lambda: "/after" in str(self.lines()), "the line")
        self.assertNotIn("/before", str(self.lines()))
        self.assertIn("/before", str(self.lines(f"{self.log}.1")))

    def test_the_journal_may_be_started_anew(self):
        self.ctl("restart", "systemd-journald.service")
        self.configure("nonsense: 1\n")
        self.ctl("reload", UNIT, status=1)
        self.wait_for_line("trouble=reload-refused")


class Everything(Case):
    """All that the unit confines, with each system call that it refuses a deadly one."""

    started = False

    def setUp(self):
        super().setUp()
        redis = subprocess.Popen(["redis-server", "--port", str(REDIS_PORT), "--save", "",
                                  "--bind", "127.0.0.1", "::1"], cwd=DIRECTORY,
                                 stdout=subprocess.DEVNULL)
        application = subprocess.Popen(["python3", "-m", "http.server", "--bind", "127.0.0.1",
                                        str(APPLICATION_PORT)], cwd=SYSTEM.root / "srv/www",
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for process in (redis, application):
            self.addCleanup(process.wait)
            self.addCleanup(process.terminate)
        make_certificate("etc/h2o-breaker/site.key")
        self.drop_in(UNIT, "[Service]\nLoadCredential=key:/etc/h2o-breaker/site.key\nSystemCallErrorNumber=kill\n")
        self.configure(EVERYTHING.format(tls=TLS_PORT, redis=REDIS_PORT,
                                         application=APPLICATION_PORT))

    def check(self):
        self.assertEqual(self.get()[0].status, 200)
        self.assertEqual(self.get("/static/%s/a.css" % self.token())[0].status, 200)
        self.assertEqual(self.get("/application/a.css")[0].status, 200)
        self.assertEqual(self.get("/status/metrics")[0].status, 200)
        response, _ = self.get(connection=UnixConnection(self.unix_path()))
        self.assertEqual(response.status, 200)
        context = ssl._create_unverified_context()
        response, _ = self.get(connection=http.client.HTTPSConnection(
            "127.0.0.1", TLS_PORT, context=context, timeout=60))
        self.assertEqual(response.status, 200)

    def unix_path(self):
        """/run is the system's own; its first process shows it."""
        return f"/proc/{SYSTEM.first}/root/run/h2o-breaker/web.sock"

    def test_everything_works_and_nothing_is_refused(self):
        self.ctl("start", UNIT)
        self.check()
        self.ctl("reload", UNIT)
        self.check()
        done = SYSTEM.run("h2o-breaker", "--upgrade", self.main())
        self.assertEqual(done.returncode, 0, done.stdout)
        self.check()
        self.ctl("kill", "-s", "USR1", "--kill-whom=main", UNIT)
        log = SYSTEM.root / "var/log/private/h2o-breaker/error.log"
        SYSTEM.wait_for(lambda: "event=reopened" in log.read_text(), "the logs")
        private = SYSTEM.root / "var/lib/private/h2o-breaker"
        self.assertTrue((private / "state").exists())
        SYSTEM.wait_for(lambda: list(private.glob("archive/releases/*/manifest")), "the archive")
        SYSTEM.wait_for(lambda: list((SYSTEM.root / "var/cache/private/h2o-breaker").iterdir()),
                        "an encoding")
        self.ctl("stop", UNIT)
        self.assertEqual(self.show("Result"), "success")
        text = log.read_text()
        self.assertNotIn("signal 31", text)
        self.assertEqual([line for line in text.splitlines() if " info " not in line], [])
        self.assertIn("/application/a.css", (log.parent / "piped.log").read_text())


if __name__ == "__main__":
    booted.enter()
    unittest.main()
