"""One node of the fleet: h2o-breaker, restarted with new files, or nginx, whose files are replaced
under it."""

import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from modes import Deploy, Mode
from releases import release

START_S = 60
END_S = 60
HEALTH = "/.health"
# longer than the balancer needs to see that a node is not ready
SHUTDOWN_DELAY_S = 0.7


class Failure(Exception):
    """Something that makes the figures worthless; its text is for the terminal."""


class Process:
    """A program of the fleet. What it says goes to a file."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name = name
        self.log = log
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches the benchmark only, which then ends them
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def send(self, signum: int) -> None:
        if self.is_alive():
            self._process.send_signal(signum)

    def end(self, signum: int = signal.SIGTERM) -> int:
        """Asks it to end, insists after a while, and returns its status."""
        for each in (signum, signal.SIGKILL):
            self.send(each)
            try:
                return self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                continue
        return -1

    def fail(self, what: str) -> Failure:
        words = self.log.read_text(errors="replace")[-2000:].strip()
        return Failure(f"{self.name} {what}: {words or 'it said nothing'}")

    def wait_until_answers(self, url: str) -> None:
        """Until a GET of the URL gives 200."""
        deadline_s = time.monotonic() + START_S
        while not answers(url):
            if not self.is_alive():
                raise self.fail("ended at its start")
            if time.monotonic() > deadline_s:
                raise self.fail("is not ready")
            time.sleep(0.01)


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str, timeout_s: float = 1) -> bool:
    try:
        with _OPENER.open(url, timeout=timeout_s) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


class Node:
    """What both have: a name, a place, a directory. `number` is the release that it serves, None
    while it is away."""

    # where a balancer asks whether it is ready
    health = "/"

    def __init__(self, name: str, host: str, port: int, directory: Path, prefix: list[str]) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.directory = directory
        self.prefix = prefix
        self.process: Process | None = None
        # since when nobody listened, the last time that it ended
        self.gone_s = 0.0
        # held by whoever restarts, pauses or kills it
        self.lock = threading.Lock()
        directory.mkdir(parents=True)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def prepare(self, deploy: Deploy) -> None:
        """The first of two phases, where there are two."""

    def take(self, deploy: Deploy) -> None:
        """Serves this deploy's release from now on; returns when the node is ready."""
        raise NotImplementedError

    def end(self, signum: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.end(signum)
            self.process = None

    def _start(self, command: list[str]) -> None:
        self.process = Process(self.name, [*self.prefix, *command], self.directory / "output.log")
        self.process.wait_until_answers(self.url + self.health)


_BREAKER = """\
{user}
num-threads: 1
listen: {{host: {host}, port: {port}}}
breaker.health: {health}
shutdown-delay: {shutdown_delay_ms}ms
breaker.release: "{label}"
breaker.state-file: {directory}/state
breaker.cluster:
  app: rollout
  redis: redis://{redis}
  start: {start}
{cluster}
{holding}
hosts:
  default:
    paths:
      "/":
        breaker.static:
          name: "static/{{breaker}}"
          path: {site}/static
        file.dir: {site}/pages
        breaker.rewrite: ON
"""


class BreakerNode(Node):
    """Restarted for every deploy: SIGTERM, then the new files on the same port."""

    health = f"{HEALTH}/readyz"

    def __init__(self, mode: Mode, program: Path, sites: Path, redis: str, *place) -> None:
        super().__init__(*place)
        self._mode = mode
        self._program = program
        self._sites = sites
        self._redis = redis
        self._deploy: Deploy | None = None

    @property
    def archive(self) -> Path:
        return self.directory / "archive"

    def end(self, signum: int = signal.SIGTERM) -> None:
        delay_s = SHUTDOWN_DELAY_S if signum == signal.SIGTERM else 0
        self.gone_s = time.monotonic() + delay_s
        super().end(signum)

    def take(self, deploy: Deploy) -> None:
        self.end()
        self._deploy = deploy
        self._write_config(deploy)
        self.start()

    def start(self) -> None:
        """With the files that it had last."""
        # whoever is killed or stopped here is the node as a whole
        self._start([str(self._program), "-c", str(self.directory / "h2o.conf"), "--no-master"])

    def _write_config(self, deploy: Deploy) -> None:
        site = write_site(self._sites, deploy.number, False)
        held = self._mode.is_held
        # root would serve as nobody, who may not enter every directory
        text = _BREAKER.format(
            user="user: root" if os.getuid() == 0 else "",
            host=self.host,
            port=self.port,
            shutdown_delay_ms=round(SHUTDOWN_DELAY_S * 1000),
            label=deploy.label,
            directory=self.directory,
            redis=self._redis,
            start="wait" if held else "open",
            cluster=f"  advertise: {self.host}:{self.port}" if held else "",
            holding=f"breaker.archive: {self.archive}" if held else "",
            site=site,
            health=HEALTH,
        )
        (self.directory / "h2o.conf").write_text(text)


_NGINX = """\
{user}
worker_processes 1;
daemon off;
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    types {{
        text/html html;
        text/css css;
        text/javascript js;
        image/webp webp;
        font/woff2 woff2;
    }}
    sendfile on;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen {host}:{port};
        root {directory}/live;
        location / {{ add_header Cache-Control no-cache; }}
        location /assets/ {{ add_header Cache-Control "public, max-age=31536000, immutable"; }}
    }}
}}
"""


class NginxNode(Node):
    """Never restarted: what it serves is a symbolic link, which is replaced at once."""

    def __init__(self, mode: Mode, sites: Path, *place) -> None:
        super().__init__(*place)
        self._mode = mode
        self._sites = sites
        self._deploys: list[Deploy] = []

    def prepare(self, deploy: Deploy) -> None:
        """All files, under the page that was there."""
        if self._deploys:
            self._replace(self._deploys[-1], [*self._deploys, deploy], "prepared")

    def take(self, deploy: Deploy) -> None:
        self._deploys = [*self._deploys, deploy][-self._mode.kept :]
        self._replace(deploy, self._deploys, "taken")
        if self.process is None:
            config = self.directory / "nginx.conf"
            # workers of root would be somebody who may not enter every directory
            config.write_text(
                _NGINX.format(
                    user="user root;" if os.getuid() == 0 else "",
                    host=self.host,
                    port=self.port,
                    directory=self.directory,
                )
            )
            self._start(["nginx", "-c", str(config), "-e", str(self.directory / "error.log")])

    def _replace(self, page_of: Deploy, deploys: list[Deploy], word: str) -> None:
        tree = self.directory / f"tree-{deploys[-1].index}-{word}"
        for deploy in deploys:
            site = write_site(self._sites, deploy.number, True)
            assets = tree / "assets"
            shutil.copytree(site / "static", assets, copy_function=_link, dirs_exist_ok=True)
        site = write_site(self._sites, page_of.number, True)
        shutil.copy(site / "pages/index.html", tree / "index.html")
        live, new = self.directory / "live", self.directory / "live.new"
        before = live.resolve() if live.is_symlink() else None
        new.symlink_to(tree.name)
        new.rename(live)
        if before is not None:
            shutil.rmtree(before)


def _link(source: str, target: str) -> None:
    if not os.path.exists(target):
        os.link(source, target)


def write_site(sites: Path, number: int, is_hashed: bool) -> Path:
    """The directory of a release, with pages/ and static/; written once."""
    directory = sites / str(number)
    if not directory.exists():
        new = sites / f"{number}.new"
        made = release(number, is_hashed)
        for path, content in made.files.items():
            file = new / "static" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        (new / "pages").mkdir()
        (new / "pages/index.html").write_bytes(made.page)
        new.rename(directory)
    return directory
