#!/usr/bin/env bash
# Records the perception pipeline, and has the readers that others wrote read it: pip's mcap with
# mcap-ros2-support, rosbags, and npm's @mcap/core with @foxglove/rosmsg2-serialization. Each must
# read what was put: every cloud, how many points it has, the first and the last, the sums of their
# fields, and the labels. So it must in a file whose recorder was killed, after `--repair`.
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

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ci/recording.sh "$folder"
tests=io-shared-formats/tests
# Node finds packages next to the script.
cp "$tests/readers.mjs" "$target/npm/"

# Reads a file with each reader, and compares it with what was put.
compare() {
    local file=$1
    shift
    node "$target/npm/readers.mjs" "$file" > "$folder/npm"
    "$python" "$tests/readers.py" "$file" > "$folder/pip"
    "$python" "$tests/compare_readers.py" "$folder" "$@"
}
compare "$folder/drive.mcap"

# Cut off at any byte of its last third, as by a kill, and repaired.
length=$(stat --format %s "$folder/drive.mcap")
for _ in 1 2 3; do
    cp "$folder/drive.mcap" "$folder/killed.mcap"
    cut=$((RANDOM % 300 + 1))
    truncate --size $((length - length * cut / 1000)) "$folder/killed.mcap"
    echo "cut off $cut of 1000 parts"
    "$target/release/io-shared" record --repair "$folder/killed.mcap"
    compare "$folder/killed.mcap" --cut
done
