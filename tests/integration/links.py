"""Trees as deploy tools and packages leave them: absolute links, shared directories beside the
releases, several directories for one view, entries that belong to somebody else."""

import os
import unittest

import client
import harness

TOKEN = "1718539201234"

CONFIG = """
listen: {host: 127.0.0.1, port: @port@}
breaker.token: "@token@"
user: nobody
hosts:
  default:
    paths:
      "/":
        breaker.static:
@views@
"""


def views(*lines):
    return "\n".join("          - {%s}" % line for line in lines)


class LinkedCase(harness.ServedCase):
    """A case with files to serve, and with some beside them that must not be."""

    @classmethod
    def get(cls, path):
        with client.Http1(cls.port) as connection:
            response = connection.request("/" + path.replace("@", TOKEN))
            return response.status, response.body

    def assert_served(self, path, body):
        self.assertEqual(self.get(path), (200, body))

    def assert_not_served(self, *paths):
        for path in paths:
            self.assertEqual(self.get(path)[0], 404, path)

    def said(self):
        return self.server.stderr().decode().replace('\\"', '"')


class Deployed(LinkedCase):
    """What Capistrano and Laravel leave behind: `current`, releases, and what they share."""

    @classmethod
    def prepare(cls):
        app = cls.scratch.tree("app", {
            "releases/1/public/css/site.css": b"body {}\n",
            "shared/uploads/photo.png": b"a photo",
            "shared/storage/public/avatar.png": b"an avatar",
            "shared/.env": b"secret",
            "private/key.pem": b"secret"})
        public = os.path.join(app, "releases/1/public")
        os.symlink(os.path.join(app, "releases/1"), os.path.join(app, "current"))
        for name, target in (
                ("uploads", os.path.join(app, "shared/uploads")),
                ("storage", "../../../shared/storage/public"),
                ("latest.css", os.path.join(app, "current/public/css/site.css")),
                ("env", os.path.join(app, "shared/.env")),
                ("key", os.path.join(app, "private/key.pem")),
                ("passwd", "/etc/passwd"),
                ("up", "../../..")):
            os.symlink(target, os.path.join(public, name))
        os.symlink("../../private", os.path.join(app, "shared/uploads/private"))
        cls.app = app
        return cls.expand(CONFIG, token=TOKEN, views=views(
            'name: "followed/{breaker}", path: %s/current/public, '
            "follow: [%s/shared/uploads, %s/shared/storage/public]" % (app, app, app),
            'name: "alone/{breaker}", path: %s/current/public' % app))

    def test_absolute_links_inside_are_served(self):
        self.assert_served("followed/@/latest.css", b"body {}\n")
        self.assert_served("alone/@/latest.css", b"body {}\n")

    def test_links_into_directories_that_are_named_are_served(self):
        self.assert_served("followed/@/uploads/photo.png", b"a photo")
        self.assert_served("followed/@/storage/avatar.png", b"an avatar")

    def test_links_that_lead_anywhere_else_are_not(self):
        self.assert_not_served("followed/@/env", "followed/@/key", "followed/@/passwd",
                               "followed/@/up/private/key.pem", "followed/@/uploads/private/key.pem",
                               "alone/@/uploads/photo.png", "alone/@/storage/avatar.png",
                               "alone/@/passwd")
        for name in ("env", "key", "passwd", "up", "uploads/private"):
            self.assertIn('view "followed/{breaker}": %s/current/public/%s: left out: a symbolic '
                          "link that leads out of the directory" % (self.app, name), self.said())
        self.assertIn("%s/current/public/uploads: left out" % self.app, self.said())


class Layers(LinkedCase):
    """Several directories for one view."""

    @classmethod
    def prepare(cls):
        cls.scratch.tree("theme", {"logo.svg": b"<svg>ours</svg>", "js/a.js": b"ours"})
        cls.scratch.tree("vendor", {"logo.svg": b"<svg>theirs</svg>", "js/b.js": b"theirs"})
        return cls.expand(CONFIG, token=TOKEN, views=views(
            'name: "static/{breaker}", path: [%s, %s]' % (cls.scratch("theme"),
                                                          cls.scratch("vendor"))))

    def test_the_first_directory_wins(self):
        self.assert_served("static/@/logo.svg", b"<svg>ours</svg>")
        self.assert_served("static/@/js/a.js", b"ours")
        self.assert_served("static/@/js/b.js", b"theirs")
        self.assert_not_served("static/@/js/c.js")


class Foreign(LinkedCase):
    """A volume with a `lost+found` of root's, served by somebody else."""

    @classmethod
    def prepare(cls):
        if os.getuid() != 0:
            raise unittest.SkipTest("only root can give a server another user")
        cls.tree = cls.scratch.tree("volume", {
            "css/site.css": b"body {}\n", "lost+found/1": b"secret", "secret.css": b"secret"})
        os.chmod(os.path.join(cls.tree, "lost+found"), 0o700)
        os.chmod(os.path.join(cls.tree, "secret.css"), 0o600)
        os.symlink("lost+found/1", os.path.join(cls.tree, "found"))
        return cls.expand(CONFIG, token=TOKEN, views=views(
            'name: "static/{breaker}", path: %s' % cls.tree))

    def test_what_cannot_be_read_is_left_out_and_told(self):
        self.assert_served("static/@/css/site.css", b"body {}\n")
        self.assert_not_served("static/@/lost+found/1", "static/@/secret.css", "static/@/found")
        for name in ("lost+found", "secret.css", "found"):
            self.assertIn("%s/%s: left out: this process may not enter or read it"
                          % (self.tree, name), self.said())


if __name__ == "__main__":
    harness.main()
