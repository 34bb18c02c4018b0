#!/usr/bin/env bash
# Tests the Python package on 2.7, on the newest 3 that is here and on PyPy 3, across them, and with
# Rust and C programs at the other end.
#
# ci/pythons.sh says how interpreters are found and named. If 2.7 or PyPy is missing, the script
# says so and tests the others; with CI=true it fails. IO_SHARED_SLOW=1 runs the long versions of
# tests (a million puts and gets, 500 deaths). With --prepare the script only installs the packages
# it needs into virtualenvs under target/python.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/pythons.sh

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/python"
target=$(cd "$target" && pwd)
venvs=$target/python

say() {
    echo "ci/python.sh: $1" >&2
}
lacks() {
    say "NOTHING IS TESTED ON $1: $2"
    [ "${CI:-}" != true ]
}
if [ -z "$python3" ]; then
    say "there is no Python 3.9 or later with venv: install one, or name it by PYTHON3"
    exit 1
fi
[ -n "$python2" ] || lacks "PYTHON 2.7" "ci/python27.sh gets one, or name it by PYTHON2"
[ -n "$pypy3" ] || lacks PYPY "apt-get install pypy3 pypy3-venv, or name one by PYPY3"

# Virtualenvs are kept from run to run. For 2.7 these are the last versions that still run on it.
pip() {
    local python=$1
    shift
    "$venvs/$python/bin/pip" --quiet --disable-pip-version-check "$@" 2>&1 |
        { grep -v DEPRECATION || true; }
}
is_ready() {
    "$venvs/$1/bin/python" -c "import numpy, pytest${2:-}" 2> /dev/null
}
pythons=(3)
# With the readers of recordings and of ROS's definitions, which tests in Rust run too.
if ! is_ready 3 ', mcap_ros2, rosbags, rosidl_adapter, posix_ipc'; then
    say "installing packages for $python3 into $venvs/3"
    "$python3" -m venv --clear "$venvs/3"
    pip 3 install numpy pytest hatchling mypy 'virtualenv<20.22' \
        'mcap==1.6.0' 'mcap-ros2-support==0.6.0' 'rosbags==0.11.9' \
        'ros-jazzy-rosidl-adapter==4.6.6' 'posix-ipc==1.3.2'
fi
if [ -n "$python2" ]; then
    pythons+=(2)
    if ! is_ready 2 ', posix_ipc'; then
        say "installing packages for $python2 into $venvs/2"
        "$venvs/3/bin/virtualenv" --quiet --clear --python "$python2" "$venvs/2"
        pip 2 install 'numpy==1.16.6' 'pytest==4.6.11'
        # It is compiled; Debian's headers include others by their path from here.
        CFLAGS=-I$("$python2" -c 'import sys; print(sys.prefix)')/include \
            pip 2 install 'posix-ipc==1.0.5'
    fi
fi
if [ -n "$pypy3" ]; then
    pythons+=(pypy)
    if ! is_ready pypy; then
        say "installing packages for $pypy3 into $venvs/pypy"
        "$pypy3" -m venv --clear "$venvs/pypy"
        pip pypy install numpy pytest
    fi
fi
if [ "${1:-}" = --prepare ]; then exit; fi

# The programs at the other end, and the command, which is in the wheel.
ci/programs.sh

# One wheel, for all.
rm -rf "$venvs/wheel"
export IO_SHARED_WHEEL_COMMAND=$target/release/io-shared
pip 3 wheel --no-build-isolation --no-deps --wheel-dir "$venvs/wheel" ./python
# It claims the newest glibc that anything in it needs, and fits no older one.
needed=$(objdump -T "$target"/dist/libio_shared_{ffi,native}.so "$IO_SHARED_WHEEL_COMMAND" |
    grep -oE 'GLIBC_2\.[0-9]+' | sort -uV | tail -n 1)
platform=manylinux_${needed#GLIBC_}_$(uname -m)
[[ "$(ls "$venvs/wheel")" = io_shared-*-py2.py3-none-"${platform/2./2_}".whl ]] || {
    say "the wheel needs $needed, and is called $(ls "$venvs/wheel")"
    exit 1
}
for python in "${pythons[@]}"; do
    pip "$python" install --no-deps --force-reinstall "$venvs"/wheel/io_shared-*.whl
done

# As io-shared-ffi/install.sh does: the name by which a program looks for it.
ln -sf libio_shared_ffi.so "$target/release/libio_shared_ffi.so.2"
for program in tests/peer.c:c-peer examples/relay.c:c-relay; do
    "${CC:-cc}" -std=c11 -Wall -Wextra -Wpedantic -Werror -I io-shared-ffi/include \
        "io-shared-ffi/${program%:*}" -o "$target/python/${program#*:}" \
        -L "$target/release" -lio_shared_ffi -Wl,-rpath,"$target/release"
done
export IO_SHARED_PEER=$target/release/python-peer IO_SHARED_C_PEER=$target/python/c-peer
export IO_SHARED_COMMAND=$target/release/io-shared
export IO_SHARED_RELAY=$target/release/examples/relay IO_SHARED_C_RELAY=$target/python/c-relay
export IO_SHARED_PIPELINE=$target/release/examples/perception_pipeline PYTHONDONTWRITEBYTECODE=1
cd python
"$venvs/3/bin/mypy" --cache-dir "$venvs/mypy" tests/typing_of_users.py
# The tests on each interpreter, with the others at the other end, or a second process of the same
# one. All interpreters at once, since tests mostly wait. PyPy is slow, and has every second file
# tested by a process of its own. Tests with a limit that a busy machine does not keep come after
# the others, one interpreter after the other.
start=$SECONDS
files=(tests/test_*.py) even=() odd=()
for i in "${!files[@]}"; do
    if [ $((i % 2)) = 0 ]; then even+=("${files[i]}"); else odd+=("${files[i]}"); fi
done
declare -A running
# Starts an interpreter on tests; the second argument names its log.
start_tests() {
    "$venvs/$1/bin/python" -m pytest -q -rsfE -p no:cacheprovider -m "$kind" "${@:3}" \
        > "$venvs/$2.log" 2>&1 &
    running[$2]=$!
}
# Waits for all that was started.
failed=()
finish_tests() {
    local run
    for run in "${!running[@]}"; do
        wait "${running[$run]}" || failed+=("$run")
        unset "running[$run]"
        cat "$venvs/$run.log"
        say "the tests on Python $run had ended $((SECONDS - start)) s after the start"
    done
}
# Names the other interpreters to the tests of one.
name_others() {
    local other others=''
    for other in "${pythons[@]}"; do
        if [ "$other" != "$1" ]; then others+=:$venvs/$other/bin/python; fi
    done
    export IO_SHARED_PYTHONS=${others:-$venvs/$1/bin/python}
}
trap 'kill "${running[@]}" 2> /dev/null || true' EXIT
kind='not timed'
for python in "${pythons[@]}"; do
    name_others "$python"
    if [ "$python" = pypy ]; then
        start_tests pypy pypy-even "${even[@]}"
        start_tests pypy pypy-odd "${odd[@]}"
    else
        start_tests "$python" "$python" tests
    fi
done
# 3 has the native module. By ctypes it plays what the two do differently; 2.7 and PyPy play it all.
has_native='import io_shared; assert io_shared.backend == "native"'
if "$venvs/3/bin/python" -c "$has_native" 2> /dev/null; then
    differ=("${backends_differ[@]/#/tests/}")
    differ=("${differ[@]/%/.py}")
    export IO_SHARED_BACKEND=ctypes IO_SHARED_PYTHONS=$venvs/3/bin/python
    start_tests 3 3-ctypes "${differ[@]}"
fi
finish_tests
unset IO_SHARED_BACKEND
kind=timed
for python in "${pythons[@]}"; do
    name_others "$python"
    start_tests "$python" "$python-timed" tests
    finish_tests
done
for run in "${failed[@]}"; do
    say "FAILED on Python $run:"
    grep -E '^(FAILED|ERROR)' "$venvs/$run.log" >&2 || tail -n 5 "$venvs/$run.log" >&2
done
[ ${#failed[@]} = 0 ]
