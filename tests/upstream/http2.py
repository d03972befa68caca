"""An application that is spoken to in HTTP/2: nginx, over TLS, with files, what it is told of the
request, and an application behind it that tells what came."""

import hashlib
import os
import re
import shutil
import subprocess

import proxying
from proxying import client, harness
from scripted import CLOSE, Application

PAGE = b"<p>a page\n" * 100
LARGE = bytes(range(256)) * (8 << 12)  # 8 MiB

NGINX = """
daemon off;
user root;
pid @directory@/nginx.pid;
worker_processes 1;
events {}
http {
  access_log off;
  client_body_temp_path @directory@/body;
  proxy_temp_path @directory@/proxy;
  fastcgi_temp_path @directory@/fastcgi;
  uwsgi_temp_path @directory@/uwsgi;
  scgi_temp_path @directory@/scgi;
  client_max_body_size 0;
  server {
    listen 127.0.0.1:@port@ ssl http2;
    listen 127.0.0.1:@old@ ssl;
    ssl_certificate @cert@;
    ssl_certificate_key @key@;
    root @files@;
    location = /protocol { return 200 "$server_protocol $host $http_x_forwarded_for"; }
    location = /gone { return 410; }
    location /told { proxy_pass http://127.0.0.1:@told@; }
    location /cut { proxy_pass http://127.0.0.1:@told@; proxy_buffering off; }
  }
}
"""


def digest(data):
    return hashlib.sha256(data).hexdigest().encode()


def tell_body(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + digest(exchange.request.body))


def answer_to(request):
    if request.target.startswith("/cut"):
        return [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", CLOSE]
    return [tell_body, CLOSE]


class OverHttp2(proxying.ProxyCase):
    @classmethod
    def prepare_paths(cls):
        port, old, told = (harness.free_port() for _ in range(3))
        cls.with_application(Application(("127.0.0.1", told), answer_to))
        directory = cls.scratch("nginx")
        os.mkdir(directory)
        files = cls.scratch.tree("files", {"page.html": PAGE, "large.bin": LARGE})
        with open(os.path.join(directory, "nginx.conf"), "w", encoding="ascii") as file:
            file.write(harness.expand(NGINX, directory=directory, port=port, old=old, told=told,
                                      files=files, cert=cls.certificate.cert, key=cls.certificate.key))
        nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        process = subprocess.Popen([nginx, "-p", directory, "-e", "stderr", "-c",
                                    os.path.join(directory, "nginx.conf")],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.terminate)
        harness.wait_until(lambda: os.path.exists(os.path.join(directory, "nginx.pid")), "nginx")
        lines = ["proxy.ssl.cafile: " + cls.certificate.cert, "proxy.http2: ON"]
        return {"/app": ["proxy.reverse.url: https://localhost:%d/" % port, *lines],
                "/old": ["proxy.reverse.url: https://localhost:%d/" % old, *lines],
                "/plain": ["proxy.reverse.url: https://localhost:%d/" % port, lines[0]]}

    def ask(self, target, **request):
        return client.get(self.port, target, **request)

    def test_it_is_http2_where_that_is_asked_for(self):
        for path, version in (("/app", b"HTTP/2.0"), ("/plain", b"HTTP/1.1")):
            for _ in range(3):
                response = self.ask(path + "/protocol")
                self.assertEqual((response.status, response.reason), (200, "OK"))
                self.assertRegex(response.body, rb"\A%s localhost 127\.0\.0\.1\Z" % re.escape(version))

    def test_an_application_that_knows_only_http1_is_none(self):
        self.assertEqual(self.ask("/old/protocol").status, 502)

    def test_files_heads_and_errors_are_its_own(self):
        response = self.ask("/app/page.html")
        self.assertEqual((response.status, response.body), (200, PAGE))
        self.assertEqual(response.get("content-length"), str(len(PAGE)))
        with client.Http1(self.port) as connection:
            response = connection.request("/app/page.html", "HEAD")
            self.assertEqual((response.status, response.body), (200, b""))
            self.assertEqual(response.get("content-length"), str(len(PAGE)))
            response = connection.request("/app/gone")
            self.assertEqual((response.status, response.reason), (410, "Gone"))
            tag = connection.request("/app/page.html").get("etag")
            self.assertEqual(connection.request("/app/page.html", headers=[("if-none-match", tag)]).status, 304)

    def test_large_bodies_pass_both_ways(self):
        self.assertEqual(self.ask("/app/large.bin").body, LARGE)
        # over HTTP/2 it has come whole before it goes on, over HTTP/1.1 it goes on as it comes
        way = self.open(proxying.HTTP2)
        self.assertEqual(way.ask("/app/told", "POST", body=LARGE).body, digest(LARGE))
        response = self.ask("/app/told", method="POST", body=LARGE)
        self.assertEqual(response.body, digest(LARGE))

    def test_many_requests_share_a_connection(self):
        def on_response(at, response):
            self.assertEqual((response.status, response.body), (200, PAGE), at)

        connection = client.Http2(self.port)
        connection.fetch_all([(at, "/app/page.html", ()) for at in range(200)], on_response)
        connection.close()

    def test_a_body_that_is_cut_is_not_whole(self):
        with client.Http1(self.port) as connection:
            try:
                status = connection.request("/app/cut").status
            except client.Malformed:
                status = None
        # nginx resets the stream, perhaps before its head was read
        self.assertIn(status, (None, 502))
        self.assertEqual(self.ask("/app/protocol").status, 200)


if __name__ == "__main__":
    harness.main()
