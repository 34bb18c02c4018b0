#!/usr/bin/env bash
# Records the perception pipeline, and opens the recording over HTTP in the real Foxglove Studio, in
# headless Chromium. What its panels say and draw must be what was put: the topics and how many
# messages they have, of each cloud how many points, the first and the last, and the sum of each
# field, and the pixels where the points are. Then the same of a recording whose recorder was
# killed, after `--repair`.
#
# It needs node with npm, and Chromium or Chrome; CHROMIUM names another one. ci/tools.sh installs
# what is missing, or prints the command. The picture of Studio is target/studio.png. With --prepare
# the script only installs Studio under target/studio.
set -euo pipefail
cd "$(dirname "$0")/.."
start=$SECONDS

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/studio"
target=$(cd "$target" && pwd)
source ci/chromium.sh
if [ -z "$chromium" ]; then
    ci/tools.sh
    source ci/chromium.sh
fi
[ -n "$chromium" ] || {
    echo "ci/studio.sh: there is no Chromium" >&2
    exit 1
}

# Studio is one bundle, so that what its package depends on is not needed.
studio=@foxglove/studio-base@1.48.0
if [ "$(cat "$target/studio/version" 2> /dev/null)" != "$studio" ]; then
    npm install --silent --no-audit --no-fund --prefix "$target/studio" \
        react@17.0.2 react-dom@17.0.2 playwright-core@1.65.1
    archive=$(npm pack --silent --pack-destination "$target/studio" "$studio")
    mkdir -p "$target/studio/studio"
    tar --extract --gzip --file "$target/studio/$archive" --directory "$target/studio/studio" \
        --strip-components 1 package/assets
    rm "$target/studio/$archive"
    echo "$studio" > "$target/studio/version"
fi
cp io-shared-formats/tests/{studio.mjs,png.mjs,studio.html} "$target/studio/"
echo "ci/studio.sh: Studio is there after $((SECONDS - start)) s" >&2
if [ "${1:-}" = --prepare ]; then exit; fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ci/recording.sh "$folder"
echo "ci/studio.sh: the recording is there after $((SECONDS - start)) s" >&2
export CHROMIUM=$chromium
timeout 400 node "$target/studio/studio.mjs" "$folder/drive.mcap" "$target/studio.png"
"$target/release/io-shared" record --repair "$folder/killed.mcap"
timeout 400 node "$target/studio/studio.mjs" "$folder/killed.mcap" "$target/studio-repaired.png"
echo "ci/studio.sh: took $((SECONDS - start)) s" >&2
