#!/bin/sh
# Everything that is checked: format, manual pages, sanitizers, valgrind, and at last every test of
# the plain build, so that CTest's summary stands at the end. The first thing that fails ends it.
#
# BREAKER_INSTALL=no installs nothing; a check whose tool is missing then fails.

set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
jobs=$(nproc)
# shellcheck source=deploy/packages.sh
. deploy/packages.sh

step=
started=$(date +%s)
begin() {
    step=$1
    printf '\n== %s (after %d s)\n' "$step" $(($(date +%s) - started))
}
trap '[ -z "$step" ] || printf "\nFAILED: %s\n" "$step" >&2' EXIT
trap 'exit 130' INT TERM HUP

# build PRESET DIRECTORY TARGET; a directory that was configured before keeps its generator
build() {
    mkdir -p "$2"
    generator=Ninja
    command -v ninja >/dev/null || generator='Unix Makefiles'
    CMAKE_GENERATOR=$generator cmake --preset "$1" -DBREAKER_TESTS=ON -DBREAKER_WERROR=ON >"$2/run.log" 2>&1 || {
        cat "$2/run.log"
        return 1
    }
    cmake --build "$2" -j"$jobs" --target "$3" >"$2/run.log" 2>&1 || {
        grep -E -A8 ': (fatal )?error|FAILED:|undefined reference|Error [0-9]' "$2/run.log" || tail -n 40 "$2/run.log"
        return 1
    }
}

# The sources as git knows them, or, without git, as they lie there.
sources() {
    git ls-files -- '*.c' '*.h' 2>/dev/null ||
        find lib handlers bin tests bench -name '*.[ch]' -print
}

begin "packages"
# shellcheck disable=SC2086 # lists of names; in a shell of its own, whose traps are its own
(install_packages_asleep $PACKAGES_BUILD $PACKAGES_TEST)
# a Node.js that is not Debian's brings an npm of its own, and cannot stand beside Debian's
# shellcheck disable=SC2086
command -v npm >/dev/null || install_packages $PACKAGES_NPM

begin "format of the sources"
sources | xargs clang-format --dry-run -Werror

begin "manual pages"
for page in bin/*.[0-9]; do
    [ ! -e "$page" ] || mandoc -Tlint -Wwarning "$page"
done

begin "shell scripts"
for script in deploy/*.sh deploy/*/*.sh tests/*.sh tests/*/*.sh bench/*.sh bench/*/*.sh; do
    [ ! -e "$script" ] || sh -n "$script"
done

begin "build"
build dev build all

# What is only possibly lost are the stacks that glibc keeps for the next thread.
valgrind="valgrind -q --vgdb=no --fair-sched=try --leak-check=full --show-leak-kinds=definite
    --errors-for-leak-kinds=definite --error-exitcode=9 --suppressions=tests/valgrind.supp"

# The sanitizers do not see what libuv and libh2o do to our memory, so handlers are looked at too.
begin "valgrind: unit and handler tests"
# shellcheck disable=SC2016 # expanded by the shell that xargs starts
{
    # what memory costs cannot be told under valgrind, whose allocator is another
    find tests/unit -name 'test_*.c' ! -name test_sharing.c | sort
    printf '%s\n' test_park_uv test_park_evloop test_fastpath_uv test_fastpath_evloop test_static_uv
} | xargs -P "$jobs" -n 1 sh -c '
    test=build/bin/$(basename "$1" .c)
    $0 "$test" >"$test.log" 2>&1 || {
        cat "$test.log"
        exit 255
    }
    echo "clean: $test"' "$valgrind"

begin "valgrind: the link to a hostile Redis"
BREAKER_PROBE_WRAPPER=$valgrind BREAKER_BIN="$PWD/build/bin" BREAKER_SLOWDOWN=6 \
    /usr/bin/python3 -B tests/redis/hostile.py >build/run.log 2>&1 || {
    cat build/run.log
    false
}
echo "clean: redis_probe"

begin "valgrind: a server"
for program in h2o-breaker h2o-breaker-uv; do
    # shellcheck disable=SC2086
    sh tests/smoke.sh $valgrind "build/bin/$program"
    echo "clean: $program"
done

for sanitizer in asan tsan; do
    begin "$sanitizer: build"
    build $sanitizer build-$sanitizer sanitized
    begin "$sanitizer: tests"
    export TSAN_OPTIONS="suppressions=$root/tests/tsan.supp"
    # fuzz tests, and those that take longest of functions that are pure, have one thread, and
    # nothing to show to the thread sanitizer
    [ "$sanitizer" = tsan ] && left_out='^fuzz/|^unit/(ledger|view|pattern|sealed)$' || left_out='^$'
    ctest --test-dir build-$sanitizer --output-on-failure -j"$jobs" --no-tests=error \
        -R '^(unit|handler|fuzz)/' -E "$left_out"
    begin "$sanitizer: a server"
    for program in h2o-breaker h2o-breaker-uv; do
        sh tests/smoke.sh "build-$sanitizer/bin/$program"
        echo "clean: $program"
    done
done

# Three tests build the same sources with README's commands, each in a directory of its own. For what
# is built once a cache would cost half as much again.
if command -v ccache >/dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CCACHE_DIR="${CCACHE_DIR:-$root/build/ccache}"
    export CCACHE_BASEDIR=/ CCACHE_NOHASHDIR=1
fi

begin "tests"
# most tests of servers wait more than they compute
ctest --test-dir build --output-on-failure --no-tests=error --no-label-summary -j$((jobs + 1))
step=
