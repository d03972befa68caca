"""A FastCGI application: answers every request with a page that says whose process it is, which
script was asked for, what of its environment begins with OWN_, and a URL of a view. Run as a program
it serves the socket that is its standard input, as `fastcgi.spawn` hands it over; `Application`
serves a socket of its own, in this process."""

import os
import socket
import struct
import threading

BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6
PAGE = """\
<!DOCTYPE html>
<p id="user">%d</p>
<p id="script">%s</p>
<p id="own">%s</p>
<link rel="stylesheet" href="/static/{breaker}/css/site.css">
"""


def record(kind, request, content):
    return struct.pack("!BBHHBB", 1, kind, request, len(content), 0, 0) + content


def read_params(data):
    params, at = {}, 0

    def length():
        nonlocal at
        size = 1 if data[at] < 128 else 4
        value = int.from_bytes(data[at:at + size], "big") & (127 if size == 1 else 0x7fffffff)
        at += size
        return value

    while at < len(data):
        sizes = length(), length()
        name = data[at:at + sizes[0]]
        at += sum(sizes)
        params[name.decode()] = data[at - sizes[1]:at].decode()
    return params


def serve_connection(stream):
    data = b""
    while True:
        head = stream.read(8)
        if len(head) < 8:
            return
        _, kind, request, size, padding, _ = struct.unpack("!BBHHBB", head)
        content = stream.read(size + padding)[:size]
        if kind == PARAMS:
            data += content
        elif kind == STDIN and size == 0:
            params = read_params(data)
            own = ["%s=%s" % param for param in sorted(params.items()) if param[0].startswith("OWN_")]
            page = PAGE % (os.getuid(), params.get("SCRIPT_FILENAME", ""), " ".join(own))
            stream.write(record(STDOUT, request, b"Content-Type: text/html\r\n\r\n" + page.encode()))
            stream.write(record(STDOUT, request, b"") + record(END, request, bytes(8)))
            stream.flush()
            return


def serve(listener):
    while True:
        try:
            connection = listener.accept()[0]
        except OSError:
            return
        with connection, connection.makefile("rwb") as stream:
            serve_connection(stream)


class Application:
    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen()
        self.thread = threading.Thread(target=serve, args=(self.listener,))
        self.thread.start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


if __name__ == "__main__":
    serve(socket.socket(fileno=0))
