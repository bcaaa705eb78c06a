#!/usr/bin/env bash
# What is too long for `make test`: the rule engine against its oracle in millions of cases, and the fuzz targets.
#
# Fuzzing needs a nightly toolchain and cargo-fuzz (`cargo install cargo-fuzz`); without them it is left out, and said so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cases=${CASES:-1000000}
seconds=${SECONDS_EACH:-600}

echo "nightly: $cases cases of each property of the rule engine"
PROPTEST_CASES=$cases cargo test --locked --release -p vedette-rules --lib evaluate::tests

if cargo +nightly fuzz --version >/dev/null 2>&1; then
    for target in parser compiler matcher; do
        echo "nightly: fuzzing the $target for $seconds s"
        # What is found on the way goes into the first folder; the second is the seeds, which stay as they are.
        mkdir -p "rules/fuzz/target/corpus/$target"
        cargo +nightly fuzz run --fuzz-dir rules/fuzz "$target" "rules/fuzz/target/corpus/$target" "rules/fuzz/corpus/$target" -- \
            -max_total_time="$seconds"
    done
else
    echo "nightly: no fuzzing, since a nightly toolchain or cargo-fuzz is missing"
fi
