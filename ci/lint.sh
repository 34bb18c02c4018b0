#!/usr/bin/env bash
# Formatting, lints and documentation. Any warning is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
# The native Python module is linted by ci/python.sh, where it is built, and the link by ci/link.sh.
# The benchmarks' peers need some 60 crates, which are never built where everything is built.
apart=(--exclude io-shared-bench --exclude io-shared-python --exclude io-shared-link)
cargo clippy --workspace "${apart[@]}" --all-targets --locked -- -D warnings
cargo clippy --package io-shared-bench --no-default-features --all-targets --locked -- -D warnings
export RUSTDOCFLAGS="-D warnings"
cargo doc --workspace "${apart[@]}" --no-deps --locked --quiet
