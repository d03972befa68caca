"""Runs a suite: starts its servers, checks their answers, measures in rounds."""

import contextlib
import os
import resource
from dataclasses import dataclass, replace
from pathlib import Path

import bare
import cpu
import pages
from ask import Request, ask_each, prepare, prepare_mixed
from figures import Result, Sample
from load import Load, run_load
from peers import BARE, OURS, PEER, Peer, Place, bare_loops
from server import Failure, Loss, Server, free_port
from site_files import files_below
from suites import Suite
from workloads import TOKEN, Workload

CODINGS = ("br", "zstd", "gzip")
# for 10,000 connections, each with a file, and some more
DESCRIPTORS = 32768
LARGE_SECONDS = 2
# a peer that can do less than this much of the rate on its core cannot be asked at the rate
ROOM = 1.15


@dataclass(frozen=True)
class Settings:
    """What holds for the whole run."""

    build: Path
    directory: Path
    certificate: Path
    key: Path
    assets: Path
    documentation: Path
    rounds: int
    seconds: int
    # whether every server is loaded for a while before anything counts
    warm_up: bool = True
    # no higher than this, where a rate is fixed
    rate_max: int | None = None

    @property
    def programs(self) -> Path:
        return self.build / "bin"


@dataclass(frozen=True)
class Target:
    """A server with what it is asked, checked beforehand; a bare loop has a port for each."""

    peer: Peer
    server: Server
    requests: dict[str, Request]


def allow_descriptors() -> int:
    """Raises the limit for this program and what it starts; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS and os.geteuid() == 0:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
            return DESCRIPTORS
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    return wanted


def start(peer: Peer, place: Place, cores: list[int]) -> Server:
    command, environment = peer.configure(place)
    return Server(peer.name, command, place.port, cores, place.directory, environment)


def measure(server: Server, request: Request, turn: int, load: Load) -> Sample:
    before = server.time_when_idle()
    run = run_load(request, load)
    spent = server.time_when_idle().since(before)
    server.check_alive()
    return Sample(
        peer=server.name,
        workload=request.workload.name,
        round=turn,
        requests=run.requests,
        wall_s=run.wall_s,
        server_cpu_s=spent.busy / 1e9,
        server_waited_s=spent.waiting / 1e9,
        load_waited_s=run.waited_s,
        redirects=run.redirects,
        connections=run.connections,
        latency=run.latency,
    )


class Runner:
    """One suite, from the start of its servers to their end."""

    def __init__(self, suite: Suite, peers: list[Peer], settings: Settings):
        self.suite = suite
        self.settings = settings
        self.peers = [peer for peer in peers if suite.has(peer)]
        self.cores = cpu.choose_cores(suite.threads)
        self.stolen_s = 0.0
        self._directory = settings.directory / "servers" / suite.name
        self._mixed = any(workload.mixed for workload in suite.workloads)
        self._site = settings.documentation if self._mixed else settings.assets
        self._load = Load(
            connections=suite.connections,
            streams=suite.streams,
            seconds=max(settings.seconds, suite.seconds_min),
            core=self.cores.load,
            programs=settings.programs,
        )

    def run(self) -> Result:
        suite = self.suite
        with contextlib.ExitStack() as stack:
            targets = self._start(stack)
            result = Result(
                suite.name,
                suite.title,
                [target.peer for target in targets],
                list(suite.workloads),
            )
            print("  every answer is right", flush=True)
            able = self._calibrate(targets, result) if suite.at_half_peak else {}
            if self.settings.warm_up and not suite.at_half_peak:
                self._warm_up(targets)
            stolen_before_s = sum(map(cpu.stolen_s, self.cores.servers))
            for turn in range(self.settings.rounds):
                print(f"  round {turn + 1} of {self.settings.rounds}", flush=True)
                self._round(targets, turn, result, able)
            self.stolen_s = sum(map(cpu.stolen_s, self.cores.servers)) - stolen_before_s
            self._look_at_memory(targets, result)
        return result

    def _start(self, stack: contextlib.ExitStack) -> list[Target]:
        behind = self._start_behind(stack)
        servers = []
        for peer in self.peers:
            if peer.role != BARE:
                place = replace(self._place(peer.directory_name), **behind)
                servers.append((peer, start(peer, place, self.cores.servers)))
                stack.callback(servers[-1][1].end)
        for _, server in servers:
            server.wait_until_listening()
        for peer, server in servers:
            if peer.role == OURS:
                server.wait_until_quiet()
        targets = [Target(peer, server, self._prepare(peer, server)) for peer, server in servers]
        return targets + self._start_bare(stack, targets)

    def _place(self, name: str) -> Place:
        settings = self.settings
        return Place(
            directory=self._directory / name,
            site=self._site,
            port=free_port(),
            protocol=self.suite.protocol,
            threads=self.suite.threads,
            certificate=settings.certificate,
            key=settings.key,
            without_encodings=self._mixed,
        )

    def _start_behind(self, stack: contextlib.ExitStack) -> dict[str, int]:
        """What stands behind the servers, on the load's core: the ports of a place."""
        if self.suite.of_proxies:
            small, large = pages.start_application(
                bare_loops(self.settings.build)[0], self._directory / "application", self.cores.load
            )
            stack.callback(small.end)
            small.wait_until_listening()
            return {"small_port": small.port, "large_port": large.port}
        backends = [peer.backend for peer in self.peers if peer.backend is not None]
        return {"backend_port": self._start_backend(backends[0], stack)} if backends else {}

    def _start_backend(self, backend: Peer, stack: contextlib.ExitStack) -> int:
        """Behind a cache: the first of nginx's settings."""
        place = replace(self._place("backend"), protocol="HTTP/1.1", threads=1)
        server = start(backend, place, [self.cores.load])
        stack.callback(server.end)
        server.wait_until_listening()
        return place.port

    def _start_bare(self, stack: contextlib.ExitStack, targets: list[Target]) -> list[Target]:
        """Their answers are ours, taken just now."""
        loops = [peer for peer in self.peers if peer.role == BARE]
        models = [target for target in targets if target.peer.role == OURS]
        if not models:
            return []
        started = []
        for peer in loops:
            answers = list(models[0].requests.values())
            servers = bare.start(peer, answers, self._directory, self.cores.servers)
            stack.callback(servers[0].end)
            for server in servers:
                server.wait_until_listening()
            requests = {
                answer.workload.name: prepare(server, answer.workload)
                for server, answer in zip(servers, answers, strict=True)
            }
            started.append(Target(peer, servers[0], requests))
        return started

    def _prepare(self, peer: Peer, server: Server) -> dict[str, Request]:
        return {
            workload.name: self._prepare_one(server, workload)
            for workload in self.suite.workloads
            if workload.name not in peer.cannot
        }

    def _prepare_one(self, server: Server, workload: Workload) -> Request:
        if workload.mixed:
            return prepare_mixed(server, workload, self._site, self.settings.directory)
        return prepare(server, workload, self.suite.protocol)

    def _warm_up(self, targets: list[Target]) -> None:
        for target in targets:
            request = next(iter(target.requests.values()))
            run_load(request, replace(self._load, seconds=1 if self._load.seconds < 5 else 3))

    def _calibrate(self, targets: list[Target], result: Result) -> dict[str, set[str]]:
        """Finds the rates; returns, by workload, who can keep up with them.

        A rate is half of the most requests per second that a peer did. Who can keep up with it is
        told by what a whole second of its core is worth; ours has to.
        """
        load = replace(self._load, seconds=1)
        turns = 2 if self.settings.warm_up else 1
        able = {}
        for workload in self.suite.workloads:
            found = [
                (target.peer, measure(target.server, request, turn, load))
                for turn in range(turns)
                for target in targets
                if (request := target.requests.get(workload.name))
            ]
            peaks = [run.per_s for peer, run in found if peer.role == PEER]
            rate = int(max(peaks or [run.per_s for _, run in found]) / 2)
            rate = min(rate, self.settings.rate_max or rate)
            result.rates[workload.name] = rate
            able[workload.name] = {
                peer.name
                for peer, run in found
                if peer.role == OURS or run.per_cpu_s >= ROOM * rate
            }
        return able

    def _round(
        self, targets: list[Target], turn: int, result: Result, able: dict[str, set[str]]
    ) -> None:
        first = turn % len(targets)
        for workload in self.suite.workloads:
            load = self._load_of(workload, result.rates.get(workload.name, 0))
            for target in targets[first:] + targets[:first]:
                request = target.requests.get(workload.name)
                if not request or (able and target.peer.name not in able[workload.name]):
                    continue
                try:
                    result.samples.append(measure(target.server, request, turn, load))
                except Loss as loss:
                    if target.peer.role == OURS:
                        raise
                    del target.requests[workload.name]
                    result.leave_out(target.peer.name, workload.name, str(loss))
                    print(f"  left out: {result.losses[-1]}", flush=True)

    def _load_of(self, workload: Workload, rate: int) -> Load:
        if workload.large and self.suite.streams > 1:
            # hundreds of large answers at a time would all end after the run
            seconds = max(self._load.seconds, LARGE_SECONDS)
            return replace(self._load, streams=1, seconds=seconds)
        return replace(self._load, rate=rate)

    def _look_at_memory(self, targets: list[Target], result: Result) -> None:
        for target in targets:
            if target.peer.role != BARE:
                result.memory_bytes[target.peer.name] = target.server.memory_bytes()
        if self.suite.name in ("http1", "site"):
            for target in targets:
                if target.peer.role == OURS:
                    result.kept_bytes[target.peer.name] = self._kept(target.server)

    def _kept(self, server: Server) -> int:
        """What a server of ours holds: the files, and every encoding that it gives out."""
        targets = [f"/static/{TOKEN}/{name}" for name in files_below(self._site)]
        total = 0
        for coding in ("identity", *(() if self._mixed else CODINGS)):
            for answer in ask_each(server, targets, f"Accept-Encoding: {coding}"):
                given = answer.headers.get("content-encoding", "identity")
                if answer.status == 200 and given == coding:
                    total += len(answer.body)
        return total


def run_suites(suites: list[Suite], peers: list[Peer], settings: Settings):
    """Yields what each suite found; a suite that this machine has no descriptors for is told."""
    descriptors = allow_descriptors()
    for suite in suites:
        runner = Runner(suite, peers, settings)
        # a connection and the file that it gets
        if suite.connections * 2 > descriptors:
            print(f"\n{suite.title}: left out, {descriptors} descriptors are too few", flush=True)
            continue
        if not runner.peers:
            continue
        print(f"\n{suite.title}", flush=True)
        yield runner, runner.run()
