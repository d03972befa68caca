"""What a server tells of itself (`breaker.status`), read as Prometheus reads it, by the parsers of
its own Python client: counts are exact on the fast path and over HTTP/2, what is fetched and held is
told, a Redis that is gone shows, nobody looks who may not, and a reload begins anew."""

import base64
import json
import os
import shutil
import subprocess
import time

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

import client
import cluster
import harness
import holding
from harness import wait_until

TOKEN = "1718539201234"
OLDER, NEWER = "1618539201234", "1918539201234"
CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
listen: {type: unix, port: @unix@}
num-threads: 2
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: @site@}
      "/breaker":
        breaker.status: @status@
"""
# of Prometheus, where it is installed: it says more of names than the parsers do
PROMTOOL = shutil.which("promtool")
VIEW = {"view": "static/{breaker}", "host": "default"}
# of "sesame", as `openssl passwd -6` makes them, and of "open sesame"
HASH = "$6$rounds=1000$breaker$ig1rz4xbCMgQqsGETM7L8hpqtmqe9gJ3XcSwDSmO6UrrMJkb9PZGVF3ld8RY8sE6V2yVpHieiRZmpy2nxNwIM0"
OTHER_HASH = "$6$rounds=1000$breaker$01EP1aos14aqcnqF1zI.kI1QhI1ZyMB7HGmT7msDi31jLn73ECUeKmyq2zODcoet4/89o/NEP0eU6/J0jsEVv/"


def basic(name, password):
    return ("authorization", "Basic " + base64.b64encode(
        ("%s:%s" % (name, password)).encode()).decode())


def families(response):
    return list(parser.text_string_to_metric_families(response.body.decode()))


class Metrics:
    """What `/breaker/metrics` says."""

    def __init__(self, address, headers=()):
        self.response = client.get(address, "/breaker/metrics", headers=headers)
        if self.response.status != 200:
            raise AssertionError(self.response)
        self.samples = {}
        for family in families(self.response):
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                if key in self.samples:
                    raise AssertionError("twice: %r" % (key,))
                self.samples[key] = sample.value

    def __call__(self, name, **labels):
        return self.samples.get(("h2o_breaker_" + name, frozenset(labels.items())))

    def requests(self):
        """By verdict, those that are not 0."""
        return {dict(labels)["verdict"]: value for (name, labels), value in self.samples.items()
                if name == "h2o_breaker_requests_total" and value}


class StatusCase(harness.FlavourCase):
    def setUp(self):
        self.scratch = harness.Scratch()
        self.addCleanup(self.scratch.remove)
        self.port = harness.free_port()
        os.makedirs(self.scratch("run"))
        os.chmod(self.scratch("run"), 0o777)
        self.unix = self.scratch("run", "sock")
        self.site = self.scratch.tree("site", {"a.css": b"a{}\n" * 25})

    def text(self, status="ON", config=CONFIG):
        return harness.expand(config, port=self.port, unix=self.unix, site=self.site, token=TOKEN,
                              status=status)

    def start(self, status="ON", **options):
        server = harness.Server(self.flavour, self.text(status), **options)
        self.addCleanup(server.kill)
        return server

    def url(self, name="a.css", token=TOKEN):
        return "/static/%s/%s" % (token, name)

    def ask_all(self, connection):
        """One of each; returns what the bodies come to."""
        size = 0
        for target, headers, status in (
                (self.url(), (), 200), (self.url(), (), 200),
                (self.url(), (("range", "bytes=0-9"),), 206),
                (self.url(), (("if-none-match", "*"),), 304),
                (self.url(token=OLDER), (), 301), (self.url("none"), (), 404),
                (self.url(token=NEWER), (), 503)):
            response = connection.request(target, headers=headers)
            self.assertEqual(response.status, status)
            size += len(response.body)
        self.assertEqual(connection.request(self.url(), method="HEAD").status, 200)
        return size


class Forms(StatusCase):
    def test_counts_are_exact_on_the_fast_path_and_over_http2(self):
        self.start()
        expected, size = {}, 0
        for kind in (client.Http1, client.Http2):
            with kind(self.port) as connection:
                size += self.ask_all(connection)
            for verdict, more in (("served", 3), ("partial", 1), ("not_modified", 1),
                                  ("redirected", 1), ("not_found", 1), ("retry_later", 1)):
                expected[verdict] = expected.get(verdict, 0) + more
            metrics = Metrics(self.port)
            self.assertEqual(metrics.requests(), expected)
            self.assertEqual(metrics("response_body_bytes_total", **VIEW), size)
        self.assertEqual(metrics("view_info", token=TOKEN, **VIEW), 1)
        self.assertEqual(metrics("readiness", state="ready"), 1)
        self.assertGreaterEqual(metrics("connections_accepted_total"), 4)
        self.assertGreaterEqual(metrics("connections"), 1)
        self.assertIsNone(metrics("redis_up"))

    def test_both_formats_are_what_they_say_and_tell_the_same(self):
        self.start()
        plain = client.get(self.port, "/breaker/metrics")
        self.assertEqual(plain.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
        self.assertEqual(plain.get("cache-control"), "no-store")
        opened = client.get(self.port, "/breaker/metrics", headers=[
            ("accept", "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;q=0.5")])
        self.assertEqual(opened.get("content-type"),
                         "application/openmetrics-text; version=1.0.0; charset=utf-8")
        names = {sample.name for family in families(plain) for sample in family.samples}
        self.assertEqual(names, {
            sample.name for family in openmetrics_parser.text_string_to_metric_families(
                opened.body.decode()) for sample in family.samples})
        self.assertTrue(all(name.startswith("h2o_breaker_") for name in names))
        for family in families(plain):
            self.assertTrue(family.documentation, family.name)
            self.assertNotEqual(family.type, "unknown", family.name)

    def test_json_has_the_schema_that_is_documented(self):
        self.start()
        client.get(self.port, self.url())
        response = client.get(self.port, "/breaker/json")
        self.assertEqual(response.get("content-type"), "application/json")
        told = json.loads(response.body)
        with open(os.path.join(harness.ROOT, "handlers", "status", "README.md")) as file:
            documented = file.read()
        for key in told:
            self.assertIn(key, documented)
        self.assertEqual((told["flavour"], told["readiness"]), (self.flavour, "ready"))
        self.assertEqual(told["views"][0]["requests"]["served"], 1)
        self.assertEqual(told["views"][0]["body_bytes"], 100)
        self.assertIsNone(told["cluster"])
        self.assertIsNone(told["holding"])
        self.assertLessEqual(abs(told["start_time_s"] - time.time()), harness.DEADLINE_S)

    def test_everything_else_below_the_path_is_not_found(self):
        self.start()
        for path, status in (("/breaker/livez", 200), ("/breaker/readyz", 200), ("/breaker", 404),
                             ("/breaker/", 404), ("/breaker/metrics/", 404), ("/breakers", 404)):
            self.assertEqual(client.get(self.port, path).status, status, path)
        self.assertEqual(client.get(self.port, "/breaker/json", method="POST").status, 405)

    def test_a_reload_begins_anew_and_says_when(self):
        server = self.start(master=True)
        for _ in range(3):
            client.get(self.port, self.url())
        before = Metrics(self.port)
        self.assertEqual(before.requests(), {"served": 3})
        time_of = before("start_time_seconds")
        wait_until(lambda: time.time() > time_of + 1, "another second")
        server.reload()
        client.get(self.port, self.url())
        after = Metrics(self.port)
        self.assertGreater(after("start_time_seconds"), time_of)
        self.assertEqual(after.requests(), {"served": 1})
        server.stop()


class Access(StatusCase):
    def status_from(self, source, path="/breaker/json", headers=()):
        with client.socket.create_connection(("127.0.0.1", self.port), harness.DEADLINE_S,
                                             source_address=(source, 0)) as sock:
            sock.sendall(client.make_request(path, headers=headers))
            return int(sock.makefile("rb").readline().split()[1])

    def test_an_address_that_is_not_in_the_list_is_refused(self):
        self.start("{allow: [127.0.0.1, 127.1.0.0/16]}")
        self.assertEqual(self.status_from("127.0.0.1"), 200)
        self.assertEqual(self.status_from("127.1.2.3"), 200)
        for path in ("/breaker/json", "/breaker/metrics", "/breaker/livez", "/breaker/x"):
            self.assertEqual(self.status_from("127.0.0.2", path), 403)
        self.assertEqual(client.get(self.unix, "/breaker/json").status, 403)
        self.assertEqual(self.status_from("127.0.0.2", self.url()), 200)

    def test_without_a_list_this_machine_may_look_and_no_proxy_for_others(self):
        self.start()
        self.assertEqual(self.status_from("127.0.0.2"), 200)
        self.assertEqual(client.get(self.unix, "/breaker/json").status, 200)
        for header in (("x-forwarded-for", "10.0.0.1"), ("forwarded", "for=10.0.0.1"),
                       ("via", "1.1 nginx")):
            self.assertEqual(self.status_from("127.0.0.1", headers=[header]), 403)

    def status_of(self, *credentials):
        """After a wrong password the next one has to wait."""
        def ask():
            headers = [basic(*credentials)] if credentials else []
            status = client.get(self.port, "/breaker/metrics", headers=headers).status
            return status if status != 503 else None
        return wait_until(ask, "the password to be looked at")

    def test_a_password_opens_and_a_reload_reads_others(self):
        users = self.scratch.write("users", "# who may look\nann:%s\n" % HASH)
        server = self.start("{user-file: %s}" % users, master=True)
        self.assertEqual(self.status_of(), 401)
        self.assertEqual(self.status_of("ann", "wrong"), 401)
        self.assertEqual(self.status_of("bob", "sesame"), 401)
        self.assertEqual(self.status_of("ann", "sesame"), 200)
        self.scratch.write("users", "ann:%s\n" % OTHER_HASH)
        server.reload()
        self.assertEqual(self.status_of("ann", "open sesame"), 200)
        self.assertEqual(self.status_of("ann", "sesame"), 401)
        self.assertNotIn(b"sesame", server.stderr())
        server.stop()

    def test_what_cannot_be_used_is_refused_with_its_place(self):
        users = self.scratch.write("users", "ann:s3cret\n")
        for status, expected in (
                ("maybe", "got `maybe`; accepted: ON, OFF, a mapping with allow, user-file"),
                ("{allow: []}", "nobody could look"),
                ("{allow: 10.0.0.1/8}", "allow: got `10.0.0.1/8`; accepted: addresses and networks"),
                ("{allowed: all}", "unknown key `allowed`; accepted: allow, user-file"),
                ("{user-file: /nowhere/users}", "/nowhere/users: No such file"),
                ("{user-file: %s}" % users, "users:1: accepted: NAME:HASH")):
            path = self.scratch.write("h2o.conf", self.text(status))
            code, _, stderr = harness.run_program(self.flavour, "-t", "-c", path)
            self.assertNotEqual(code, 0, status)
            self.assertRegex(stderr, r"h2o\.conf:\d+:\d+: breaker\.status: ")
            self.assertIn(expected, stderr)
            self.assertNotIn("s3cret", stderr)


class Clustered(holding.ClusteredCase):
    """Nodes of two releases, and the Redis between them."""

    STATUS = holding.CLUSTERED + '      "/breaker":\n        breaker.status: ON\n'

    def join(self, release, config=STATUS, redis=None):
        return self.start(release, config=config, redis=redis or self.redis.port)

    def test_a_redis_that_is_gone_shows_and_shows_again_when_it_is_back(self):
        server = self.join("a")
        metrics = wait_until(lambda: self.when(server, redis_up=1), "Redis to answer")
        self.assertEqual(metrics("agreement_state", state="synced"), 1)
        self.assertEqual(metrics("cluster_other_releases"), 0)
        if PROMTOOL is not None:
            subprocess.run([PROMTOOL, "check", "metrics"], input=metrics.response.body, check=True,
                           capture_output=True)
        self.redis.kill()
        metrics = wait_until(lambda: self.when(server, redis_up=0), "Redis to be missed")
        self.assertEqual(metrics("agreement_state", state="stale"), 1)
        age = metrics("ledger_age_seconds")
        wait_until(lambda: Metrics(server.port)("ledger_age_seconds") > age + 0.5, "age")
        self.assertEqual(json.loads(client.get(server.port, "/breaker/json").body)["cluster"]
                         ["redis_up"], False)
        self.redis.start()
        wait_until(lambda: self.when(server, redis_up=1), "Redis to be back")

    def when(self, server, **gauges):
        metrics = Metrics(server.port)
        return metrics if all(metrics(*item[:1]) == item[1] for item in gauges.items()) else None

    def test_what_is_fetched_and_held_is_told(self):
        first = self.join("a")
        token = self.current(first)
        second = self.join("b")
        wait_until(lambda: self.is_right(second, token, "css/shared-1.css", "a"), "release a")
        wait_until(lambda: Metrics(second.port)("held_releases", state="complete") == 1,
                   "release a to be complete")
        metrics = Metrics(second.port)
        fetched = len(set(self.files_of("a").values()) - set(self.files_of("b").values()))
        self.assertEqual(metrics("fetches_total", source="peers", what="file", result="ok"),
                         fetched)
        self.assertEqual(metrics("fetches_total", source="peers", what="manifest", result="ok"), 1)
        self.assertGreater(metrics("fetched_bytes_total", source="peers", what="file"), 0)
        self.assertEqual(metrics("held_blobs_lacking"), 0)
        self.assertEqual(metrics("peers"), 1)
        told = json.loads(client.get(second.port, "/breaker/json").body)
        self.assertEqual(told["holding"]["releases"], {"complete": 1, "partial": 0, "awaited": 0})
        self.assertEqual(len(told["holding"]["held"]), 1)
        self.assertEqual(told["holding"]["fetches"]["peer_files"]["ok"], fetched)

    def test_requests_that_wait_are_counted_with_how_long(self):
        server = self.join("a")
        wait_until(lambda: self.when(server, redis_up=1), "Redis to answer")
        response = client.get(server.port, "/static/1918539201234/none")
        self.assertEqual(response.status, 503)
        metrics = Metrics(server.port)
        self.assertEqual(metrics("requests_waited_total", on="news", **VIEW), 1)
        self.assertEqual(metrics("wait_seconds_count", on="news"), 1)
        self.assertEqual(metrics("wait_seconds_bucket", on="news", le="+Inf"), 1)
        self.assertGreater(metrics("wait_seconds_sum", on="news"), 0)
        self.assertEqual(metrics("waiting_requests"), 0)

    def test_no_secret_is_told(self):
        locked = cluster.Redis("--requirepass", "s3cret", seeded=True)
        self.addCleanup(locked.kill)
        locked.start()
        config = self.STATUS.replace("redis://127.0.0.1", "redis://:s3cret@127.0.0.1")
        server = self.join("a", config=config, redis=locked.port)
        wait_until(lambda: self.when(server, redis_up=1), "Redis to answer")
        for path in ("/breaker/metrics", "/breaker/json"):
            body = client.get(server.port, path).body
            self.assertNotIn(b"s3cret", body)
            self.assertNotIn(b"redis://", body)


class Recipe(harness.unittest.TestCase):
    DIRECTORY = os.path.join(harness.ROOT, "deploy", "prometheus")

    def test_alerts_name_metrics_that_there_are(self):
        with open(os.path.join(harness.ROOT, "handlers", "status", "metrics.c")) as file:
            source = file.read()
        for name in ("alerts.yml", "README.md"):
            with open(os.path.join(self.DIRECTORY, name)) as file:
                named = set(harness.re.findall(r"h2o_breaker_(\w+)", file.read()))
            self.assertGreaterEqual(len(named), 5)
            for metric in named:
                self.assertIn('"%s"' % harness.re.sub("_(total|info|bucket)$", "", metric), source)

    @harness.unittest.skipIf(PROMTOOL is None, "promtool is not installed")
    def test_prometheus_takes_the_recipe(self):
        subprocess.run([PROMTOOL, "check", "config", "prometheus.yml"], cwd=self.DIRECTORY,
                       check=True, capture_output=True)


if __name__ == "__main__":
    harness.main()
