#!/usr/bin/env bash
# Tests on 64-bit ARM, which is what most robots have.
#
#   ci/aarch64.sh --short   programs of both architectures share channels, locks and typed state
#   ci/aarch64.sh           also all tests of the facade
#
# On an ARM machine it runs those natively, with the tests of `torture`. Elsewhere QEMU emulates
# (ci/emulation.sh), with a compiler for ARM of Debian's. Under the emulator is a processor that
# reorders little, so this cannot show what ARM's weak ordering does: that is proved by the model
# (docs/PROOF.md). ci/aarch64.txt lists what is left out, and why.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/installing.sh
start=$SECONDS

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
export CARGO_TARGET_DIR=$target
triple=aarch64-unknown-linux-gnu
passed=0 failures=() left_out=0

say() {
    echo "ci/aarch64.sh: $1 ($((SECONDS - start)) s)" >&2
}
# What ci/aarch64.txt has for a crate and a file of its tests: names, or * for all of the file.
exclusions() {
    sed -n "s/^$1 $2 \([^ ]*\) # .*/\1/p" ci/aarch64.txt
}
# Runs one file of tests, without what is left out.
run() {
    local package=$1 file=$2 skip=() log=$target/aarch64.log name names count
    local cargo=(cargo test --quiet --locked --target "$triple" --package "$package" --test "$file")
    mapfile -t names < <(exclusions "$package" "$file")
    if [ "${names[*]}" = '*' ]; then
        say "left out: $package $file: $(sed -n "s/^$package $file \* # //p" ci/aarch64.txt)"
        left_out=$((left_out + 1))
        return
    fi
    for name in "${names[@]}"; do
        "${cargo[@]}" -- --list 2> /dev/null | grep -q "^$name: test$" ||
            failures+=("ci/aarch64.txt leaves out $name of $package $file, which is not there")
        say "left out: $name: $(sed -n "s/^$package $file $name # //p" ci/aarch64.txt)"
        skip+=(--skip "$name")
        left_out=$((left_out + 1))
    done
    timeout --kill-after=10 900 nice "${cargo[@]}" -- --exact "${skip[@]}" > "$log" 2>&1 || {
        failures+=("$package $file")
        cat "$log" >&2
    }
    count=$(sed -n 's/^test result: .* \([0-9]*\) passed.*/\1/p' "$log")
    passed=$((passed + ${count:-0}))
    say "$package $file: ${count:-0} passed"
}
end() {
    [ ${#failures[@]} = 0 ] || printf 'ci/aarch64.sh: FAILED: %s\n' "${failures[@]}" >&2
    echo "ci/aarch64.sh: left out $left_out; took $((SECONDS - start)) s" >&2
    echo "$passed passed, ${#failures[@]} failed"
    [ ${#failures[@]} = 0 ] && [ "$passed" != 0 ]
    exit
}

if [ "$(uname -m)" = aarch64 ]; then
    nice cargo test --locked --package io-shared --package io-shared-core --package io-shared-ffi
    nice cargo test --release --locked --package torture
    exit
fi
ci/emulation.sh
install_target "$triple"
gcc=aarch64-linux-gnu-gcc
install_packages "$gcc:gcc-aarch64-linux-gnu" \
    /usr/aarch64-linux-gnu/include/stdio.h:libc6-dev-arm64-cross
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$gcc
# Where programs for ARM find their loader and libraries.
export QEMU_LD_PREFIX=/usr/aarch64-linux-gnu
export CARGO_PROFILE_DEV_DEBUG=${CARGO_PROFILE_DEV_DEBUG:-line-tables-only}

# Programs of both architectures, each in each part.
built() {
    cargo test --quiet --locked --package test-support --test architectures --no-run "$@" \
        --message-format json | sed -n 's/.*"executable":"\([^"]*architectures[^"]*\)".*/\1/p'
}
native=$(built)
arm=$(built --target "$triple")
say "programs of both architectures are built"
for both in "$native $arm" "$arm $native"; do
    read -r here there <<< "$both"
    log=$target/aarch64.log
    IO_SHARED_OTHER_PROGRAM=$there timeout 300 nice "$here" > "$log" 2>&1 || {
        failures+=("architectures, $here with $there")
        cat "$log" >&2
    }
    count=$(sed -n 's/^test result: .* \([0-9]*\) passed.*/\1/p' "$log")
    passed=$((passed + ${count:-0}))
    say "architectures, ${here#"$target/"} with ${there#"$target/"}: ${count:-0} passed"
done

if [ "${1:-}" = --short ]; then end; fi
# It runs on native machines only.
nice cargo check --quiet --locked --target "$triple" --package torture --tests
say "torture compiles"
nice cargo test --quiet --locked --target "$triple" --package io-shared --tests --no-run
say "the tests are built"
for file in tests/*.rs; do
    file=$(basename "$file" .rs)
    run io-shared "$file"
done
end
