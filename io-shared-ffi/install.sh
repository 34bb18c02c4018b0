#!/bin/sh
# Builds and installs the C library, its header and its pkg-config file: install.sh [PREFIX]
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

mkdir -p "$root$libdir/pkgconfig" "$root$includedir"
# Programs are linked with the link, and look for the file of their ABI when they start.
abi=$(sed -n 's/^#define IOS_ABI_VERSION //p' include/io_shared.h)
install -m 755 "$LIBRARIES/libio_shared_ffi.so" "$root$libdir/libio_shared_ffi.so.$abi"
ln -sf "libio_shared_ffi.so.$abi" "$root$libdir/libio_shared_ffi.so"
install -m 644 "$LIBRARIES/libio_shared_ffi.a" "$root$libdir/"
install -m 644 include/io_shared.h "$root$includedir/"
sed -e "s|@prefix@|$prefix|" -e "s|@libdir@|$libdir|" -e "s|@includedir@|$includedir|" \
    -e "s|@version@|$version|" io-shared.pc.in > "$root$libdir/pkgconfig/io-shared.pc"
echo "installed io-shared $version to $root$prefix (run ldconfig if the loader looks there)"
