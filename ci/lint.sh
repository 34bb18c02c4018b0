#!/usr/bin/env bash
# Formatting, lints and documentation. Any warning is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
# The link is linted by ci/link.sh. The native Python module is built for the wheel alone; its
# stable ABI needs no Python here. Without default features, the benchmarks have no peers: some 60
# crates.
apart=(--exclude io-shared-python --exclude io-shared-link)
cargo clippy --workspace "${apart[@]}" --no-default-features --all-targets --locked -- -D warnings
PYO3_NO_PYTHON=1 PYO3_BUILD_EXTENSION_MODULE=1 \
    cargo clippy --package io-shared-python --locked -- -D warnings
export RUSTDOCFLAGS="-D warnings"
cargo doc --workspace "${apart[@]}" --no-default-features --no-deps --locked --quiet
