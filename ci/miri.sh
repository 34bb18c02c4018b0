#!/usr/bin/env bash
# Reads and writes messages and arrays under Miri, which knows no shared memory between processes
# but finds undefined behaviour in whatever else runs in it.
#
# Needs a nightly compiler with Miri and the standard library's source; with CI=true they are
# installed where they are missing, elsewhere the command is printed.
set -euo pipefail
cd "$(dirname "$0")/.."

toolchain=${MIRI_TOOLCHAIN:-nightly}
if ! cargo "+$toolchain" miri --version > /dev/null 2>&1; then
    install=(rustup toolchain install "$toolchain" --profile minimal --component miri \
        --component rust-src)
    if [ "${CI:-}" != true ]; then
        echo "ci/miri.sh: run this first: ${install[*]}" >&2
        exit 1
    fi
    echo "ci/miri.sh: ${install[*]}" >&2
    "${install[@]}"
fi

# Miri is a few hundred times slower than the machine: properties are tried with few values, and
# what measures time or works through kilobytes is left out.
skip=(--skip costs_little_time --skip as_long_as_it_may_be --skip more_than_64_kib)
export PROPTEST_CASES=2 MIRIFLAGS="-Zmiri-disable-isolation"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/miri
cargo "+$toolchain" miri test --locked --package io-shared-core --lib message:: -- "${skip[@]}"
cargo "+$toolchain" miri test --locked --package io-shared-core --test message --test schema -- \
    "${skip[@]}"
