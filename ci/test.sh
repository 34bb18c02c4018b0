#!/usr/bin/env bash
# Everything that must pass. Needs Rust, and for the Python package Python 2.7 and 3; what else it needs
# it installs where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

ci/tools.sh
ci/lint.sh

# Unit, integration, UI, documentation and model tests. The torture crate is apart, since it has
# the library write down its crash points.
cargo test --workspace --exclude torture --exclude io-shared-bench --locked

# What users run is optimised: the hand-over between two programs and the wake-up from a wait for
# many, with their figures. (The pipeline's tests build the example so by themselves.)
cargo test --release --locked --test handover --test waiting -- --nocapture

# Instructions of put and get do not grow. The benchmarks run, without their peers: no figure of
# this run counts.
cargo test --release --locked --package io-shared-bench --no-default-features
cargo run --release --locked --package io-shared-bench --no-default-features -- --quick

# Real processes, killed: at every crash point, at every instruction, and 2,000 times at random.
cargo test --release --locked --package torture -- --nocapture

# The Python package on 2.7 and 3. Needs both interpreters, and says so where one is missing.
ci/python.sh

# Broken on purpose, one line at a time: each must be caught. (The models' own gate ran above.)
torture/mutants $(seq 24)
