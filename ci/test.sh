#!/usr/bin/env bash
# Everything that must pass. Needs Rust, and for the Python package Python 2.7 and 3; what else it needs
# it installs where it is missing. What it cannot do without is looked for first; what is not tested,
# since something is missing, is said at the start and at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

step="looking for what is needed"
missing=()
at_end() {
    local code=$?
    [ ${#missing[@]} = 0 ] || printf 'ci/test.sh: NOT TESTED: %s\n' "${missing[@]}" >&2
    [ "$code" = 0 ] || echo "ci/test.sh: FAILED (status $code; 124 is a timeout): $step" >&2
}
trap at_end EXIT
lacks() {
    missing+=("$1")
    echo "ci/test.sh: NOT TESTED: $1" >&2
}
needs() {
    echo "ci/test.sh: $1" >&2
    exit 1
}
# No step lasts for ever, whatever its tests wait for.
run() {
    local limit=$1
    shift
    step=$*
    timeout --foreground --kill-after=10 --verbose "$limit" "$@"
}

for component in fmt clippy; do
    cargo "$component" --version > /dev/null || needs "there is no cargo $component: rustup component add"
done
[ -w /dev/shm ] || needs "/dev/shm cannot be written: mount a tmpfs there"
run 15m ci/python.sh --prepare
ci/python.sh --has-pypy || lacks "PyPy: there is none (apt-get install pypy3 pypy3-venv, or PYPY3)"
musl=$(rustc --print target-libdir --target x86_64-unknown-linux-musl 2> /dev/null || true)
[ -d "$musl" ] || lacks "musl: rustup target add x86_64-unknown-linux-musl"
[ "$(id -u)" = 0 ] || lacks "other users, mounts and containers: needs root"
unshare --user --map-root-user true 2> /dev/null || lacks "user namespaces: the kernel refuses them"

run 15m ci/tools.sh
run 60m ci/lint.sh

# Unit, integration, UI, documentation and model tests. The torture crate is apart, since it has
# the library write down its crash points.
run 90m cargo test --workspace --exclude torture --exclude io-shared-bench --locked

# What users run is optimised: the hand-over between two programs and the wake-up from a wait for
# many, with their figures. (The pipeline's tests build the example so by themselves.)
run 30m cargo test --release --locked --test handover --test waiting -- --nocapture

# Instructions of put and get do not grow. The benchmarks run, without their peers: no figure of
# this run counts.
run 60m cargo test --release --locked --package io-shared-bench --no-default-features
run 30m cargo run --release --locked --package io-shared-bench --no-default-features -- --quick

# Real processes, killed: at every crash point, at every instruction, and 2,000 times at random.
run 90m cargo test --release --locked --package torture -- --nocapture

# The Python package on 2.7 and 3. Needs both interpreters, and says so where one is missing.
run 60m ci/python.sh

# Broken on purpose, one line at a time: each must be caught. (The models' own gate ran above.)
run 3h torture/mutants $(seq 24)
