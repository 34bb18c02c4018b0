#!/usr/bin/env bash
# Installs the wheel with pip in Debian 11, for Python 3.9 and Python 2.7, where there is no Rust,
# and runs the two-process example there, between both and with a process outside:
# ci/debian.sh [x86_64|aarch64]
#
# Debian 11 for aarch64 is emulated, and the process outside is not. It has Python 3.9 only, since
# there is no NumPy for Python 2.7 on aarch64 to install. ci/bullseye.sh makes the root. The wheel
# is that of ci/wheels.sh, which is called when there is none.
set -euo pipefail
cd "$(dirname "$0")/.."
start=$SECONDS

machine=${1:-x86_64}
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/bullseye"
target=$(cd "$target" && pwd)
export CARGO_TARGET_DIR=$target
outside=$target/bullseye/outside
wheels=$target/bullseye/wheels-$machine
fail() {
    echo "ci/debian.sh: $1" >&2
    exit 1
}
wheel_for() {
    compgen -G "$target/wheels/io_shared-*_$1.whl"
}
for each in "$machine" "$(uname -m)"; do
    wheel_for "$each" > /dev/null || ci/wheels.sh "$each"
done
ci/portable.sh "$(uname -m)" --prepare
tools=$target/portable/tools/bin

# Made here, since what runs inside has a limit of its own.
ci/bullseye.sh "$machine" true

# What the wheel needs, so that the root needs no network.
rm -rf "$wheels"
download=("$tools/pip" download --quiet --disable-pip-version-check --no-deps --only-binary=:all:)
"${download[@]}" --dest "$wheels" --python-version 39 \
    --platform "manylinux2014_$machine" numpy==2.0.2
pythons=(python3)
if [ "$machine" = x86_64 ]; then
    pythons+=(python2.7)
    "${download[@]}" --dest "$wheels" --python-version 27 --implementation cp --abi cp27mu \
        --platform manylinux1_x86_64 numpy==1.16.6
fi
wheel=$(wheel_for "$machine")
cp "$wheel" "$wheels/"

inside() {
    timeout 300 ci/bullseye.sh "$machine" "$@"
}
AS_ROOT=1 inside bash -c '! command -v cargo rustc' || fail "there is Rust in the root"
for python in "${pythons[@]}"; do
    pip=(-m pip)
    if [ "$python" = python2.7 ]; then
        pip=(/usr/share/python-wheels/pip-20.3.4-py2.py3-none-any.whl/pip)
    fi
    AS_ROOT=1 inside "$python" "${pip[@]}" install --quiet --no-index --find-links "$wheels" \
        --force-reinstall "$wheels/$(basename "$wheel")" 2>&1 | { grep -v DEPRECATION || true; }
done
[ -e "$outside" ] || "$tools/python" -m venv "$outside"
"$outside/bin/pip" install --quiet --disable-pip-version-check numpy
"$outside/bin/pip" install --quiet --disable-pip-version-check --no-deps --force-reinstall \
    "$(wheel_for "$(uname -m)")"

# A node puts clouds, and a network answers each with labels.
frames=5
prefix=debian-$$
trap 'kill $(jobs -p) 2> /dev/null || true; rm -f /dev/shm/"$prefix"-*' EXIT
count=0
pair() {
    local node=$1 network=$2 said
    count=$((count + 1))
    $network examples/python/segmentator.py --frames $frames --prefix "/$prefix-$count" &
    said=$($node examples/python/ros_node.py --frames $frames --rate 0 --prefix "/$prefix-$count")
    wait $! || fail "the network on $network failed"
    [[ "$said" = *"$frames of $frames clouds answered by Python "* ]] ||
        fail "$node with $network: $said"
    echo "ci/debian.sh: $(tail -n 1 <<< "$said"), with the network on $network" >&2
}
outside=$outside/bin/python
for node in "${pythons[@]}"; do
    for network in "${pythons[@]}"; do
        pair "inside $node" "inside $network"
    done
    pair "inside $node" "timeout 300 $outside"
    pair "timeout 300 $outside" "inside $node"
done

# The command of the wheel lists channels, those of processes outside too.
for python in "${pythons[@]}"; do
    listed=$(inside "$python" -m io_shared list)
    for ((at = 1; at <= count; at++)); do
        grep -qP "^/$prefix-${at}_clouds\tCloud\t" <<< "$listed" ||
            fail "python -m io_shared list on $python does not show /$prefix-${at}_clouds: $listed"
    done
done
folder=$(inside python3 -c 'import io_shared, os; print(os.path.dirname(io_shared.__file__))')
inside "$folder/io-shared" list "/${prefix}-1_clouds" | grep -P "^/$prefix-1_clouds\t" >&2
echo "ci/debian.sh: took $((SECONDS - start)) s" >&2
