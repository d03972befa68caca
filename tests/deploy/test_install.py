"""An installation as a distribution makes it: absolute directories beneath a DESTDIR. The files are
where they belong and name each other rightly, and in a container whose root is that installation
and the libraries that it needs, the server is the first process.

    BREAKER_BUILD=build python3 tests/deploy/test_install.py
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BREAKER_BUILD", ROOT / "build"))
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


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        # the server reads as nobody
        os.chmod(cls.directory.name, 0o755)
        cls.root = install(pathlib.Path(cls.directory.name))

    def installed(self, name):
        path = self.root / name.lstrip("/")
        self.assertTrue(path.exists(), f"{name} is not installed")
        return path

    def test_everything_is_where_the_system_looks_for_it(self):
        for name in ("/usr/sbin/h2o-breaker", "/usr/sbin/h2o-breaker-uv", "/usr/bin/breakerctl",
                     f"{LIBDIR}/libbreaker.so", f"{LIBDIR}/libh2o-breaker.a",
                     f"{LIBDIR}/libh2o-breaker-evloop.so", f"{LIBDIR}/pkgconfig/libbreaker.pc",
                     f"{LIBDIR}/cmake/h2o-breaker/h2o-breakerConfig.cmake",
                     "/usr/include/breaker/version.h", "/usr/include/breaker/h2o.h",
                     "/usr/lib/systemd/system/h2o-breaker.service",
                     "/usr/share/doc/h2o-breaker/LICENSE", "/usr/share/doc/h2o-breaker/README.md",
                     "/usr/share/doc/h2o-breaker/h2o-breaker.conf.sample"):
            self.installed(name)
        self.assertEqual({path.name for path in self.root.iterdir()}, {"usr"})

    def test_every_program_has_a_manual_page(self):
        for program, section in (("h2o-breaker", 8), ("h2o-breaker-uv", 8), ("breakerctl", 1)):
            page = self.installed(f"/usr/share/man/man{section}/{program}.{section}")
            text = run("mandoc", "-T", "html", page, cwd=page.parent.parent)
            self.assertIn(f">{program}<", text)

    def test_no_file_names_the_place_where_it_was_made(self):
        for path in self.root.rglob("*"):
            if path.suffix in (".pc", ".cmake", ".service", ".h", ".sample", ".8"):
                text = path.read_text()
                for place in (self.directory.name, str(BUILD), str(ROOT)):
                    self.assertNotIn(place, text, path)

    def test_pkg_config_names_the_directories(self):
        environment = {**os.environ, "PKG_CONFIG_PATH": str(self.root / f"{LIBDIR[1:]}/pkgconfig")}
        for module in ("libbreaker", "libh2o-breaker", "libh2o-breaker-evloop"):
            for name, value in (("prefix", "/usr"), ("libdir", LIBDIR), ("includedir", "/usr/include")):
                self.assertEqual(run("pkg-config", f"--variable={name}", module,
                                     env=environment).strip(), value)

    def test_a_project_builds_with_what_is_installed(self):
        """In a system that has it installed: this one, with the installation laid over it."""
        place = pathlib.Path(self.directory.name)
        shutil.copytree(ROOT / "tests" / "consumer", place / "project")
        run(*NEW_NAMESPACES, "sh", "-euc", OVERLAY, "sh", self.root, place / "project",
            stdin=subprocess.DEVNULL)

    def test_libraries_find_each_other_beside_them(self):
        for flavour in ("", "-evloop"):
            library = self.installed(f"{LIBDIR}/libh2o-breaker{flavour}.so")
            self.assertRegex(run("readelf", "-Wd", library), r"RUNPATH\).*\[\$ORIGIN\]")
            self.assertRegex(run("ldd", library), rf"libbreaker\.so\.\S+ => {self.root}{LIBDIR}/")

    def test_the_unit_is_one(self):
        text = self.installed("/usr/lib/systemd/system/h2o-breaker.service").read_text()
        self.assertIn("\nExecStart=/usr/sbin/h2o-breaker\n", text)
        # the programs that it names are looked for
        unit = pathlib.Path(self.directory.name) / "h2o-breaker.service"
        unit.write_text(text.replace("=/usr/sbin/", f"={self.root}/usr/sbin/"))
        self.assertEqual(run("systemd-analyze", "verify", "--man=no", unit), "")

    def test_the_sample_is_a_configuration(self):
        site = pathlib.Path(self.directory.name) / "site"
        site.mkdir()
        sample = self.installed("/usr/share/doc/h2o-breaker/h2o-breaker.conf.sample")
        out = run(self.root / "usr/sbin/h2o-breaker", "-t", "-c", sample,
                  env={**os.environ, "SITE": str(site)})
        self.assertEqual(out, "configuration OK\n")


if __name__ == "__main__":
    unittest.main()
