#!/usr/bin/env bash
# Runs the benchmarks in a release build. Arguments go to them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="${XDG_CACHE_HOME:-$HOME/.cache}/vedette/bin:$PATH"
QUIET=1 scripts/tools.sh toolchain nats es9 opensearch
cargo build --locked --release --workspace --bins
exec cargo run --locked --release -q -p vedette-bench -- "$@"
