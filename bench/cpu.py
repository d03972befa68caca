"""What the kernel says about processors: who used them, who waited for them, which to use.

Processor time comes from /proc/PID/task/TID/schedstat, in nanoseconds, user and system together,
for every thread of every process. The ticks of /proc/PID/stat, 10 ms each, would be too coarse for
short runs.
"""

import os
from dataclasses import dataclass
from pathlib import Path


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
    except (FileNotFoundError, ProcessLookupError):
        return ""


def stolen_s(core: int) -> float:
    """Seconds since boot that a hypervisor gave this core to somebody else."""
    for line in Path("/proc/stat").read_text().splitlines():
        words = line.split()
        if words[0] == f"cpu{core}" and len(words) > 8:
            return int(words[8]) / os.sysconf("SC_CLK_TCK")
    return 0.0


def choose_cores() -> tuple[int, int]:
    """The servers' core and the load generator's: not two threads of one core, if that can be."""
    cores = sorted(os.sched_getaffinity(0))
    servers = cores[-1]
    siblings = _siblings(servers)
    others = [core for core in cores if core not in siblings]
    others = others or [core for core in cores if core != servers] or [servers]
    return servers, others[-1]


def _siblings(core: int) -> set[int]:
    text = _read(Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"))
    found = {core}
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found
