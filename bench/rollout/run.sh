#!/bin/sh
# Measures what visitors see of rolling deploys: h2o-breaker with the plain rules and with releases
# held, and nginx with hashed names, behind a real HAProxy. bench/README.md says what the figures mean.
#
#   sh bench/rollout/run.sh             16 rollouts a mode; about 35 minutes
#   sh bench/rollout/run.sh --quick     5 rollouts a mode; under two minutes each
#   sh bench/rollout/run.sh --long      50 deploys and 10 rollbacks; 25 minutes a mode
#   sh bench/rollout/run.sh --mode b    one mode (a to e, may be repeated)
#   sh bench/rollout/run.sh --help      everything else
#
# Installs what is missing with apt-get (deploy/packages.sh), builds into build/, listens on
# 127.0.0.1 only. BREAKER_BUILD names another build directory.

set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${BREAKER_BUILD:-$root/build}
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"

build_servers() {
    log=$build/rollout.log
    mkdir -p "$build"
    echo "building into $build …"
    if ! {
        cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DBREAKER_TESTS=OFF &&
            cmake --build "$build" --target h2o-breaker h2o-breaker-uv -j"$(nproc)"
    } >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        echo "rollout: the build failed, see $log" >&2
        exit 1
    fi
}

case " $* " in
*" --help "* | *" -h "*) ;;
*)
    # shellcheck disable=SC2086 # lists of names
    install_packages_asleep $PACKAGES_BUILD $PACKAGES_ROLLOUT
    build_servers
    ;;
esac
exec /usr/bin/python3 -B "$root/bench/rollout/rollout.py" --build "$build" "$@"
