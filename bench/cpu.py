"""What the kernel says: who used the processors, who waited for them, which to use; memory,
connections.

Processor time comes from /proc/PID/task/TID/schedstat, in nanoseconds, user and system together,
for every thread of every process. The ticks of /proc/PID/stat, 10 ms each, would be too coarse for
short runs.
"""

import os
from dataclasses import dataclass
from pathlib import Path


# taken at the start: later this program keeps to the load's core
_ALLOWED = os.sched_getaffinity(0)


@dataclass(frozen=True)
class Time:
    """Nanoseconds on a processor, and nanoseconds ready to run but kept waiting for one."""

    busy: int
    waiting: int

    def since(self, before: "Time") -> "Time":
        return Time(self.busy - before.busy, self.waiting - before.waiting)


def time_of(pid: int) -> Time:
    """The time of a process and its descendants; what ended meanwhile is left out."""
    busy = waiting = 0
    for process in _family(pid):
        for path in Path(f"/proc/{process}/task").glob("*/schedstat"):
            words = _read(path).split()
            if len(words) == 3:
                busy += int(words[0])
                waiting += int(words[1])
    return Time(busy, waiting)


def _family(pid: int) -> list[int]:
    pids = [pid]
    for parent in pids:
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            pids.extend(int(child) for child in _read(path).split())
    return pids


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def memory_of(pid: int) -> int:
    """The proportional set size of a process and its descendants, in bytes."""
    kib = 0
    for process in _family(pid):
        for line in _read(Path(f"/proc/{process}/smaps_rollup")).splitlines():
            if line.startswith("Pss:"):
                kib += int(line.split()[1])
    return kib * 1024


def established(port: int) -> int:
    """How many TCP connections over IPv4 are open at a local port, on the server's side."""
    local, state = f":{port:04X}", "01"
    lines = (line.split() for line in _read(Path("/proc/net/tcp")).splitlines()[1:])
    # a table that changes while it is read may show a connection twice
    return len({words[2] for words in lines if words[1].endswith(local) and words[3] == state})


def stolen_s(core: int) -> float:
    """Seconds since boot that a hypervisor gave this core to somebody else."""
    for line in Path("/proc/stat").read_text().splitlines():
        words = line.split()
        if words[0] == f"cpu{core}" and len(words) > 8:
            return int(words[8]) / os.sysconf("SC_CLK_TCK")
    return 0.0


@dataclass(frozen=True)
class Cores:
    """Where servers run, and where the load comes from."""

    servers: list[int]
    load: int

    @property
    def shared(self) -> bool:
        return self.load in self.servers


def choose_cores(threads: int) -> Cores:
    """As many cores for the servers as they have threads, and one for the load.

    No two of them are threads of one physical core, if that can be; where there are not enough,
    servers share theirs with the load.
    """
    cores = sorted(_ALLOWED, reverse=True)
    chosen: list[int] = []
    taken: set[int] = set()
    for distinct in (True, False):
        for core in cores:
            if len(chosen) <= threads and core not in chosen and not (distinct and core in taken):
                chosen.append(core)
                taken |= _siblings(core)
    return Cores(chosen[:threads], chosen[-1])


def _siblings(core: int) -> set[int]:
    text = _read(Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"))
    found = {core}
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found
