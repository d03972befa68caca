"""An operator's day: two nodes behind HAProxy, as deploy/ has them, agree through a Redis. One after the
other a certificate, the password of Redis, the logs and the release are changed and the program is
replaced, on each node, while visitors ask without a pause. No visitor gets anything but the file, HAProxy
sees no check fail, no line of a log is lost, and the metrics show what happened. BREAKER_BIN names the
servers."""

import collections
import glob
import itertools
import os
import shutil
import signal
import ssl
import threading

from balancer import Balancer, harness
from balancers import BODY, Load
import client
import cluster
from harness import wait_until

NODE = """
listen: {host: 127.0.0.1, port: @port@}
listen:
  host: 127.0.0.1
  port: @tls_port@
  ssl: {certificate-file: @cert@, key-file: @key@}
num-threads: 2
shutdown-timeout: 60
breaker.archive: @archive@
breaker.cluster:
  app: shop
  redis: "redis://127.0.0.1:@redis@"
  password-file: @password@
  advertise: "127.0.0.1:@port@"
access-log: {path: @log@, format: "%U%q %s"}
error-log: @errors@
breaker.health: /breaker
hosts:
  default:
    paths:
      "/":
        header.set: "X-Node: @name@"
        breaker.static: {name: "static/{breaker}", path: @tree@}
      "/status":
        breaker.status: ON
"""


class Node:
    """A server with its master, of a program of its own, and what it writes."""

    def __init__(self, case, name):
        self.scratch = harness.Scratch()
        case.addCleanup(self.scratch.remove)
        self.port, self.tls_port = harness.free_port(), harness.free_port()
        self.program = self.scratch("h2o-breaker")
        shutil.copy(os.path.join(harness.BIN, harness.PROGRAMS[case.flavour]), self.program)
        for directory in ("archive", "logs"):
            os.makedirs(self.scratch(directory))
            # servers that root starts serve as somebody else
            os.chmod(self.scratch(directory), 0o777)
        self.log, self.errors = self.scratch("logs", "access"), self.scratch("logs", "errors")
        self.server = harness.Server(case.flavour, harness.expand(
            NODE, port=self.port, tls_port=self.tls_port, name=name, redis=case.redis.port,
            cert=case.certificate.cert, key=case.certificate.key, tree=case.tree,
            password=case.password, archive=self.scratch("archive"), log=self.log,
            errors=self.errors), master=True, program=self.program)
        case.addCleanup(self.server.kill)

    def lines(self):
        """All that was said, in the order in which it was."""
        lines = []
        for path in sorted(glob.glob(self.errors + ".*")) + [self.errors]:
            with open(path) as file:
                lines += file.readlines()
        return lines

    def count(self, text):
        return sum(text in line for line in self.lines())

    def tell(self, number, text):
        """Sends a signal and waits for one more line that says this."""
        before = self.count(text)
        self.server.signal(number)
        wait_until(lambda: self.count(text) > before, text, 60)

    def metrics(self):
        """The node's numbers, by name and labels."""
        response = client.get(self.port, "/status/metrics")
        if response.status != 200:
            raise AssertionError("no metrics: %d" % response.status)
        lines = [line for line in response.body.decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def logged(self):
        """How often each target was logged."""
        found = collections.Counter()
        for path in glob.glob(self.log + "*"):
            with open(path) as file:
                found.update(line.split()[0] for line in file)
        return found


class Secure:
    """A visitor who asks a node over TLS, each time on a connection of its own."""

    def __init__(self, node, target, certificates):
        self.node, self.target, self.failures = node, target, []
        self.count, self.certificates = itertools.count(), certificates
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.is_over.is_set():
            try:
                response = client.get(self.node.tls_port, "%s?tls-%d" % (self.target, next(self.count)),
                                      client.tls_context(self.certificates))
                if response.status != 200 or response.body != BODY:
                    self.failures.append(response)
            except Exception as error:
                self.failures.append(repr(error))

    def stop(self):
        self.is_over.set()
        self.thread.join()


class Operator(harness.FlavourCase):
    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.tree = self.scratch.tree("tree", {"a.css": BODY})
        self.certificate = harness.Certificate(self.scratch)
        self.password = self.scratch.write("password", "old\n")
        self.redis = cluster.Redis("--requirepass", "old")
        self.addCleanup(self.redis.kill)
        self.redis.start()
        self.nodes = [Node(self, "0"), Node(self, "1")]
        self.balancer = Balancer("haproxy", [node.port for node in self.nodes])
        self.addCleanup(self.balancer.stop)
        self.first = self.current(self.nodes[0])

    def current(self, node):
        """The URL of the file that the node hands out: zeros are older than everything."""
        return client.get(node.port, "/static/0/a.css").leads_to

    def visit(self):
        both = self.scratch("both.pem")
        self.renewed = harness.Certificate(self.scratch, "renewed")
        with open(both, "w") as file:
            for path in (self.certificate.cert, self.renewed.cert):
                with open(path) as part:
                    file.write(part.read())
        load = Load(self.balancer.port, self.first)
        secure = Secure(self.nodes[0], self.first, both)
        self.addCleanup(load.stop)
        self.addCleanup(secure.stop)
        return load, secure

    def shows_itself(self, node, context):
        try:
            return client.get(node.tls_port, self.first, context).status == 200
        except ssl.SSLError:
            # the worker before is just being told
            return False

    def change_certificate(self):
        os.replace(self.renewed.cert, self.certificate.cert)
        os.replace(self.renewed.key, self.certificate.key)
        only = client.tls_context(self.certificate.cert)
        for node in self.nodes:
            node.tell(signal.SIGHUP, "event=took-over")
            wait_until(lambda: self.shows_itself(node, only), "the new certificate")

    def change_password(self):
        self.redis("ACL", "SETUSER", "default", ">new")
        with open(self.password, "w") as file:
            file.write("new\n")
        for node in self.nodes:
            node.tell(signal.SIGHUP, "event=took-over")
        self.redis.args = ("--requirepass", "new")
        self.redis("ACL", "SETUSER", "default", "<old")
        self.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for node in self.nodes:
            self.assertEqual(self.current(node), self.first)
            wait_until(lambda: node.metrics()["h2o_breaker_redis_up"] == 1, "Redis by the new password")

    def change_logs(self):
        for node in self.nodes:
            for path in (node.log, node.errors):
                os.rename(path, "%s.%d" % (path, len(glob.glob(path + ".*")) + 1))
            node.server.signal(signal.SIGUSR1)
            wait_until(lambda: os.path.exists(node.log) and os.path.getsize(node.log) != 0,
                       "lines of the new log")

    def change_release(self):
        self.scratch.tree("tree", {"a.css": b"body { color: navy }\n"})
        for node in self.nodes:
            node.tell(signal.SIGHUP, "event=took-over")
        wait_until(lambda: self.current(self.nodes[0]) == self.current(self.nodes[1]) != self.first,
                   "the new release on both")
        self.assertEqual(client.get(self.balancer.port, self.current(self.nodes[0])).body,
                         b"body { color: navy }\n")

    def change_program(self):
        for node in self.nodes:
            # another file, as a package's upgrade leaves it
            shutil.copy(node.program, node.program + ".new")
            os.replace(node.program + ".new", node.program)
            node.tell(signal.SIGUSR2, "event=upgraded")

    def expect_metrics(self, is_changed):
        for node in self.nodes:
            metrics = node.metrics()
            self.assertEqual(metrics['h2o_breaker_readiness{state="ready"}'], 1)
            self.assertEqual(metrics['h2o_breaker_requests_total{view="static/{breaker}",'
                                     'host="default",verdict="not_found"}'], 0)
            if is_changed:
                self.assertEqual(metrics['h2o_breaker_held_releases{state="complete"}'], 1)

    def expect_every_line(self, load, secure):
        logged = sum((node.logged() for node in self.nodes), collections.Counter())
        # the next number of each was never asked for
        for target, num in (("%s?%%d" % self.first, next(load.count)),
                            ("%s?tls-%%d" % self.first, next(secure.count))):
            lost = [target % i for i in range(num) if logged[target % i] == 0]
            self.assertEqual(lost[:3], [], "%d of %d lines are lost" % (len(lost), num))

    def test_everything_is_changed_and_nobody_notices(self):
        load, secure = self.visit()
        for node in range(2):
            load.has_answers_of(str(node))
        for change in (self.change_certificate, self.change_password, self.change_logs,
                       self.change_release, self.change_program, self.change_logs):
            with self.subTest(change=change.__name__):
                change()
                for node in range(2):
                    load.has_answers_of(str(node))
                self.assertEqual((load.failures[:3], secure.failures[:3]), ([], []))
                self.expect_metrics(is_changed=change is self.change_release)
        load.stop()
        secure.stop()
        self.assertEqual(self.balancer.failed_checks(), {"first": 0, "second": 0})
        for node in self.nodes:
            node.server.stop()
        self.expect_every_line(load, secure)


if __name__ == "__main__":
    harness.main()
