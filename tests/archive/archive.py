"""An archive whose processes are killed at every write and at random moments, whose disk is full or
read-only, and that several processes share. What it gives out afterwards has to be right, a release
that was whole has to be whole, and nobody has to be told of damage: the probe checks that itself.

    python3 archive.py               what CTest runs
    python3 archive.py Kills --kills 2000
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("BREAKER_BIN", os.path.join(ROOT, "build", "bin"))
PROBE = os.path.join(BIN, "archive_probe")
SLOWDOWN = float(os.environ.get("BREAKER_SLOWDOWN", "1"))
DEADLINE_S = 60 * SLOWDOWN
NOBODY = 65534
ROUNDS = 10

kills = 100


def probe(*arguments, env=None, **options):
    return subprocess.run([PROBE, *arguments], env={**os.environ, **(env or {})}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE_S,
                          **options)


class ArchiveTest(unittest.TestCase):
    def setUp(self):
        # a kill is a kill in memory as well, and a tenth of the time
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.directory = tempfile.mkdtemp(prefix="breaker-archive-", dir=memory)
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.archive = os.path.join(self.directory, "archive")

    def left(self):
        return [name for _, _, names in os.walk(self.archive) for name in names if ".new-" in name]

    def expect(self, run, status=0):
        self.assertEqual(run.returncode, status, run.stdout)
        return run.stdout


class Kills(ArchiveTest):
    def test_a_process_may_be_killed_before_any_change_and_within_any_write(self):
        """What is left is taken over by the next one. --kills of as many as there are changes, some
        five hundred, meets each of them."""
        self.expect(probe("write", self.archive, "0"))
        said = self.expect(probe("write", self.archive, str(ROUNDS)))
        num_calls = int(said.split("calls ")[1])
        num_left = 0
        for at in range(1, num_calls + 1, max(1, num_calls // kills)):
            shutil.rmtree(self.archive)
            self.expect(probe("write", self.archive, "0"))
            run = probe("write", self.archive, str(ROUNDS), env={"PROBE_KILL_AT": str(at)})
            self.expect(run, -signal.SIGKILL)
            num_left += len(self.left())
            self.expect(probe("check", self.archive))
            self.assertEqual(self.left(), [], "killed at %d" % at)
            if at % 8 == 1:
                self.expect(probe("write", self.archive, str(ROUNDS)))
                self.expect(probe("check", self.archive))
        self.assertGreater(num_left, 0)

    def test_a_process_may_be_killed_at_any_moment_while_others_work(self):
        self.expect(probe("write", self.archive, "0"))
        seed = random.randrange(1 << 30)
        moments = random.Random(seed)
        end = time.monotonic() + DEADLINE_S
        num_killed = 0
        while num_killed < kills and time.monotonic() < end:
            workers = [subprocess.Popen([PROBE, "share", self.archive, str(moments.random() * 1e9)
                                         .split(".")[0], "100000"], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True) for _ in range(2)]
            time.sleep(moments.random() * 0.05)
            for worker in workers:
                self.assertIsNone(worker.poll(), "seed %d" % seed)
                worker.send_signal(signal.SIGKILL)
                worker.communicate(timeout=DEADLINE_S)
                num_killed += 1
            said = self.expect(probe("check", self.archive))
            self.assertEqual(said, "", "seed %d" % seed)
        self.assertGreater(num_killed, 20)


class Disks(ArchiveTest):
    def unmount(self):
        """os.path.ismount does not see a directory that is mounted on itself."""
        with open("/proc/self/mounts") as mounts:
            for line in mounts:
                if line.split()[1] == self.archive:
                    subprocess.run(["umount", self.archive], check=True)

    def mount(self, *arguments):
        self.addCleanup(self.unmount)
        if os.geteuid() != 0:
            self.skipTest("a file system of its own can be mounted by root only")
        run = subprocess.run(["mount", *arguments], text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        if run.returncode != 0:
            self.skipTest("nothing can be mounted here: " + run.stdout.strip())

    def test_a_full_disk_is_told_once_and_used_again_when_there_is_room(self):
        os.mkdir(self.archive)
        self.mount("-t", "tmpfs", "-o", "size=4m", "breaker-archive", self.archive)
        said = self.expect(probe("fill", self.archive))
        self.assertEqual(said.count("notice:"), 1, said)
        self.assertIn("No space left on device", said)

    def test_a_disk_without_inodes_is_a_full_one(self):
        os.mkdir(self.archive)
        self.mount("-t", "tmpfs", "-o", "nr_inodes=300", "breaker-archive", self.archive)
        said = self.expect(probe("fill", self.archive))
        self.assertIn("No space left on device", said)

    def test_a_read_only_disk_is_told_once_and_read(self):
        self.expect(probe("write", self.archive, "0"))
        self.expect(probe("write", self.archive, "2"))
        self.mount("--bind", self.archive, self.archive)
        self.mount("-o", "remount,ro,bind", self.archive)
        said = self.expect(probe("refuse", self.archive))
        self.assertEqual(said.count("notice:"), 1, said)
        self.assertIn("Read-only file system", said)

    def test_an_archive_of_another_user_is_read(self):
        self.expect(probe("write", self.archive, "0"))
        self.expect(probe("write", self.archive, "2"))
        user = {}
        if os.geteuid() == 0:
            user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chmod(self.directory, 0o755)
        else:
            for path, _, _ in os.walk(self.archive):
                os.chmod(path, 0o555)
        said = self.expect(probe("refuse", self.archive, **user))
        self.assertEqual(said.count("notice:"), 1, said)
        self.assertIn("Permission denied", said)
        for path, _, _ in os.walk(self.archive):
            os.chmod(path, 0o755)


class Shared(ArchiveTest):
    def test_three_processes_write_read_and_sweep_one_archive(self):
        seed = random.randrange(1 << 30)
        workers = [subprocess.Popen([PROBE, "share", self.archive, str(seed + i), "150"],
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                   for i in range(3)]
        for worker in workers:
            said, _ = worker.communicate(timeout=DEADLINE_S)
            self.assertEqual(worker.returncode, 0, "seed %d: %s" % (seed, said))
        self.expect(probe("check", self.archive))
        self.assertEqual(self.left(), [])


if __name__ == "__main__":
    if "--kills" in sys.argv:
        at = sys.argv.index("--kills")
        kills = int(sys.argv[at + 1])
        DEADLINE_S = 3600
        del sys.argv[at:at + 2]
    unittest.main(verbosity=2)
