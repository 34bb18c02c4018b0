#!/usr/bin/env bash
# Formatting, lints and documentation. Any warning is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
# The benchmarks' peers need some 60 crates, which are never built where everything is built.
cargo clippy --workspace --exclude io-shared-bench --all-targets --locked -- -D warnings
cargo clippy --package io-shared-bench --no-default-features --all-targets --locked -- -D warnings
export RUSTDOCFLAGS="-D warnings"
cargo doc --workspace --exclude io-shared-bench --no-deps --locked --quiet
