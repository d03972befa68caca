"""A link to one server: plain, password, ACL, Unix socket, database, and what it does when that
server goes away."""

import os
import signal
import socket

from link import FullBacklog, LinkTest, Redis, free_port, main, wait_until


class Server(LinkTest):
    def test_commands_and_every_type_of_reply(self):
        server = self.redis()
        probe = self.probe("redis://127.0.0.1:%d" % server.port)
        self.assertEqual(probe.dial(), "127.0.0.1:%d" % server.port)
        self.assertEqual(probe.command("PING"), {"status": "PONG"})
        self.assertEqual(probe.command("SET", "k", "vä\r"), {"status": "OK"})
        self.assertEqual(probe.command("GET", "k").encode("latin1").decode(), "vä\r")
        self.assertEqual(probe.command("EVAL", "return '\\0\\r\\n\\255'", "0"), "\0\r\n\xff")
        self.assertIsNone(probe.command("GET", "missing"))
        self.assertEqual(probe.command("INCR", "n"), 1)
        self.assertEqual(probe.command("DECRBY", "n", "9007199254740993"), -9007199254740992)
        self.assertIn("ERR unknown command", probe.command("NONSENSE")["error"])
        self.assertEqual(probe.command("EVAL", "return {1, 'a', {false, {}}, {err='E x'}}", "0"),
                         [1, "a", [None, []], {"error": "E x"}])

    def test_long_commands_and_long_replies(self):
        server = self.redis()
        probe = self.probe("redis://127.0.0.1:%d" % server.port)
        probe.dial()
        length = 256 * 1024 - len("$262000\r\n\r\n")
        self.assertEqual(probe.command("SET", "k", "x" * length), {"status": "OK"})
        self.assertEqual(probe.command("GET", "k"), "x" * length)
        self.assertEqual(probe.command("APPEND", "k", "y"), length + 1)
        probe.ask("command", "GET", "k")
        self.assertIn("longer than 256 KiB", probe.expect("down"))
        probe.dial()
        probe.ask("command", "SET", "k", "x" * (1024 * 1024))
        self.assertIn("does not fit", probe.expect("down"))
        probe.dial()
        self.assertEqual(probe.command("SET", "k", "x" * (1024 * 1024 - 200)), {"status": "OK"})

    def test_a_reply_has_1024_elements_at_most(self):
        server = self.redis()
        probe = self.probe("redis://127.0.0.1:%d" % server.port)
        probe.dial()
        script = "local a = {} for i = 1, tonumber(ARGV[1]) do a[i] = i end return {a}"
        self.assertEqual(probe.command("EVAL", script, "0", "1023"), [list(range(1, 1024))])
        probe.ask("command", "EVAL", script, "0", "1024")
        self.assertIn("more than 1024 elements", probe.expect("down"))

    def test_a_password_alone(self):
        server = self.redis("--requirepass", "p@ss/wörd")
        probe = self.probe("redis://:p%%40ss%%2Fw%%C3%%B6rd@127.0.0.1:%d" % server.port)
        probe.dial()
        self.assertEqual(probe.command("PING"), {"status": "PONG"})

    def test_wrong_missing_and_needless_passwords_are_told_and_not_shown(self):
        locked = self.redis("--requirepass", "right")
        opened = self.redis()
        reason = self.probe("redis://:hunter2@127.0.0.1:%d" % locked.port).down()
        self.assertEqual(reason, "127.0.0.1:%d: AUTH: wrong user or password" % locked.port)
        reason = self.probe("redis://:hunter2@127.0.0.1:%d" % opened.port).down()
        self.assertIn("AUTH: the server has no password", reason)
        probe = self.probe("redis://127.0.0.1:%d" % locked.port)
        probe.dial()
        self.assertIn("NOAUTH", probe.command("PING")["error"])
        reason = self.probe("redis://127.0.0.1:%d/1" % locked.port).down()
        self.assertIn("SELECT: a password is missing (NOAUTH)", reason)

    def test_a_user_of_an_acl(self):
        server = self.redis()
        server.cli("ACL", "SETUSER", "breaker", "on", ">s3cret", "~shop:*", "-@all", "+get",
                   "+eval", "+select")
        port = server.port
        probe = self.probe("redis://breaker:s3cret@127.0.0.1:%d/1" % port)
        probe.dial()
        self.assertIsNone(probe.command("GET", "shop:x"))
        self.assertIn("NOPERM", probe.command("GET", "other")["error"])
        self.assertIn("NOPERM", probe.command("SET", "shop:x", "y")["error"])
        self.assertIn("wrong user", self.probe("redis://breaker:no@127.0.0.1:%d" % port).down())
        self.assertIn("wrong user", self.probe("redis://other:s3cret@127.0.0.1:%d" % port).down())
        server.cli("ACL", "SETUSER", "breaker", "-select")
        reason = self.probe("redis://breaker:s3cret@127.0.0.1:%d/1" % port).down()
        self.assertIn("SELECT: the user may not run 'select' (NOPERM): deploy/redis/users.acl",
                      reason)

    def test_the_configuration_overrides_what_the_url_says(self):
        server = self.redis("--requirepass", "right")
        server.cli("-a", "right", "ACL", "SETUSER", "breaker", "on", ">s3cret", "+@all")
        where = "127.0.0.1:%d" % server.port
        self.probe("-p", "right", "redis://" + where).dial()
        self.probe("-p", "right", "redis://:wrong@" + where).dial()
        probe = self.probe("-p", "s3cret", "redis://breaker@" + where)
        probe.dial()
        self.assertEqual(probe.command("ACL", "WHOAMI"), "breaker")
        probe = self.probe("-u", "breaker", "redis://nobody:s3cret@" + where)
        probe.dial()
        self.assertEqual(probe.command("ACL", "WHOAMI"), "breaker")

    def test_a_password_file_is_read_again_when_the_password_is_refused(self):
        server = self.redis("--requirepass", "first")
        path = os.path.join(server.directory, "key")

        def keep(text):
            with open(path, "w") as file:
                file.write(text + "\n")
        keep("first")
        probe = self.probe("-p", "first", "-f", path, "redis://127.0.0.1:%d" % server.port)
        probe.dial()
        server.cli("-a", "first", "CONFIG", "SET", "requirepass", "second")
        # who is in stays in; the next dial finds out, and tries the new one at once
        keep("second")
        server.cli("-a", "second", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        probe.expect("down")
        probe.dial()
        self.assertEqual(probe.command("PING"), {"status": "PONG"})
        server.cli("-a", "second", "CONFIG", "SET", "requirepass", "third")
        server.cli("-a", "third", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        probe.expect("down")
        where = "127.0.0.1:%d: AUTH: wrong user or password, and " % server.port
        self.assertEqual(probe.down(), where + path + " has no other one")
        keep("wrong as well")
        self.assertEqual(probe.down(), where + path + " has no other one")
        os.unlink(path)
        self.assertEqual(probe.down(), where + "it cannot be read again: %s: No such file or "
                         "directory" % path)
        os.mkfifo(path)
        self.assertIn("it cannot be read again: %s: nobody has written" % path, probe.down())
        os.unlink(path)
        keep("third")
        probe.dial()

    def test_what_is_not_about_the_password_is_not_blamed_on_its_file(self):
        cases = (
            ("ERR AUTH <password> called without any password configured for the default user. Are "
             "you sure your configuration is correct?", "AUTH: the server has no password"),
            ("ERR max number of clients reached", "the server has its maximum of clients"),
            ("NOPERM User default has no permissions to run the 'auth' command",
             "AUTH: whoever connects may not run it (NOPERM): the user default lacks +auth"),
            ("DENIED Redis is running in protected mode", "the server is in protected mode"),
            ("LOADING Redis is loading the dataset in memory",
             "the server is loading its data (LOADING)"),
            ("ERR unknown command 'AUTH', with args beginning with: 'NOPERM'",
             "AUTH: the server does not know this command"))
        for said, words in cases:
            with self.subTest(said):
                def script(connection, say=said):
                    connection.recv(4096)
                    connection.sendall(b"-" + say.encode() + b"\r\n")
                    while connection.recv(4096):
                        pass
                server = self.scripted(script)
                path = os.path.join(self.redis().directory, "key")
                with open(path, "w") as file:
                    file.write("wrong\n")
                probe = self.probe("-p", "wrong", "-f", path, "redis://127.0.0.1:%d" % server.port)
                self.assertEqual(probe.down(), "127.0.0.1:%d: %s" % (server.port, words))

    def test_a_password_from_a_pipe_is_not_read_again(self):
        server = self.redis("--requirepass", "right")
        path = os.path.join(server.directory, "pipe")
        os.mkfifo(path)
        for place in (path, "/dev/stdin", "/proc/self/environ"):
            probe = self.probe("-p", "wrong", "-f", place, "redis://127.0.0.1:%d" % server.port)
            self.assertEqual(probe.down(), "127.0.0.1:%d: AUTH: wrong user or password"
                             % server.port)

    def test_a_unix_socket(self):
        server = self.redis("--unixsocket", "redis @home.sock", "--requirepass", "right")
        path = os.path.join(server.directory, "redis @home.sock")
        url = "unix://:right@" + path.replace(" ", "%20") + "?db=2"
        probe = self.probe(url)
        self.assertEqual(probe.dial(), path)
        probe.command("SET", "k", "v")
        self.assertEqual(server.cli("-a", "right", "-n", "2", "GET", "k"), "v")
        reason = self.probe("unix://" + server.directory + "/none.sock").down()
        self.assertIn("no such file", reason)
        with open(os.path.join(server.directory, "file"), "w"):
            pass
        reason = self.probe("unix://" + server.directory + "/file").down()
        self.assertIn("connection refused", reason)

    def test_a_database_is_selected_or_refused(self):
        server = self.redis()
        probe = self.probe("redis://127.0.0.1:%d/7" % server.port)
        probe.dial()
        probe.command("SET", "k", "v")
        self.assertEqual(server.cli("-n", "7", "GET", "k"), "v")
        reason = self.probe("redis://127.0.0.1:%d/99" % server.port).down()
        self.assertIn("SELECT: the server has no database of this number", reason)

    def test_names_are_looked_up_and_all_their_addresses_tried(self):
        # localhost is ::1 and 127.0.0.1 here or 127.0.0.1 alone; the server listens on one of them
        server = Redis("--bind", "127.0.0.1")
        self.addCleanup(server.stop)
        probe = self.probe("redis://localhost:%d" % server.port)
        self.assertEqual(probe.dial(), "localhost:%d" % server.port)
        self.assertEqual(probe.command("PING"), {"status": "PONG"})
        probe = self.probe("redis://no-such-host.invalid:%d" % server.port)
        self.assertIn("name was not found", probe.down())

    def test_a_silent_address_leaves_time_to_the_others(self):
        server = self.redis()
        full = FullBacklog()
        self.addCleanup(full.stop)
        addresses = ["127.0.0.1:%d" % port for port in (full.port, free_port(), server.port)]
        probe = self.probe("-c", "6000", "redis://redis.example:1", patient=False,
                           addresses=addresses)
        self.assertEqual(probe.dial(), "redis.example:1")
        self.assertEqual(probe.command("PING"), {"status": "PONG"})
        before = probe.fds()
        probe.ask("hang_up")
        self.assertLess(probe.fds(), before)

    def test_eight_addresses_of_a_name_are_tried(self):
        server = self.redis()
        dead, alive = "127.0.0.1:%d" % free_port(), "127.0.0.1:%d" % server.port
        self.probe("redis://redis.example", addresses=[dead] * 7 + [alive]).dial()
        reason = self.probe("redis://redis.example", addresses=[dead] * 8 + [alive]).down()
        self.assertIn("connection refused", reason)

    def test_ipv6(self):
        server = self.redis()
        try:
            socket.create_connection(("::1", server.port), 5).close()
        except OSError:
            self.skipTest("no IPv6 on this machine's loopback")
        self.assertEqual(self.probe("redis://[::1]:%d" % server.port).dial(),
                         "[::1]:%d" % server.port)

    def test_several_urls_are_tried_in_turn(self):
        server = self.redis()
        dead = free_port()
        probe = self.probe("redis://127.0.0.1:%d" % dead, "unix:///no/such.sock",
                           "redis://127.0.0.1:%d" % server.port)
        self.assertEqual(probe.dial(), "127.0.0.1:%d" % server.port)
        server.kill()
        reason = probe.expect("down")
        self.assertIn("127.0.0.1:%d: the " % server.port, reason)
        reason = probe.down()
        for part in ("127.0.0.1:%d: " % dead, "/no/such.sock: no such file", str(server.port)):
            self.assertIn(part.split(": ")[0], reason)

    def test_of_many_servers_that_failed_the_last_one_is_told_whole(self):
        seeds = ["unix:///" + "no/such/directory/" * 4 + "seed-%d.sock" % n for n in range(15)]
        dead = free_port()
        reason = self.probe(*seeds, "redis://127.0.0.1:%d" % dead).down()
        self.assertTrue(reason.startswith("...; /no/such/"), reason)
        self.assertIn("seed-14.sock: it could not be connected to: no such file", reason)
        self.assertNotIn("seed-0.sock", reason)
        self.assertTrue(reason.endswith("127.0.0.1:%d: it could not be connected to: "
                                        "connection refused" % dead), reason)

    def test_a_killed_server_is_noticed_idle_and_inside_a_command(self):
        server = self.redis()
        probe = self.probe("redis://127.0.0.1:%d" % server.port)
        probe.dial()
        server.kill()
        self.assertIn("127.0.0.1:%d: " % server.port, probe.expect("down"))
        self.assertIn("connection refused", probe.down())
        server.start()
        probe.dial()
        probe.ask("command", "BLPOP", "never", "0")
        wait_until(lambda: "blocked_clients:1" in server.cli("INFO", "clients"), "the command")
        server.kill()
        self.assertIn("127.0.0.1:%d: " % server.port, probe.expect("down"))

    def test_a_stopped_server_is_given_up_in_time(self):
        server = self.redis()
        where = "127.0.0.1:%d" % server.port
        probe = self.probe("-c", "300", "-r", "300", "redis://:x@" + where, patient=False)
        up = self.probe("-c", "15000", "-r", "300", "redis://" + where, patient=False)
        up.dial()
        os.kill(server.process.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, server.process.pid, signal.SIGCONT)
        self.assertRegex(probe.down(), "it did not (answer AUTH|accept the connection) in time")
        up.ask("command", "PING")
        self.assertEqual(up.expect("down"), where + ": it did not answer in time")

    def test_what_cannot_be_a_link_is_refused_at_once_without_secrets(self):
        for arguments, word in (
                (["redis://:hunter2@"], "URL 1 of Redis: a host"),
                (["redis://a", "redis://b", "redis://u:hunter2@c:x"], "URL 3 of Redis: a port"),
                (["-c", "0", "redis://a"], "timeouts"),
                (["-r", "600001", "redis://a"], "timeouts"),
                ([], "0 URLs"),
                (["redis://a"] * 17, "17 URLs"),
                (["-p", "hunter2" * 200, "redis://a"], "password of Redis is longer"),
                (["-a", "/no/such/ca.pem", "redis://a"], "/no/such/ca.pem"),
                (["-s", "m" * 256, "redis://a"], "name of a master")):
            probe = self.probe(*arguments, patient=False)
            refused = probe.expect("refused")
            self.assertIn(word, refused)
            self.assertNotIn("hunter2", refused)

    def test_every_call_may_be_made_inside_every_callback(self):
        server = self.redis()
        url = "redis://127.0.0.1:%d" % server.port
        probe = self.probe(url)
        for event in ("up", "reply"):
            probe.ask("inside", event, "hang_up")
            if event == "reply":
                probe.dial()
                probe.ask("command", "PING")
            else:
                probe.ask("dial")
            probe.expect(event)
        probe.ask("inside", "up", "command", "ECHO", "a")
        probe.ask("inside", "reply", "command", "ECHO", "b")
        probe.dial()
        self.assertEqual(probe.expect("reply"), "a")
        self.assertEqual(probe.expect("reply"), "b")
        probe.ask("inside", "down", "dial")
        server.kill()
        probe.expect("down")
        # A dying server may still accept what comes before it closes its listener.
        if probe.next()[0] == "up":
            probe.expect("down")
        server.start()
        for event in ("up", "reply", "down"):
            probe = self.probe(url)
            probe.ask("inside", event, "free")
            probe.dial()
            if event == "reply":
                probe.ask("command", "PING")
            if event == "down":
                server.kill()
            if event != "up":
                probe.expect(event)
            self.assertIsNone(probe.next(), event)

    def test_hanging_up_and_freeing_at_any_moment(self):
        server = self.redis("--requirepass", "right")
        url = "redis://:right@localhost:%d/1" % server.port
        probe = self.probe(url)
        for _ in range(50):
            probe.ask("dial")
            probe.ask("hang_up")
        probe.ask("hang_up")
        probe.dial()
        # in one write, so that the reply cannot come in between
        probe.ask("command", "PING\nhang_up")
        probe.dial()
        self.assertEqual(probe.command("PING"), {"status": "PONG"})
        for lines in ([], ["dial"], ["dial", "hang_up"], ["dial", "hang_up", "dial"]):
            probe = self.probe(url)
            for line in lines:
                probe.ask(line)
            probe.close()

    def test_a_thousand_dials_leave_no_descriptor(self):
        server = self.redis("--requirepass", "right")
        probe = self.probe("redis://:right@127.0.0.1:%d/1" % server.port)
        before = probe.fds()
        probe.ask("round", "1000")
        probe.expect("rounds", 120)
        self.assertEqual(probe.fds(), before)
        server.kill()
        probe.ask("round", "1000")
        probe.expect("rounds", 120)
        self.assertEqual(probe.fds(), before)


if __name__ == "__main__":
    main()
