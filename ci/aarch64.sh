#!/usr/bin/env bash
# Tests on 64-bit ARM, which is what most robots have.
#
#   ci/aarch64.sh --short   programs of both architectures share channels, locks and typed state
#   ci/aarch64.sh           also the tests of the Rust library, of C and C++, and of Python
#
# On an ARM machine it runs those of Rust and C natively, with the tests of `torture`. Elsewhere
# QEMU emulates (ci/emulation.sh), with compilers for ARM of Debian's; what it refuses of mremap(2)
# is done by ci/mremap.c for the tests of C and Python. Python is that of Debian 11 for ARM
# (ci/bullseye.sh), with what the wheel for ARM has; at the other end is a Rust program for this
# machine, and a C program for ARM. Under the emulator is a processor that reorders little, so this
# cannot show what ARM's weak ordering does: that is proved by the model (docs/PROOF.md).
# ci/aarch64.txt lists what is left out, and why.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/installing.sh
start=$SECONDS

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
export CARGO_TARGET_DIR=$target
triple=aarch64-unknown-linux-gnu
passed=0 failures=() left_out=0 environment=()

say() {
    echo "ci/aarch64.sh: $1 ($((SECONDS - start)) s)" >&2
}
# What ci/aarch64.txt has for a crate and a file of its tests, into `names`: tests, or * for all.
exclusions() {
    mapfile -t names < <(sed -n "s/^$1 $2 \([^ ]*\) # .*/\1/p" ci/aarch64.txt)
}
leave_out() {
    say "left out: $(grep -F "$1 $2 $3 # " ci/aarch64.txt)"
    left_out=$((left_out + 1))
}
# Runs one file of tests, without what is left out.
run() {
    local package=$1 file=$2 skip=() log=$target/aarch64.log name names count listed
    local cargo=(env "${environment[@]}" cargo test --quiet --locked --target "$triple"
        --package "$package" --test "$file")
    exclusions "$package" "$file"
    if [ "${names[*]}" = '*' ]; then
        leave_out "$package" "$file" '*'
        return
    fi
    [ ${#names[@]} = 0 ] || listed=$("${cargo[@]}" -- --list 2> /dev/null)
    for name in "${names[@]}"; do
        grep -q "^$name: test$" <<< "$listed" ||
            failures+=("ci/aarch64.txt leaves out $name of $package $file, which is not there")
        skip+=(--skip "$name")
        leave_out "$package" "$file" "$name"
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
gcc=aarch64-linux-gnu-gcc gxx=aarch64-linux-gnu-g++
install_packages "$gcc:gcc-aarch64-linux-gnu" "$gxx:g++-aarch64-linux-gnu" \
    /usr/aarch64-linux-gnu/include/stdio.h:libc6-dev-arm64-cross clang++:clang cmake make
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
    run io-shared "$(basename "$file" .rs)"
done

# What the emulator loads into the programs of C and Python.
compilers=$target/aarch64
mkdir -p "$compilers"
"$gcc" -std=c11 -Wall -Wextra -Werror -O1 -shared -fPIC ci/mremap.c -o "$compilers/mremap.so"
export QEMU_SET_ENV=LD_PRELOAD=$compilers/mremap.so
# Tests of C++ call compilers by these names. Clang's sanitizers for ARM are no package here. GCC's
# cannot look for leaks under the emulator, and are not the first library that is loaded.
ln -sf "$(command -v "$gxx")" "$compilers/g++"
cat > "$compilers/clang++" << END
#!/bin/sh
for word; do
    shift
    case \$word in -fsanitize=*) ;; *) set -- "\$@" "\$word" ;; esac
done
exec $(command -v clang++) --target=aarch64-linux-gnu "\$@"
END
chmod +x "$compilers/clang++"
nice cargo test --quiet --locked --target "$triple" --package io-shared-ffi --tests --no-run
say "the tests of C and C++ are built"
environment=(CC="$gcc" CXX="$gxx" PATH="$compilers:$PATH"
    ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0)
for file in io-shared-ffi/tests/*.rs; do
    run io-shared-ffi "$(basename "$file" .rs)"
done

# What the wheel has, and the packages that the tests need, for Python 3.9 on ARM.
ci/wheels.sh aarch64
tools=$target/portable/tools/bin
python=$target/bullseye/python
rm -rf "$python"
"$tools/pip" install --quiet --disable-pip-version-check --no-deps --target "$python" \
    --platform manylinux2014_aarch64 --python-version 39 --only-binary=:all: \
    numpy==2.0.2 pytest==8.4.2 exceptiongroup==1.3.0 iniconfig==2.1.0 packaging==25.0 \
    pluggy==1.6.0 pygments==2.19.2 tomli==2.2.1 typing_extensions==4.15.0 \
    "$target"/wheels/io_shared-*_aarch64.whl
# At the other end are a Rust program for this machine, which needs no libraries in that root, and a
# C program for ARM.
install_target x86_64-unknown-linux-musl
nice cargo build --quiet --release --locked --package python-peer \
    --target x86_64-unknown-linux-musl
"$tools/python" -m ziglang cc -target aarch64-linux-gnu.2.17 -std=c11 \
    -I io-shared-ffi/include io-shared-ffi/tests/peer.c -o "$python/c-peer" \
    -L "$python/io_shared" -lio_shared_ffi -Wl,-rpath,"$python/io_shared"
ln -s libio_shared_ffi.so "$python/io_shared/libio_shared_ffi.so.2"
ci/bullseye.sh aarch64 true
say "Debian 11 for ARM has what the tests of Python need"

# Runs files of tests of Python by one backend, without what is left out.
run_python() {
    local backend=$1 file names name tests=() skip=() log=$target/aarch64-$1.log count
    shift
    for file; do
        exclusions python "$file"
        if [ "${names[*]}" = '*' ]; then
            leave_out python "$file" '*'
            continue
        fi
        tests+=("tests/$file.py")
        for name in "${names[@]}"; do
            grep -q "^def ${name%%\[*}(" "python/tests/$file.py" ||
                failures+=("ci/aarch64.txt leaves out $name of $file, which is not there")
            skip+=(--deselect "tests/$file.py::$name")
            leave_out python "$file" "$name"
        done
    done
    timeout --kill-after=10 3000 ci/bullseye.sh aarch64 env --chdir="$PWD/python" \
        QEMU_SET_ENV="$QEMU_SET_ENV" IO_SHARED_BACKEND="$backend" \
        PYTHONPATH="$python" PYTHONPYCACHEPREFIX="$target/bullseye/pycache" \
        IO_SHARED_PEER="$target/x86_64-unknown-linux-musl/release/python-peer" \
        IO_SHARED_C_PEER="$python/c-peer" IO_SHARED_COMMAND="$python/io_shared/io-shared" \
        IO_SHARED_PYTHONS=/usr/bin/python3 \
        python3 -m pytest -q -rs --durations=10 -p no:cacheprovider "${skip[@]}" "${tests[@]}" \
        > "$log" 2>&1 || {
        failures+=("python by $backend")
        cat "$log" >&2
    }
    grep '^SKIPPED' "$log" >&2 || true
    count=$(tail -n 1 "$log" | grep -oE '[0-9]+ passed' | cut -d ' ' -f 1 || true)
    passed=$((passed + ${count:-0}))
    say "python by $backend: ${count:-0} passed"
}
mapfile -t files < <(basename --suffix=.py python/tests/test_*.py)
run_python native "${files[@]}"
source ci/pythons.sh
run_python ctypes "${backends_differ[@]}"
end
