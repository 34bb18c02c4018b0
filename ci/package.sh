#!/usr/bin/env bash
# Packs the published crates as a release would, and builds each from its package alone. A crate
# that lacks a file or a version fails here, and not on the day of a release.
set -euo pipefail
cd "$(dirname "$0")/.."

# A dry run sends nothing. Changes that are not committed are packed too.
cargo publish --workspace --dry-run --locked --allow-dirty
