"""Where redirects lead: relative to what was asked for, so that they lead back through a proxy that has
taken a prefix off; and what comes of URLs whose token nobody filled in."""

import os
import re
import shutil
import subprocess

import client
import harness

TOKEN, OLDER = "1718539201234", "1718539201233"
FILES = {"a.js": b"export {}\n", "css/site.css": b"a{}", "deep/er/and/deeper/leaf.txt": b"leaf",
         "with space.txt": b"space", "index.html": b"<p>root", "dir/index.html": b"<p>dir"}

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/":
        breaker.static:
          - {name: "static/{breaker}", path: @tree@, index: index.html}
          - {name: "assets/v{breaker}-x/pub", path: @tree@, index: index.html}
          - {name: "{breaker}", path: @tree@, index: index.html}
      "/sub/path":
        breaker.static: {name: "static/{breaker}", path: @tree@, index: index.html}
      "/inside":
        redirect: {url: "/static/1", internal: YES, status: 307}
      "/now":
        redirect: {url: "/static/@token@", internal: YES, status: 307}
"""

NGINX = """
daemon off;
pid @directory@/pid;
error_log stderr;
@user@
worker_processes 1;
events {}
http {
    access_log off;
    client_body_temp_path @directory@/body;
    proxy_temp_path @directory@/proxy;
    fastcgi_temp_path @directory@/fastcgi;
    uwsgi_temp_path @directory@/uwsgi;
    scgi_temp_path @directory@/scgi;
    server {
        listen 127.0.0.1:@front@;
        location /shop/ { proxy_pass http://127.0.0.1:@port@/; }
    }
}
"""


class RedirectsCase(harness.ServedCase):
    @classmethod
    def prepare(cls):
        return cls.expand(CONFIG, token=TOKEN, tree=cls.scratch.tree("tree", FILES))

    def get(self, target, **request):
        """The answer over HTTP/1.1 and over HTTP/2, which are the same."""
        with client.Http2(self.port) as http2:
            by_http2 = http2.request(target, **request)
        response = client.get(self.port, target, **request)
        self.assertEqual((by_http2.status, by_http2.get("location"), by_http2.get("cache-control")),
                         (response.status, response.get("location"), response.get("cache-control")))
        return response


class Relative(RedirectsCase):
    def test_a_location_goes_up_to_the_segment_of_the_token(self):
        for asked, location in (
                ("/static/1/a.js", "../@/a.js"), ("/static/1/css/site.css", "../../@/css/site.css"),
                ("/static/1/deep/er/and/deeper/leaf.txt?a/b",
                 "../../../../../@/deep/er/and/deeper/leaf.txt?a/b"),
                ("/static/1/", "../@/"), ("/static/1/dir/?", "../../@/dir/?"),
                ("/1/a.js", "../@/a.js"), ("/1/", "../@/"), ("/1/css/site.css", "../../@/css/site.css"),
                ("/assets/v1-x/pub/a.js", "../../v@-x/pub/a.js"),
                ("/assets/v1-x/pub/css/site.css", "../../../v@-x/pub/css/site.css"),
                ("/assets/v1-x/pub/", "../../v@-x/pub/"),
                ("/sub/path/static/1/a.js", "../@/a.js"),
                ("/static/1/with%20space.txt", "../@/with%20space.txt"),
                ("/static/1/css%2Fsite.css", "/static/@/css%2Fsite.css"),
                ("/static/1/css/../a.js", "/static/@/css/../a.js"),
                ("/static/./1/a.js", "/static/@/a.js")):
            with self.subTest(asked):
                response = self.get(asked)
                self.assertEqual((response.status, response.get("location")),
                                 (301, location.replace("@", TOKEN)))
                self.assertEqual(self.get(response.leads_to).status, 200)

    def test_after_an_internal_redirect_it_is_a_whole_path(self):
        for asked, location in (("/inside/css/site.css?q", "/static/%s/css/site.css"),
                                ("/inside/a.js", "/static/%s/a.js"),
                                ("/now/dir", "/static/%s/dir/")):
            with self.subTest(asked):
                response = self.get(asked)
                self.assertEqual(response.status, 301)
                self.assertEqual(response.leads_to.split("?")[0], location % TOKEN)
                self.assertEqual(self.get(response.leads_to).status, 200)

    def test_through_a_proxy_that_strips_a_prefix_it_leads_back(self):
        front, directory = harness.free_port(), self.scratch("nginx")
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "nginx.conf"), "w") as file:
            file.write(harness.expand(NGINX, directory=directory, front=front, port=self.port,
                                      user="user root;" if os.getuid() == 0 else ""))
        nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        process = subprocess.Popen([nginx, "-p", directory, "-e", "stderr", "-c",
                                    os.path.join(directory, "nginx.conf")],
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            harness.wait_until(lambda: self.is_there(front), "nginx")
            for view in ("static/%s", "assets/v%s-x/pub", "%s", "sub/path/static/%s"):
                for path in ("a.js", "css/site.css", "with%20space.txt", "", "dir/?x"):
                    response = client.get(front, "/shop/%s/%s" % (view % OLDER, path))
                    self.assertEqual((response.status, response.leads_to),
                                     (301, "/shop/%s/%s" % (view % TOKEN, path)))
                    self.assertEqual(client.get(front, response.leads_to).status, 200)
        finally:
            process.terminate()
            process.wait(harness.DEADLINE_S)

    def is_there(self, port):
        try:
            return client.get(port, "/") is not None
        except ConnectionRefusedError:
            return False


class Forgotten(RedirectsCase):
    def test_a_word_where_a_token_should_be_is_not_found_at_once(self):
        for path in ("css/site.css", "css/css/site.css", "a.js/a.js", "v1.2/a.js", "0x10/a.js",
                     "1718539201234a/a.js", "latest/a.js"):
            response = self.get("/static/" + path)
            self.assertEqual((response.status, response.get("cache-control")), (404, "no-store"))
        self.assertEqual(self.get("/static/1718539201235/a.js").status, 503)
        self.assertEqual(self.get("/static/1718539201235-a1b2c3d4/a.js").status, 503)

    def test_a_placeholder_is_led_to_the_current_token(self):
        for view in ("/static/%s/", "/assets/v%s-x/pub/", "/sub/path/static/%s/"):
            for placeholder in ("{breaker}", "%7Bbreaker%7D", "%7bbreaker%7d", "{breaker%7D"):
                for path in ("css/site.css", "a.js?x={breaker}", ""):
                    asked = view % placeholder + path
                    for method in ("GET", "HEAD"):
                        response = self.get(asked, method=method)
                        self.assertEqual((response.status, response.get("cache-control")),
                                         (302, "no-store"), asked)
                        self.assertEqual(response.leads_to.split("?")[0],
                                         (view % TOKEN + path).split("?")[0])
                        self.assertEqual(response.get("access-control-allow-origin"), "*")
                        self.assertEqual(self.get(response.leads_to).status, 200)
                response = self.get(view % placeholder + "none.js")
                self.assertEqual((response.status, response.get("cache-control")), (404, "no-store"))

    def test_the_log_says_so_once_a_minute_and_where(self):
        server = harness.Server(self.flavour, self.prepare_alone())
        self.addCleanup(server.kill)
        for _ in range(20):
            client.get(self.alone, "/sub/path/static/%7Bbreaker%7D/a.js",
                       headers=(("referer", "http://shop.example/page\xff"),))
        lines = re.findall(rb"(?m)^.*placeholder.*$", server.stderr())
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(b"/sub/path/static/%7Bbreaker%7D/a.js", lines[0])
        self.assertIn(b"http://shop.example/page?", lines[0])
        server.stop()

    def prepare_alone(self):
        type(self).alone = harness.free_port()
        return harness.expand(CONFIG, port=self.alone, token=TOKEN, tree=self.scratch("tree"))


class Directories(harness.ServedCase):
    CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
hosts:
  default:
    paths:
      "/one-page":
        file.file: @pages@/app.html
      "/":
        breaker.static:
          - {name: "indexed/{breaker}", path: @tree@, index: index.html}
          - {name: "plain/{breaker}", path: @tree@}
          - {name: "app/{breaker}", path: @tree@, index: index.html, fallback: index.html}
          - {name: "lost/{breaker}", path: @tree@, fallback: none.html}
        file.dir: @pages@
"""

    @classmethod
    def prepare(cls):
        return cls.expand(cls.CONFIG, token=TOKEN, tree=cls.scratch.tree("tree", FILES),
                          pages=cls.scratch.tree("pages", {"app.html": b"<p>app", "near/x.txt": b"x"}))

    get = RedirectsCase.get

    def test_a_directory_without_its_slash_is_led_to_the_one_with_it(self):
        for path, location in (("dir", "./dir/"), ("dir?a/b?", "./dir/?a/b?"), ("%64ir", "./%64ir/"),
                               ("css/../dir", "./dir/")):
            asked = "/indexed/%s/%s" % (TOKEN, path)
            for method in ("GET", "HEAD"):
                response = self.get(asked, method=method)
                self.assertEqual((response.status, response.get("location"),
                                  response.get("cache-control")),
                                 (301, location, "public, max-age=60"))
            self.assertEqual(self.get(response.leads_to).body, b"<p>dir")
        older = self.get("/indexed/%s/dir?q" % OLDER)
        self.assertEqual((older.status, older.get("location")), (301, "../%s/dir?q" % TOKEN))
        self.assertEqual(self.get(older.leads_to).get("location"), "./dir/?q")
        for asked in ("/indexed/%s/css" % TOKEN, "/indexed/%s/deep/er" % TOKEN,
                      "/indexed/%s/dir/index.html/" % TOKEN, "/plain/%s/dir" % TOKEN,
                      "/indexed/%s/css" % OLDER):
            self.assertEqual(self.get(asked).status, 404, asked)

    def test_a_fallback_answers_for_what_names_nothing_and_has_no_dot(self):
        for path in ("cart", "cart/items/7", "css", "deep/er/", "no.such/page"):
            response = self.get("/app/%s/%s" % (TOKEN, path))
            self.assertEqual((response.status, response.body), (200, FILES["index.html"]), path)
            self.assertEqual(response.get("content-type"), "text/html; charset=utf-8")
            self.assertEqual(self.get("/app/%s/%s" % (OLDER, path)).status, 301)
            self.assertEqual(self.get("/lost/%s/%s" % (TOKEN, path)).status, 404)
            self.assertEqual(self.get("/plain/%s/%s" % (TOKEN, path)).status, 404)
        for path in ("js/missing.js", "a.jsx", "cart/%00", "cart%5c", "x.y"):
            for token in (TOKEN, OLDER):
                response = self.get("/app/%s/%s" % (token, path))
                self.assertEqual((response.status, response.get("cache-control")),
                                 (404, "no-store"), path)
        self.assertEqual(self.get("/app/%s/dir" % TOKEN).status, 301)
        self.assertEqual(self.get("/app/%s/a.js" % TOKEN).body, FILES["a.js"])

    def test_one_page_answers_for_all_paths_below_it(self):
        for path in ("", "/", "/cart/7", "/a.b"):
            response = self.get("/one-page" + path)
            self.assertEqual((response.status, response.body), (200, b"<p>app"))

    def test_what_is_not_found_just_outside_a_view_is_not_stored(self):
        for path in ("/indexed", "/indexed/", "/indexed/" + TOKEN, "/app/x.js", "/plain/a?b"):
            response = self.get(path)
            self.assertEqual((response.status, response.get("cache-control")), (404, "no-store"), path)
        for path in ("/none", "/indexedx/a", "/near/none"):
            response = self.get(path)
            self.assertEqual((response.status, response.get("cache-control")), (404, None), path)
        self.assertEqual(self.get("/near/x.txt").body, b"x")


if __name__ == "__main__":
    harness.main()
