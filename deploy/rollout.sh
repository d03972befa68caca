#!/bin/sh
# Builds h2o-breaker and shows rolling deploys under load, side by side: four nodes with the plain
# rules, and four that hold releases, each behind a HAProxy without stickiness. A line a second says
# how many assets failed and how many came with the bytes of another release. Ends by itself after
# about a minute, or with Ctrl-C.
#
#   sh deploy/rollout.sh
#   sh deploy/rollout.sh --deploys 20 --visitors 5
#
# It asks for nothing: what is missing is installed with apt-get (see deploy/packages.sh). All that
# it writes besides the build lies below TMPDIR, and goes with it. Ports are free ones of 127.0.0.1.

set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BREAKER_BUILD:-$root/build}
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"

die() {
    printf 'rollout: %s\n' "$*" >&2
    exit 1
}

build_server() {
    log=$build/rollout.log
    mkdir -p "$build"
    echo "building into $build …"
    if ! {
        cmake -S "$root" -B "$build" -DBREAKER_TESTS=OFF &&
            cmake --build "$build" --target h2o-breaker -j"$(nproc)"
    } >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        die "the build failed, see $log"
    fi
}

# shellcheck disable=SC2086 # lists of names
install_packages_asleep $PACKAGES_BUILD $PACKAGES_CLUSTER haproxy python3
for program in haproxy redis-server python3; do
    command -v "$program" >/dev/null || die "$program is missing"
done
build_server
exec python3 -B "$root/bench/rollout/demo.py" --build "$build" "$@"
