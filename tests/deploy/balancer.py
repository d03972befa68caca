"""The programs that deploy/ has recipes for, in front of nodes on loopback."""

import csv
import os
import shutil
import socket
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))
import harness  # noqa: E402

PATH = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"

NGINX = """
daemon off;
pid @directory@/pid;
error_log stderr;
@user@
worker_processes 2;
events {}
http {
    access_log off;
    client_body_temp_path @directory@/body;
    proxy_temp_path @directory@/proxy;
    fastcgi_temp_path @directory@/fastcgi;
    uwsgi_temp_path @directory@/uwsgi;
    scgi_temp_path @directory@/scgi;
    include @directory@/recipe;
}
"""

SQUID = """
pid_filename @directory@/pid
cache_log stdio:@directory@/log
access_log none
coredump_dir none
pinger_enable off
shutdown_lifetime 0 seconds
include @directory@/recipe
"""


class Balancer:
    """A program in front of two nodes' ports, with the recipe's addresses replaced and no other
    word."""

    def __init__(self, kind, ports):
        self.directory = tempfile.mkdtemp(prefix="breaker-balancer-")
        # Squid, started by root, is somebody else
        os.chmod(self.directory, 0o777)
        self.port = harness.free_port()
        recipe, listens, node, command = getattr(self, kind)()
        with open(os.path.join(ROOT, "deploy", recipe)) as file:
            text = file.read()
        replacements = [(old, new % self.port) for old, new in listens]
        replacements += [(node % (address, 8080), node % ("127.0.0.1", port))
                         for address, port in zip(("10.0.0.11", "10.0.0.12"), ports)]
        for old, new in replacements:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self.write("recipe", text)
        self.log = open(os.path.join(self.directory, "log"), "w+")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log)
        harness.wait_until(self.is_there, "the balancer")

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def program(self, name):
        path = shutil.which(name, path=PATH)
        assert path is not None, name + " is not installed"
        return path

    # Each: the recipe, what says where it listens, how it names a node, and the command.

    def haproxy(self):
        self.write("stats", "global\n    stats socket %s\n" % self.path("socket"))
        return ("haproxy/h2o-breaker.cfg", [("bind :80", "bind 127.0.0.1:%d")], "%s:%d",
                [self.program("haproxy"), "-db", "-f", self.path("recipe"), "-f", self.path("stats")])

    def nginx(self):
        self.write("nginx.conf", harness.expand(
            NGINX, directory=self.directory, user="user root;" if os.getuid() == 0 else ""))
        return ("nginx/h2o-breaker.conf", [("listen 80;", "listen 127.0.0.1:%d;")], "%s:%d",
                [self.program("nginx"), "-p", self.directory, "-e", "stderr",
                 "-c", self.path("nginx.conf")])

    def varnish(self):
        return ("varnish/h2o-breaker.vcl", [], "%s:%d",
                [self.program("varnishd"), "-F", "-j", "none", "-f", self.path("recipe"),
                 "-a", "127.0.0.1:%d" % self.port, "-n", self.path("work"),
                 "-s", "malloc,64m", "-p", "vsl_space=4M"])

    def squid(self):
        self.write("squid.conf", harness.expand(SQUID, directory=self.directory))
        return ("squid/h2o-breaker.conf", [("http_port 80", "http_port 127.0.0.1:%d")],
                "%s parent %d", [self.program("squid"), "-N", "-f", self.path("squid.conf")])

    def is_there(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError("the balancer ended: " + self.log.read())
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def failed_checks(self):
        """How many checks of each node have failed so far: HAProxy's own count."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self.path("socket"))
            sock.sendall(b"show stat\n")
            rows = list(csv.DictReader(sock.makefile()))
        return {row["svname"]: int(row["chkfail"]) for row in rows
                if row["# pxname"] == "nodes" and row["svname"] != "BACKEND"}

    def stop(self):
        self.process.terminate()
        self.process.wait(harness.DEADLINE_S)
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)
