"""A visit, as a browser makes it: the page, what it names in parallel, what is imported once its
importer is there, and lazy modules later. Every byte is checked against the release of the page.

As the standards have it, a relative reference is resolved against the URL that the answer came from
in the end, so that a redirected module takes its imports along to the other release; and a module
whose import fails does not run, and imports nothing later.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from http_client import Broken, Client, Response
from releases import (
    PAGE_REFERENCES,
    RELEASE_OF_PAGE,
    Release,
    path_of,
    references_in,
    release,
)

LAZY_PER_VISIT = 3
HOPS = 5


class Observer(Protocol):
    """Who counts. `path` is that below the prefix, empty for the page."""

    def answered(
        self, path: str, wire_bytes: int, hops: int, seconds: float, server: str
    ) -> None: ...

    def failed(
        self, path: str, what: str, server: str, page: int, began_s: float
    ) -> None: ...

    def wrong(self, path: str, what: str, server: str, page: int) -> None: ...


@dataclass
class Cached:
    response: Response
    fresh_until: float


@dataclass
class Cache:
    """What a browser keeps: by URL, fresh for as long as Cache-Control says, asked about after."""

    entries: dict[str, Cached] = field(default_factory=dict)

    def fresh(self, url: str) -> Response | None:
        found = self.entries.get(url)
        return found.response if found and time.monotonic() < found.fresh_until else None

    def condition(self, url: str) -> str:
        found = self.entries.get(url)
        etag = found.response.headers.get("etag") if found else None
        return f"If-None-Match: {etag}\r\n" if etag else ""

    def take(self, url: str, response: Response) -> Response:
        """Stores an answer; returns it, or what it says is still right."""
        rules = response.headers.get("cache-control", "")
        if response.status == 304 and url in self.entries:
            response = self.entries[url].response
        elif response.status != 200 or "no-store" in rules:
            return response
        age = 0
        for rule in rules.split(","):
            name, _, value = rule.strip().partition("=")
            if name == "max-age" and value.isdigit():
                age = int(value)
        if "no-cache" in rules:
            age = 0
        self.entries[url] = Cached(response, time.monotonic() + age)
        return response


@dataclass
class Plan:
    """When lazy modules are imported: `lazy` of them, each within so many seconds of the page."""

    lazy_within_s: float
    lazy: int = LAZY_PER_VISIT


class Visit:
    """One load of the page, with all that follows from it."""

    def __init__(
        self,
        port: int,
        is_hashed: bool,
        plan: Plan,
        observer: Observer,
        cache: Cache | None = None,
    ) -> None:
        self._client = Client(port)
        self._is_hashed = is_hashed
        self._plan = plan
        self._observer = observer
        self._cache = cache
        self._page: Release | None = None
        self._loads: dict[str, asyncio.Task[bool]] = {}
        # URLs that only a redirected or wrong file has named
        self._astray: set[str] = set()
        self._lazy: list[str] = []
        self.has_failed = False
        self.has_wrong = False

    async def run(self) -> None:
        began_s = time.monotonic()
        try:
            await self._load_page()
        finally:
            self._client.close()
        chosen = random.sample(self._lazy, min(self._plan.lazy, len(self._lazy)))
        within_s = self._plan.lazy_within_s
        await asyncio.gather(
            *(self._load_later(url, began_s + random.uniform(0, within_s)) for url in chosen)
        )
        self._client.close()

    async def _load_page(self) -> None:
        answer, url, hops, seconds = await self._fetch("/", "")
        if answer is None:
            return
        found = RELEASE_OF_PAGE.search(answer.body)
        if found is None:
            self._fail("", "a page of nobody's", answer.headers, time.monotonic() - seconds)
            return
        self._page = release(int(found[1]), self._is_hashed)
        self._observer.answered("", answer.wire_bytes, hops, seconds, _server(answer.headers))
        references = [text.decode() for text in PAGE_REFERENCES.findall(answer.body)]
        await self._load_all([urljoin(url, text) for text in references])

    async def _load_all(self, urls: list[str]) -> bool:
        return all(await asyncio.gather(*map(self._load, urls)))

    async def _load_later(self, url: str, at_s: float) -> None:
        await asyncio.sleep(max(0, at_s - time.monotonic()))
        await self._load(url)
        self._client.close()

    def _load(self, url: str) -> "asyncio.Task[bool]":
        """Each URL once, whoever refers to it."""
        if url not in self._loads:
            self._loads[url] = asyncio.create_task(self._load_asset(url))
        return self._loads[url]

    async def _load_asset(self, url: str) -> bool:
        path = path_of(url)
        answer, final_url, hops, seconds = await self._fetch(url, path)
        if answer is None:
            return False
        self._observer.answered(path, answer.wire_bytes, hops, seconds, _server(answer.headers))
        assert self._page is not None
        expected = self._page.files.get(path)
        if answer.body == expected:
            now, later = self._page.references[path]
        else:
            self.has_wrong = True
            what = "after a redirect" if hops else "at the URL itself"
            self._observer.wrong(path, what + self._why(url), _server(answer.headers), self._page.number)
            now, later = references_in(path, answer.body)
        urls = [urljoin(final_url, reference) for reference in now]
        late_urls = [urljoin(final_url, reference) for reference in later]
        if hops or url in self._astray:
            self._astray.update(each for each in urls + late_urls if each not in self._loads)
        # No import cycles in this site, so that waiting for imports ends.
        is_whole = await self._load_all(urls)
        if is_whole:
            self._lazy += late_urls
        return is_whole

    def _why(self, url: str) -> str:
        return ", imported by a redirected file" if url in self._astray else ""

    async def _fetch(self, url: str, path: str) -> tuple[Response | None, str, int, float]:
        """The answer with status 200, or None, where it came from, redirects on the way, and how
        long it took."""
        began_s = time.monotonic()
        asked = url
        answer = None
        for hops in range(HOPS):
            try:
                answer = await self._ask(url)
            except Broken as broken:
                self._fail(path, str(broken), broken.headers, began_s)
                return None, url, hops, 0
            if answer.status not in (301, 302, 307, 308):
                break
            url = urljoin(url, answer.headers["location"])
        assert answer is not None
        if answer.status != 200:
            is_own = "x-server" in answer.headers and "x-answered" not in answer.headers
            what = f"{'the balancer has ' if is_own else ''}status {answer.status}"
            what += " after a redirect" if hops else ""
            self._fail(path, what + self._why(asked), answer.headers, began_s)
            return None, url, hops, 0
        return answer, url, hops, time.monotonic() - began_s

    async def _ask(self, url: str) -> Response:
        target = urlsplit(url)
        text = target.path + (f"?{target.query}" if target.query else "")
        if self._cache is None:
            return await self._client.get(text)
        found = self._cache.fresh(text)
        if found is not None:
            return Response(found.status, found.headers, found.body, 0)
        answer = await self._client.get(text, self._cache.condition(text))
        kept = self._cache.take(text, answer)
        return Response(kept.status, kept.headers, kept.body, answer.wire_bytes)

    def _fail(self, path: str, what: str, headers: dict[str, str], began_s: float) -> None:
        self.has_failed = True
        page = self._page.number if self._page else -1
        self._observer.failed(path, what, _server(headers), page, began_s)


def _server(headers: dict[str, str]) -> str:
    """Which node it came from, or was expected from; the balancer says so."""
    return headers.get("x-server", "none")
