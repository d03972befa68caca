"""The table of peers: which programs are measured, and how each is configured.

A product may stand here with several settings; what ours is judged by is the best of all products
and settings in each workload. The configurations are templates in bench/conf, with @NAMES@
replaced.
"""

import os
import re
import resource
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

from server import Failure
from workloads import OLDER, TOKEN

CONF = Path(__file__).resolve().parent / "conf"
NGINX_BROTLI = Path("/usr/lib/nginx/modules/ngx_http_brotli_static_module.so")
RELEASE = "bench"

# protocols: HTTP/1.1 and HTTP/2, in cleartext and over TLS
H1, H2, TLS_H1, TLS_H2 = "HTTP/1.1", "HTTP/2", "HTTP/1.1 over TLS", "HTTP/2 over TLS"
PROTOCOLS = (H1, H2, TLS_H1, TLS_H2)
OVER_TLS = (TLS_H1, TLS_H2)

# what a peer is in the comparison
PEER, OURS, BARE, NODE = "peer", "ours", "bare", "node"


@dataclass(frozen=True)
class Place:
    """Where and how a server is to run: what its configuration depends on besides the peer."""

    directory: Path
    site: Path
    port: int
    protocol: str
    threads: int
    certificate: Path
    key: Path
    # a server behind it, for those that need one; or 0
    backend_port: int = 0
    # an application behind it, by the size of its pages; or 0
    small_port: int = 0
    large_port: int = 0
    # the mixed site, whose encodings are not made: they are not asked for
    without_encodings: bool = False


@dataclass(frozen=True)
class Peer:
    name: str
    # peers of one product are settings of it
    product: str
    program: str
    template: str
    version_arguments: tuple[str, ...]
    role: str = PEER
    # @CONF@, @DIR@ and the like stand for themselves here too
    arguments: tuple[str, ...] = ("-c", "@CONF@")
    environment: dict[str, str] = field(default_factory=dict)
    # what the template's @USER@ becomes for root, who could otherwise not read the site
    user: str = "user: root"
    settings: dict[str, str] = field(default_factory=dict)
    # what differs between the protocols, by the name of the protocol
    by_protocol: dict[str, dict[str, str]] = field(default_factory=dict)
    # further files of bench/conf that it reads
    files: tuple[str, ...] = ()
    # the workloads that it has no way to answer
    cannot: tuple[str, ...] = ()
    # the protocols that it does not speak
    mute: tuple[str, ...] = ()
    # of its role, the bare loop that is this one's limit
    limit: str = ""
    # a server that has to stand behind it
    backend: "Peer | None" = None
    # it has an application behind it, and is measured so only (proxies.py)
    proxies: bool = False
    # --quick measures it
    quick: bool = False
    # of a node: the peer that it is compared with
    baseline: str = ""
    # the cluster's name in Redis, or none
    app: str = ""
    # whether the token moves while it is measured
    moves: bool = False

    @property
    def directory_name(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.name)

    def version(self) -> str:
        if not self.version_arguments:
            return "of this source"
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

    def values(self, place: Place) -> dict[str, str]:
        """What the @NAMES@ of its template and arguments become at a place."""
        certificate, key = str(place.certificate), str(place.key)
        return {
            "CONF": str(place.directory / self.template),
            "DIR": str(place.directory),
            "SITE": str(place.site),
            "PORT": str(place.port),
            "BACKEND_PORT": str(place.backend_port),
            "SMALL_PORT": str(place.small_port),
            "LARGE_PORT": str(place.large_port),
            "THREADS": str(place.threads),
            # of servers that fork: 0 is one process that serves by itself
            "WORKERS": str(place.threads if place.threads > 1 else 0),
            # what this program was allowed, its servers are
            "DESCRIPTORS": str(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
            "CERTIFICATE": certificate,
            "KEY": key,
            "ENCODINGS": "encodings: OFF" if place.without_encodings else "",
            "TOKEN": TOKEN,
            "OLDER": OLDER,
            "OLDER_THAN_CURRENT": older_than(TOKEN),
            "RELEASE": RELEASE,
            "LOG": "",
            "USER": self.user if os.geteuid() == 0 else "",
            **self.settings,
            **self.by_protocol.get(place.protocol, {}),
        }

    def configure(self, place: Place) -> tuple[list[str], dict[str, str]]:
        """Writes the configuration into the place's directory; the command and the environment."""
        values = self.values(place)
        place.directory.mkdir(parents=True, exist_ok=True)
        for name in (self.template, *self.files):
            text = without_comments((CONF / name).read_text())
            (place.directory / name).write_text(filled(text, values))
        command = [self.program, *(filled(argument, values) for argument in self.arguments)]
        environment = {k: filled(v, values) for k, v in self.environment.items()}
        return [argument for argument in command if argument], environment


def filled(text: str, values: dict[str, str]) -> str:
    """With @NAMES@ replaced, in what replaces them too."""
    while (after := re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], text)) != text:
        text = after
    return text


def without_comments(text: str) -> str:
    return "".join(
        line for line in text.splitlines(True) if not line.lstrip().startswith(("#", "--"))
    )


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


_H2O_TLS = {"TLS": "ssl: {certificate-file: @CERTIFICATE@, key-file: @KEY@}"}
_H2O_PROTOCOLS = {H1: {"TLS": ""}, H2: {"TLS": ""}, TLS_H1: _H2O_TLS, TLS_H2: _H2O_TLS}


def ours(build: Path) -> list[Peer]:
    both = {
        "template": "h2o-breaker.conf",
        # what is measured is the process that serves
        "arguments": ("-c", "@CONF@", "--no-master"),
        "version_arguments": ("--version",),
        "role": OURS,
        "by_protocol": _H2O_PROTOCOLS,
        "quick": True,
    }
    programs = build / "bin"
    return [
        Peer(
            "h2o-breaker",
            "h2o-breaker",
            str(programs / "h2o-breaker"),
            limit="bare epoll",
            **both,
        ),
        Peer(
            "h2o-breaker-uv",
            "h2o-breaker-uv",
            str(programs / "h2o-breaker-uv"),
            limit="bare libuv",
            # the libuv side of libh2o lacks it
            mute=(TLS_H2,),
            **both,
        ),
    ]


def _nginx() -> list[Peer]:
    brotli = NGINX_BROTLI.exists()
    product = {
        "product": "nginx",
        "program": "/usr/sbin/nginx",
        "template": "nginx.conf",
        "version_arguments": ("-v",),
        "user": "user root;",
        "by_protocol": {
            H1: {"LISTEN": "@REUSEPORT@"},
            H2: {"LISTEN": "http2 @REUSEPORT@"},
            TLS_H1: {"LISTEN": "ssl @REUSEPORT@"},
            TLS_H2: {"LISTEN": "ssl http2 @REUSEPORT@"},
        },
        "cannot": () if brotli else ("200, brotli",),
    }
    always = {
        "LOAD_BROTLI": f"load_module {NGINX_BROTLI};" if brotli else "",
        "BROTLI": "brotli_static on;" if brotli else "",
        "REUSEPORT": "reuseport",
    }

    def setting(name: str, sendfile: str, quick: bool) -> Peer:
        settings = {"SENDFILE": sendfile, **always}
        return Peer(f"nginx, {name}", settings=settings, quick=quick, **product)

    return [
        setting("read", "sendfile off;", True),
        setting("sendfile+nopush", "sendfile on; tcp_nopush on;", False),
        setting("sendfile", "sendfile on;", True),
    ]


def _lighttpd() -> list[Peer]:
    tls = {
        "TLS": 'ssl.engine = "enable"\nssl.pemfile = "@CERTIFICATE@"\nssl.privkey = "@KEY@"',
    }
    product = {
        "product": "lighttpd",
        "program": "/usr/sbin/lighttpd",
        "template": "lighttpd.conf",
        "files": ("retry.lua",),
        "arguments": ("-D", "-f", "@CONF@"),
        "version_arguments": ("-v",),
        "by_protocol": {H1: {"TLS": ""}, H2: {"TLS": ""}, TLS_H1: tls, TLS_H2: tls},
    }
    # mod_setenv marks a 404 as well, mod_expire forgets the 304: each setting does one of them
    setenv = 'setenv.add-response-header = ("Cache-Control" => "max-age=31536000")'
    expire = 'expire.url = ("" => "access plus 31536000 seconds")'
    return [
        Peer(
            "lighttpd, writev",
            settings={"BACKEND": "writev", "FOR_A_YEAR": setenv},
            cannot=("404",),
            quick=True,
            **product,
        ),
        Peer(
            "lighttpd, sendfile",
            settings={"BACKEND": "sendfile", "FOR_A_YEAR": expire},
            cannot=("304",),
            **product,
        ),
    ]


def _caddy() -> Peer:
    plain = {"SCHEME": "http", "TLS": ""}
    tls = {"SCHEME": "https", "TLS": "tls @CERTIFICATE@ @KEY@"}
    return Peer(
        "caddy",
        "caddy",
        "/usr/bin/caddy",
        "Caddyfile",
        ("version",),
        arguments=("run", "--adapter", "caddyfile", "--config", "@CONF@"),
        environment={
            "GOMAXPROCS": "@THREADS@",
            "HOME": "@DIR@",
            "XDG_DATA_HOME": "@DIR@",
            "XDG_CONFIG_HOME": "@DIR@",
        },
        by_protocol={H1: plain, H2: plain, TLS_H1: tls, TLS_H2: tls},
    )


_VARNISH_TAGS = (
    "Begin End Link SessOpen SessClose ReqStart ReqMethod ReqURL ReqProtocol ReqHeader ReqUnset "
    "ReqAcct RespProtocol RespStatus RespReason RespHeader RespUnset VCL_call VCL_return "
    "Timestamp Hit Length"
).split()


def _varnish(backend: Peer) -> Peer:
    fixed = "-F -j none -a 127.0.0.1:@PORT@ -f @CONF@ -n @DIR@/work -s malloc,256m -t 86400"
    fixed += " -p http_gzip_support=off -p timeout_idle=600"
    # its log in shared memory: nothing about requests
    fixed += " -p vsl_mask=" + ",".join(f"-{tag}" for tag in _VARNISH_TAGS)
    fixed += " -p thread_pools=@THREADS@ -p listen_depth=16384"
    return Peer(
        "varnish",
        "varnish",
        "/usr/sbin/varnishd",
        "varnish.vcl",
        ("-V",),
        arguments=(*fixed.split(), "@FEATURE@"),
        by_protocol={H1: {"FEATURE": ""}, H2: {"FEATURE": "-pfeature=+http2"}},
        mute=OVER_TLS,
        backend=backend,
    )


def peers() -> list[Peer]:
    h2o = Peer(
        "h2o",
        "h2o",
        "/usr/bin/h2o",
        "h2o.conf",
        ("--version",),
        by_protocol=_H2O_PROTOCOLS,
        quick=True,
    )
    nginx = _nginx()
    return [*nginx, *_lighttpd(), _caddy(), _varnish(nginx[0]), h2o]


def bare_loops(build: Path) -> list[Peer]:
    """The limit; their command lines are made of the answers that ours gave (bare.py)."""
    only_h1 = {"role": BARE, "mute": (H2, *OVER_TLS), "quick": True}
    return [
        Peer(f"bare {kind}", f"bare {kind}", str(build / f"bin/bare-{name}"), "", (), **only_h1)
        for kind, name in (("epoll", "epoll"), ("libuv", "uv"))
    ]


def all_peers(build: Path) -> list[Peer]:
    return [*peers(), *ours(build), *bare_loops(build)]


def logged(build: Path) -> list[Peer]:
    """Each flavour without an access log and with one, in h2o's default format."""

    def server(peer: Peer, mode: str, log: str) -> Peer:
        return replace(
            peer,
            name=f"{peer.name}, {mode}",
            role=NODE,
            limit="",
            settings={"LOG": log},
            baseline=f"{peer.name}, no log",
        )

    modes = (("no log", ""), ("log", "access-log: @DIR@/access.log"))
    return [server(peer, mode, log) for peer in ours(build) for mode, log in modes]


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
            ("--version",),
            role=NODE,
            settings={"CLUSTER": cluster if poll else ""},
            baseline=f"{program}, alone",
            app=app,
            moves=mode == "moving",
        )

    modes = (("alone", ""), ("cluster", "1s"), ("moving", "100ms"))
    programs = ("h2o-breaker", "h2o-breaker-uv")
    return [node(program, mode, poll) for program in programs for mode, poll in modes]
