"""How soon a server serves 10,000 small files, and what their encodings cost it: without the cache
of encodings, with an empty one, and with the one that the last start left.

    /usr/bin/python3 bench/start.py [--build DIRECTORY] [--starts TIMES] [--warm TIMES]
    /usr/bin/python3 bench/start.py [--build DIRECTORY] [--starts TIMES] --many FILES ...

The files are those of python3-doc and libjs-mathjax up to 64 KiB, filled up with texts of 4 KiB.
The page cache is warm. Ready is when the first answer is there; the encodings are when the thread
that makes them has ended. CPU is the whole process's: to the first answer, from there to that
moment. With nothing to wait for, the first answer is measured by itself as well, several times.

With --many only that, for so many texts of 256 to 768 bytes in directories of 1,000, of which no two
are equal.
"""

import argparse
import http.client
import os
import random
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from server import free_port

FILES = 10_000
SMALL = 64 << 10
PACKAGES = ("/usr/share/doc/python3-doc/html", "/usr/share/javascript/mathjax")
TOKEN = "1718539201234"
THREAD = "breaker-encode"
CONFIG = """\
listen: {{host: 127.0.0.1, port: {port}}}
num-threads: 1
breaker.token: "{token}"
{cache}
hosts:
  default:
    paths:
      "/":
        breaker.static: {{name: "static/{{breaker}}", path: {site}}}
"""


@dataclass(frozen=True)
class Start:
    ready_s: float
    ready_cpu_s: float
    encoded_first: bool
    encoded_s: float
    cpu_s: float
    memory: int


def words(source: random.Random, size: int) -> bytes:
    """Text of rules as a style sheet has them."""
    names = ["color", "margin", "padding", "border", "display", "width", "font-size", "position"]
    lines: list[str] = []
    total = 0
    while total < size:
        rule = f"{source.choice(names)}: {source.randrange(999)}px"
        line = f".c{source.randrange(5000)} {{ {rule} }}\n"
        lines.append(line)
        total += len(line)
    return "".join(lines).encode()[:size]


def make_site(site: Path) -> int:
    """Fills the directory; returns the bytes in it."""
    total = number = 0
    for package in PACKAGES:
        for directory, _, names in sorted(os.walk(package, followlinks=True)):
            for name in sorted(names):
                source = Path(directory, name)
                if not source.is_file() or source.stat().st_size > SMALL:
                    continue
                target = site / Path(package).name / source.relative_to(package)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                number, total = number + 1, total + target.stat().st_size
    if number == 0:
        raise SystemExit("python3-doc and libjs-mathjax are not installed")
    source_of_words = random.Random(1)
    for extra in range(FILES - number):
        target = site / f"text/{extra % 50}/{extra}.css"
        target.parent.mkdir(parents=True, exist_ok=True)
        total += target.write_bytes(words(source_of_words, 4096))
    return total


def make_many(site: Path, number: int) -> int:
    """Fills the directory with so many small files; returns the bytes in them."""
    total = 0
    for at in range(number):
        target = site / f"text/{at // 1000}/{at % 1000}.css"
        if at % 1000 == 0:
            target.parent.mkdir(parents=True)
        text = f"/* {at} */" + ".a{color:red}" * (19 + at % 39)
        total += target.write_bytes(text.encode())
    return total


def ask(port: int) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", f"/static/{TOKEN}/text/0/0.css", headers={"Accept-Encoding": "br"})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, response.headers.get("Content-Encoding", "")


def first_answer(process: subprocess.Popen, port: int) -> str:
    while process.poll() is None:
        try:
            status, encoding = ask(port)
        except OSError:
            time.sleep(0.001)
            continue
        if status == 200:
            return encoding
    raise SystemExit("the server ended before it was ready")


def cpu_s(pid: int) -> float:
    """User and system time, threads that ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_encoding(pid: int) -> bool:
    for path in Path(f"/proc/{pid}/task").glob("*/comm"):
        try:
            if path.read_text().strip() == THREAD:
                return True
        except (FileNotFoundError, ProcessLookupError):
            continue
    return False


def resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def start(
    server: Path, site: Path, scratch: Path, cache: Path | None, to_the_end: bool = True
) -> Start:
    port = free_port()
    config = scratch / "h2o.conf"
    line = f"breaker.encoding-cache: {cache}" if cache else ""
    config.write_text(CONFIG.format(port=port, token=TOKEN, cache=line, site=site))
    with open(scratch / "log", "wb") as log:
        began = time.monotonic()
        process = subprocess.Popen([server, "-c", config, "--no-master"], stdout=log, stderr=log)
    try:
        encoding = first_answer(process, port)
        ready = time.monotonic() - began
        before = cpu_s(process.pid)
        while to_the_end and is_encoding(process.pid):
            time.sleep(0.005)
        encoded = time.monotonic() - began
        used, memory = cpu_s(process.pid) - before, resident(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    return Start(ready, before, encoding != "", encoded, used, memory)


def column(values: list[float]) -> str:
    text = f"{statistics.median(values):.2f}"
    return text if len(values) == 1 else f"{text} ({min(values):.2f}–{max(values):.2f})"


def show(name: str, starts: list[Start]) -> None:
    first = "encoded" if starts[0].encoded_first else "as it is"
    print(
        f"| {name} | {column([s.ready_s for s in starts])} | {first} "
        f"| {column([s.encoded_s for s in starts])} | {column([s.cpu_s for s in starts])} "
        f"| {statistics.median(s.memory for s in starts) / 1e6:.0f} |",
        flush=True,
    )


def start_many(server: Path, numbers: list[int], starts: int) -> None:
    print("| files | MB | first answer, s | CPU, s | resident, MB | bytes a file |")
    print("|---|---|---|---|---|---|", flush=True)
    for number in numbers:
        with tempfile.TemporaryDirectory(prefix="breaker-start-") as name:
            scratch = Path(name)
            scratch.chmod(0o755)
            total = make_many(scratch / "site", number)
            made = [start(server, scratch / "site", scratch, None, False) for _ in range(starts)]
        memory = statistics.median(start.memory for start in made)
        print(
            f"| {number:,} | {total / 1e6:.0f} | {column([s.ready_s for s in made])} "
            f"| {column([s.ready_cpu_s for s in made])} | {memory / 1e6:.0f} "
            f"| {(memory - total) / number:.0f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    root = Path(__file__).resolve().parent.parent
    parser.add_argument("--build", type=Path, default=root / "build")
    parser.add_argument("--starts", type=int, default=9, help="how many starts to the first answer")
    parser.add_argument("--warm", type=int, default=5, help="how many starts with a full cache")
    parser.add_argument("--many", type=int, nargs="+", help="starts with so many small files")
    options = parser.parse_args()
    server = options.build / "bin/h2o-breaker"
    if options.many:
        start_many(server, options.many, options.starts)
        return
    with tempfile.TemporaryDirectory(prefix="breaker-start-") as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        site, cache = scratch / "site", scratch / "cache"
        cache.mkdir()
        cache.chmod(0o777)
        total = make_site(site)
        print(f"{FILES} files, {total / 1e6:.1f} MB")
        starts = [start(server, site, scratch, None, False) for _ in range(options.starts)]
        print(
            f"first answer after {column([s.ready_s for s in starts])} s, "
            f"{column([s.ready_cpu_s for s in starts])} s of CPU\n"
        )
        print("| cache | first answer, s | which | all encodings, s | CPU, s | resident, MB |")
        print("|---|---|---|---|---|---|", flush=True)
        show("none", [start(server, site, scratch, None)])
        show("empty", [start(server, site, scratch, cache)])
        show("full", [start(server, site, scratch, cache) for _ in range(options.warm)])
        kept = [entry.stat() for entry in cache.iterdir()]
        print(f"\nin the cache: {len(kept)} files, {sum(s.st_size for s in kept) / 1e6:.1f} MB, "
              f"{sum(s.st_blocks for s in kept) * 512 / 1e6:.1f} MB on disk")


if __name__ == "__main__":
    main()
