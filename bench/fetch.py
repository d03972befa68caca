"""How fast a node has a release that only another one had: two nodes on loopback, the second one
starts with a release of many small files, the first one fetches it. Meanwhile both are asked for an
asset every few milliseconds, to see what the fetching costs other requests. As if each node were a
machine and those who ask were elsewhere, either has a processor of its own, and who asks (with the
rights for it) never waits for one. With TMPDIR on a tmpfs the file system is not measured as well.

    python3 -B bench/fetch.py [--build build] [--files 10000] [--size 4096] [--rounds 5]

Prints a line a round and the summary; --json FILE writes the numbers. Needs redis-server."""

import argparse
import json
import multiprocessing
import os
import re
import socket
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
num-threads: 1
@archive@
breaker.cluster:
  app: fetch
  redis: "redis://127.0.0.1:@redis@"
  advertise: "127.0.0.1:@port@"
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @site@}
"""

PAUSE_S = 0.003
# until a node that has everything has it in its archive
SETTLE_S = 2


def pin(pid, number):
    """One processor for all threads of a process, and for those that they start."""
    allowed = sorted(os.sched_getaffinity(0))
    for thread in os.listdir("/proc/%d/task" % pid):
        os.sched_setaffinity(int(thread), {allowed[number % len(allowed)]})


def wait_for_no_processor():
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pass


def sample(port, path, stop, queue, number):
    """Asks for the path every few milliseconds over one connection: (when, how long) in seconds."""
    request = ("GET %s HTTP/1.1\r\nhost: x\r\n\r\n" % path).encode()
    samples = []
    pin(os.getpid(), number)
    wait_for_no_processor()
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while not stop.is_set():
        begin = time.monotonic()
        connection.sendall(request)
        answer = b""
        while not answer.endswith(b"end\n"):
            chunk = connection.recv(65536)
            assert chunk, "the server closed the connection"
            answer += chunk
        assert answer.startswith(b"HTTP/1.1 200"), answer[:100]
        samples.append((begin, time.monotonic() - begin))
        time.sleep(PAUSE_S)
    queue.put((port, samples))


def cpu_s(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


class Round:
    def __init__(self, arguments, harness, client, redis):
        self.arguments, self.harness, self.client, self.redis = arguments, harness, client, redis
        self.scratch = harness.Scratch()
        self.servers = []

    def site(self, name, number, size):
        """Files of random bytes, which no other release has, and one to be asked for."""
        files = {"f/%d/%d.bin" % (i % 100, i): os.urandom(size) for i in range(number)}
        files["asked.txt"] = b"x" * 1000 + b"end\n"
        return self.scratch.tree(name, files)

    def start(self, name, site):
        port = self.harness.free_port()
        archive = ""
        if self.arguments.archive:
            os.makedirs(self.scratch("archive-" + name))
            os.chmod(self.scratch("archive-" + name), 0o777)
            archive = "breaker.archive: " + self.harness.quoted(self.scratch("archive-" + name))
        server = self.harness.Server(self.arguments.flavour, self.harness.expand(
            CONFIG, port=port, redis=self.redis, site=self.harness.quoted(site), archive=archive))
        server.port = port
        pin(server.pid, len(self.servers))
        self.servers.append(server)
        return server

    def path_of(self, server):
        to = self.client.get(server.port, "/static/0/asked.txt").leads_to
        return to

    def wait_line(self, server, pattern, deadline_s=120):
        """When a line of its log was there first."""
        end = time.monotonic() + deadline_s
        while not (found := re.search(pattern, server.stderr())):
            assert time.monotonic() < end, "no %r in:\n%s" % (pattern, server.stderr()[-2000:])
            time.sleep(0.002)
        return time.monotonic(), found

    def run(self):
        first = self.start("first", self.site("old", 10, 100))
        path = self.path_of(first)
        new_site = self.site("new", self.arguments.files, self.arguments.size)
        stop, queue = multiprocessing.Event(), multiprocessing.Queue()
        samplers = [multiprocessing.Process(target=sample,
                                            args=(first.port, path, stop, queue, 0))]
        samplers[0].start()
        time.sleep(self.arguments.idle)
        second = self.start("second", new_site)
        samplers.append(multiprocessing.Process(target=sample, args=(
            second.port, self.path_of(second), stop, queue, 1)))
        samplers[1].start()
        held_s, _ = self.wait_line(first, rb"event=held release=\S+ files=%d" % (
            self.arguments.files + 1))
        cpu = [cpu_s(server.pid) for server in (first, second)]
        complete_s, found = self.wait_line(first, rb"event=complete release=\S+ fetched=(\d+)")
        cpu = [cpu_s(server.pid) - before for server, before in zip((first, second), cpu)]
        time.sleep(self.arguments.idle)
        stop.set()
        samples = dict(queue.get() for _ in samplers)
        for process in samplers:
            process.join()
        return {"seconds": complete_s - held_s, "fetched": int(found.group(1)),
                "cpu_first_s": cpu[0], "cpu_second_s": cpu[1],
                "during": {name: [took for at, took in samples[server.port]
                                  if held_s <= at <= complete_s]
                           for name, server in (("first", first), ("second", second))},
                # when the archives are written, too
                "idle": {name: [took for at, took in samples[server.port] if at > complete_s + SETTLE_S]
                         for name, server in (("first", first), ("second", second))}}

    def end(self):
        for server in self.servers:
            server.kill()
        self.scratch.remove()


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--flavour", default="evloop", choices=["evloop", "uv"])
    parser.add_argument("--files", type=int, default=10000)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", type=float, default=5, help="seconds of asking without fetching")
    parser.add_argument("--no-archive", dest="archive", action="store_false")
    parser.add_argument("--json")
    return parser.parse_args()


def main():
    arguments = parse()
    os.environ["BREAKER_BIN"] = os.path.join(os.path.abspath(arguments.build), "bin")
    sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
    import client
    import harness
    rounds = []
    for number in range(arguments.rounds):
        redis_port = harness.free_port()
        redis = subprocess.Popen(["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1",
                                  "--save", ""], stdout=subprocess.DEVNULL)
        one = Round(arguments, harness, client, redis_port)
        try:
            rounds.append(one.run())
        finally:
            one.end()
            redis.kill()
            redis.wait()
        last = rounds[-1]
        print("round %d: %d files in %.2f s; processor: %.2f s on the node that fetches, %.2f s on "
              "the one that gives" % (number + 1, last["fetched"], last["seconds"],
                                      last["cpu_first_s"], last["cpu_second_s"]), flush=True)
    print("complete after (median) %.2f s, at most %.2f s" % (
        statistics.median(each["seconds"] for each in rounds),
        max(each["seconds"] for each in rounds)))
    for name, role in (("first", "fetches"), ("second", "gives")):
        during = [took for each in rounds for took in each["during"][name]]
        idle = [took for each in rounds for took in each["idle"][name]]
        print("node that %s: p50 %.2f ms, p99 %.2f ms of %d requests meanwhile; "
              "p50 %.2f ms, p99 %.2f ms of %d afterwards" % (
                  role, percentile(during, 0.5) * 1000, percentile(during, 0.99) * 1000,
                  len(during), percentile(idle, 0.5) * 1000, percentile(idle, 0.99) * 1000,
                  len(idle)))
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(rounds, file)


if __name__ == "__main__":
    main()
