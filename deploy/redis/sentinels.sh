#!/bin/sh
# Runs a master, a replica and three sentinels on this machine, on 127.0.0.1:6391 and 6392 and
# 26390 to 26392, until Ctrl-C, to see what a failover does to a cluster of nodes.
#
#   sh deploy/redis/sentinels.sh
#   PORT=7001 SENTINEL_PORT=7011 sh deploy/redis/sentinels.sh    other ports, and those above them

set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
host=127.0.0.1
port=${PORT:-6391}
sentinel_port=${SENTINEL_PORT:-26390}
dir=
pids=
# shellcheck source=deploy/packages.sh
. "$here/../packages.sh"

die() {
    printf 'sentinels: %s\n' "$*" >&2
    exit 1
}

check_number() {
    case $2 in
    '' | *[!0-9]* | ??????*) die "$1=$2 is not a port number" ;;
    esac
    { [ "$2" -ge 1 ] && [ "$2" -le 65533 ]; } || die "$1=$2 is not between 1 and 65533"
}

ask() {
    redis-cli -h "$host" "$@" 2>/dev/null
}

clean_up() {
    trap '' INT TERM HUP
    trap - EXIT
    for pid in $pids; do
        kill "$pid" 2>/dev/null || :
    done
    for pid in $pids; do
        wait "$pid" 2>/dev/null || :
    done
    [ -z "$dir" ] || rm -rf "$dir"
}

# start NAME PORT ARGUMENT…: waits until it answers.
start() {
    name=$1 listens=$2
    shift 2
    mkdir "$dir/$name"
    ! ask -p "$listens" PING >/dev/null || die "a Redis listens on $host:$listens already"
    redis-server "$@" --port "$listens" --dir "$dir/$name" >"$dir/$name.log" 2>&1 &
    pid=$!
    pids="$pids $pid"
    tries=0
    while [ "$(ask -p "$listens" PING)" != PONG ]; do
        kill -0 "$pid" 2>/dev/null || {
            cat "$dir/$name.log" >&2
            die "$name did not start"
        }
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || die "$name did not answer within 30 seconds"
        sleep 0.1
    done
}

start_sentinels() {
    for i in 0 1 2; do
        conf=$dir/sentinel-$i.conf
        sed "s/127\.0\.0\.1 6391/$host $port/" "$here/sentinel.conf" >"$conf"
        start "sentinel-$i" $((sentinel_port + i)) "$conf" --sentinel
    done
}

# A failover needs sentinels that know each other, and the replica.
wait_for_acquaintance() {
    tries=0
    for i in 0 1 2; do
        until ask -p $((sentinel_port + i)) INFO sentinel |
            grep -q 'status=ok,.*slaves=1,sentinels=3'; do
            tries=$((tries + 1))
            [ "$tries" -lt 600 ] || die "the sentinels did not meet within a minute"
            sleep 0.1
        done
    done
}

print_invitation() {
    cat <<END

For nodes:
  breaker.cluster:
    app: shop
    sentinel: shop
    redis:
      - redis://$host:$sentinel_port
      - redis://$host:$((sentinel_port + 1))
      - redis://$host:$((sentinel_port + 2))

Try, in another terminal:
  # who is the master
  redis-cli -p $sentinel_port SENTINEL get-master-addr-by-name shop
  # the other one becomes it
  redis-cli -p $sentinel_port SENTINEL FAILOVER shop
  # the master dies; within about four seconds there is another
  kill -9 $master

Ctrl-C stops everything.

END
}

check_number PORT "$port"
check_number SENTINEL_PORT "$sentinel_port"
# shellcheck disable=SC2086 # a list of names
install_packages $PACKAGES_CLUSTER
command -v redis-server >/dev/null || die "redis-server is missing"
trap clean_up EXIT
trap 'exit 0' INT TERM HUP
dir=$(mktemp -d "${TMPDIR:-/tmp}/breaker-sentinels.XXXXXX")
start master "$port" --bind "$host" --save ""
master=$pid
start replica $((port + 1)) --bind "$host" --save "" --repl-diskless-sync-delay 0 \
    --replicaof "$host" "$port"
start_sentinels
wait_for_acquaintance
print_invitation
# a server that somebody kills is not the end
for pid in $pids; do
    wait "$pid" 2>/dev/null || :
done
