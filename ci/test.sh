#!/usr/bin/env bash
# Runs everything that must pass: all tests, lints, benchmarks without figures, mutants.
#
#   ci/test.sh          looks for what the tests need, then runs them
#   ci/test.sh --look   only looks
#
# It needs Rust, gcc, clang, CMake, pkg-config, valgrind, git and Python 3.9 or later; without
# any of these it fails at once. It also tests on Python 2.7, PyPy, npm and Chromium, for musl, and
# as root.
# What it cannot test it says at the start and at the end. With CI=true it installs all that is
# missing, and fails without Python 2.7 or PyPy; elsewhere it prints the commands to install them.
# Packages for Python are installed into virtualenvs under target/.
set -euo pipefail
cd "$(dirname "$0")/.."

[ ! -t 1 ] || export CARGO_TERM_COLOR=always # although the output is a pipe, too
step="looking for what is needed"
missing=() took=() meanwhile='' logs=${CARGO_TARGET_DIR:-target}/logs
log=$logs/meanwhile step_log=$logs/step
mkdir -p "$logs"
: > "$step_log"
at_end() {
    local code=$?
    [ -z "$meanwhile" ] || kill "$meanwhile" 2> /dev/null || true
    [ ${#took[@]} = 0 ] ||
        printf "ci/test.sh: took %s\n" "${took[@]}" "$SECONDS s ($(cpu) s of CPU): all" >&2
    [ ${#missing[@]} = 0 ] || printf 'ci/test.sh: NOT TESTED: %s\n' "${missing[@]}" >&2
    [ "$code" != 0 ] || return 0
    # Here, too, since who looks at a log of hours looks at its end.
    sleep 1 # until it is all written
    grep -aE -A 5 'panicked at|^E  |^error|^FAILED|FAILED:' "$step_log" | tail -n 60 >&2 || true
    echo "ci/test.sh: FAILED (status $code; 124 is a timeout): $step" >&2
}
trap at_end EXIT
lacks() {
    missing+=("$1")
    echo "ci/test.sh: NOT TESTED: $1" >&2
}
needs() {
    echo "ci/test.sh: $1" >&2
    exit 1
}
# Seconds of CPU time, of all that has run until now.
cpu() {
    local stat
    read -ra stat < "/proc/$$/stat"
    echo $(((stat[15] + stat[16]) / $(getconf CLK_TCK)))
}
# Runs a step, within a limit whatever its tests wait for, and notes how long it took.
run() {
    local limit=$1 start=$SECONDS used
    used=$(cpu)
    shift
    step=$*
    : > "$step_log"
    # No pipe: it would last as long as whatever a test may have left behind.
    timeout --foreground --kill-after=10 --verbose "$limit" "$@" \
        > >(tee -a "$step_log") 2> >(tee -a "$step_log" >&2)
    took+=("$((SECONDS - start)) s ($(($(cpu) - used)) s of CPU): $step")
    echo "ci/test.sh: took ${took[-1]}" >&2
    step="after $step"
}
# Starts a step in the time that the others leave: it runs where a processor has nothing else to do.
start() {
    local limit=$1
    shift
    meanwhile_step=$* meanwhile_start=$SECONDS
    timeout --kill-after=10 --verbose "$limit" chrt --idle 0 "$@" > "$log" 2>&1 &
    meanwhile=$!
}
# Waits for what was started, which has its own limit.
finish() {
    local code=0 used
    used=$(cpu)
    step=$meanwhile_step
    wait "$meanwhile" || code=$?
    meanwhile=''
    tee "$step_log" < "$log"
    [ "$code" = 0 ] || exit "$code"
    took+=("$((SECONDS - meanwhile_start)) s ($(($(cpu) - used)) s of CPU), meanwhile: $step")
    echo "ci/test.sh: took ${took[-1]}" >&2
    step="after $step"
}

command -v cargo > /dev/null || needs "there is no cargo: install Rust by rustup"
for component in fmt clippy; do
    cargo "$component" --version > /dev/null ||
        needs "there is no cargo $component: rustup component add ${component/fmt/rustfmt}"
done
[ -w /dev/shm ] || needs "/dev/shm cannot be written: mount a tmpfs there"
run 15m ci/tools.sh
source ci/pythons.sh
[ -n "$python2" ] || lacks "Python 2.7: ci/python27.sh gets one"
[ -n "$pypy3" ] || lacks "PyPy: apt-get install pypy3 pypy3-venv (3.9 or later)"
if [ "${CI:-}" = true ] && [ ${#missing[@]} != 0 ]; then
    needs "in CI the Python package is tested on all interpreters"
fi
musl=$(rustc --print target-libdir --target x86_64-unknown-linux-musl 2> /dev/null || true)
[ -d "$musl" ] || lacks "musl: rustup target add x86_64-unknown-linux-musl"
command -v npm > /dev/null || lacks "npm's readers of recordings: apt-get install nodejs npm"
source ci/chromium.sh
[ -n "$chromium" ] || lacks "Foxglove Studio and the page of view: apt-get install chromium"
ros1='import rosbag, rosnode, rospy, sensor_msgs.msg, visualization_msgs.msg'
if [ "${CI:-}" != true ]; then
    /usr/bin/python3 -c "$ros1" 2> /dev/null || { lacks "ROS 1: ci/ros1.sh says how"; ros1=''; }
    arm=$(command -v qemu-aarch64-static) || lacks "ARM: ci/aarch64.sh --short says how"
fi
[ "$(id -u)" = 0 ] || lacks "other users, mounts and containers: ci/root.sh tests those, as root"
[ "$(id -u)" = 0 ] || lacks "channels between machines: ci/link.sh tests those, as root"
unshare --user --map-root-user true 2> /dev/null ||
    lacks "user namespaces: the kernel refuses them"
if [ "${1:-}" = --look ]; then exit; fi
run 15m ci/python.sh --prepare

# Built for this run alone: without what a debugger or the next build would profit from.
if [ "${CI:-}" = true ]; then
    export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=false
fi

run 60m ci/lint.sh
# Before the tests are built: cargo builds the C library from its package to the same path.
run 20m ci/package.sh

# All that is tested unoptimised is built at once. The core alone is optimised, with all checks: its
# models explore millions of interleavings, and take a third of the time. They wait for nothing, and
# most tests wait for most of their time: so they run at the same time.
source ci/packages.sh
core_optimised=(--config profile.dev.package.io-shared-core.opt-level=2)
run 60m cargo test --locked "${core_optimised[@]}" "${packages[@]}" --no-run
run 10m cargo build --locked "${core_optimised[@]}" "${packages[@]}" --bins --examples
start 90m cargo test --locked "${core_optimised[@]}" "${packages[@]}" --lib -- model::

run 40m ci/readme.sh
run 30m ci/programs.sh

# Unit, integration, UI and documentation tests.
export IO_SHARED_BUILT=1
run 90m cargo test --locked "${core_optimised[@]}" "${packages[@]}" -- --skip model::
finish

# Users run optimised programs: the hand-over between two of them, the wake-up from a wait for many
# and the list of 1,000 channels, with their figures. And what bounds a recording: hundreds of MB,
# which an optimised recorder copies in time.
optimised=(cargo test --release --locked "${packages[@]}")
run 30m "${optimised[@]}" --test handover --test waiting --test record_limits -- --nocapture
run 30m "${optimised[@]}" --test list thousand -- --nocapture
unset IO_SHARED_BUILT

# The instructions of a put and a get do not grow. The benchmarks run too, without their peers; none
# of their figures counts here.
run 60m cargo test --release --locked --package io-shared-bench --no-default-features
run 30m cargo run --release --locked --package io-shared-bench --no-default-features -- --quick

# The last step's 270 crates, which nothing else needs, into a folder that cargo locks apart from
# that of optimised programs.
[ "$(id -u)" != 0 ] || start 120m ci/link.sh --build

# Real processes, killed: at every crash point, at every instruction, and 2,000 times at random.
run 90m cargo test --release --locked --package torture -- --nocapture

run 60m ci/python.sh
[ -z "$meanwhile" ] || finish

# Broken on purpose, one line at a time: each must be caught. (The models' own gate ran above.)
start 3h torture/mutants --rows

# Real nodes, at the other end of the bridges; and programs for ARM next to native ones.
[ -z "$ros1" ] || run 35m ci/ros1.sh
run 60m ci/ros2.sh
[ -z "${arm-here}" ] || run 15m ci/aarch64.sh --short

# A recording of the pipeline has what was put to pip's, rosbags' and npm's readers, and in Studio;
# a page shows what is put.
if command -v npm > /dev/null; then
    run 15m ci/readers.sh
    if [ -n "$chromium" ]; then
        run 25m ci/studio.sh
        run 25m ci/view.sh
    fi
fi

# Channels between machines.
[ "$(id -u)" != 0 ] || run 60m ci/link.sh
finish
