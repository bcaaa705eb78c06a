#!/usr/bin/env bash
# Runs every test. Arguments go to nextest, as `scripts/test.sh -E 'package(vedette-rules)'`.
#
# What only the tests' components need is installed while the compiler works, and its failure is told before a test
# that misses it can be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vedette
export PATH="$cache/bin:$PATH"

QUIET=1 scripts/tools.sh toolchain nextest
echo "test: installing components while the tests build; the first time, kube-apiserver takes about 7 min"
log=$(mktemp)
setsid nice -n 10 scripts/tools.sh test >"$log" 2>&1 &
tools=$!
trap 'kill -- "-$tools" 2>/dev/null || true; rm -f "$log"' EXIT

# The console embeds its pages, so that they come first.
scripts/pages.sh
# One invocation builds services and tests with the same features, so that nothing is compiled twice.
cargo build --locked --workspace --bins --tests

# Examples in documentation; nextest does not run them, and its summary is to come last.
if [ $# -eq 0 ]; then cargo test --locked --workspace --doc -q; fi

echo "test: waiting for the components"
if ! wait "$tools"; then
    cat "$log" >&2
    exit 1
fi
cat "$log"

cargo nextest run --locked --workspace --no-tests=fail "$@"
