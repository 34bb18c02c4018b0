#!/usr/bin/env bash
# The tests that want root: other users, mounts, containers and limits. As another user ci/test.sh
# runs them too, but what needs root they then leave out.
set -euo pipefail
cd "$(dirname "$0")/.."

tests=(--test permissions --test containers --test limits --test clocks)
build=(cargo test --release --locked --package torture "${tests[@]}")
# Built by whoever calls this, so that root owns no files under target/.
"${build[@]}" --no-run
if [ "$(id -u)" = 0 ]; then
    "${build[@]}" -- --nocapture
else
    sudo --preserve-env=HOME,CARGO_HOME,RUSTUP_HOME,CI env "PATH=$PATH" "${build[@]}" -- --nocapture
fi
