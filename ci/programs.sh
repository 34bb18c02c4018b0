#!/usr/bin/env bash
# Builds the optimised programs that tests start, and the C library, into target/release.
#
# All at once, and always the same ones: cargo turns on the features that the chosen packages ask
# for, and builds what packages share anew when others are chosen.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/packages.sh

cargo build --release --locked --quiet "${packages[@]}" --lib --bin io-shared --bin python-peer \
    --bin handover-peer --example perception_pipeline --example relay --example view_scene
