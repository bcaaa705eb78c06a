#!/usr/bin/env bash
# Runs the benchmarks in a release build. Arguments go to them. PEERS=1 holds the rules against VRL and cel-rust too, which
# take minutes to build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="${XDG_CACHE_HOME:-$HOME/.cache}/vedette/bin:$PATH"
QUIET=1 scripts/tools.sh toolchain nats kubectl kube es9 opensearch
# Built as one: `cargo run` of one package alone would choose other features, and build most of it again.
features=()
if [ -n "${PEERS:-}" ]; then features=(--features vedette-bench/peers); fi
cargo build --locked --release --workspace --bins "${features[@]}"
exec "${CARGO_TARGET_DIR:-target}/release/vedette-bench" "$@"
