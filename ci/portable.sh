#!/usr/bin/env bash
# Builds the C library, the `io-shared` command and the native modules of the Python package for any
# Linux with glibc 2.17 or later, which is what old robots have: ci/portable.sh x86_64|aarch64
#
# target/portable/ARCHITECTURE gets libio_shared_ffi.so, libio_shared_ffi.a, io-shared, and
# _native.SUFFIX.so for CPython 3.9, for 3.10 and for 3.11 and later. All are stripped, and
# FILE.debug is where debuggers find the lines. Zig links them, with symbols of that glibc.
# With --prepare the script only installs what it needs.
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
zigbuild() {
    # Zig is the linker, also for a caller that links its tests with another one.
    env -u "${variable%RUSTFLAGS}LINKER" PATH="$tools/bin:$PATH" "$variable=$flags" \
        cargo zigbuild --profile dist --locked --quiet --target "$triple.$glibc" "$@"
}
zigbuild --package io-shared-ffi --package io-shared-cli

# What is built, by the name that it gets.
dist=$target/$triple/dist
declare -A built=(
    [libio_shared_ffi.so]=$dist/libio_shared_ffi.so
    [io-shared]=$dist/io-shared
)
# No Python is needed: to PyO3 this is a build for another machine, which names the version. From
# 3.11 on the stable ABI has the buffer protocol, and one module serves all.
native() {
    local version=$1 name=$2
    shift 2
    PYO3_CROSS=1 PYO3_CROSS_PYTHON_VERSION=$version PYO3_BUILD_EXTENSION_MODULE=1 \
        zigbuild --package io-shared-python "$@"
    built[$name]=$target/portable/$machine-$name
    cp "$dist/libio_shared_native.so" "${built[$name]}"
}
native 3.9 "_native.cpython-39-$machine-linux-gnu.so" --no-default-features
native 3.10 "_native.cpython-310-$machine-linux-gnu.so" --no-default-features
native 3.11 _native.abi3.so

rm -rf "$out"
mkdir -p "$out"
for file in "${!built[@]}"; do
    "$machine-linux-gnu-objcopy" --only-keep-debug "${built[$file]}" "$out/$file.debug"
    chmod -x "$out/$file.debug"
    # objcopy looks for the debug file where it runs.
    (cd "$out" && "$machine-linux-gnu-objcopy" --strip-unneeded \
        --add-gnu-debuglink="$file.debug" "${built[$file]}" "$file")
    symbols=$("$machine-linux-gnu-objdump" -T "$out/$file")
    newest=$(grep -oE 'GLIBC_[0-9.]+' <<< "$symbols" | sort -uV | tail -n 1)
    [ -n "$newest" ] || fail "$out/$file needs no symbol of glibc, which cannot be"
    # One that no version of $glibc has. Weak ones may be missing, and Python has its own.
    unknown=$(grep -F '*UND*' <<< "$symbols" | grep -vE 'GLIBC|GCC_|^[^ ]+  w' || true)
    [[ $file != _native.* ]] || unknown=$(grep -vE ' _?Py[A-Za-z0-9_]+$' <<< "$unknown" || true)
    [ -z "$unknown" ] || fail "$out/$file needs what glibc $glibc lacks: $unknown"
    [ "$(printf '%s\n' "$newest" "GLIBC_$glibc" | sort -V | tail -n 1)" = "GLIBC_$glibc" ] ||
        fail "$out/$file needs $newest, and not $glibc at most"
    echo "ci/portable.sh: $file for $machine: $(stat -c %s "$out/$file") bytes, $newest" >&2
done
"$machine-linux-gnu-objcopy" --strip-debug "$dist/libio_shared_ffi.a" "$out/libio_shared_ffi.a"
