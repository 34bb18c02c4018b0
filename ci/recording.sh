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
# ci/readers.sh and ci/studio.sh are held against what it put. On a busy machine programs may begin
# with different clouds, the first of which Studio shows: then all is recorded again.
set -euo pipefail
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
ci/programs.sh

io_shared=$target/release/io-shared
running=()
trap 'kill -KILL "${running[@]}" 2> /dev/null || true' EXIT
# Records under that prefix.
record() {
    local prefix=$1 recorder killed
    running=()
    for channel in clouds labels; do
        nice -n 1 "$io_shared" echo --json --truncate 0 "${prefix}_$channel" \
            > "$folder/$channel" 2> /dev/null &
        running+=($!)
    done
    rm -f "$folder/drive.mcap" "$folder/killed.mcap"
    "$io_shared" record --json --every -o "$folder/drive.mcap" \
        "${prefix}_clouds" "${prefix}_labels" > "$folder/counts" &
    recorder=$!
    "$io_shared" record --every -o "$folder/killed.mcap" "${prefix}_clouds" "${prefix}_labels" \
        > /dev/null 2>&1 &
    killed=$!
    running+=("$recorder" "$killed")
    "$target/release/examples/perception_pipeline" \
        --frames 20 --rate 4 --prefix "$prefix" --json > "$folder/said"
    tail --lines 1 "$folder/said" > "$folder/pipeline"
    sleep 4 # both have written all by then
    kill -TERM "$recorder"
    wait "$recorder"
    kill -KILL "$killed" "${running[@]:0:2}"
    wait "${running[@]}" 2> /dev/null || true
    running=()
}
# The number after a key in the first line of a file.
number() {
    head --lines 1 "$folder/$1" | grep --only-matching --max-count 1 "\"$2\":[0-9]*" |
        head --lines 1 | cut --delimiter : --fields 2
}
# Whether the first cloud that is recorded was printed, too, and both recorders began with it: all
# that the killed one lacks is the index at the end.
is_whole() {
    local first=$(($(number pipeline sent) - $(number counts values) + 1))
    local sizes lacks
    mapfile -t sizes < <(stat --format %s "$folder/drive.mcap" "$folder/killed.mcap")
    lacks=$((sizes[0] - sizes[1]))
    grep --quiet "\"seq\":$first," "$folder/clouds" && [ "${lacks#-}" -lt 100000 ]
}
for attempt in 1 2 3; do
    record "/recorded-$$-$attempt"
    if is_whole; then exit; fi
    echo "ci/recording.sh: not all have seen the first cloud in attempt $attempt" >&2
done
exit 1
