#!/usr/bin/env bash
# Runs the benchmarks in a release build. Arguments go to them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="${XDG_CACHE_HOME:-$HOME/.cache}/vedette/bin:$PATH"
QUIET=1 scripts/tools.sh toolchain nats es9 opensearch
# Built as one: `cargo run` of one package alone would choose other features, and build most of it again.
cargo build --locked --release --workspace --bins
exec "${CARGO_TARGET_DIR:-target}/release/vedette-bench" "$@"
