#!/bin/sh
# Measures h2o-breaker, both flavours, beside nginx, lighttpd, Caddy, Varnish, the packaged h2o and
# two bare loops; bench/README.md says what the figures mean.
#
#   sh bench/run.sh              everything, with a table of targets; about two hours
#   sh bench/run.sh --quick      the core of it, under three minutes, with a wider spread
#   sh bench/run.sh --only http1 one suite (http1, http2, tls, threads, connections, latency, site, pages)
#   sh bench/run.sh --publish    writes the README's plots into bench/plots/ as well
#   sh bench/run.sh --cluster    nodes alone against nodes of a cluster; --quick: under two minutes
#   sh bench/run.sh --log        servers with an access log and without
#   sh bench/run.sh --micro      instructions, system calls, parts of lib/: bench/micro/README.md
#   sh bench/run.sh --rollout    what visitors see of rolling deploys: bench/rollout/run.sh
#   sh bench/run.sh --help       everything else
#
# Installs the peers and load generators with apt-get where they are missing (deploy/packages.sh);
# their services are not started. Builds into build/, listens on 127.0.0.1 only. BREAKER_BUILD names
# another build directory.

set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
build=${BREAKER_BUILD:-$root/build}
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"

case " $* " in
*" --rollout "*)
    for word in "$@"; do
        shift
        [ "$word" = --rollout ] || set -- "$@" "$word"
    done
    exec sh "$root/bench/rollout/run.sh" "$@"
    ;;
*" --micro "*) exec sh "$root/bench/micro/run.sh" "$@" ;;
esac

build_servers() {
    log=$build/bench.log
    mkdir -p "$build"
    echo "building into $build …"
    if ! {
        cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DBREAKER_TESTS=OFF &&
            cmake --build "$build" --target h2o-breaker h2o-breaker-uv bench-bare \
                -j"$(nproc)"
    } >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        echo "bench: the build failed, see $log" >&2
        exit 1
    fi
}

case " $* " in
*" --help "* | *" -h "*) ;;
*)
    # shellcheck disable=SC2086 # lists of names
    install_packages_asleep $PACKAGES_BUILD $PACKAGES_BENCH
    build_servers
    ;;
esac
# Debian's own interpreter, for which its modules are packaged.
exec /usr/bin/python3 -B "$root/bench/bench.py" --build "$build" "$@"
