#!/usr/bin/env bash
# Builds the C library and the `io-shared` command for any Linux with glibc 2.17 or later, which is
# what old robots have: ci/portable.sh x86_64|aarch64
#
# target/portable/ARCHITECTURE gets libio_shared_ffi.so, libio_shared_ffi.a and io-shared, stripped,
# and libio_shared_ffi.so.debug and io-shared.debug, where debuggers find the lines. Zig links them,
# with glibc's symbols of that version. With --prepare the script only installs what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/installing.sh
source ci/pythons.sh

glibc=2.17
machine=$1
triple=$machine-unknown-linux-gnu
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/portable"
target=$(cd "$target" && pwd)
tools=$target/portable/tools
out=$target/portable/$machine

fail() {
    echo "ci/portable.sh: $1" >&2
    exit 1
}
[ -n "$python3" ] || fail "there is no Python 3.9 or later with venv: name one by PYTHON3"
install_target "$triple"
install_packages "$machine-linux-gnu-objcopy:binutils-${machine/_/-}-linux-gnu"
pinned=(ziglang==0.17.0 cargo-zigbuild==0.24.0 auditwheel==6.8.2 hatchling==1.28.0)
if [ "$(cat "$tools/pinned" 2> /dev/null)" != "${pinned[*]}" ]; then
    echo "ci/portable.sh: installing ${pinned[*]} into $tools" >&2
    "$python3" -m venv --clear "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
    echo "${pinned[*]}" > "$tools/pinned"
fi
if [ "${2:-}" = --prepare ]; then exit; fi

# Build ids tell debuggers which files belong together. The paths of this machine say nothing to
# others.
flags="-Clink-arg=-Wl,--build-id=sha1 --remap-path-prefix=$PWD=/io-shared"
flags+=" --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
variable=CARGO_TARGET_$(tr a-z- A-Z_ <<< "$triple")_RUSTFLAGS
env PATH="$tools/bin:$PATH" "$variable=$flags" cargo zigbuild --release --locked --quiet \
    --target "$triple.$glibc" --package io-shared-ffi --package io-shared-cli

rm -rf "$out"
mkdir -p "$out"
for file in libio_shared_ffi.so io-shared; do
    built=$target/$triple/release/$file
    "$machine-linux-gnu-objcopy" --only-keep-debug "$built" "$out/$file.debug"
    chmod -x "$out/$file.debug"
    # objcopy looks for the debug file where it runs.
    (cd "$out" && "$machine-linux-gnu-objcopy" --strip-unneeded \
        --add-gnu-debuglink="$file.debug" "$built" "$file")
    symbols=$("$machine-linux-gnu-objdump" -T "$out/$file")
    newest=$(grep -oE 'GLIBC_[0-9.]+' <<< "$symbols" | sort -uV | tail -n 1)
    [ -n "$newest" ] || fail "$out/$file needs no symbol of glibc, which cannot be"
    # One that no version of $glibc has. Weak ones may be missing.
    unknown=$(grep -F '*UND*' <<< "$symbols" | grep -vE 'GLIBC|GCC_|^[^ ]+  w' || true)
    [ -z "$unknown" ] || fail "$out/$file needs what glibc $glibc lacks: $unknown"
    [ "$(printf '%s\n' "$newest" "GLIBC_$glibc" | sort -V | tail -n 1)" = "GLIBC_$glibc" ] ||
        fail "$out/$file needs $newest, and not $glibc at most"
    echo "ci/portable.sh: $file for $machine: $(stat -c %s "$out/$file") bytes, $newest" >&2
done
"$machine-linux-gnu-objcopy" --strip-debug "$target/$triple/release/libio_shared_ffi.a" \
    "$out/libio_shared_ffi.a"
