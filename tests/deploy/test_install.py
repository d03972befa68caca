"""An installation as a distribution makes it: absolute directories beneath a DESTDIR. The files are
where they belong and name each other rightly, and in a container whose root is that installation
and the libraries that it needs, the server is the first process.

    BREAKER_BUILD=build python3 tests/deploy/test_install.py
"""

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
BUILD = pathlib.Path(os.environ.get("BREAKER_BUILD", ROOT / "build"))
# made by setUpModule: a directory for everything, and the root of the installation in it
DIRECTORY = INSTALLED = None
LIBDIR = "/usr/lib/x86_64-linux-gnu"
# whoever is not root is so in a namespace of users
NEW_NAMESPACES = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]

# lays $1 over the system, and builds the project $2 there by CMake's package and by pkg-config
OVERLAY = """
mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr
cmake -S "$2" -B "$2/build"
cmake --build "$2/build" --target coordinator-core
for module in libh2o-breaker libh2o-breaker-evloop; do
    cc -o "$2/$module" "$2/server.c" $(pkg-config --cflags --libs $module)
done
if ldd "$2/build/coordinator-core" "$2"/libh2o-* | grep "not found"; then exit 1; fi
"""

# A root directory with the installed server, what it is linked with and hardly more, in which it
# becomes the first process: $1 is the root, $2 its program.
CONTAINER = """
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
cd "$1"
exec chroot . "$2"
"""


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False, **options)
    if result.returncode != 0:
        raise AssertionError(f"{command} ended with {result.returncode}: {result.stdout}")
    return result.stdout


def install(directory):
    """The tree that was built, configured as a distribution would and installed below a DESTDIR.
    Where things go is no matter of their compilation, so what is built already is taken."""
    tree, root = directory / "tree", directory / "root"
    run("cmake", "-S", ROOT, "-B", tree, "-DBREAKER_TESTS=OFF", "-DCMAKE_INSTALL_PREFIX=/usr",
        f"-DCMAKE_INSTALL_LIBDIR={LIBDIR}", "-DCMAKE_INSTALL_SBINDIR=/usr/sbin",
        "-DCMAKE_INSTALL_SYSCONFDIR=/etc", "-DCMAKE_INSTALL_INCLUDEDIR=/usr/include",
        "-DCMAKE_INSTALL_MANDIR=/usr/share/man")
    for pattern in ("bin/h2o-breaker*", "bin/breakerctl", "lib/libbreaker.*",
                    "handlers/libh2o-breaker*.so*", "handlers/libh2o-breaker*.a"):
        for path in BUILD.glob(pattern):
            if not path.is_dir():
                target = tree / path.relative_to(BUILD)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target, follow_symlinks=False)
    run("cmake", "--install", tree, env={**os.environ, "DESTDIR": str(root)})
    return root


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def children(pid):
    return [int(child) for child in
            pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def make_container(root, installed):
    """The root of CONTAINER: programs and manual pages aside, what a Dockerfile would copy."""
    program = installed / "usr/sbin/h2o-breaker"
    libraries = re.findall(r"(/\S+) \(0x", run("ldd", program))
    for path in [*libraries, "/etc/services"]:
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for directory in ("etc/h2o-breaker", "proc", "dev", "tmp", "var/tmp", "srv/www"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    (root / "usr/sbin").mkdir(parents=True, exist_ok=True)
    shutil.copy(program, root / "usr/sbin")
    shutil.copy(installed / "usr/share/doc/h2o-breaker/h2o-breaker.conf.sample",
                root / "etc/h2o-breaker/h2o-breaker.conf")
    (root / "etc/passwd").write_text("root:x:0:0::/:/\nnobody:x:65534:65534::/:/\n")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (root / "srv/www/index.html").write_text("/static/{breaker}/index.html")


def setUpModule():
    """One installation for all of them."""
    global DIRECTORY, INSTALLED
    directory = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(directory.cleanup)
    # the server reads as nobody
    os.chmod(directory.name, 0o755)
    DIRECTORY = pathlib.Path(directory.name)
    INSTALLED = install(DIRECTORY)


class Installation(unittest.TestCase):
    def installed(self, name):
        path = INSTALLED / name.lstrip("/")
        self.assertTrue(path.exists(), f"{name} is not installed")
        return path

    def test_everything_is_where_the_system_looks_for_it(self):
        for name in ("/usr/sbin/h2o-breaker", "/usr/sbin/h2o-breaker-uv", "/usr/bin/breakerctl",
                     f"{LIBDIR}/libbreaker.so", f"{LIBDIR}/libh2o-breaker.a",
                     f"{LIBDIR}/libh2o-breaker-evloop.so", f"{LIBDIR}/pkgconfig/libbreaker.pc",
                     f"{LIBDIR}/cmake/h2o-breaker/h2o-breakerConfig.cmake",
                     "/usr/include/breaker/version.h", "/usr/include/breaker/h2o.h",
                     "/usr/lib/systemd/system/h2o-breaker.service",
                     "/usr/lib/systemd/system/h2o-breaker.socket",
                     "/usr/share/doc/h2o-breaker/h2o-breaker.logrotate",
                     "/usr/share/doc/h2o-breaker/LICENSE", "/usr/share/doc/h2o-breaker/README.md",
                     "/usr/share/doc/h2o-breaker/h2o-breaker.conf.sample"):
            self.installed(name)
        self.assertEqual({path.name for path in INSTALLED.iterdir()}, {"usr"})

    def test_every_program_has_a_manual_page(self):
        for program, section in (("h2o-breaker", 8), ("h2o-breaker-uv", 8), ("breakerctl", 1)):
            page = self.installed(f"/usr/share/man/man{section}/{program}.{section}")
            text = run("mandoc", "-T", "html", page, cwd=page.parent.parent)
            self.assertIn(f">{program}<", text)

    def test_no_file_names_the_place_where_it_was_made(self):
        for path in INSTALLED.rglob("*"):
            if path.suffix in (".pc", ".cmake", ".service", ".h", ".sample", ".8"):
                text = path.read_text()
                for place in (str(DIRECTORY), str(BUILD), str(ROOT)):
                    self.assertNotIn(place, text, path)

    def test_pkg_config_names_the_directories(self):
        environment = {**os.environ, "PKG_CONFIG_PATH": str(INSTALLED / f"{LIBDIR[1:]}/pkgconfig")}
        for module in ("libbreaker", "libh2o-breaker", "libh2o-breaker-evloop"):
            for name, value in (("prefix", "/usr"), ("libdir", LIBDIR), ("includedir", "/usr/include")):
                self.assertEqual(run("pkg-config", f"--variable={name}", module,
                                     env=environment).strip(), value)

    def test_a_project_builds_with_what_is_installed(self):
        """In a system that has it installed: this one, with the installation laid over it."""
        shutil.copytree(ROOT / "tests" / "consumer", DIRECTORY / "project")
        run(*NEW_NAMESPACES, "sh", "-euc", OVERLAY, "sh", INSTALLED, DIRECTORY / "project",
            stdin=subprocess.DEVNULL)

    def test_libraries_find_each_other_beside_them(self):
        for flavour in ("", "-evloop"):
            library = self.installed(f"{LIBDIR}/libh2o-breaker{flavour}.so")
            self.assertRegex(run("readelf", "-Wd", library), r"RUNPATH\).*\[\$ORIGIN\]")
            self.assertRegex(run("ldd", library), rf"libbreaker\.so\.\S+ => {INSTALLED}{LIBDIR}/")

    def test_the_unit_is_one(self):
        text = self.installed("/usr/lib/systemd/system/h2o-breaker.service").read_text()
        self.assertIn("\nExecStart=/usr/sbin/h2o-breaker\n", text)
        # the programs that it names are looked for
        unit = DIRECTORY / "h2o-breaker.service"
        unit.write_text(text.replace("=/usr/sbin/", f"={INSTALLED}/usr/sbin/"))
        shutil.copy(self.installed("/usr/lib/systemd/system/h2o-breaker.socket"), DIRECTORY)
        for each in unit, unit.with_suffix(".socket"):
            self.assertEqual(run("systemd-analyze", "verify", "--man=no", each), "")
        # 0 is nothing to be reached, 100 all of the system
        run("systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=20", unit)

    def test_the_sample_is_a_configuration(self):
        site = DIRECTORY / "site"
        site.mkdir()
        sample = self.installed("/usr/share/doc/h2o-breaker/h2o-breaker.conf.sample")
        out = run(INSTALLED / "usr/sbin/h2o-breaker", "-t", "-c", sample,
                  env={**os.environ, "SITE": str(site)})
        self.assertEqual(out, "configuration OK\n")


def may_make_containers():
    """Root of the machine may; root in a container that was made to have less may not."""
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode == 0


@unittest.skipUnless(may_make_containers(), "this user may not make namespaces and mount in them")
class Container(unittest.TestCase):
    def setUp(self):
        self.port = free_port()
        self.container = pathlib.Path(tempfile.mkdtemp(dir=DIRECTORY))
        os.chmod(self.container, 0o755)
        make_container(self.container, INSTALLED)
        self.log = open(self.container / "log", "w+")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", CONTAINER, "sh",
             self.container, "/usr/sbin/h2o-breaker"],
            env={"PORT": str(self.port)}, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log)
        self.addCleanup(self.log.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.wait_for(self.token, "an answer")
        self.first = children(self.process.pid)[0]
        self.worker = children(self.first)[0]

    def text(self):
        self.log.seek(0)
        return self.log.read()

    def wait_for(self, condition, what):
        deadline = time.monotonic() + 60
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"waited in vain for {what}: {self.text()}")
            time.sleep(0.02)

    def token(self):
        """What the page says."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=20) as response:
                return response.read().split(b"/")[2]
        except OSError:
            return None

    def test_the_first_process_reloads_and_ends(self):
        status = pathlib.Path(f"/proc/{self.first}/status").read_text()
        self.assertRegex(status, r"NSpid:\s+\d+\s+1\n")
        token = self.token()
        (self.container / "srv/www/new.css").write_text("a {}")
        os.kill(self.first, signal.SIGHUP)
        self.wait_for(lambda: self.worker not in children(self.first), "another worker")
        self.assertGreater(self.token(), token)
        os.kill(self.first, signal.SIGTERM)
        self.assertEqual(self.process.wait(60), 0, self.text())

    def test_the_first_process_waits_for_orphans(self):
        """One that its parent leaves behind is the first process's, and no zombie once it ends."""
        with subprocess.Popen(["nsenter", "--target", str(self.first), "--pid", "sh", "-c",
                               "exec 3<&0; cat <&3 & "], stdin=subprocess.PIPE) as parent:
            self.wait_for(lambda: len(children(self.first)) == 2, "the orphan's adoption")
            parent.stdin.close()
        self.wait_for(lambda: children(self.first) == [self.worker], "the orphan's end")
        self.assertTrue(self.token())


if __name__ == "__main__":
    unittest.main()
