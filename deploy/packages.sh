# shellcheck shell=sh disable=SC2034
# The Debian packages that h2o-breaker is built, tried, tested and measured with, and the one
# function that installs what is missing of them. Sourced by deploy/*.sh, tests/run.sh and
# bench/run.sh; POSIX sh.
#
# BREAKER_INSTALL=no installs nothing and names what is missing.

PACKAGES_BUILD="gcc libc6-dev make cmake pkg-config
    libh2o-dev libh2o-evloop-dev libuv1-dev libyaml-dev libhiredis-dev libcjson-dev
    libcurl4-openssl-dev libssl-dev zlib1g-dev libzstd-dev libbrotli-dev"

# deploy/quickstart.sh prints curl commands, and asks its own server with it
PACKAGES_QUICKSTART="curl"

# deploy/cluster.sh and deploy/redis/sentinels.sh start Redis servers of their own
PACKAGES_CLUSTER="redis-server redis-tools"

# wrk and nghttp2-client: a test runs the benchmark's own checks; h2o: directives and answers are
# compared with its; g++ builds an outside consumer; systemd checks its unit and runs it, logrotate
# with it;
# python3-prometheus-client: a parser of the metrics; flask, django, php: applications to stand before;
# ccache: some tests build the sources once more; ninja: a build has a thousand short steps
PACKAGES_TEST="g++ ccache ninja-build libcmocka-dev spin valgrind clang-format mandoc systemd logrotate
    curl nghttp2-client wrk openssl redis-server redis-sentinel haproxy nginx-light varnish squid h2o faketime
    python3 python3-h2 python3-hpack python3-brotli python3-zstandard python3-prometheus-client
    python3-flask python3-django php-fpm
    chromium chromium-driver
    python3-doc libjs-bootstrap5 libjs-katex libjs-mathjax fonts-font-awesome"

# tests/integration/journey.py builds a site with Vite, tests/upstream/applications.py runs Express
PACKAGES_NPM="nodejs npm"

# nginx takes brotli siblings with a module, lighttpd a 503 of one's own from its Lua
PACKAGES_BENCH="nginx-light libnginx-mod-http-brotli-static
    lighttpd lighttpd-mod-deflate lighttpd-mod-openssl lighttpd-modules-lua
    caddy varnish haproxy h2o nghttp2-client wrk redis-server openssl valgrind strace
    python3 python3-brotli python3-h2 python3-doc gnuplot-nox fonts-dejavu-core"

# bench/rollout/run.sh and deploy/rollout.sh
PACKAGES_ROLLOUT="haproxy nginx-light redis-server iproute2 python3 python3-brotli
    gnuplot-nox fonts-dejavu-core"

# missing_packages PACKAGE…: those of them that are not installed.
missing_packages() {
    for package in "$@"; do
        case $(dpkg-query -W -f='${Status};' "$package" 2>/dev/null) in
        *"install ok installed;"*) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

# install_packages PACKAGE…: installs what is missing, as root or through sudo. Where that is not
# possible it says what is missing and goes on: the build tells what it cannot do without.
install_packages() {
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    if [ "${BREAKER_INSTALL:-yes}" = no ] || ! command -v apt-get >/dev/null; then
        echo "not installed here: $missing" >&2
        return 0
    fi
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "please install as root: apt-get install $missing" >&2
            return 1
        fi
        as_root=sudo
    fi
    echo "installing $missing"
    # Lists that cannot be fetched now may still be good enough from last time.
    $as_root apt-get -qq -o DPkg::Lock::Timeout=120 update ||
        echo "apt-get update failed, going on with the package lists that are here" >&2
    # Container images leave documentation out; the tests serve python3-doc as a real tree.
    # shellcheck disable=SC2086 # a list of names
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 \
        -o 'DPkg::Options::=--path-include=/usr/share/doc/python3*' \
        install --yes --no-install-recommends $missing
}

# install_packages_asleep PACKAGE…: the same, but services that come with them are not started. Debian
# asks policy-rc.d before it starts one; where there is such a program already, it decides. Ours says
# no only as long as this process lives, and is taken away afterwards.
install_packages_asleep() {
    policy=${BREAKER_POLICY_RC_D:-/usr/sbin/policy-rc.d}
    if [ -z "$(missing_packages "$@")" ] || [ -e "$policy" ] ||
        [ "${BREAKER_INSTALL:-yes}" = no ] || ! command -v apt-get >/dev/null; then
        install_packages "$@"
        return
    fi
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    trap '$as_root rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
    # without sudo install_packages says what to do
    if [ -z "$as_root" ] || command -v sudo >/dev/null; then
        printf '#!/bin/sh\n# of h2o-breaker: servers are being installed that shall not run\n%s\nexit 0\n' \
            "kill -0 $$ 2>/dev/null && exit 101" | $as_root tee "$policy" >/dev/null
        $as_root chmod 755 "$policy"
    fi
    install_packages "$@"
    $as_root rm -f "$policy"
    trap - EXIT INT TERM HUP
}
