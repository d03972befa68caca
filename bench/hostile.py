"""What a visitor feels of hostile clients: p99 of an innocent HTTP/1.1 client, and the server's memory.

    /usr/bin/python3 bench/hostile.py [--build DIRECTORY] [--seconds N] [--rounds N] [--deaf]
                                      [--only KIND]… [--server NAME]…

Four hostile connections at a time, which connect again when they are closed, for some seconds;
the server on the first core, the attacker and the innocent client in processes of their own on the
second. With --deaf the attacker reads nothing. The kinds are those of tests/integration/floods.py
over HTTP/2, and a few over HTTP/1.1. nginx 1.22 beside it is under the same attack. Medians of the
rounds.
"""

import argparse
import contextlib
import multiprocessing
import os
import select
import shutil
import socket
import ssl
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/integration"))

import floods  # noqa: E402
from server import Server, free_port  # noqa: E402
from site_files import asset, make_certificate  # noqa: E402

TOKEN = "1718539201234"
SMALL = f"/static/{TOKEN}/app-1k.js"
LARGE = f"/static/{TOKEN}/app-4m.js"
MISSING = "/static/1818539201234/app-1k.js"
HOSTILE = 4
PATIENCE_S = 1
SERVER_CORE, CLIENT_CORE = 0, 1

OURS = """\
listen:
  - {{host: 127.0.0.1, port: {port}}}
  - host: 127.0.0.1
    port: {tls_port}
    ssl: {{certificate-file: {cert}, key-file: {key}}}
num-threads: 1
max-connections: 16384
error-log: {directory}/error.log
breaker.token: "{token}"
hosts:
  default:
    paths:
      "/":
        breaker.static: {{name: "static/{{breaker}}", path: {site}, encodings: OFF}}
"""

NGINX = """\
daemon off;
worker_processes 1;
{user}
pid {directory}/nginx.pid;
error_log {directory}/error.log crit;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 1000000000;
    sendfile on;
    open_file_cache max=1000;
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{h2_port} http2;
        listen 127.0.0.1:{tls_port} ssl http2;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        location ^~ /static/{token}/ {{ alias {site}/; }}
        location / {{ add_header Retry-After 3 always; return 503 "not here\\n"; }}
    }}
}}
"""


class Target:
    """A server with its ports for the innocent, for HTTP/2 in cleartext, and for TLS."""

    def __init__(self, name, command, config, scratch, with_h2_port):
        self.name = name
        directory = scratch / name
        directory.mkdir()
        directory.chmod(0o777)
        self.port, self.tls_port = free_port(), free_port()
        self.h2_port = free_port() if with_h2_port else self.port
        path = directory / "conf"
        path.write_text(config.format(
            port=self.port, h2_port=self.h2_port, tls_port=self.tls_port, token=TOKEN,
            directory=directory, site=scratch / "site", cert=scratch / "certificate.pem",
            key=scratch / "key.pem", user="user root;" if os.geteuid() == 0 else ""))
        self.server = Server(name, [*command, "-c", str(path)], self.port, [SERVER_CORE],
                             directory)
        self.server.wait_until_listening()
        self.server.wait_until_quiet()

    def worker(self) -> int:
        """The process that serves: the child of the one that was started."""
        pid = self.server._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[-1]) if children else pid

    def resident(self) -> int:
        for line in Path(f"/proc/{self.worker()}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        return 0


# ---- the attacker ----


class Hostile:
    """A connection that sends as much as it can, and begins again when it is closed."""

    def __init__(self, port, flood, context, is_deaf):
        self.port, self.flood, self.context, self.is_deaf = port, flood, context, is_deaf
        self.sock, self.times = None, 0
        self.connect()

    def connect(self):
        self.close()
        self.times += 1
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is not None:
            sock = self.context.wrap_socket(sock, server_hostname="localhost")
        self.left = [memoryview(floods.PREFACE + floods.frame(floods.SETTINGS) + self.flood.once)
                     if self.flood.is_h2 else memoryview(self.flood.once)]
        if not self.flood.is_endless:
            self.left.append(memoryview(self.flood.repeated))
        sock.setblocking(False)
        self.sock, self.sent_at = sock, None

    def close(self):
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.close()
        self.sock = None

    def send(self):
        if not self.left:
            if not self.flood.is_endless:
                # the server has it all, and may close; one that does not is left alone for a while
                self.sent_at = self.sent_at or time.monotonic()
                if time.monotonic() - self.sent_at > PATIENCE_S:
                    self.connect()
                return
            self.left.append(memoryview(self.flood.repeated))
        piece = self.left[0]
        sent = self.sock.send(piece[:262144])
        if sent == len(piece):
            self.left.pop(0)
        else:
            self.left[0] = piece[sent:]

    def receive(self):
        while self.sock.recv(262144):
            pass
        raise ConnectionResetError

    def step(self, readable, writable):
        try:
            if writable:
                with contextlib.suppress(ssl.SSLWantWriteError, ssl.SSLWantReadError,
                                         BlockingIOError):
                    self.send()
            if readable and not self.is_deaf and self.sock is not None:
                with contextlib.suppress(ssl.SSLWantWriteError, ssl.SSLWantReadError,
                                         BlockingIOError):
                    self.receive()
        except OSError:
            self.connect()


class Flood:
    """One of floods.py, or over HTTP/1.1."""

    def __init__(self, flood, is_h2):
        self.once, self.repeated, self.is_endless = flood
        self.is_h2 = is_h2


def make_flood(kind):
    if kind == "pipelined requests":
        request = f"GET {SMALL} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        return Flood(floods.Flood(b"", request * 2000, True), False)
    if kind == "pipelined requests, not plain":
        request = f"GET {SMALL} HTTP/1.1\r\nHost: localhost\r\nExpect: \r\n\r\n"
        return Flood(floods.Flood(b"", request.encode() * 2000, True), False)
    return Flood(floods.make(kind, SMALL, LARGE, MISSING), True)


def attack(port, kind, is_tls, is_deaf, seconds, pipe):
    os.sched_setaffinity(0, [CLIENT_CORE])
    context = None
    flood = make_flood(kind)
    if is_tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"] if flood.is_h2 else ["http/1.1"])
    pipe.send("ready")
    pipe.recv()
    end = time.monotonic() + seconds
    hostiles = []
    while time.monotonic() < end:
        while len(hostiles) < HOSTILE:
            hostiles.append(Hostile(port, flood, context, is_deaf))
        by_fd = {hostile.sock.fileno(): hostile for hostile in hostiles}
        fds = list(by_fd)
        readable, writable, _ = select.select([] if is_deaf else fds, fds, [], 0.05)
        for fd in fds:
            if fd in readable or fd in writable:
                try:
                    by_fd[fd].step(fd in readable, fd in writable)
                except OSError:
                    time.sleep(0.001)
                    with contextlib.suppress(OSError):
                        by_fd[fd].connect()
        hostiles = [hostile for hostile in hostiles if hostile.sock is not None]
    pipe.send(sum(hostile.times for hostile in hostiles))


def keep_slow(port, how, num, seconds, pipe):
    """Many connections that do next to nothing, each a byte now and then, or nothing at all."""
    os.sched_setaffinity(0, [CLIENT_CORE])
    request = f"GET {LARGE if how == 'readers' else SMALL} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    socks = []
    for _ in range(num):
        sock = socket.socket()
        if how == "readers":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        if how == "readers":
            sock.send(request.encode())
        socks.append(sock)
    pipe.send("ready")
    pipe.recv()
    end, at = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for index, sock in enumerate(socks if how != "idle" else []):
            with contextlib.suppress(OSError):
                if how == "senders":
                    sock.send(request[at % len(request)].encode())
                else:
                    sock.recv(512)
        at += 1
        time.sleep(0.02)
    pipe.send(num)


# ---- the innocent ----


def ask(port, seconds, pipe):
    os.sched_setaffinity(0, [CLIENT_CORE])
    request = f"GET {SMALL} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    took = []
    sock = socket.create_connection(("127.0.0.1", port))
    sock.settimeout(20)
    pipe.send("ready")
    pipe.recv()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        sock.sendall(request)
        answer = b""
        while len(answer) < 1024 or not answer.endswith(TAIL):
            data = sock.recv(65536)
            assert data
            answer += data
        took.append(time.monotonic() - began)
    pipe.send(took)


TAIL = asset("app-1k.js")[-16:]

# ---- runs ----

SLOW = {"500 slow senders": ("senders", 500), "500 slow readers": ("readers", 500),
        "10,000 idle": ("idle", 10000)}
HTTP1 = ("pipelined requests", "pipelined requests, not plain", *SLOW)
KINDS = ("nothing", *floods.NAMES, *HTTP1)


def begin(work, *arguments):
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=work, args=(*arguments, there), daemon=True)
    process.start()
    assert here.recv() == "ready"
    return process, here


def run(target, kind, is_tls, is_deaf, seconds):
    """Returns p99 in ms, the most memory more than before in MiB, and how often was connected."""
    h2 = kind not in HTTP1
    port = target.tls_port if is_tls else target.h2_port if h2 else target.port
    before = target.resident()
    works = [begin(ask, target.port, seconds)]
    if kind in SLOW:
        works.append(begin(keep_slow, port, *SLOW[kind], seconds))
    elif kind != "nothing":
        works.append(begin(attack, port, kind, is_tls, is_deaf, seconds))
    most = before
    for _, pipe in works:
        pipe.send("go")
    while not works[0][1].poll(0.05):
        most = max(most, target.resident())
    most = max(most, target.resident())
    took = sorted(works[0][1].recv())
    times = works[1][1].recv() if len(works) > 1 else 0
    for process, _ in works:
        process.join()
    target.server.check_alive()
    return took[int(len(took) * 0.99)] * 1e3, (most - before) / 2**20, times


def columns(targets):
    return [(target, is_tls) for target in targets for is_tls in (False, True)
            if not (is_tls and target.name == "libuv")]


def print_row(kind, targets, options):
    runs = {column: [] for column in columns(targets)}
    for _ in range(options.rounds):
        for target, is_tls in runs:
            if not (is_tls and kind in (*HTTP1, "nothing")):
                runs[target, is_tls].append(
                    run(target, kind, is_tls, options.deaf, options.seconds))
    cells = []
    for some in runs.values():
        p99, more, times = map(statistics.median, zip(*some)) if some else (0, 0, 0)
        cells.append(f"{p99:.1f} ms, {more:.1f} MiB" + (f" ({times:.0f})" if times else "")
                     if some else "")
    print(f"| {kind} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--deaf", action="store_true", help="the attacker reads nothing")
    parser.add_argument("--only", action="append", metavar="KIND", choices=KINDS)
    parser.add_argument("--server", action="append", choices=("evloop", "libuv", "nginx"))
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="breaker-bench-"))
    scratch.chmod(0o755)
    targets = []
    try:
        (scratch / "site").mkdir()
        for name in ("app-1k.js", "app-4m.js"):
            (scratch / "site" / name).write_bytes(asset(name))
        make_certificate(scratch)
        programs = {
            "evloop": ([str(options.build / "bin/h2o-breaker")], OURS),
            "libuv": ([str(options.build / "bin/h2o-breaker-uv")], OURS),
            "nginx": (["/usr/sbin/nginx"], NGINX),
        }
        for name in options.server or programs:
            command, config = programs[name]
            targets.append(Target(name, command, config, scratch, name == "nginx"))
        heads = [target.name + (", TLS" if is_tls else "") for target, is_tls in columns(targets)]
        print("| flood | " + " | ".join(heads) + " |")
        print("|---" * (len(heads) + 1) + "|", flush=True)
        for kind in options.only or KINDS:
            print_row(kind, targets, options)
    finally:
        for target in targets:
            target.server.end()
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
