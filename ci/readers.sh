#!/usr/bin/env bash
# Records the perception pipeline, and has the readers that others wrote read it: pip's mcap with
# mcap-ros2-support, rosbags, and npm's @mcap/core with @foxglove/rosmsg2-serialization. All must
# read the same: every cloud, its first and last byte, the sum of its bytes, and the other fields.
#
# It needs node with npm, and what ci/python.sh --prepare installs.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/npm"
target=$(cd "$target" && pwd)
python=$target/python/3/bin/python
[ -x "$python" ] || ci/python.sh --prepare
npm install --silent --no-audit --no-fund --prefix "$target/npm" \
    @mcap/core@2.2.2 @foxglove/rosmsg@5.0.5 @foxglove/rosmsg2-serialization@3.1.0
cargo build --release --locked --quiet --package io-shared-cli
cargo build --release --locked --quiet --example perception_pipeline

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
prefix=/readers-$$
"$target/release/io-shared" record --every --duration 8s -o "$folder/drive.mcap" \
    "${prefix}_clouds" "${prefix}_labels" &
recorder=$!
"$target/release/examples/perception_pipeline" --frames 30 --prefix "$prefix" > "$folder/said"
wait "$recorder"

# Node finds packages next to the script.
cp io-shared-formats/tests/readers.mjs "$target/npm/"
node "$target/npm/readers.mjs" "$folder/drive.mcap" > "$folder/npm"
"$python" io-shared-formats/tests/readers.py "$folder/drive.mcap" > "$folder/pip"
"$python" io-shared-formats/tests/compare_readers.py "$folder/npm" "$folder/pip"
