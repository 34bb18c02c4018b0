#!/usr/bin/env bash
# Packs the published crates as a release would, and builds each from its package alone: what a
# crate needs and does not contain, or what has no version, fails here and not on the day of a
# release.
set -euo pipefail
cd "$(dirname "$0")/.."

# Nothing is sent: it is a dry run. Changes that are not committed are packed, too.
cargo publish --workspace --dry-run --locked --allow-dirty
