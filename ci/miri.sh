#!/usr/bin/env bash
# Runs the tests of messages, schemas and arrays under Miri, which finds undefined behaviour. It
# knows no memory that processes share, so it cannot run the other tests.
#
# The workflow runs it on a machine of its own, next to ci/test.sh, which does not call it.
#
# It needs a nightly compiler with Miri and the source of the standard library. With CI=true it
# installs what is missing; elsewhere it prints the command.
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

# Miri is some hundred times slower than a processor. Properties are tried with few values, and
# tests that measure time or read many kilobytes are left out.
skip=()
for slow in costs_little_time as_long_as_it_may_be more_than_64_kib schema_too_long \
    however_many_a_schema_has; do
    skip+=(--skip "$slow")
done
export PROPTEST_CASES=2 MIRIFLAGS="-Zmiri-disable-isolation"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/miri
cargo "+$toolchain" miri test --locked --package io-shared-core --lib message:: -- "${skip[@]}"
cargo "+$toolchain" miri test --locked --package io-shared-core --test message --test schema -- \
    "${skip[@]}"
