"""The table of peers: which programs are measured, and how each is configured.

A product may stand here with several settings; what it is judged by is the best of them in each
workload. The configurations are templates in bench/conf, with @NAMES@ replaced.
"""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from server import Failure
from workloads import OLDER, TOKEN

CONF = Path(__file__).resolve().parent / "conf"
RELEASE = "bench"


@dataclass(frozen=True)
class Peer:
    name: str
    # peers of one product are settings of it
    product: str
    program: str
    template: str
    arguments: tuple[str, ...]
    version_arguments: tuple[str, ...]
    # what the template's @USER@ becomes for root, who could otherwise not read the site
    user: str = "user: root"
    settings: dict[str, str] = field(default_factory=dict)
    # the product that it is compared with
    baseline: str = "nginx"
    # the cluster's name in Redis, or none
    app: str = ""
    # whether the token moves while it is measured
    moves: bool = False

    def command(self, conf: Path) -> list[str]:
        return [self.program, *self.arguments, str(conf)]

    def version(self) -> str:
        if not os.access(self.program, os.X_OK):
            raise Failure(f"{self.name}: there is no program {self.program}")
        done = subprocess.run(
            [self.program, *self.version_arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        lines = done.stdout.strip().splitlines()
        return lines[0] if lines else "unknown"

    def configure(self, directory: Path, site: Path, port: int) -> Path:
        """Writes the configuration into the peer's directory and returns its path."""
        values = {
            "DIR": str(directory),
            "SITE": str(site),
            "PORT": str(port),
            "TOKEN": TOKEN,
            "OLDER": OLDER,
            "OLDER_THAN_CURRENT": older_than(TOKEN),
            "RELEASE": RELEASE,
            "USER": self.user if os.geteuid() == 0 else "",
            **self.settings,
        }
        template = without_comments((CONF / self.template).read_text())
        text = re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], template)
        directory.mkdir(parents=True, exist_ok=True)
        conf = directory / self.template
        conf.write_text(text)
        return conf


def without_comments(text: str) -> str:
    return "".join(line for line in text.splitlines(True) if not line.lstrip().startswith("#"))


def older_than(token: str) -> str:
    """A regular expression for the decimal tokens whose value is below `token`'s."""
    digits = token.lstrip("0")
    choices = [f"\\d{{1,{len(digits) - 1}}}"] if len(digits) > 1 else []
    for at, digit in enumerate(digits):
        if digit != "0":
            rest = len(digits) - at - 1
            tail = f"\\d{{{rest}}}" if rest else ""
            choices.append(f"{digits[:at]}[0-{int(digit) - 1}]{tail}")
    return f"0*(?:{'|'.join(choices)})"


def peers(build: Path) -> list[Peer]:
    nginx = {
        "product": "nginx",
        "program": "/usr/sbin/nginx",
        "template": "nginx.conf",
        "arguments": ("-c",),
        "version_arguments": ("-v",),
        "user": "user root;",
    }
    ours = {
        "template": "h2o-breaker.conf",
        "arguments": ("-c",),
        "version_arguments": ("--version",),
    }
    return [
        Peer("nginx, read", settings={"SENDFILE": "sendfile off;"}, **nginx),
        Peer("nginx, sendfile", settings={"SENDFILE": "sendfile on; tcp_nopush on;"}, **nginx),
        Peer("h2o", "h2o", "/usr/bin/h2o", "h2o.conf", ("-c",), ("--version",)),
        Peer("h2o-breaker", "h2o-breaker", str(build / "bin/h2o-breaker"), **ours),
        Peer("h2o-breaker-uv", "h2o-breaker-uv", str(build / "bin/h2o-breaker-uv"), **ours),
    ]


def nodes(build: Path, redis_port: int) -> list[Peer]:
    """Each flavour on a node of its own: alone, in a cluster, in a cluster whose token moves."""

    def node(program: str, mode: str, poll: str) -> Peer:
        name = f"{program}, {mode}"
        app = re.sub(r"[^a-z0-9]+", "-", name) if poll else ""
        redis = f"redis: redis://127.0.0.1:{redis_port}"
        cluster = f"breaker.cluster: {{app: {app}, {redis}, poll: {poll}}}"
        return Peer(
            name,
            name,
            str(build / "bin" / program),
            "node.conf",
            ("-c",),
            ("--version",),
            settings={"CLUSTER": cluster if poll else ""},
            baseline=f"{program}, alone",
            app=app,
            moves=mode == "moving",
        )

    modes = (("alone", ""), ("cluster", "1s"), ("moving", "100ms"))
    programs = ("h2o-breaker", "h2o-breaker-uv")
    return [node(program, mode, poll) for program in programs for mode, poll in modes]
