#!/usr/bin/env bash
# Packs all crates, and builds each that is published from its package alone, as a release would. A
# crate that lacks a file or a version fails here, and not on the day of a release. Then a new crate
# that depends on the packages, and has no workspace around it, runs the README's example.
set -euo pipefail
cd "$(dirname "$0")/.."

# Cargo unpacks what it verifies below its home, in a folder named by path and version, and takes
# what an earlier run at the same path left there without a look at what it holds.
rm -rf "${CARGO_HOME:-$HOME/.cargo}"/registry/src/-*/io-shared*/

# A dry run sends nothing. Changes that are not committed are packed too. The link, for which Zenoh
# would be built, is packed and not built.
cargo publish --workspace --exclude io-shared-link --dry-run --locked --allow-dirty
# What it would send, into target/package, and the crates that are never published.
cargo package --quiet --workspace --no-verify --locked --allow-dirty
crates=(io-shared{,-channel,-cli,-core,-derive,-ffi,-formats,-link})

target=${CARGO_TARGET_DIR:-target}
target=$(cd "$target" && pwd)
version=$(cargo pkgid --package io-shared | sed 's/.*[#@]//')
packages=$target/package
user=$(mktemp -d)
trap 'rm -rf "$user"' EXIT
fail() {
    echo "ci/package.sh: $1" >&2
    exit 1
}
mkdir -p "$user/src"
cat > "$user/Cargo.toml" <<END
[package]
name = "fresh"
version = "0.0.0"
edition = "2024"

[dependencies]
io-shared = "$version"

[workspace]

[patch.crates-io]
END
for crate in "${crates[@]}"; do
    [ -s "$packages/$crate-$version.crate" ] || fail "$crate was not packed"
    for file in LICENSE-MIT LICENSE-APACHE; do
        tar --list --file "$packages/$crate-$version.crate" "$crate-$version/$file" > /dev/null ||
            fail "the package of $crate has no $file"
    done
done
for crate in io-shared{,-channel,-core,-derive}; do
    tar --extract --file "$packages/$crate-$version.crate" --directory "$user"
    echo "$crate = { path = \"$crate-$version\" }" >> "$user/Cargo.toml"
done
# The first program of the README that is in the package.
awk '/^```rust$/ { inside = 1; next } /^```$/ && inside { exit } inside' \
    "$user/io-shared-$version/README.md" > "$user/src/main.rs"
grep -q '^fn main' "$user/src/main.rs" || fail "the README has no example"
cp rust-toolchain.toml Cargo.lock "$user/"
# A domain of its own, for the example's channel.
env IO_SHARED_DOMAIN="package-$$" CARGO_TARGET_DIR="$target/fresh" \
    timeout 500 cargo run --quiet --manifest-path "$user/Cargo.toml"
echo "ci/package.sh: a new crate built from the packages ran the README's example" >&2
