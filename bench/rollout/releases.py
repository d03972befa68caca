"""The site that is deployed: releases whose pages name assets that import each other.

A release is made from its number alone, so that whoever loads the site can check every byte against
the release that rendered the page. A typical deploy changes some of the files: each has a stride,
the number of releases after which its content is another one.
"""

import hashlib
import random
import re
from dataclasses import dataclass, field
from functools import lru_cache

# what a page, a module or a stylesheet refers to, as a browser would find it
PAGE_REFERENCES = re.compile(rb'(?:src|href)="([^"]+)"')
MODULE_REFERENCES = re.compile(rb'^(?:import|export)[^"\n]*from "([^"]+)"', re.MULTILINE)
LAZY_REFERENCES = re.compile(rb'import\("([^"]+)"\)')
STYLE_REFERENCES = re.compile(rb'url\("([^"]+)"\)')
RELEASE_OF_PAGE = re.compile(rb'<meta name="release" content="(\d+)">')
# where the assets of a site with a token in its URLs begin, before the token is put in
TOKEN_PREFIX = "/static/{breaker}/"
HASHED_PREFIX = "/assets/"


@dataclass(frozen=True)
class Kind:
    """A file of the site: what it refers to, its size, and every how many releases it changes."""

    path: str
    size: int
    stride: int
    imports: tuple[str, ...] = ()
    lazy: tuple[str, ...] = ()


NUM_CHUNKS = 8
NUM_LAZY = 6
NUM_IMAGES = 5
NEVER = 1 << 30


def _kinds() -> list[Kind]:
    """In the order of their making: what is referred to stands first."""
    fonts = [Kind(f"fonts/text-{n}.woff2", 24_000, NEVER) for n in range(2)]
    images = [Kind(f"img/picture-{n}.webp", 12_000, 4 + n) for n in range(NUM_IMAGES)]
    backgrounds = tuple(k.path for k in fonts + images[:2])
    style = Kind("css/site.css", 20_000, 2, backgrounds)
    vendor = Kind("js/vendor.js", 120_000, 8)
    shared = Kind("js/shared.js", 6_000, 3, (vendor.path,))
    base = (vendor.path, shared.path)
    chunks = [Kind(f"js/chunk-{n}.js", 8_000, 1 + n, base) for n in range(NUM_CHUNKS)]
    common = Kind("js/lazy-common.js", 5_000, 2, (shared.path,))
    lazy = [
        Kind(f"js/lazy-{n}.js", 8_000, 1 + n % 3, (common.path, vendor.path))
        for n in range(NUM_LAZY)
    ]
    entry = Kind(
        "js/app.js", 30_000, 1, (*base, *(k.path for k in chunks)), tuple(k.path for k in lazy)
    )
    return [*fonts, *images, style, vendor, shared, *chunks, common, *lazy, entry]


KINDS = _kinds()
ENTRY = "js/app.js"
STYLE = "css/site.css"
PICTURES = tuple(f"img/picture-{n}.webp" for n in range(2, NUM_IMAGES))


@lru_cache(maxsize=4096)
def _filler(path: str, version: int, size: int) -> bytes:
    """Text that no other version of the file has, and that compresses about as scripts do not."""
    return random.Random(f"{path} {version}").randbytes(size // 2).hex().encode()


def version_of(kind: Kind, number: int) -> int:
    """Not all files of one stride change in the same release."""
    offset = sum(kind.path.encode()) % kind.stride if kind.stride < NEVER else 0
    return (number + offset) // kind.stride


def _content(kind: Kind, number: int, name_of: dict[str, str]) -> bytes:
    version = version_of(kind, number)
    lines = [f"/* {kind.path}, version {version} */"]
    if kind.path.endswith(".js"):
        lines += [f'import {{a as a{n}}} from "{_beside(kind.path, name_of[path])}";'
                  for n, path in enumerate(kind.imports)]
        lines += [f'export const go{n} = () => import("{_beside(kind.path, name_of[path])}");'
                  for n, path in enumerate(kind.lazy)]
        lines += ["export const a = /*"]
    else:
        lines += [f'.b{n} {{background: url("{_beside(kind.path, name_of[path])}")}}'
                  for n, path in enumerate(kind.imports)]
        lines += ["/*"]
    head = "\n".join(lines).encode() + b" "
    return head + _filler(kind.path, version, max(0, kind.size - len(head))) + b" */ 0;\n"


def _beside(path: str, other: str) -> str:
    """The relative URL of one file from another's, both one directory deep."""
    here, there = path.partition("/")[0], other.partition("/")
    return f"./{there[2]}" if here == there[0] else f"../{other}"


@dataclass(frozen=True)
class Release:
    """Files by the path below the prefix of their URLs, and the page, whose prefix comes before."""

    number: int
    files: dict[str, bytes]
    page: bytes
    # path → (what is imported or shown at once, what is imported later)
    references: dict[str, tuple[list[str], list[str]]] = field(repr=False)


def references_in(path: str, content: bytes) -> tuple[list[str], list[str]]:
    """What a browser would load for this file: at once, and later."""
    if path.endswith(".js"):
        found, later = MODULE_REFERENCES.findall(content), LAZY_REFERENCES.findall(content)
    elif path.endswith(".css"):
        found, later = STYLE_REFERENCES.findall(content), []
    else:
        return [], []
    return [url.decode() for url in found], [url.decode() for url in later]


def _page(number: int, name_of: dict[str, str], prefix: str) -> bytes:
    pictures = "".join(f'<img src="{prefix}{name_of[p]}" alt="">\n' for p in PICTURES)
    return (
        f'<!doctype html>\n<meta name="release" content="{number}">\n'
        f'<link rel="stylesheet" href="{prefix}{name_of[STYLE]}">\n'
        f'<script type="module" src="{prefix}{name_of[ENTRY]}"></script>\n{pictures}'
    ).encode()


@lru_cache(maxsize=256)
def release(number: int, is_hashed: bool) -> Release:
    """Release `number`, with hashes in its file names or, to be served under a token, without."""
    files: dict[str, bytes] = {}
    name_of = {kind.path: kind.path for kind in KINDS}
    for kind in KINDS:
        content = _content(kind, number, name_of)
        if is_hashed:
            stem, _, suffix = kind.path.rpartition(".")
            name_of[kind.path] = f"{stem}-{hashlib.sha256(content).hexdigest()[:10]}.{suffix}"
        files[name_of[kind.path]] = content
    page = _page(number, name_of, HASHED_PREFIX if is_hashed else TOKEN_PREFIX)
    return Release(
        number, files, page, {path: references_in(path, content) for path, content in files.items()}
    )


def path_of(url_path: str) -> str:
    """The path of an asset below its prefix: /static/TOKEN/js/app.js → js/app.js."""
    _, first, rest = url_path.split("/", 2)
    return rest if first == "assets" else rest.partition("/")[2]
