#!/usr/bin/env bash
# Tests the bridge to ROS 2 with real nodes: rclpy with Fast DDS, of Kilted and of Jazzy, by pip.
#
#   ci/ros2.sh [kilted|jazzy]...       both, unless it is told which
#   ci/ros2.sh --bench [OPTION]...     measures, with python/bench/ros2.py
#
# It installs into virtualenvs under target/ros2, and tests in a network of its own, which has only
# the loopback. It needs Rust, a C compiler and a Python from 3.10 to 3.13; ci/pythons.sh says how
# that is found and named.
set -euo pipefail
cd "$(dirname "$0")/.."
start=$SECONDS
say() {
    echo "ci/ros2.sh: $1" >&2
}
source ci/pythons.sh
supported='import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))'
if ! "${python3:-false}" -c "$supported"; then
    say "ROS 2's packages need a Python from 3.10 to 3.13: name one by PYTHON3"
    exit 1
fi
# A user without privileges gets them in a user namespace.
isolated=(unshare --net)
[ "$(id -u)" = 0 ] || isolated=(unshare --map-root-user --net)
"${isolated[@]}" true || { say "the kernel refuses a network of its own"; exit 1; }

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/ros2"
target=$(cd "$target" && pwd)
venvs=$target/ros2
distributions=("$@")
[ $# != 0 ] || distributions=(kilted jazzy)
[ "${1:-}" != --bench ] || distributions=(kilted)

# A virtualenv is kept until its list changes.
for distribution in "${distributions[@]}"; do
    list=python/tests_ros2/$distribution.txt
    if ! cmp --silent "$list" "$venvs/$distribution/installed.txt"; then
        say "installing ROS 2 ${distribution^} for $python3 into $venvs/$distribution"
        sed 's/^/    /' "$list" >&2
        "$python3" -m venv --clear "$venvs/$distribution"
        timeout 600 "$venvs/$distribution/bin/pip" --quiet --disable-pip-version-check install \
            --requirement "$list"
        cp "$list" "$venvs/$distribution/installed.txt"
    fi
done

ci/programs.sh
for distribution in "${distributions[@]}"; do
    packages=("$venvs/$distribution"/lib/python3.*/site-packages)
    rm -rf "${packages[0]}/io_shared"
    cp -r python/src/io_shared "${packages[0]}/"
    cp "$target/release/libio_shared_ffi.so" "$target/release/io-shared" "${packages[0]}/io_shared/"
done
# As io-shared-ffi/install.sh does: the name by which a program looks for it.
ln -sf libio_shared_ffi.so "$target/release/libio_shared_ffi.so.2"
"${CC:-cc}" -std=c11 -Wall -Wextra -Wpedantic -Werror -I io-shared-ffi/include \
    python/tests_ros2/field.c -o "$venvs/field" -L "$target/release" -lio_shared_ffi \
    -Wl,-rpath,"$target/release"
export IO_SHARED_FIELD=$venvs/field IO_SHARED_COMMAND=$target/release/io-shared
export PYTHONDONTWRITEBYTECODE=1
# Nobody else's channels, and nobody else's nodes.
export IO_SHARED_DOMAIN=ros2-$$ ROS_DOMAIN_ID=$(($$ % 100 + 1)) ROS_LOG_DIR=$venvs/log
say "all is there after $((SECONDS - start)) s"

for distribution in "${distributions[@]}"; do
    began=$SECONDS python=$venvs/$distribution/bin/python
    run=("$python" -m pytest -q -rs -p no:cacheprovider --durations=5 python/tests_ros2)
    [ "${1:-}" != --bench ] || run=("$python" python/bench/ros2.py "${@:2}")
    timeout --kill-after=10 1800 "${isolated[@]}" \
        bash -c 'ip link set lo up && exec "$@"' - "${run[@]}"
    say "ROS 2 ${distribution^} took $((SECONDS - began)) s"
done
