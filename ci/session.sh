#!/usr/bin/env bash
# Prints the terminal session of the README, and draws docs/snapshot.png: the example pipeline on
# its synthetic street, looked at by `io-shared`.
#
#   ci/session.sh [IO-SHARED PERCEPTION_PIPELINE]    the two programs; by default they are built
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# = 0 ]; then
    ci/programs.sh
    release=${CARGO_TARGET_DIR:-target}/release
    set -- "$release/io-shared" "$release/examples/perception_pipeline"
fi
tool=$1
# Names of its own, so that it sees no other channels.
export IO_SHARED_DOMAIN=session-$$
"$2" --frames 1000 > /dev/null 2>&1 &
pipeline=$!
trap 'kill -INT "$pipeline" 2> /dev/null; wait "$pipeline" || true' EXIT
"$tool" wait /perception_pipeline_labels --timeout 60s
sleep 3

# Runs a command on a terminal of its own, which gets tables, and without colors.
show() {
    printf '$ io-shared %s\n' "$*"
    NO_COLOR=1 script --quiet --command "stty cols 100; $tool $*" /dev/null < /dev/null |
        tr -d '\r'
}
show list /perception_pipeline_labels /perception_pipeline_sent
show echo /perception_pipeline_clouds --once --field points.0:2
"$tool" snapshot /perception_pipeline_clouds --labels /perception_pipeline_labels --size 640 \
    -o docs/snapshot.png >&2
