#!/usr/bin/env bash
# Records the perception pipeline into a folder: ci/recording.sh FOLDER
#
#   drive.mcap      the recording
#   killed.mcap     the same by a recorder that was killed, after its last flush
#   counts          what the recorder says of each channel, as JSON
#   pipeline        what the pipeline says of itself, as JSON
#   clouds, labels  what was put, as JSON: `io-shared echo` prints it as it comes
#
# The pipeline is slow enough to be printed, by an `echo` that does not give way. The readers of
# ci/readers.sh and ci/studio.sh are held against what it put.
set -euo pipefail
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
ci/programs.sh

prefix=/recorded-$$
io_shared=$target/release/io-shared
echoes=()
killed=
trap 'kill -KILL "${echoes[@]}" $killed 2> /dev/null || true' EXIT
for channel in clouds labels; do
    nice -n 1 "$io_shared" echo --json --truncate 0 "${prefix}_$channel" \
        > "$folder/$channel" 2> /dev/null &
    echoes+=($!)
done
"$io_shared" record --json --every --duration 9s -o "$folder/drive.mcap" \
    "${prefix}_clouds" "${prefix}_labels" > "$folder/counts" &
recorder=$!
"$io_shared" record --every -o "$folder/killed.mcap" "${prefix}_clouds" "${prefix}_labels" \
    > /dev/null 2>&1 &
killed=$!
"$target/release/examples/perception_pipeline" \
    --frames 20 --rate 4 --prefix "$prefix" --json > "$folder/said"
tail --lines 1 "$folder/said" > "$folder/pipeline"
wait "$recorder"
kill -KILL "$killed"
wait "$killed" 2> /dev/null || true
