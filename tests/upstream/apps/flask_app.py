"""The application of applications.py in Flask, on the server that comes with it."""

import hashlib
import queue
import sys

from flask import Flask, Response, make_response, redirect, request, url_for

app = Flask(__name__)
events = queue.Queue()


@app.get("/page")
def page():
    response = make_response('<link rel="stylesheet" href="/static/{breaker}/site.css">\n')
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    response.add_etag()
    return response.make_conditional(request)


@app.route("/echo", methods=["GET", "DELETE"])
def echo():
    return {"method": request.method, "host": request.host, "query": request.args.get("q"),
            "for": request.headers.get("X-Forwarded-For"),
            "proto": request.headers.get("X-Forwarded-Proto")}


@app.post("/upload")
def upload():
    return {"sha256": hashlib.sha256(request.get_data()).hexdigest()}


@app.post("/form")
def form():
    file = request.files["file"].read()
    return {"name": request.form["name"], "sha256": hashlib.sha256(file).hexdigest()}


@app.get("/download")
def download():
    return Response(bytes([at % 251]) * 65536 for at in range(int(request.args["blocks"])))


@app.get("/redirect")
def lead():
    return redirect(url_for("page"))


@app.get("/fails")
def fails():
    raise ValueError


@app.post("/say")
def say():
    events.put(request.args["event"])
    return "", 204


def stream():
    yield "data: ready\n\n"
    for event in iter(events.get, "end"):
        yield "data: %s\n\n" % event


@app.get("/events")
def listen():
    return Response(stream(), mimetype="text/event-stream")


app.run("127.0.0.1", int(sys.argv[1]), threaded=True)
