#!/usr/bin/env bash
# `make up`: the first three steps of five; `vedette up` does the others and stays. Arguments go to it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vedette
program=${CARGO_TARGET_DIR:-target}/debug/vedette

if [ -x "$program" ]; then
    echo "vedette up"
else
    echo "vedette up · first run builds from source: about 6 min (later 3 s)"
fi

QUIET=1 scripts/tools.sh toolchain nats
export VEDETTE_NATS_SERVER=${VEDETTE_NATS_SERVER:-$cache/bin/nats-server}
version=$("$VEDETTE_NATS_SERVER" --version | sed 's/.*: v//')
echo " 1/5 tools    nats-server $version"

# The program embeds the pages, so that they are built before it. Without Node, or with an old one, they are left out, and the console says so.
started=$SECONDS
built=0
QUIET=1 scripts/pages.sh || built=$?
case $built in
    0) pages=built ;;
    2) pages="left out: they need Node 20 or newer and npm" ;;
    *) exit 1 ;;
esac
# Cargo's own progress, which it shows where there is something to do.
cargo build --locked -p vedette-cli --bin vedette
took=$((SECONDS - started))
if [ $took -ge 60 ]; then took="$((took / 60)) min $((took % 60)) s"; else took="$took s"; fi
echo " 2/5 build    done in $took"
echo " 3/5 console  pages $pages"
exec "$program" up "$@"
