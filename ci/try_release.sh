#!/usr/bin/env bash
# Opens and tries each file of a release, as a user does: ci/try_release.sh FOLDER
#
# Checksums; the commands of the page on installing; the wheels by pip, and which backend serves in
# each Python that is here; the command with its pages and completions; programs in C and in C++
# that are built with the C library by pkg-config, and run; the debug files, which must be those of
# the library, the command and the native modules; the crates' contents. Programs for AArch64 run
# under emulation.
set -euo pipefail
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
source ci/installing.sh

target=${CARGO_TARGET_DIR:-target}
target=$(cd "$target" && pwd)
export CARGO_TARGET_DIR=$target
tools=$target/portable/tools/bin
stage=$(mktemp -d)
trap 'rm -rf "$stage"; rm -f "/dev/shm/release-$$"*' EXIT
fail() {
    echo "ci/try_release.sh: $1" >&2
    exit 1
}
tried=0
ok() {
    echo "ci/try_release.sh: $1" >&2
    tried=$((tried + 1))
}
cd "$folder"
version=$(basename "$folder")
version=${version#io-shared-}
expected="CHANGELOG.md LICENSE-APACHE LICENSE-MIT SHA256SUMS"
for machine in x86_64 aarch64; do
    expected+=" io_shared-$version-py2.py3-none-manylinux2014_$machine.manylinux_2_17_$machine.whl"
    for what in io-shared io-shared-c io-shared-debug; do
        expected+=" $what-$version-linux-$machine.tar.gz"
    done
done
for crate in io-shared{,-channel,-cli,-core,-derive,-ffi,-formats,-link}; do
    expected+=" $crate-$version.crate"
done
for file in $expected; do [ -s "$file" ] || fail "$file is not there"; done
for file in *; do
    [[ " $expected " = *" $file "* ]] || fail "$file is not part of a release"
done
sha256sum --check --strict --quiet SHA256SUMS
[ "$(wc -l < SHA256SUMS)" = $(($(wc -w <<< "$expected") - 1)) ] || fail "SHA256SUMS lacks some"
ok "all files are there, with their checksums"
cd - > /dev/null
ci/emulation.sh
install_packages cc:gcc c++:g++ pkg-config:pkg-config \
    aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu \
    aarch64-linux-gnu-g++:g++-aarch64-linux-gnu \
    /usr/aarch64-linux-gnu/include/stdio.h:libc6-dev-arm64-cross
# Where emulated programs find their loader.
export QEMU_LD_PREFIX=/usr/aarch64-linux-gnu

# The native modules of a wheel, for CPython 3.9, for 3.10, and for 3.11 and later.
natives=(_native.cpython-39-MACHINE-linux-gnu.so _native.cpython-310-MACHINE-linux-gnu.so)
natives+=(_native.abi3.so)

try_command() {
    local machine=$1
    local at=$stage/io-shared-$version-linux-$machine
    tar --extract --file "$folder/$(basename "$at").tar.gz" --directory "$stage"
    [ "$(timeout 60 "$at/bin/io-shared" --version)" = "io-shared $version" ] ||
        fail "the command for $machine does not say its version"
    timeout 60 "$at/bin/io-shared" list > /dev/null
    grep -q '^\.TH io-shared' "$at/share/man/man1/io-shared.1" || fail "no page for $machine"
    # The words are the shell's that is started.
    # shellcheck disable=SC2016
    PATH="$at/bin:$PATH" bash -c 'source "$1" && complete -p io-shared' bash \
        "$at/share/bash-completion/completions/io-shared" > /dev/null
    ok "the command for $machine says its version and lists channels"
}
# A program in C puts and one gets. Both are built with what the archive has.
try_c() {
    local machine=$1 cc=$2 flags program name
    local at=$stage/io-shared-c-$version-linux-$machine
    tar --extract --file "$folder/$(basename "$at").tar.gz" --directory "$stage"
    read -ra flags < <(env PKG_CONFIG_PATH="$at/lib/pkgconfig" \
        pkg-config --cflags --libs io-shared)
    for program in put_clouds get_clouds; do
        "$cc" "$at/examples/$program.c" -o "$at/$program" "${flags[@]}" -Wl,-rpath,"$at/lib"
        "$cc" "$at/examples/$program.c" -o "$at/$program-static" -I"$at/include" \
            "$at/lib/libio_shared_ffi.a" -lpthread -ldl -lm
    done
    for program in put_clouds put_clouds-static; do
        name=/release-$$-$machine-$program
        timeout 60 "$at/get_clouds" "$name" 3 > "$stage/got" &
        timeout 60 "$at/$program" "$name" 3 1000
        wait $! || fail "get_clouds for $machine failed"
        [ -s "$stage/got" ] || fail "get_clouds for $machine got nothing"
    done
    ok "C programs for $machine are built with the library, and exchange clouds"
}
# The first program of docs/guide/cpp.md, with the headers of the archive.
try_cpp() {
    local machine=$1 cxx=$2 flags
    local at=$stage/io-shared-c-$version-linux-$machine
    awk '/^```cpp$/ { inside = 1; next } /^```$/ && inside { exit } inside' docs/guide/cpp.md \
        > "$stage/page.cpp"
    grep -q '^int main' "$stage/page.cpp" || fail "docs/guide/cpp.md has no program"
    read -ra flags < <(env PKG_CONFIG_PATH="$at/lib/pkgconfig" \
        pkg-config --cflags --libs io-shared)
    "$cxx" -std=c++17 -Wall -Wextra -Wpedantic -Werror "$stage/page.cpp" -o "$at/page" \
        "${flags[@]}" -Wl,-rpath,"$at/lib"
    IO_SHARED_DOMAIN=release-$$-$machine timeout 60 "$at/page" ||
        fail "the C++ program of the page failed for $machine"
    # Its channel is gone: it ran to its end.
    [ ! -e "/dev/shm/release-$$-$machine%%guide_clouds" ] || fail "the C++ program left its channel"
    ok "the C++ program of docs/guide/cpp.md for $machine is built with the headers, and runs"
}
# The files for debuggers belong to the programs, and know the lines of an address.
try_debug() {
    local machine=$1 file program address line
    local at=$stage/io-shared-debug-$version-linux-$machine
    tar --extract --file "$folder/$(basename "$at").tar.gz" --directory "$stage"
    for file in libio_shared_ffi.so io-shared "${natives[@]//MACHINE/$machine}"; do
        case $file in
            io-shared) program=$stage/io-shared-$version-linux-$machine/bin/io-shared ;;
            _native.*) program=$stage/wheel-$machine/io_shared/$file ;;
            *) program=$(echo "$stage/io-shared-c-$version-linux-$machine"/lib/$file.*) ;;
        esac
        for each in "$program" "$at/$file.debug"; do
            readelf --notes "$each" 2> /dev/null | sed -n 's/.*Build ID: //p'
        done | uniq --count | grep -qE '^ +2 [0-9a-f]{40}$' || fail "$file.debug is of another"
        readelf --string-dump=.gnu_debuglink "$program" | grep -qF "$file.debug" ||
            fail "$program does not name $file.debug"
        ! readelf --sections --wide "$program" | grep -qF .debug_line || fail "$program has lines"
    done
    address=$(readelf --dyn-syms --wide \
        "$stage/io-shared-c-$version-linux-$machine/lib/libio_shared_ffi.so" |
        awk '$8 == "ios_producer_open" { print $2 }')
    line=$("$machine-linux-gnu-addr2line" --exe "$at/libio_shared_ffi.so.debug" "$address")
    [[ "$line" = */io-shared-ffi/src/producer.rs:* ]] || fail "$address is at $line"
    ok "debuggers find lines for $machine: ios_producer_open is at $line"
}
try_wheel() {
    local machine=$1 library has
    local at=$stage/wheel-$machine
    "$tools/python" -m zipfile -e "$folder"/io_shared-"$version"-*_"$machine".whl "$at"
    chmod +x "$at/io_shared/io-shared"
    timeout 60 "$at/io_shared/io-shared" list > /dev/null
    library=$stage/io-shared-c-$version-linux-$machine/lib/libio_shared_ffi.so
    cmp "$at/io_shared/libio_shared_ffi.so" "$library"
    has=$(cd "$at/io_shared" && printf '%s\n' _native*.so | sort)
    [ "$has" = "$(printf '%s\n' "${natives[@]//MACHINE/$machine}" | sort)" ] ||
        fail "the wheel for $machine has other native modules: $has"
    if [ "$machine" = "$(uname -m)" ]; then
        "$tools/python" -m venv "$stage/venv"
        "$stage/venv/bin/pip" install --quiet --disable-pip-version-check \
            "$folder"/io_shared-"$version"-*_"$machine".whl
        timeout 60 "$stage/venv/bin/python" -c '
import io_shared, numpy, sys
put = io_shared.NumpyShare(sys.argv[1], "1M", "put")
get = io_shared.NumpyShare(sys.argv[1], "1M", "get")
put.put(numpy.arange(5))
assert get.get(timeout=10).tolist() == [0, 1, 2, 3, 4]
' "/release-$$-wheel"
        timeout 60 "$stage/venv/bin/python" -m io_shared list | grep -qP "^/release-$$-wheel\t"
        ci/backends.sh "$folder"/io_shared-"$version"-*_"$machine".whl
    fi
    ok "the wheel for $machine has the same library, and a command that lists channels"
}
# The commands of docs/guide/installing.md, as printed but for the version, the machine and
# /usr/local, where the files of the release lie.
try_page() {
    local at=$stage/page block
    mkdir -p "$at/bin" "$at/usr"
    ln -s "$folder"/* "$at/"
    "$tools/python" -m venv "$at/venv"
    printf '#!/bin/sh\nexec "$@"\n' > "$at/bin/sudo"
    chmod +x "$at/bin/sudo"
    awk '/^```c$/ { inside = 1; next } /^```$/ && inside { exit } inside' io-shared-ffi/README.md \
        > "$at/program.c"
    while read -r -d '' block; do
        case $block in
            # ci/readme.sh runs those of a checkout, and ci/debian.sh those of Debian's Python 2.7.
            *./python* | *python2.7*) continue ;;
        esac
        block=${block//0.1.0/$version} block=${block//\/usr\/local/$at\/usr}
        block=${block//aarch64/$(uname -m)} block=${block//x86_64/$(uname -m)}
        (cd "$at" && PATH=$at/bin:$at/venv/bin:$at/usr/bin:$PATH \
            timeout 300 bash -euo pipefail -c "$block" < /dev/null > /dev/null) ||
            fail "docs/guide/installing.md: this failed with status $?: $block"
    done < <(awk '
        /^```console$/ { inside = 1; next }
        /^```$/ && inside { inside = 0; printf "%c", 0 }
        inside' docs/guide/installing.md)
    [ -x "$at/program" ] || fail "docs/guide/installing.md builds no program"
    ok "the commands of docs/guide/installing.md install and build"
}
try_page
for machine in x86_64 aarch64; do
    try_command $machine
    try_c $machine "$machine-linux-gnu-gcc"
    try_cpp $machine "$machine-linux-gnu-g++"
    try_wheel $machine
    try_debug $machine
done
for crate in "$folder"/*.crate; do
    name=$(basename "$crate" .crate)
    for file in Cargo.toml LICENSE-MIT LICENSE-APACHE; do
        tar --list --file "$crate" "$name/$file" > /dev/null ||
            fail "$name.crate has no $file"
    done
done
ok "each crate has its manifest and its licences"
echo "$tried passed, 0 failed"
