#!/usr/bin/env bash
# Fuzzes each target for a while, from its corpus on: 20 seconds, or as many as the argument says.
#
# Needs a nightly compiler, a C++ compiler and cargo-fuzz; with CI=true the first and the last are
# installed where they are missing, elsewhere the commands are printed. Inputs that bring new coverage
# are added to target/fuzz/corpus: to keep them, minimise them there (cargo fuzz cmin) and pack them by
# `fuzz/corpus.sh pack target/fuzz/corpus`. An input that fails is written to fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-20}
target=$(mkdir -p "${CARGO_TARGET_DIR:-target}/fuzz" && cd "${CARGO_TARGET_DIR:-target}/fuzz" && pwd)
export PATH=$target/tools/bin:$PATH
toolchain=${FUZZ_TOOLCHAIN:-nightly}

# Does what would bring a missing tool here, or says it.
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
