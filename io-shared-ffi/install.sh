#!/bin/sh
# Builds and installs the C library, the headers for C and C++, and what pkg-config and CMake look
# for: install.sh [PREFIX]
#
# PREFIX is /usr/local unless given. LIBDIR is PREFIX/lib unless set. With DESTDIR set, everything
# is installed below that folder, for packagers. With LIBRARIES set, the libraries are taken from
# that folder instead of being built.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
prefix=${1:-/usr/local}
libdir=${LIBDIR:-$prefix/lib}
includedir=$prefix/include
root=${DESTDIR:-}

cd "$here"
if [ -z "${LIBRARIES:-}" ]; then
    cargo build --release --package io-shared-ffi
    LIBRARIES=${CARGO_TARGET_DIR:-$here/../target}/release
fi
version=$(cargo pkgid --package io-shared-ffi | sed 's/.*[#@]//')

cmakedir=$libdir/cmake/io_shared
mkdir -p "$root$libdir/pkgconfig" "$root$cmakedir" "$root$includedir/io_shared"
# Programs are linked with the link, and look for the file of their ABI when they start.
abi=$(sed -n 's/^#define IOS_ABI_VERSION //p' include/io_shared.h)
install -m 755 "$LIBRARIES/libio_shared_ffi.so" "$root$libdir/libio_shared_ffi.so.$abi"
ln -sf "libio_shared_ffi.so.$abi" "$root$libdir/libio_shared_ffi.so"
install -m 644 "$LIBRARIES/libio_shared_ffi.a" "$root$libdir/"
install -m 644 include/io_shared.h include/io_shared.hpp "$root$includedir/"
install -m 644 include/io_shared/*.hpp "$root$includedir/io_shared/"
# Writes a file from its template.
fill() {
    sed -e "s|@prefix@|$prefix|" -e "s|@libdir@|$libdir|" -e "s|@includedir@|$includedir|" \
        -e "s|@version@|$version|" -e "s|@abi@|$abi|" "$1" > "$root$2"
}
fill io-shared.pc.in "$libdir/pkgconfig/io-shared.pc"
fill io_shared-config.cmake.in "$cmakedir/io_shared-config.cmake"
fill io_shared-config-version.cmake.in "$cmakedir/io_shared-config-version.cmake"
echo "installed io-shared $version to $root$prefix (run ldconfig if the loader looks there)"
