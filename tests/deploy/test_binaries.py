"""What the built programs and libraries are made of, read by readelf and nm: what keeps a fault of
memory from becoming more than a crash, and what the shared libraries export.

    BREAKER_BUILD=build python3 tests/deploy/test_binaries.py
"""

import json
import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BREAKER_BUILD", ROOT / "build"))
PROGRAMS = [BUILD / "bin" / name for name in ("h2o-breaker", "h2o-breaker-uv", "breakerctl")]
# and the headers that say what each exports
LIBRARIES = {
    BUILD / "lib" / "libbreaker.so":
        [ROOT / "lib" / "include", BUILD / "include"],
    BUILD / "handlers" / "libh2o-breaker.so": [ROOT / "handlers" / "include"],
    BUILD / "handlers" / "libh2o-breaker-evloop.so": [ROOT / "handlers" / "include"],
}


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def version():
    text = (ROOT / "CMakeLists.txt").read_text()
    return re.search(r"project\(h2o-breaker VERSION (\d+)\.(\d+)\.\d+", text).groups()


def soversion():
    """Before 1.0 a minor version may break what was, afterwards a major one."""
    major, minor = version()
    return "0." + minor if major == "0" else major


def declared(directories):
    """The functions that headers mark as exported."""
    names = set()
    for directory in directories:
        for header in directory.rglob("*.h"):
            text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
            text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
            names.update(re.findall(r"BREAKER_EXPORT\b[^;(]*?\b(\w+)\(", text))
    return names


class Hardening(unittest.TestCase):
    def each(self):
        for path in [*PROGRAMS, *LIBRARIES]:
            with self.subTest(path=path.name):
                yield path

    def test_everything_is_resolved_at_the_start_and_read_only_from_then_on(self):
        for path in self.each():
            self.assertRegex(output("readelf", "-Wd", path), r"\(FLAGS\).*BIND_NOW")
            self.assertIn("GNU_RELRO", output("readelf", "-Wl", path))

    def test_no_stack_can_be_executed(self):
        for path in self.each():
            line = re.search(r"GNU_STACK.*", output("readelf", "-Wl", path)).group()
            self.assertNotIn("E", line.split()[-2])

    def test_no_segment_can_be_written_and_executed(self):
        for path in self.each():
            self.assertNotRegex(output("readelf", "-Wl", path), r"LOAD.* RWE ")

    def test_programs_lie_anywhere_in_memory(self):
        for path in PROGRAMS:
            self.assertRegex(output("readelf", "-Wd", path), r"\(FLAGS_1\).*PIE", path.name)

    def test_stacks_are_watched_and_calls_of_libc_checked(self):
        for path in self.each():
            imported = output("nm", "-D", "--undefined-only", path)
            self.assertIn("__stack_chk_fail", imported)
            self.assertRegex(imported, r" __\w+_chk@")

    def test_every_source_is_compiled_so(self):
        entries = json.loads((BUILD / "compile_commands.json").read_text())
        ours = [entry["command"].split() for entry in entries
                if re.match(r"(lib|handlers|bin)/", os.path.relpath(entry["file"], ROOT))]
        self.assertGreater(len(ours), 300)
        for command in ours:
            for flag in ("-fstack-protector-strong", "-fstack-clash-protection",
                         "-D_FORTIFY_SOURCE=3"):
                self.assertIn(flag, command, command[-1])

    def test_no_path_of_the_build_is_looked_into_for_libraries_of_others(self):
        for path in PROGRAMS:
            self.assertNotRegex(output("readelf", "-Wd", path), r"R(UN)?PATH")


class Exports(unittest.TestCase):
    def test_libraries_export_what_their_headers_declare(self):
        for path, headers in LIBRARIES.items():
            with self.subTest(library=path.name):
                lines = output("nm", "-D", "--defined-only", path).split("\n")
                symbols = {line.split()[2] for line in lines if line and line.split()[1] != "A"}
                self.assertEqual({name.split("@")[0] for name in symbols}, declared(headers))
                versions = {name.split("@")[-1] for name in symbols}
                self.assertEqual(len(versions), 1)
                self.assertTrue(versions.pop().endswith("BREAKER_" + soversion()))

    def test_their_names_change_whenever_programs_have_to_be_compiled_anew(self):
        for path in LIBRARIES:
            self.assertIn("SONAME)             Library soname: [%s.%s]" % (path.name, soversion()),
                          output("readelf", "-Wd", path))


if __name__ == "__main__":
    unittest.main()
