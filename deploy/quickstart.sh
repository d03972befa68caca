#!/bin/sh
# Builds h2o-breaker and serves a site with it on http://127.0.0.1:8080/, on a single node without
# Redis, until Ctrl-C.
#
#   sh deploy/quickstart.sh                     the site in deploy/site
#   DIR=/srv/shop/static sh deploy/quickstart.sh
#                                               the files of DIR as assets under static/{breaker};
#                                               if it holds pages (*.html), they are served at /,
#                                               with {breaker} in them replaced
#   PORT=8081 …                                 another port
#   HOST=0.0.0.0 …                              another address: all of them, in a container say
#
# It asks for nothing: what is missing is installed with apt-get (see deploy/packages.sh).

set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${BREAKER_BUILD:-$root/build}
host=${HOST:-127.0.0.1}
port=${PORT:-8080}
dir=${DIR-}
# shellcheck source=deploy/packages.sh
. "$root/deploy/packages.sh"

die() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

ask() {
    curl --silent --noproxy '*' --max-time 5 "$@"
}

# Where the server is asked from here: "all addresses" is none to ask.
set_base() {
    case $host in
    *[!A-Za-z0-9.:_-]*) die "HOST=$host is not a name or an address" ;;
    0.0.0.0) base=http://127.0.0.1:$port ;;
    ::) base=http://[::1]:$port ;;
    *:*) base=http://[$host]:$port ;;
    *) base=http://$host:$port ;;
    esac
}

check_settings() {
    case $port in
    '' | *[!0-9]* | 0* | ??????*) die "PORT=$port is not a port number" ;;
    esac
    set_base
    { [ "$port" -ge 1 ] && [ "$port" -le 65535 ]; } || die "PORT=$port is not between 1 and 65535"
    if [ -z "$dir" ]; then
        assets=$root/deploy/site/static
        pages=$root/deploy/site/pages
        has_placeholder=yes
        return
    fi
    assets=$(CDPATH='' cd -- "$dir" 2>/dev/null && pwd -P) || die "DIR=$dir is not a directory that can be read"
    case $assets in
    *[[:cntrl:]]*) die "the path of DIR holds control characters" ;;
    esac
    pages=
    has_placeholder=
    if [ -n "$(find -L "$assets" -name '*.html' -type f -print 2>/dev/null | head -n 1)" ]; then
        pages=$assets
        # find(1) alone reads names with line ends in them
        if find -L "$assets" -name '*.html' -type f -exec grep -Fq '/static/{breaker}/' {} \; \
            -print 2>/dev/null | grep -q .; then
            has_placeholder=yes
        fi
    fi
}

# A name that needs no percent-encoding, for the commands to try.
find_example() {
    if [ -z "$dir" ]; then
        example=css/site.css
        return
    fi
    example=$(cd "$assets" && find . -type f ! -path '*/.*' ! -path '*[!A-Za-z0-9._/-]*' \
        -size -1024k -print 2>/dev/null | LC_ALL=C sort | sed -n '1s|^\./||p')
}

# Two servers of one user could share a port without noticing, so ask before; once before anything
# is built, and once when that is done.
check_port() {
    command -v curl >/dev/null || die "curl is missing"
    status=0
    ask --output /dev/null "$base/" || status=$?
    case $status in
    7) return ;;
    6) die "HOST=$host is not found" ;;
    45) die "HOST=$host is not an address of this machine" ;;
    esac
    die "something else is listening on $host:$port already." \
        "Another port: PORT=$((port % 65535 + 1)) sh deploy/quickstart.sh"
}

build_server() {
    log=$build/quickstart.log
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

# yaml_quote TEXT: TEXT as a double-quoted scalar.
yaml_quote() {
    printf '"'
    printf '%s' "$1" | sed 's/[\\"]/\\&/g'
    printf '"'
}

write_config() {
    conf=$build/quickstart.conf
    {
        cat <<END
# Written by deploy/quickstart.sh; a start for a configuration of your own.
num-threads: $(nproc)
listen:
  host: "$host"
  port: $port
END
        if [ "$(id -u)" -eq 0 ]; then
            cat <<END
# To try things out below root's home. Without this line root serves as nobody, as it should.
user: root
END
        fi
        cat <<END
hosts:
  default:
    paths:
      "/":
        breaker.static:
          name: "static/{breaker}"
          path: $(yaml_quote "$assets")
END
        if [ -n "$pages" ]; then
            cat <<END
        file.dir: $(yaml_quote "$pages")
        breaker.rewrite: ON
END
        fi
    } >"$conf"
}

stop() {
    stopping=yes
    [ -z "$server" ] || kill -TERM "$server" 2>/dev/null || :
}

start_server() {
    stopping=
    server=
    trap stop INT TERM HUP EXIT
    # In a session of its own: a terminal's Ctrl-C goes to this script alone, which ends the server
    # once. A second signal would cut the requests that are still answered.
    setsid "$build/bin/h2o-breaker" -c "$conf" &
    server=$!
    tries=0
    while ! ask --output /dev/null "$base/"; do
        [ -z "$stopping" ] || return 0
        kill -0 "$server" 2>/dev/null || die "the server did not start; its own words are above"
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || die "the server did not answer on $base within a minute"
        sleep 0.1
    done
}

# An older token is answered with the way to the current one: ask with the oldest there is.
read_token() {
    token=
    if [ -n "$example" ]; then
        token=$(ask --head --output /dev/null --write-out '%{redirect_url}' "$base/static/0/$example" |
            sed -n 's|^http://[^/]*/static/\([^/]*\)/.*|\1|p')
    fi
}

print_invitation() {
    echo
    echo "h2o-breaker serves $assets"
    if [ -n "$pages" ]; then
        echo "  open in a browser   $base/"
        [ -n "$has_placeholder" ] || cat <<END
  none of the pages holds the placeholder: they are served as they are, and their assets without
  a token. Write /static/{breaker}/main.css where a page names main.css.
END
    fi
    if [ -z "$token" ]; then
        printf '%s\n\n' "Ctrl-C stops it."
        return
    fi
    day=86400000
    cat <<END
  the current token   $token, the moment this server was started

Try, while it runs:
  # an asset under the current token: 200, to be kept for a year
  curl -I '$base/static/$token/$example'
  # under yesterday's token: 301 to the current one, query and all
  curl -I '$base/static/$((token - day))/$example?v=1'
  # under tomorrow's, which another node may have already: 503, come back in 3 seconds
  curl -I '$base/static/$((token + day))/$example'
  # a file that is not there: 404
  curl -I '$base/static/$token/no/such/file'

Configuration: $conf
Ctrl-C stops it.

END
}

wait_for_end() {
    while :; do
        status=0
        wait "$server" || status=$?
        # A signal to this script ends `wait` early, while the server still drains.
        kill -0 "$server" 2>/dev/null || break
    done
    server=
    [ -z "$stopping" ] || status=0
    return "$status"
}

check_settings
# shellcheck disable=SC2086 # lists of names
install_packages $PACKAGES_BUILD $PACKAGES_QUICKSTART
find_example
check_port
build_server
check_port
write_config
start_server
[ -n "$stopping" ] || {
    read_token
    print_invitation
}
wait_for_end
