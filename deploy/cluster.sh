#!/bin/sh
# Builds h2o-breaker and runs a cluster of three nodes with a Redis of their own on this machine,
# http://127.0.0.1:8081/ to 8083, until Ctrl-C. Says what to try: Redis may be killed, wiped and
# started again.
#
#   sh deploy/cluster.sh
#   PORT=9001 REDIS_PORT=9000 sh deploy/cluster.sh    other ports
#
# It asks for nothing: what is missing is installed with apt-get (see deploy/packages.sh). All that
# it writes besides the build lies in one directory below TMPDIR, and goes with it.

set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BREAKER_BUILD:-$root/build}
host=127.0.0.1
port=${PORT:-8081}
redis_port=${REDIS_PORT:-6390}
nodes="1 2 3"
dir=
tail=
stopping=
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"

die() {
    printf 'cluster: %s\n' "$*" >&2
    exit 1
}

ask() {
    curl --silent --noproxy '*' --max-time 5 "$@"
}

port_of() {
    echo $((port + $1 - 1))
}

check_number() {
    case $2 in
    '' | *[!0-9]* | ??????*) die "$1=$2 is not a port number" ;;
    esac
    { [ "$2" -ge 1 ] && [ "$2" -le 65533 ]; } || die "$1=$2 is not between 1 and 65533"
}

# Two servers of one user could share a port without noticing, so ask before.
check_port() {
    status=0
    ask --output /dev/null "http://$host:$1/" || status=$?
    [ "$status" -eq 7 ] || die "something else is listening on $host:$1 already." \
        "Other ports: PORT=… REDIS_PORT=… sh deploy/cluster.sh"
}

check_ports() {
    check_port "$redis_port"
    for node in $nodes; do
        [ "$(port_of "$node")" -ne "$redis_port" ] || die "PORT and REDIS_PORT overlap"
        check_port "$(port_of "$node")"
    done
}

build_programs() {
    log=$build/cluster.log
    mkdir -p "$build"
    echo "building into $build …"
    if ! {
        cmake -S "$root" -B "$build" -DBREAKER_TESTS=OFF &&
            cmake --build "$build" --target h2o-breaker breakerctl -j"$(nproc)"
    } >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        die "the build failed, see $log"
    fi
}

# It goes into the background by itself, so that the same command starts it again. Nothing is
# saved: what starts again is empty.
write_redis_config() {
    cat >"$dir/redis.conf" <<END
bind $host
port $redis_port
daemonize yes
dir $dir
pidfile $dir/redis.pid
logfile $dir/redis.log
save ""
END
}

write_node_config() {
    {
        cat <<END
num-threads: 1
listen: {host: $host, port: $(port_of "$1")}
pid-file: $dir/node-$1.pid
breaker.state-file: $dir/node-$1.state
breaker.cluster:
  app: demo
  redis: redis://$host:$redis_port
  advertise: $host:$(port_of "$1")
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
        # To try things out below root's home. Without this line root serves as nobody, as it should.
        [ "$(id -u)" -ne 0 ] || echo "user: root"
    } >"$dir/node-$1.conf"
}

# end_process PIDFILE: whoever started it, if it is still one of this cluster's.
end_process() {
    pid=$(cat "$1" 2>/dev/null) || return 0
    case $pid in
    '' | *[!0-9]*) return 0 ;;
    esac
    if [ "$(readlink "/proc/$pid/cwd")" = "$dir" ] ||
        tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$dir/"; then
        kill "$pid" || :
        tries=0
        while kill -0 "$pid" && [ "$tries" -lt 100 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done
    fi 2>/dev/null
}

clean_up() {
    trap '' INT TERM HUP
    trap - EXIT
    [ -z "$tail" ] || kill "$tail" 2>/dev/null || :
    [ -n "$dir" ] || return 0
    for node in $nodes; do
        end_process "$dir/node-$node.pid"
    done
    end_process "$dir/redis.pid"
    rm -rf "$dir"
}

stop() {
    stopping=yes
    [ -z "$tail" ] || kill "$tail" 2>/dev/null || :
}

start_nodes() {
    for node in $nodes; do
        write_node_config "$node"
        "$build/bin/h2o-breaker" -c "$dir/node-$node.conf" >"$dir/node-$node.log" 2>&1 &
        eval "pid_$node=\$!"
    done
}

# An older token is answered with the way to the current one: ask with the oldest there is.
token_of() {
    ask --head --output /dev/null --write-out '%{redirect_url}' "http://$host:$(port_of "$1")/static/0/css/site.css" |
        sed -n 's|^http://[^/]*/static/\([^/]*\)/.*|\1|p'
}

wait_for_nodes() {
    tries=0
    for node in $nodes; do
        while token=$(token_of "$node") && [ -z "$token" ]; do
            [ -z "$stopping" ] || return 0
            eval "kill -0 \$pid_$node" 2>/dev/null || {
                cat "$dir/node-$node.log" >&2
                die "node $node did not start"
            }
            tries=$((tries + 1))
            [ "$tries" -lt 600 ] || die "node $node did not answer within a minute"
            sleep 0.1
        done
    done
}

print_invitation() {
    ctl="$build/bin/breakerctl --redis redis://$host:$redis_port --app demo"
    ports=
    for node in $nodes; do
        ports="$ports$(port_of "$node") "
    done
    cat <<END

Three nodes and a Redis are running:
END
    for node in $nodes; do
        echo "  http://$host:$(port_of "$node")/"
    done
    cat <<END

Try, in another terminal:
  # every node leads to the same token
  for port in $ports; do curl -sI http://$host:\$port/static/0/css/site.css | grep -i location; done
  # the cluster, as Redis knows it
  $ctl status

  # wipe Redis: the nodes put back what is missing, the token stays
  redis-cli -p $redis_port FLUSHALL
  # kill Redis: the nodes go on serving under the same token
  kill -9 \$(cat $dir/redis.pid)
  # start it again, empty: within two polls it knows everything
  redis-server $dir/redis.conf

  # kill a node and start it again, with Redis or without: it comes back with the same token
  kill -9 \$(cat $dir/node-1.pid)
  $build/bin/h2o-breaker -c $dir/node-1.conf

What the nodes say follows below. Ctrl-C stops everything.

END
}

# The signal that ends it comes while the shell waits, which then goes on.
follow_logs() {
    # shellcheck disable=SC2086 # a list of names
    tail -n 0 -f "$dir"/node-*.log &
    tail=$!
    while [ -z "$stopping" ] && kill -0 "$tail" 2>/dev/null; do
        wait "$tail" || :
    done
}

check_number PORT "$port"
check_number REDIS_PORT "$redis_port"
# shellcheck disable=SC2086 # lists of names
install_packages $PACKAGES_BUILD $PACKAGES_QUICKSTART $PACKAGES_CLUSTER
command -v curl >/dev/null || die "curl is missing"
command -v redis-server >/dev/null || die "redis-server is missing"
check_ports
build_programs
trap clean_up EXIT
trap stop INT TERM HUP
dir=$(mktemp -d "${TMPDIR:-/tmp}/breaker-cluster.XXXXXX")
write_redis_config
redis-server "$dir/redis.conf" >/dev/null || die "Redis did not start"
start_nodes
wait_for_nodes
[ -n "$stopping" ] || {
    print_invitation
    follow_logs
}
