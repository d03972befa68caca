#!/bin/sh
# Installs a build tree into an empty prefix, builds the small server of this directory against
# nothing but that prefix, in both flavours, shared and static, through CMake and through
# pkg-config, and checks what each of the eight programs serves: alone, and as a node of a cluster
# whose other node is the installed h2o-breaker, by the library's thread and on a loop of its own.
# Every installed header is compiled by itself in C and in C++, and a program in C++ includes all of
# them and calls the library; another one agrees with its peers by itself.
#
#   sh tests/consumer/run.sh BUILD_DIR [C_COMPILER [C++_COMPILER]]

set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
build=$(CDPATH='' cd -- "$1" && pwd)
cc=${2:-cc}
cxx=${3:-c++}
work=$(mktemp -d)
# h2o-breaker serves as nobody where root starts it
chmod 755 "$work"
# Not the prefix that the build was configured for: the installed files must not depend on it.
prefix="$work/elsewhere"
server=
peer=
redis=

# end PID: its status stays in $status.
end() {
    status=0
    [ -z "$1" ] || kill "$1" 2>/dev/null || :
    [ -z "$1" ] || wait "$1" 2>/dev/null || status=$?
}

end_server() {
    end "$server"
    server=
}

clean_up() {
    end_server
    end "$peer"
    end "$redis"
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

fail() {
    printf 'consumer: %s\n' "$*" >&2
    exit 1
}

make_site() {
    mkdir -p "$work/site/css" "$work/site/data"
    printf 'body { background: url("../data/raw.bin"); }\n' >"$work/site/css/a site.css"
    head -c 300000 /dev/urandom >"$work/site/data/raw.bin"
}

# Where the .pc files are depends on the distribution's libdir.
find_pc_dir() {
    found=$(find "$prefix" -name libbreaker.pc)
    [ -n "$found" ] || fail "libbreaker.pc is not installed"
    pc_dir=$(dirname "$found")
    libdir=$(dirname "$pc_dir")
}

install_build() {
    cmake --install "$build" --prefix "$prefix" >"$work/install.log" 2>&1 ||
        fail "the installation failed: $(tail -n 5 "$work/install.log")"
    find_pc_dir
    for file in include/breaker/h2o.h include/breaker/breaker.h include/breaker/http/range.h \
        sbin/h2o-breaker sbin/h2o-breaker-uv share/man/man8/h2o-breaker.8 \
        share/man/man5/h2o-breaker.conf.5 lib/systemd/system/h2o-breaker.service; do
        [ -s "$prefix/$file" ] || fail "$file is not installed"
    done
    grep -qx "ExecStart=$prefix/sbin/h2o-breaker" \
        "$prefix/lib/systemd/system/h2o-breaker.service" ||
        fail "the unit does not start the installed server"
    for program in h2o-breaker h2o-breaker-uv; do
        "$prefix/sbin/$program" --version >/dev/null || fail "the installed $program does not run"
    done
    if grep -rlF -e "$build" -e "$(CDPATH='' cd -- "$here/../.." && pwd)" \
        "$prefix/include" "$libdir/cmake" "$pc_dir" "$prefix/lib/systemd"; then
        fail "the files above name the build or the source tree"
    fi
}

list_headers() {
    (cd "$prefix/include" && find breaker -name '*.h' | sort)
}

# compile_header LANGUAGE HEADER FLAG…
compile_header() {
    language=$1
    header=$2
    shift 2
    printf '#include <%s>\nextern int not_empty;\n' "$header" | "$@" -x "$language" -Wall -Wextra -Wpedantic -Werror -fsyntax-only - ||
        fail "$header does not compile by itself: $*"
}

# What is installed depends on no other header being included before, in either language and flavour.
compile_headers() {
    export PKG_CONFIG_PATH="$pc_dir"
    for module in libh2o-breaker libh2o-breaker-evloop; do
        flags=$(pkg-config --cflags "$module")
        for header in $(list_headers); do
            # shellcheck disable=SC2086 # a list of flags
            {
                compile_header c "$header" "$cc" -std=gnu11 $flags
                compile_header c++ "$header" "$cxx" -std=c++17 $flags
            }
        done
    done
}

build_with_cmake() {
    flags="-O1 -Wall -Wextra -Werror -Wno-cast-function-type"
    mkdir "$work/cmake"
    list_headers | sed 's/.*/#include <&>/' >"$work/cmake/every_header.h"
    { cmake -S "$here" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" \
        -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags" \
        -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_CXX_FLAGS="$flags" &&
        cmake --build "$work/cmake" -j2; } >"$work/cmake.log" 2>&1 || {
        cat "$work/cmake.log" >&2
        fail "find_package(h2o-breaker) is not enough to build a consumer"
    }
}

# build_with_pkg_config MODULE LINK: -static takes our archives, the rest stays shared, because
# Debian has no static libh2o.
build_with_pkg_config() {
    export PKG_CONFIG_PATH="$pc_dir"
    case $2 in
    shared) libs="$(pkg-config --libs "$1") -Wl,-rpath,$libdir" ;;
    static) libs=$(pkg-config --static --libs "$1" |
        sed -E 's/-l((h2o-)?breaker(-evloop)?)( |$)/-l:lib\1.a /g') ;;
    esac
    # shellcheck disable=SC2046,SC2086 # lists of flags
    "$cc" -O1 -Wall -Wextra -Werror -Wno-cast-function-type $(pkg-config --cflags "$1") \
        -o "$work/pkg-config-$1-$2" "$here/server.c" $libs || fail "pkg-config $1, $2: no program"
}

# check_linkage PROGRAM: a static program carries our code, a shared one finds it in the prefix, and
# each uses one flavour of libh2o only.
check_linkage() {
    needed=$(ldd "$1")
    case $1 in
    *static) ! echo "$needed" | grep -q 'breaker.*\.so' || fail "$1 needs a shared libbreaker" ;;
    *) [ "$(echo "$needed" | grep -c "breaker.*=> $libdir/")" -eq 2 ] ||
        fail "$1 does not find the installed libraries: $needed" ;;
    esac
    case $1 in
    *evloop*) ! echo "$needed" | grep -q 'libh2o\.so' || fail "$1 mixes flavours" ;;
    *) ! echo "$needed" | grep -q 'libh2o-evloop\.so' || fail "$1 mixes flavours" ;;
    esac
}

# start_server PROGRAM [REDIS_URL thread|loop]
start_server() {
    program=$1
    shift
    : >"$work/out"
    "$program" "$work/site" "$@" >"$work/out" &
    server=$!
    port=
    tries=0
    until port=$(sed -n 's/^listening on //p' "$work/out") && [ -n "$port" ]; do
        kill -0 "$server" 2>/dev/null || fail "$program ended at once"
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "$program does not listen after 30 s"
        sleep 0.1
    done
    base=http://127.0.0.1:$port
}

# ask CURL_ARGUMENT…: the answer's body to $work/body, its header to $work/header.
ask() {
    curl --silent --noproxy '*' --max-time 20 --path-as-is --output "$work/body" \
        --dump-header "$work/header" "$@" || fail "no answer to $*"
}

# expect STATUS [HEADER_LINE…]
expect() {
    grep -q "^HTTP/1.1 $1 " "$work/header" || fail "expected $1, got: $(cat "$work/header")"
    shift
    for line in "$@"; do
        tr -d '\r' <"$work/header" | grep -qix -e "$line" ||
            fail "expected '$line', got: $(cat "$work/header")"
    done
}

check_answers() {
    asset='css/a%20site.css'
    ask "$base/static/0/$asset?from=old"
    expect 301
    token=$(sed -n 's|^[Ll]ocation: \.\./\.\./\([^/]*\)/.*|\1|p' "$work/header")
    [ "${#token}" -ge 12 ] || fail "no token in: $(cat "$work/header")"
    expect 301 "location: ../../$token/$asset?from=old" 'cache-control: public, max-age=60'

    ask "$base/static/$token/$asset"
    expect 200 'cache-control: public, max-age=31536000, immutable' 'content-type: text/css.*'
    cmp -s "$work/body" "$work/site/css/a site.css" || fail "wrong bytes of the stylesheet"
    ask "$base/static/$token/data/raw.bin"
    expect 200 'content-length: 300000'
    cmp -s "$work/body" "$work/site/data/raw.bin" || fail "wrong bytes of the large file"

    ask "$base/static/$((token + 1))/$asset"
    expect 503 'retry-after: 3' 'cache-control: no-store'
    ask "$base/static/$token/no/such/file"
    expect 404 'cache-control: no-store'
    ask --request POST --data '' "$base/static/$token/$asset"
    expect 405 'allow: get, head' 'cache-control: no-store'
}

# expected_line URL_PATH FILE
expected_line() {
    printf 'https://cdn.example/static/1718539201234/%s sha256-%s\n' "$1" \
        "$(openssl dgst -sha256 -binary "$work/site/$2" | openssl base64)"
}

# check_page PROGRAM: the one in C++.
check_page() {
    check_linkage "$1"
    "$1" "$work/site" 1718539201234 'css/a site.css' data/raw.bin >"$work/out" ||
        fail "$1 ended with $?"
    {
        expected_line 'css/a%20site.css' 'css/a site.css'
        expected_line data/raw.bin data/raw.bin
    } >"$work/expected"
    cmp -s "$work/out" "$work/expected" || fail "$1 wrote: $(cat "$work/out")"
}

# check_coordinator PROGRAM: what it was told, and what it handed out. An entry of another release
# changes nothing.
check_coordinator() {
    printf '%s\n' '100 100 other' '200 200 -' '300 300 other' '250 250 -' |
        "$1" "$work/site" >"$work/out" || fail "$1 ended with $?"
    printf '%s\n' BREAKER_ERR_NOT_READY /static/200/ /static/250/ >"$work/expected"
    cmp -s "$work/out" "$work/expected" || fail "$1 wrote: $(cat "$work/out")"
}

# ---- a cluster ----

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for WHAT COMMAND…
wait_for() {
    what=$1
    shift
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "waited 30 s for $what: $(cat "$work/peer.log")"
        sleep 0.1
    done
}

ask_redis() {
    redis-cli -s "$work/redis.sock" "$@"
}

start_redis() {
    redis-server --port 0 --unixsocket "$work/redis.sock" --unixsocketperm 777 --save '' --dir "$work" \
        >"$work/redis.log" &
    redis=$!
    wait_for redis-server ask_redis PING >/dev/null 2>&1
}

# The installed server with the same files.
start_peer() {
    peer_base=http://127.0.0.1:$peer_port
    "$prefix/sbin/h2o-breaker" -c "$work/peer.conf" 2>"$work/peer.log" &
    peer=$!
}

configure_peer() {
    peer_port=$(free_port)
    cat >"$work/peer.conf" <<END
num-threads: 1
listen: {host: 127.0.0.1, port: $peer_port}
breaker.cluster: {app: shop, redis: "unix://$work/redis.sock"}
hosts:
  default:
    paths:
      "/":
        breaker.static: {name: "static/{breaker}", path: $work/site}
END
}

# token_at BASE: the token that the node redirects to, or nothing.
token_at() {
    curl --silent --noproxy '*' --max-time 20 --output /dev/null --dump-header - \
        "$1/static/0/css/a%20site.css" | sed -n 's|^[Ll]ocation: \.\./\.\./\([^/]*\)/.*|\1|p'
}

# Both have the one token that Redis has, and Redis knows both.
is_agreed() {
    token=$(token_at "$base") && [ -n "$token" ] &&
        [ "$token" = "$(token_at "$peer_base")" ] &&
        [ "$(ask_redis ZRANGE '{shop}:breaker' -1 -1 | cut -d ' ' -f 1)" = "$token" ] &&
        [ "$(ask_redis ZCARD '{shop}:breaker:nodes')" -eq 2 ]
}

# check_cluster PROGRAM thread|loop first|second: whoever starts first makes the token.
check_cluster() {
    ask_redis FLUSHALL >/dev/null
    [ "$3" = first ] || start_peer
    [ "$3" = first ] || wait_for "a token of h2o-breaker" ask_redis_has_token
    start_server "$1" "unix://$work/redis.sock" "$2"
    [ "$3" = second ] || wait_for "a token of $1" ask_redis_has_token
    [ "$3" = second ] || start_peer
    wait_for "$1 and h2o-breaker to agree" is_agreed
    check_answers
    end_server
    [ "$status" -eq 0 ] || fail "$1 ended with $status in a cluster ($2)"
    end "$peer"
    peer=
}

ask_redis_has_token() {
    [ "$(ask_redis ZCARD '{shop}:breaker')" -eq 1 ]
}

make_site
install_build
compile_headers
build_with_cmake
for link in shared static; do
    build_with_pkg_config libh2o-breaker $link
    build_with_pkg_config libh2o-breaker-evloop $link
done

check_page "$work/cmake/page-h2o"
check_page "$work/cmake/page-h2o-evloop"

check_coordinator "$work/cmake/coordinator-core"
check_coordinator "$work/cmake/coordinator-core-static"

start_redis
configure_peer
checked=0
for program in "$work"/cmake/cmake-h2o* "$work"/pkg-config-*; do
    [ -x "$program" ] || continue
    check_linkage "$program"
    start_server "$program"
    check_answers
    end_server
    check_cluster "$program" thread first
    check_cluster "$program" loop second
    checked=$((checked + 1))
    echo "ok ${program##*/}"
done
[ "$checked" -eq 8 ] || fail "$checked programs instead of 8"
