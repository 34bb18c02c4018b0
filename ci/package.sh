#!/usr/bin/env bash
# Packs the published crates as a release would, and builds each from its package alone. A crate
# that lacks a file or a version fails here, and not on the day of a release.
set -euo pipefail
cd "$(dirname "$0")/.."

# Cargo unpacks what it verifies below its home, in a folder named by path and version, and takes
# what an earlier run at the same path left there without a look at what it holds.
rm -rf "${CARGO_HOME:-$HOME/.cargo}"/registry/src/-*/io-shared*/

# A dry run sends nothing. Changes that are not committed are packed too.
cargo publish --workspace --dry-run --locked --allow-dirty
