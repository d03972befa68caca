"""The recipes deploy/haproxy/h2o-breaker.cfg, deploy/nginx/h2o-breaker.conf, deploy/varnish/h2o-breaker.vcl
and deploy/squid/h2o-breaker.conf, each with the real program in front of real nodes: nodes are stopped
and started under load, and no request fails. BREAKER_BIN names the servers."""

import http.client
import itertools
import signal
import socket
import threading

from balancer import Balancer, harness
from harness import free_port, wait_until

CLIENTS = 6
BODY = b"body { color: teal }\n" * 100

# the delay is longer than the recipe's checks take to find out
NODE = """
listen: {host: 127.0.0.1, port: @port@}
num-threads: 1
breaker.health: /breaker
shutdown-delay: @delay@
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        header.set: "X-Node: @name@"
        breaker.static: {name: "static/{breaker}", path: @tree@}
"""

class Load:
    """Clients that ask without a pause, half of them on connections of their own for every request,
    each time for another URL of the file, which no cache has. What is not the file is a failure."""

    def __init__(self, port, path):
        self.port, self.path, self.count = port, path, itertools.count()
        self.failures, self.answers, self.lock = [], {}, threading.Lock()
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i % 2 == 0,))
                        for i in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, keeps):
        connection = None
        while not self.is_over.is_set():
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.port,
                                                                  timeout=harness.DEADLINE_S)
            self.ask(connection)
            if not keeps:
                connection.close()
                connection = None

    def ask(self, connection):
        try:
            connection.request("GET", "%s?%d" % (self.path, next(self.count)))
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            with self.lock:
                self.failures.append(repr(error))
            return
        with self.lock:
            if response.status != 200 or body != BODY:
                self.failures.append("%d %r" % (response.status, body[:100]))
            node = response.getheader("x-node")
            self.answers[node] = self.answers.get(node, 0) + 1

    def has_answers_of(self, node):
        with self.lock:
            before = self.answers.get(node, 0)

        def has_more():
            with self.lock:
                return self.failures or self.answers.get(node, 0) > before + 10
        wait_until(has_more, "answers of node " + node)

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


class Closing:
    """A node that takes every request and says nothing; counts them."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.posts = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                connection, _ = self.sock.accept()
            except OSError:
                return
            with connection:
                request = connection.recv(65536)
                self.posts += request.startswith(b"POST")
                if b"readyz" in request:
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    def stop(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join()


class BalancerCase(harness.FlavourCase):
    flavours = ("evloop",)

    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.tree = self.scratch.tree("tree", {"a.css": BODY})
        self.ports = [free_port(), free_port()]

    def start_node(self, index, token="1718539201234", delay="5"):
        config = harness.expand(NODE, port=self.ports[index], name=index, tree=self.tree,
                                token=token, delay=delay)
        node = harness.Server(self.flavour, config)
        self.addCleanup(node.kill)
        return node

    def end(self, node):
        """Stops a node, and does not wait for its delay."""
        if not node.is_ending:
            node.signal(signal.SIGTERM)
        # a signal that came before the first was taken would be none
        wait_until(lambda: "STOPPING=1" in node.notify.receive(), "STOPPING=1")
        if node.alive():
            node.signal(signal.SIGTERM)
        node.stop()

    def balance(self, kind):
        balancer = Balancer(kind, self.ports)
        self.addCleanup(balancer.stop)
        return balancer

    def load(self, balancer):
        load = Load(balancer.port, "/static/1718539201234/a.css")
        self.addCleanup(load.stop)
        return load

    def expect_no_failure_while_all_restart(self, kind, delay):
        nodes = [self.start_node(index, delay=delay) for index in range(2)]
        load = self.load(self.balance(kind))
        for index in range(2):
            load.has_answers_of(str(index))
            nodes[index].signal(signal.SIGTERM)
            nodes[index].stop()
            load.has_answers_of(str(1 - index))
            nodes[index] = self.start_node(index, delay=delay)
            load.has_answers_of(str(index))
        load.stop()
        self.assertEqual(load.failures[:3], [])
        for node in nodes:
            self.end(node)

    def expect_other_node_to_be_asked(self, kind):
        """One node has a token that is newer than the other's, which says 503."""
        nodes = [self.start_node(0, token="0", delay="0"), self.start_node(1, delay="0")]
        load = self.load(self.balance(kind))
        for _ in range(5):
            load.has_answers_of("1")
        load.stop()
        self.assertEqual(load.failures[:3], [])
        self.assertNotIn("0", load.answers)
        for node in nodes:
            node.stop()

    def expect_nothing_to_be_done_twice(self, kind, status=502):
        closing = Closing()
        self.addCleanup(closing.stop)
        self.ports[0] = closing.port
        node = self.start_node(1, delay="0")
        balancer = self.balance(kind)
        statuses = []
        for method in ["POST", "GET"] * 10:
            connection = http.client.HTTPConnection("127.0.0.1", balancer.port,
                                                    timeout=harness.DEADLINE_S)
            connection.request(method, "/static/1718539201234/a.css",
                               b"buy" if method == "POST" else None)
            statuses.append((method, connection.getresponse().status))
            connection.close()
        self.assertEqual({status for method, status in statuses if method == "GET"}, {200})
        # each POST reached one node, and that one's answer is the client's
        failed = [status for method, status in statuses if method == "POST" and status != 405]
        self.assertEqual(len(failed), closing.posts)
        self.assertEqual(set(failed), {status})
        node.stop()


class HAProxy(BalancerCase):
    def test_no_request_fails_while_all_nodes_are_restarted(self):
        self.expect_no_failure_while_all_restart("haproxy", "5")

    def test_no_request_fails_while_nodes_stop_without_a_delay(self):
        self.expect_no_failure_while_all_restart("haproxy", "0")

    def test_what_one_node_lacks_the_other_is_asked_for(self):
        self.expect_other_node_to_be_asked("haproxy")

    def test_a_post_is_not_sent_twice(self):
        self.expect_nothing_to_be_done_twice("haproxy")

    def test_a_node_that_is_not_ready_gets_no_requests(self):
        nodes = [self.start_node(index, delay="3600") for index in range(2)]
        load = self.load(self.balance("haproxy"))
        for index in range(2):
            load.has_answers_of(str(index))
        nodes[0].signal(signal.SIGTERM)

        def is_left_alone():
            before = load.answers["0"]
            load.has_answers_of("1")
            return load.answers["0"] == before
        wait_until(is_left_alone, "the checks to see it")
        self.assertTrue(nodes[0].alive())
        load.stop()
        self.assertEqual(load.failures[:3], [])
        for node in nodes:
            self.end(node)


class Nginx(BalancerCase):
    def test_no_request_fails_while_all_nodes_are_restarted(self):
        self.expect_no_failure_while_all_restart("nginx", "0")

    def test_what_one_node_lacks_the_other_is_asked_for(self):
        self.expect_other_node_to_be_asked("nginx")

    def test_a_post_is_not_sent_twice(self):
        self.expect_nothing_to_be_done_twice("nginx")


class Varnish(BalancerCase):
    def test_no_request_fails_while_all_nodes_are_restarted(self):
        self.expect_no_failure_while_all_restart("varnish", "5")

    def test_no_request_fails_while_nodes_stop_without_a_delay(self):
        self.expect_no_failure_while_all_restart("varnish", "0")

    def test_what_one_node_lacks_the_other_is_asked_for(self):
        self.expect_other_node_to_be_asked("varnish")

    def test_a_post_is_not_sent_twice(self):
        self.expect_nothing_to_be_done_twice("varnish", 503)


class Squid(BalancerCase):
    def test_no_request_fails_while_all_nodes_are_restarted(self):
        self.expect_no_failure_while_all_restart("squid", "0")

    def test_what_one_node_lacks_the_other_is_asked_for(self):
        self.expect_other_node_to_be_asked("squid")

    def test_a_post_is_not_sent_twice(self):
        self.expect_nothing_to_be_done_twice("squid")


if __name__ == "__main__":
    harness.main()
