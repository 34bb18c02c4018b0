#!/usr/bin/env bash
# Tests the link between machines: two namespaces with networks, memories and clocks of their own.
# Nothing else builds Zenoh, so this is a stage of its own. It needs root.
#
#   ci/link.sh           builds, lints and tests
#   ci/link.sh --build   builds and lints
set -euo pipefail
cd "$(dirname "$0")/.."

command -v ip > /dev/null || {
    echo "ci/link.sh: there is no ip: apt-get install iproute2" >&2
    exit 1
}
tree=(cargo tree --locked --edges all --prefix none)
for others in "" "--package io-shared-cli" "--workspace --exclude io-shared-link"; do
    # shellcheck disable=SC2086
    if "${tree[@]}" $others | grep '^zenoh'; then
        echo "ci/link.sh: cargo build $others builds Zenoh" >&2
        exit 1
    fi
done
cargo clippy --package io-shared-link --all-targets --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --package io-shared-link --no-deps --locked --quiet
# The program of the guide, which is no link, needs Zenoh for Python.
venv=${CARGO_TARGET_DIR:-target}/python/zenoh
mkdir -p "$venv"
venv=$(cd "$venv" && pwd)
if ! "$venv/bin/python" -c 'import numpy, zenoh' 2> /dev/null; then
    "${PYTHON3:-python3}" -m venv --clear "$venv"
    "$venv/bin/pip" --quiet --disable-pip-version-check install numpy 'eclipse-zenoh==1.10.*'
fi
export IO_SHARED_ZENOH_PYTHON=$venv/bin/python
# Built as the caller, so that root does not own the files under target/.
cargo test --package io-shared-link --locked --no-run
if [ "${1:-}" = --build ]; then exit; fi
test=(cargo test --package io-shared-link --locked)
if [ "$(id -u)" = 0 ]; then
    "${test[@]}" -- --nocapture
else
    keep=HOME,CARGO_HOME,RUSTUP_HOME,CI,IO_SHARED_ZENOH_PYTHON
    sudo --preserve-env="$keep" env "PATH=$PATH" "${test[@]}" -- --nocapture
fi
