#!/bin/sh
# One server from start to end: it serves the site of deploy/, answers each kind of request, drains
# on SIGTERM and leaves with 0. The arguments are the command, so that it runs under valgrind or with
# a sanitizer, whose findings change the exit status.
#
#   sh tests/smoke.sh build/bin/h2o-breaker

set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || :; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

fail() {
    printf 'smoke: %s\n' "$*" >&2
    sed 's/^/  server: /' "$work/log" >&2
    exit 1
}

port=$(python3 -c '
import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])')
base=http://127.0.0.1:$port
cat >"$work/h2o.conf" <<END
user: $(id -un)
num-threads: 2
listen:
  host: 127.0.0.1
  port: $port
hosts:
  default:
    paths:
      "/":
        breaker.static:
          name: "static/{breaker}"
          path: "$root/deploy/site/static"
        file.dir: "$root/deploy/site/pages"
        breaker.rewrite: ON
END

# The status of one request.
status() {
    curl --silent --noproxy '*' --max-time 60 --output "$work/body" --write-out '%{http_code}' "$@" ||
        :
}

# expect STATUS CURL_ARGUMENT…
expect() {
    expected=$1
    shift
    got=$(status "$@")
    [ "$got" = "$expected" ] || fail "expected $expected, got $got from: $*"
}

LSAN_OPTIONS="suppressions=$root/tests/lsan.supp:print_suppressions=0" \
    "$@" -c "$work/h2o.conf" >"$work/log" 2>&1 &
server=$!
tries=0
until [ "$(status "$base/")" = 200 ]; do
    kill -0 "$server" 2>/dev/null || fail "the server ended at once"
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "no answer from the server"
    sleep 0.1
done

token=$(sed -n 's|.*rel="stylesheet" href="/static/\([^/]*\)/.*|\1|p' "$work/body")
[ -n "$token" ] || fail "no token in the page"
asset=$base/static/$token/css/site.css
expect 200 "$asset"
cmp -s "$work/body" "$root/deploy/site/static/css/site.css" || fail "wrong bytes"
expect 200 --compressed --header 'Accept-Encoding: br, gzip' "$asset"
expect 206 --range 10-19,30- "$asset"
expect 304 --header 'If-None-Match: *' "$asset"
expect 200 --http2-prior-knowledge "$base/static/$token/img/grid.png"
expect 301 "$base/static/0/css/site.css"
expect 503 "$base/static/$((token + 1))/css/site.css"
expect 404 "$base/static/$token/no/such/file"
expect 405 --request POST --data x "$asset"
expect 200 "$base/deploy.html"

kill -TERM "$server"
left=0
wait "$server" || left=$?
server=
[ "$left" -eq 0 ] || fail "the server left with status $left"
