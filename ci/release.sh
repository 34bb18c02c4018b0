#!/usr/bin/env bash
# Builds all that a release has into one folder, target/io-shared-VERSION, with checksums, and tries
# each of them: ci/release.sh
#
# For x86-64 and AArch64 these are wheels, the command with its pages and completions, the C library
# with its headers, and files for debuggers; and the crates, the licences and the changelog. The
# programs need Linux with glibc 2.17 or later. A source package for pip would need the whole
# workspace next to it, so there is none.
set -euo pipefail
cd "$(dirname "$0")/.."
start=$SECONDS

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
export CARGO_TARGET_DIR=$target
version=$(cargo pkgid --package io-shared | sed 's/.*[#@]//')
out=$target/io-shared-$version
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
rm -rf "$out"
mkdir -p "$out"

# Packs a folder of the stage. The same content makes the same archive.
pack() {
    cp LICENSE-MIT LICENSE-APACHE CHANGELOG.md "$stage/$1/"
    tar --create --sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+w \
        --mtime="@$(git log -1 --format=%ct)" --directory "$stage" "$1" |
        gzip --no-name > "$out/$1.tar.gz"
}

ci/wheels.sh x86_64 aarch64
cp "$target/wheels/io_shared-$version"-*.whl "$out/"
# The pages and completions are the same for all.
command=$target/portable/$(uname -m)/io-shared
for machine in x86_64 aarch64; do
    built=$target/portable/$machine
    to=io-shared-$version-linux-$machine
    share=$stage/$to/share
    mkdir -p "$stage/$to/bin" "$share"/{man/man1,bash-completion/completions} \
        "$share"/{zsh/site-functions,fish/vendor_completions.d}
    cp "$built/io-shared" "$stage/$to/bin/"
    "$command" man "$share/man/man1" > /dev/null
    "$command" completions bash > "$share/bash-completion/completions/io-shared"
    "$command" completions zsh > "$share/zsh/site-functions/_io-shared"
    "$command" completions fish > "$share/fish/vendor_completions.d/io-shared.fish"
    cp io-shared-cli/README.md "$stage/$to/"
    pack "$to"

    to=io-shared-c-$version-linux-$machine
    mkdir -p "$stage/$to"
    DESTDIR=$stage/$to LIBRARIES=$built io-shared-ffi/install.sh /usr > /dev/null
    mv "$stage/$to"/usr/* "$stage/$to/"
    rmdir "$stage/$to/usr"
    # Programs are built with the library wherever it is unpacked.
    # shellcheck disable=SC2016 # these are variables of pkg-config
    sed -i -e 's|^prefix=.*|prefix=${pcfiledir}/../..|' -e 's|^libdir=.*|libdir=${prefix}/lib|' \
        -e 's|^includedir=.*|includedir=${prefix}/include|' \
        "$stage/$to/lib/pkgconfig/io-shared.pc"
    cp io-shared-ffi/README.md "$stage/$to/"
    cp -r io-shared-ffi/examples "$stage/$to/"
    pack "$to"

    to=io-shared-debug-$version-linux-$machine
    mkdir -p "$stage/$to"
    cp "$built"/*.debug "$stage/$to/"
    pack "$to"
done

ci/package.sh
# Those that are published: others are packed too.
cp "$target/package"/io-shared{,-channel,-cli,-core,-derive,-ffi,-formats,-link}-"$version".crate \
    "$out/"
cp CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$out/"
(cd "$out" && sha256sum -- * > SHA256SUMS)
ci/try_release.sh "$out"
du -sh "$out" >&2
echo "ci/release.sh: took $((SECONDS - start)) s" >&2
