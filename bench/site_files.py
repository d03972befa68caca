"""The files that are served: assets of our own making, a real tree, a certificate.

Everything is the same in every run: random bytes come from fixed seeds.
"""

import base64
import functools
import random
import shutil
import subprocess
from pathlib import Path

import brotli

from server import Failure

FILES = {
    "app-1k.js": 1024,
    "app-16k.js": 16384,
    "app-256k.js": 256 * 1024,
    "app-4m.js": 4 * 1024 * 1024,
    "text.js": 64 * 1024,
}
# the files that compress well
TEXTS = ("text.js",)
DOCUMENTATION = Path("/usr/share/doc/python3-doc/html")
REQUESTS = 50_000
ZIPF_EXPONENT = 1.0


@functools.cache
def asset(name: str) -> bytes:
    """The bytes of an asset: without repetitions, or such as a bundler makes."""
    size = FILES[name]
    chance = random.Random(size)
    if name not in TEXTS:
        return base64.b64encode(chance.randbytes(size))[:size]
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(chance.choices(letters, k=at % 9 + 2)) for at in range(600)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    text = ""
    while len(text) < size:
        some = chance.choices(words, weights, k=4)
        text += f"const {some[0]}=function({some[1]}){{return {some[2]}.{some[3]}}};\n"
    return text.encode()[:size]


def write_assets(directory: Path, names: set[str]) -> None:
    """Each with its brotli sibling, which takes a while and so is made once only."""
    directory.mkdir(parents=True, exist_ok=True)
    for path in directory.iterdir():
        if path.name.removesuffix(".br") not in names:
            path.unlink()
    for name in names:
        path, sibling = directory / name, directory / f"{name}.br"
        if path.exists() and sibling.exists() and path.read_bytes() == asset(name):
            continue
        path.write_bytes(asset(name))
        sibling.write_bytes(brotli.compress(asset(name), quality=11))


def copy_documentation(directory: Path) -> None:
    """Debian's python3-doc: pages, sources, pictures, as real files instead of links."""
    if not (DOCUMENTATION / "index.html").is_file():
        raise Failure(f"there is no {DOCUMENTATION}: the mixed site needs the package python3-doc")
    if directory.exists():
        shutil.rmtree(directory)

    # names that every server handles alike, and no dot files, which h2o-breaker does not serve
    def ignored(_, names: list[str]) -> list[str]:
        return [name for name in names if name.startswith(".") or not name.isascii()]

    shutil.copytree(DOCUMENTATION, directory, ignore=ignored, ignore_dangling_symlinks=True)


def files_below(directory: Path) -> list[str]:
    found = (path.relative_to(directory) for path in directory.rglob("*") if path.is_file())
    return sorted(str(path) for path in found)


def zipf_order(names: list[str]) -> list[int]:
    """Which file each request of the mixed site asks for: some often, most hardly ever."""
    chance = random.Random(len(names))
    ranks = list(range(len(names)))
    chance.shuffle(ranks)
    weights = [1 / (rank + 1) ** ZIPF_EXPONENT for rank in ranks]
    return chance.choices(range(len(names)), weights, k=REQUESTS)


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate of our own for 127.0.0.1 (ECDSA, P-256) and its key; made once."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    if not (certificate.exists() and key.exists()):
        directory.mkdir(parents=True, exist_ok=True)
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
        command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"]
        command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-keyout", str(key), "-out", str(certificate)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"openssl makes no certificate: {done.stderr}")
        key.chmod(0o644)
    return certificate, key
