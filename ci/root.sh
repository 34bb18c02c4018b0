#!/usr/bin/env bash
# Runs the tests that need root: other users, mounts, containers and limits. Under another user
# ci/test.sh runs them too, but without what needs root.
set -euo pipefail
cd "$(dirname "$0")/.."

tests=(--test permissions --test containers --test limits --test clocks)
build=(cargo test --release --locked --package torture "${tests[@]}")
# Built as the caller, so that root does not own the files under target/.
"${build[@]}" --no-run
if [ "$(id -u)" = 0 ]; then
    "${build[@]}" -- --nocapture
else
    sudo --preserve-env=HOME,CARGO_HOME,RUSTUP_HOME,CI env "PATH=$PATH" "${build[@]}" -- --nocapture
fi
