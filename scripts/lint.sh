#!/usr/bin/env bash
# Everything that is checked without running the product.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="${XDG_CACHE_HOME:-$HOME/.cache}/vedette/bin:$PATH"

QUIET=1 scripts/tools.sh toolchain deny
step() { echo "lint: $1"; "${@:2}"; }
step "formatting" cargo fmt --all --check
step "pages" scripts/pages.sh check
step "clippy" cargo clippy --locked --workspace --all-targets -- -D warnings
step "dependencies" cargo deny --log-level error check bans licenses sources
step "the repository's own rules" cargo test --locked -q --workspace --test tidy
