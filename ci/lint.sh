#!/usr/bin/env bash
# Formatting, lints and documentation, warnings denied.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
# The benchmarks' peers are some 60 crates: they are left out wherever everything is built.
cargo clippy --workspace --exclude io-shared-bench --all-targets --locked -- -D warnings
cargo clippy --package io-shared-bench --no-default-features --all-targets --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --exclude io-shared-bench --no-deps --locked --quiet
