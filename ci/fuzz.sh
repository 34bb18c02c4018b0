#!/usr/bin/env bash
# Fuzzes each target for 20 seconds, or for as many as the argument says, starting from its corpus.
#
# It needs a nightly compiler, a C++ compiler and cargo-fuzz. With CI=true it installs what is
# missing; elsewhere it prints the command. Inputs that reach new code are added to
# target/fuzz/corpus. To keep them, minimise them (cargo fuzz cmin) and pack them:
# `fuzz/corpus.sh pack target/fuzz/corpus`. An input that fails is written to fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-20}
target=${CARGO_TARGET_DIR:-target}/fuzz
mkdir -p "$target"
target=$(cd "$target" && pwd)
export PATH=$target/tools/bin:$PATH
toolchain=${FUZZ_TOOLCHAIN:-nightly}

# Runs the command that installs a missing tool, or prints it.
install() {
    if [ "${CI:-}" != true ]; then
        echo "ci/fuzz.sh: run this first: $*" >&2
        exit 1
    fi
    echo "ci/fuzz.sh: $*" >&2
    "$@"
}
command -v c++ > /dev/null || ci/tools.sh
cargo "+$toolchain" --version > /dev/null 2>&1 ||
    install rustup toolchain install "$toolchain" --profile minimal
cargo fuzz --version > /dev/null 2>&1 ||
    install cargo install cargo-fuzz --version 0.13.2 --locked --root "$target/tools"

export CARGO_TARGET_DIR=$target/build
fuzz/corpus.sh unpack "$target/corpus"
for archive in fuzz/corpus/*.tar; do
    name=$(basename "$archive" .tar)
    cargo "+$toolchain" fuzz run "$name" "$target/corpus/$name" -- \
        -max_total_time="$seconds" -print_final_stats=1 -timeout=60
done
