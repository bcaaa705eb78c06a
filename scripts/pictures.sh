#!/usr/bin/env bash
# Makes the pictures of docs/console.md and of the README anew, from the product as it runs here, on its sample.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vedette
program=${CARGO_TARGET_DIR:-target}/debug/vedette

QUIET=1 scripts/tools.sh toolchain nats chromium
scripts/pages.sh
cargo build --locked -p vedette-cli --bin vedette
data=$(mktemp -d)
trap 'kill -INT "$up" 2>/dev/null; wait "$up" 2>/dev/null || true; rm -rf "$data"' EXIT
VEDETTE_NATS_SERVER=${VEDETTE_NATS_SERVER:-$cache/bin/nats-server} "$program" up --data-dir "$data/up" --retention-days 9 \
    --webhook-listen 127.0.0.1:0 --console-listen 127.0.0.1:0 >"$data/log" &
up=$!
for _ in $(seq 300); do
    grep -q 'Ctrl-C stops' "$data/log" && break
    kill -0 "$up" || { cat "$data/log" >&2; exit 1; }
    sleep 1
done
login=$(grep -o 'http://[^ ]*/#login=[^ ]*' "$data/log")
export VEDETTE_CONSOLE=${login%%/#login=*} VEDETTE_TOKEN=${login##*login=} VEDETTE_CHROMIUM=/usr/bin/chromium
export VEDETTE_SCREENSHOTS=$PWD/docs/images
(cd console/web && npx vitest run --config browser/tour.config.ts)
ls -l docs/images
