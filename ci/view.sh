#!/usr/bin/env bash
# Looks at `io-shared view` in headless Chromium, by pixels and by the numbers on the page, and
# connects to it with Foxglove's own client and with the real Foxglove Studio.
#
# It needs node with npm, and Chromium or Chrome; CHROMIUM names another one. ci/tools.sh installs
# what is missing, or prints the command. Pictures of the page are in target/view.
set -euo pipefail
cd "$(dirname "$0")/.."
start=$SECONDS

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/view"
target=$(cd "$target" && pwd)
ci/studio.sh --prepare
source ci/chromium.sh
npm install --silent --no-audit --no-fund --prefix "$target/view" \
    playwright-core@1.65.1 @foxglove/ws-protocol@0.8.0 ws@8.23.0 \
    @foxglove/rosmsg@5.0.5 @foxglove/rosmsg2-serialization@3.1.0
ci/programs.sh
cp io-shared-cli/tests/view.mjs "$target/view/"
echo "ci/view.sh: all is there after $((SECONDS - start)) s" >&2
CHROMIUM=$chromium timeout 900 node "$target/view/view.mjs" \
    "$target/release" "$target/view" "$target/studio"
echo "ci/view.sh: took $((SECONDS - start)) s" >&2
