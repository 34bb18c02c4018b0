#!/usr/bin/env bash
# Builds wheels that need no Rust, for any Linux with glibc 2.17 or later, with the `io-shared`
# command and the native modules for CPython 3.9, for 3.10, and for 3.11 and later:
# ci/wheels.sh [x86_64] [aarch64], by default both. They are put into target/wheels.
#
# ci/portable.sh builds what is in them, and auditwheel says whether they are what they claim.
set -euo pipefail
cd "$(dirname "$0")/.."
start=$SECONDS

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/wheels"
target=$(cd "$target" && pwd)
tools=$target/portable/tools/bin
if [ $# = 0 ]; then set -- x86_64 aarch64; fi
version=$(sed -n 's/^version = "\(.*\)"/\1/p' python/pyproject.toml)

for machine in "$@"; do
    ci/portable.sh "$machine"
    built=$target/portable/$machine
    wheel=io_shared-$version-py2.py3-none-manylinux2014_$machine.manylinux_2_17_$machine.whl
    rm -f "$target/wheels/$wheel"
    env IO_SHARED_WHEEL_LIBRARY="$built/libio_shared_ffi.so" \
        IO_SHARED_WHEEL_COMMAND="$built/io-shared" IO_SHARED_WHEEL_NATIVE="$built" \
        "$tools/pip" wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps \
        --wheel-dir "$target/wheels" ./python
    said=$("$tools/auditwheel" show "$target/wheels/$wheel")
    grep -q "\"manylinux_2_17_$machine\"" <<< "$(tr '\n' ' ' <<< "$said")" || {
        echo "$said" >&2
        echo "ci/wheels.sh: auditwheel does not confirm manylinux_2_17 for $wheel" >&2
        exit 1
    }
    echo "ci/wheels.sh: $wheel: $(stat -c %s "$target/wheels/$wheel") bytes" >&2
done
echo "ci/wheels.sh: took $((SECONDS - start)) s" >&2
