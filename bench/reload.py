"""What a reload of an unchanged tree costs: CPU of the new worker until it serves in the place of the
one before, and until it does nothing any more.

    /usr/bin/python3 bench/reload.py [--build DIRECTORY] [--reloads TIMES] [--files NUMBER] [--bare]

The files are those of `start.py --many`; there is an archive, and a cache of encodings, and both are
filled before the first reload. The page cache is warm. Medians, and the range. With --bare no file is
encoded.
"""

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from server import free_port
from start import cpu_s, is_encoding, make_many, resident

CONFIG = """\
listen: {{host: 127.0.0.1, port: {port}}}
num-threads: 1
breaker.archive: {scratch}/archive
breaker.encoding-cache: {scratch}/encodings
shutdown-timeout: 1
hosts:
  default:
    paths:
      "/":
        breaker.static: {{name: "static/{{breaker}}", path: {scratch}/site, encodings: {encodings}}}
"""


def workers(pid: int) -> list[int]:
    return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def is_busy(pid: int) -> bool:
    """Whether a thread runs, waits for its turn or for a disk, or makes encodings."""
    stats = Path(f"/proc/{pid}/task").glob("*/stat")
    states = [path.read_text().rpartition(")")[2].split()[0] for path in stats]
    return is_encoding(pid) or "R" in states or "D" in states


def wait_idle(pid: int) -> float:
    """Until it has had nothing to do for two seconds; returns how much CPU it has used."""
    since = time.monotonic()
    while time.monotonic() - since < 2:
        time.sleep(0.02)
        if is_busy(pid):
            since = time.monotonic()
    return cpu_s(pid)


def count(log: Path, text: str) -> int:
    return log.read_text().count(text)


def reload(master: int, log: Path) -> tuple[float, float, float]:
    """Returns seconds and CPU until the new worker serves, and its CPU until it is idle."""
    before = count(log, "event=took-over")
    began = time.monotonic()
    os.kill(master, signal.SIGHUP)
    while count(log, "event=took-over") == before:
        time.sleep(0.005)
    took = time.monotonic() - began
    # process ids start anew at some time: the last one need not be the highest
    pid = int(re.findall(r"event=took-over worker=(\d+)", log.read_text())[-1])
    cpu = cpu_s(pid)
    return took, cpu, wait_idle(pid)


def show(name: str, values: list[float]) -> None:
    print(f"{name}: {statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--reloads", type=int, default=5)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--bare", action="store_true", help="without encodings")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="breaker-bench-"))
    scratch.chmod(0o777)
    log = scratch / "log"
    try:
        total = make_many(scratch / "site", options.files)
        for name in ("archive", "encodings"):
            (scratch / name).mkdir()
            (scratch / name).chmod(0o777)
        config = scratch / "h2o.conf"
        config.write_text(
            CONFIG.format(
                port=free_port(), scratch=scratch, encodings="OFF" if options.bare else "ON"
            )
        )
        with open(log, "wb") as file:
            process = subprocess.Popen(
                [options.build / "bin/h2o-breaker", "-c", config], stdout=file, stderr=file
            )
        try:
            while "event=serving" not in log.read_text():
                time.sleep(0.05)
            print(f"{options.files} files, {total / 1e6:.0f} MB")
            first = workers(process.pid)[-1]
            print(f"first start: {cpu_s(first):.2f} s of CPU until it serves", flush=True)
            print(f"first start: {wait_idle(first):.2f} s of CPU until it is idle", flush=True)
            runs = [reload(process.pid, log) for _ in range(options.reloads)]
            show("reload, s until it serves", [run[0] for run in runs])
            show("reload, s of CPU until it serves", [run[1] for run in runs])
            show("reload, s of CPU until it is idle", [run[2] for run in runs])
            print(f"resident: {resident(workers(process.pid)[-1]) / 1e6:.0f} MB")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
