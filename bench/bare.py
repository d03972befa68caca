"""The bare loops' command line: they answer every workload with bytes that h2o-breaker gave."""

from pathlib import Path

from ask import Request
from peers import Peer
from server import Server, free_port


def start(peer: Peer, answers: list[Request], directory: Path, cores: list[int]) -> list[Server]:
    """One process; a view of it for each answer, at the port that gives this answer."""
    own = directory / peer.directory_name
    own.mkdir(parents=True, exist_ok=True)
    ports, arguments = [], []
    for at, answer in enumerate(answers):
        path = own / f"answer-{at}"
        path.write_bytes(answer.raw)
        # held until all are known, lest one is given twice
        while (port := free_port()) in ports:
            pass
        ports.append(port)
        arguments.append(f"{port}:{path}")
    server = Server(peer.name, [peer.program, *arguments], ports[0], cores, own)
    return [server.at_port(port) for port in ports]
