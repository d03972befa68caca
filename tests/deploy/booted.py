"""A system of its own, booted by a real systemd: this machine's /usr with an installation laid over
it, an /etc with hardly anything in it, and new namespaces of mounts, processes, names, cgroups and
the network. No virtual machine and nothing to download; what it needs is root, a hierarchy of
version 2 of control groups that may be written to, overlayfs and the packages systemd and
util-linux.

The calling process shares its network (which it enters by `enter`), so that it asks the servers
over the loopback, and the root's files, which it reads and writes below `root`.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

DEADLINE_S = 60 * float(os.environ.get("BREAKER_SLOWDOWN", "1"))

# Makes $1 the root of everything and becomes its first process. What belongs to the machine (/sys,
# /proc/sys, devices) may be read, and not changed.
INIT = r"""
cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    : >dev/$device
    mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 tmpfs run
pivot_root . before
umount -l before
mount --make-rshared /
exec env -i container=breaker-test PATH=/usr/sbin:/usr/bin \
    /lib/systemd/systemd --log-target=journal --show-status=no
"""

FILES = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/\n"
                  "messagebus:x:100:100::/:/\nwww-data:x:33:33::/:/\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\ntty:x:5:\nadm:x:4:\nwww-data:x:33:\n"
                 "messagebus:x:100:\nsystemd-journal:x:101:\nssl-cert:x:110:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "etc/hostname": "breaker\n",
    # without one it would be the first boot, in which units are enabled
    "etc/machine-id": "6b7265616b6572206f66206832306f21\n",
    # nobody logs in here
    "etc/systemd/system/getty.target": None,
    "etc/systemd/system/systemd-logind.service": None,
}


def cgroup_hierarchy():
    """Where control groups of version 2 are mounted, or None."""
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options = line.split()[:4]
        if kind == "cgroup2" and "rw" in options.split(","):
            return pathlib.Path(place)
    return None


def missing():
    """What there is not here for it; None when there is everything."""
    if os.geteuid() != 0:
        return "only root may"
    if not os.path.exists("/lib/systemd/systemd"):
        return "there is no systemd"
    if cgroup_hierarchy() is None:
        return "there are no control groups of version 2"
    with tempfile.TemporaryDirectory() as scratch:
        script = ('mount -t tmpfs tmpfs "$1" && cd "$1" && mkdir a b c && '
                  'mount -t overlay overlay -o lowerdir=/usr,upperdir=a,workdir=b c && '
                  'mount -t cgroup2 cgroup2 b && mount -t sysfs sysfs a')
        tried = subprocess.run(
            ["unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork", "sh",
             "-c", script, "sh", scratch], stderr=subprocess.PIPE, text=True, check=False)
    return tried.stderr.strip() if tried.returncode != 0 else None


def enter():
    """Goes on in a network and with mounts of its own: the program starts anew in them."""
    if os.environ.get("BREAKER_BOOTED") != str(os.getpid()):
        os.environ["BREAKER_BOOTED"] = str(os.getpid())
        os.execvp("unshare", ["unshare", "--mount", "--net", sys.executable, "-B", *sys.argv])


class System:
    """It is up when the constructor returns. `installed` is laid over /usr, `files` are {path:
    text} beside it, and `enabled` units start with it."""

    def __init__(self, installed, files, enabled=()):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="breaker-booted-"))
        self.root = self.scratch / "root"
        self.cgroup = cgroup_hierarchy() / f"breaker-booted-{os.getpid()}"
        self.process = self.first = None
        try:
            self.make_root(installed, {**FILES, **files})
            for unit in enabled:
                subprocess.run(["systemctl", f"--root={self.root}", "enable", "--quiet", unit],
                               check=True)
            self.boot()
        except BaseException:
            self.end()
            raise

    def make_root(self, installed, files):
        root = self.root
        root.mkdir(mode=0o755)
        os.chmod(self.scratch, 0o755)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", root], check=True)
        for name in ("usr", "dev", "proc", "sys", "run", "before", "root", "home", "etc",
                     "var/tmp", "var/log/journal", "var/lib", "var/cache", "tmp", "usr.up/upper",
                     "usr.up/work"):
            (root / name).mkdir(parents=True)
        for name in ("tmp", "var/tmp"):
            os.chmod(root / name, 0o1777)
        for name in ("bin", "sbin", "lib", "lib64"):
            os.symlink(f"usr/{name}", root / name)
        os.symlink("../run", root / "var/run")
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir={installed}/usr:/usr,upperdir={root}/usr.up/upper,"
                        f"workdir={root}/usr.up/work", root / "usr"], check=True)
        for name in ("ld.so.cache", "services"):
            shutil.copy(f"/etc/{name}", root / "etc")
        for name, text in files.items():
            self.write(name, text)

    def boot(self):
        self.cgroup.mkdir()
        self.console = open(self.scratch / "console", "w+")
        self.process = subprocess.Popen(
            ["sh", "-euc", 'echo $$ >"$1/cgroup.procs"; exec unshare --mount --pid --uts --ipc '
             '--cgroup --fork --kill-child sh -euc "$2" sh "$3"', "sh", self.cgroup, INIT,
             self.root], stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console)
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        self.first = int(self.wait_for(lambda: pathlib.Path(children).read_text().split(),
                                       "the first process")[0])
        self.wait_for(lambda: self.state() in ("running", "degraded"), "the end of the boot")

    def state(self):
        return self.run("systemctl", "is-system-running").stdout.strip()

    # ---- what is done in it ----

    def write(self, name, text):
        """A file; a link to /dev/null for None, which is how systemd has no such unit."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.symlink_to("/dev/null")
        elif isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text)
        return path

    def run(self, *command, timeout=DEADLINE_S * 3):
        """A command in it, its output and error output in one."""
        return subprocess.run(
            ["nsenter", f"--target={self.first}", "--mount", "--pid", "--uts", "--ipc", "--cgroup",
             "--root", "--wd", "--", *map(str, command)],
            env={"PATH": "/usr/sbin:/usr/bin", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "cat",
                 "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=timeout)

    def wait_for(self, condition, what):
        deadline = time.monotonic() + DEADLINE_S
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.console.seek(0)
                raise AssertionError(f"waited in vain for {what}: {self.console.read()}")
            time.sleep(0.02)

    def end(self):
        if self.process is not None:
            if self.first is not None:
                os.kill(self.first, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            self.console.close()
        for path in sorted(self.cgroup.rglob("*"), reverse=True) + [self.cgroup]:
            deadline = time.monotonic() + DEADLINE_S
            while path.is_dir() and time.monotonic() < deadline:
                try:
                    path.rmdir()
                except OSError:
                    time.sleep(0.02)
        for name in ("usr", "."):
            subprocess.run(["umount", "-l", self.root / name], stderr=subprocess.DEVNULL,
                           check=False)
        shutil.rmtree(self.scratch, ignore_errors=True)
