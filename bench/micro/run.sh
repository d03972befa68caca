#!/bin/sh
# Measures parts of lib/, counts instructions and system calls of whole requests; README.md says
# what the figures mean. bench/run.sh --micro hands over to this.
#
#   sh bench/run.sh --micro                      about five minutes
#   sh bench/run.sh --micro --only calls         one section; also programs, http2,
#                                                  instructions
#   sh bench/run.sh --micro --update-baseline    writes bench/micro/instructions.json
#   sh bench/run.sh --micro --help               everything else
#
# Builds into build/micro/, so that a build for the tests stays as it is. BREAKER_BUILD names
# another directory than build/.

set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${BREAKER_BUILD:-$root/build}
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"

# build_type TYPE
build_type() {
    directory=$build/micro/$1
    mkdir -p "$directory"
    echo "building into $directory …"
    if ! {
        cmake -S "$root" -B "$directory" -DCMAKE_BUILD_TYPE="$1" -DBREAKER_TESTS=OFF &&
            cmake --build "$directory" --target h2o-breaker h2o-breaker-uv bench-micro -j"$(nproc)"
    } >"$directory/bench.log" 2>&1; then
        tail -n 30 "$directory/bench.log" >&2
        echo "bench: the build failed, see $directory/bench.log" >&2
        exit 1
    fi
}

# micro TYPE ARGUMENT…: Debian's own interpreter, and nothing beyond its standard library.
micro() {
    type=$1
    shift
    /usr/bin/python3 "$root/bench/micro/micro.py" --build "$build/micro/$type" \
        --out "$build/bench/micro.json" "$@"
}

case " $* " in
*" --help "* | *" -h "*)
    micro Release --help
    exit
    ;;
esac
# shellcheck disable=SC2086 # lists of names
install_packages $PACKAGES_BUILD $PACKAGES_BENCH
build_type Release
micro Release "$@"
case " $* " in
*" --update-baseline "*)
    # what the tests are built as
    build_type RelWithDebInfo
    micro RelWithDebInfo "$@"
    ;;
esac
