// The application of applications.py in Express, with a WebSocket that says what it hears.
const crypto = require("crypto");
const express = require("express");
const { WebSocketServer } = require("ws");

const app = express();
let listener = null;

app.get("/page", (request, response) => {
  response.cookie("a", "1");
  response.cookie("b", "2", { httpOnly: true });
  response.send('<link rel="stylesheet" href="/static/{breaker}/site.css">\n');
});

app.all("/echo", (request, response) => {
  response.json({
    method: request.method,
    host: request.get("host"),
    query: request.query.q,
    for: request.get("x-forwarded-for"),
    proto: request.get("x-forwarded-proto"),
  });
});

app.post("/upload", (request, response) => {
  const hash = crypto.createHash("sha256");
  request.on("data", (piece) => hash.update(piece));
  request.on("end", () => response.json({ sha256: hash.digest("hex") }));
});

app.get("/download", async (request, response) => {
  for (let at = 0; at < Number(request.query.blocks); at++) {
    if (!response.write(Buffer.alloc(65536, at % 251))) {
      await new Promise((resolve) => response.once("drain", resolve));
    }
  }
  response.end();
});

app.get("/redirect", (request, response) => response.redirect("/page"));

app.get("/fails", () => {
  throw new Error("as asked");
});

app.get("/events", (request, response) => {
  response.type("text/event-stream");
  response.write("data: ready\n\n");
  listener = response;
});

app.post("/say", (request, response) => {
  if (request.query.event === "end") listener.end();
  else listener.write(`data: ${request.query.event}\n\n`);
  response.status(204).end();
});

const server = app.listen(Number(process.argv[2]), "127.0.0.1");
const sockets = new WebSocketServer({ server, path: "/socket" });

sockets.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => {
    if (!isBinary && data.toString() === "bye") socket.close(4321, "as asked");
    else socket.send(data, { binary: isBinary });
  });
});
