#!/usr/bin/env bash
# Tests io_shared.ros1 with real nodes: Debian's roscore and rospy, on Debian's Python 3 and on 2.7.
#
#   ci/ros1.sh [ARGUMENTS OF PYTEST]
#   ci/ros1.sh --prepare                only installs what the tests need
#
# The distribution's packages are needed (Debian 12, Ubuntu 22.04 and 24.04 have them). With CI=true
# they are installed by apt-get; elsewhere the command is printed. Python 2.7 gets copies of those
# that are pure Python, with the one line of rospy changed that only Python 3 understands, and by
# pip what they need. All that is installed by pip goes into virtualenvs under target/ros1.
# The nodes see no network but `lo`, where the kernel lets us have a network namespace.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/pythons.sh

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/ros1"
target=$(cd "$target" && pwd)
home=$target/ros1
# The distribution's, for which its packages are built.
python3=/usr/bin/python3
start=$SECONDS

say() {
    echo "ci/ros1.sh: $1" >&2
}
packages=(
    python3-rospy python3-roslaunch python3-rosmaster python3-rostopic python3-rosnode
    python3-rosbag python3-std-msgs python3-sensor-msgs python3-visualization-msgs
)
is_installed() {
    "$python3" -c 'import rosbag, roslaunch, rosmaster, rosnode, rospy, rostopic
import sensor_msgs.msg, visualization_msgs.msg' 2> /dev/null
}
if ! is_installed; then
    as_root=()
    if [ "$(id -u)" != 0 ]; then as_root=(sudo); fi
    if [ "${CI:-}" = true ] && command -v apt-get > /dev/null; then
        say "installing ${packages[*]}, with what they need (57 packages, 5 MB)"
        "${as_root[@]}" timeout 600 apt-get update -q
        "${as_root[@]}" timeout 600 apt-get install -y -q --no-install-recommends "${packages[@]}"
    else
        say "the tests need ROS 1. On Debian or Ubuntu:"
        echo "    ${as_root[*]}${as_root[*]:+ }apt-get install ${packages[*]}" >&2
        exit 1
    fi
fi
if [ -z "$python2" ]; then
    say "NOTHING IS TESTED ON PYTHON 2.7: ci/python27.sh gets one, or name it by PYTHON2"
    [ "${CI:-}" != true ]
fi

# For a virtualenv that knows 2.7.
ci/python.sh --prepare
pip() {
    local python=$1
    shift
    timeout 600 "$home/$python/bin/pip" --quiet --disable-pip-version-check "$@" 2>&1 |
        { grep -v DEPRECATION || true; }
}
is_ready() {
    "$home/$1/bin/python" -c "import numpy, rospy, sensor_msgs.msg, visualization_msgs.msg${2:-}" \
        2> /dev/null
}
virtualenv=("$target/python/3/bin/virtualenv" --quiet --clear)
if ! is_ready 3 ', pytest'; then
    say "installing numpy and pytest into $home/3"
    "${virtualenv[@]}" --python "$python3" --system-site-packages "$home/3"
    pip 3 install 'numpy==2.2.6' 'pytest==8.4.2'
fi
pythons=3
if [ -n "$python2" ]; then
    pythons=3:2
    if ! is_ready 2; then
        say "installing numpy, rospkg, PyYAML and what they need into $home/2, with copies of rospy"
        "${virtualenv[@]}" --python "$python2" "$home/2"
        pip 2 install 'numpy==1.16.6' 'PyYAML==5.4.1' 'rospkg==1.5.1' 'catkin_pkg==0.5.2' \
            'netifaces==0.11.0' 'defusedxml==0.7.1' 'python-dateutil==2.8.2' 'docutils==0.18.1'
        site=$home/2/lib/python2.7/site-packages
        for package in catkin genmsg genpy geometry_msgs roscpp rosgraph rosgraph_msgs roslib \
            rospy sensor_msgs std_msgs visualization_msgs; do
            cp -r "$("$python3" -c "import $package; print($package.__path__[0])")" "$site/"
        done
        rm -rf "$site"/*/__pycache__ "$site"/*/*/__pycache__
        # Where an exception is taken apart.
        sed -i 's/(e_errno, msg, \*_) = e.args/(e_errno, msg) = e.args[:2]/' \
            "$site/rospy/impl/tcpros_base.py"
        grep -q 'e.args\[:2\]' "$site/rospy/impl/tcpros_base.py"
    fi
fi
if [ "${1:-}" = --prepare ]; then exit; fi

ci/programs.sh
# As io-shared-ffi/install.sh does: the name by which a program looks for it.
ln -sf libio_shared_ffi.so "$target/release/libio_shared_ffi.so.2"
for python in ${pythons//:/ }; do
    packages=("$home/$python"/lib/python*/site-packages)
    rm -rf "${packages[0]}/io_shared"
    cp -r python/src/io_shared "${packages[0]}/"
    cp "$target/release/libio_shared_ffi.so" "$target/release/io-shared" "${packages[0]}/io_shared/"
done
say "all is there after $((SECONDS - start)) s"

alone=(unshare --net)
if [ "$(id -u)" != 0 ]; then alone=(unshare --user --map-root-user --net); fi
if "${alone[@]}" ip link set lo up 2> /dev/null; then
    alone+=(bash -c 'ip link set lo up && exec "$@"' -)
else
    say "no network namespace here: the nodes listen on loopback only, by ROS_HOSTNAME"
    alone=()
fi
export IO_SHARED_ROS1_PYTHONS=$home/3/bin/python${python2:+:$home/2/bin/python}
export IO_SHARED_COMMAND=$target/release/io-shared PYTHONDONTWRITEBYTECODE=1
timeout --kill-after=10 --verbose 1500 "${alone[@]}" "$home/3/bin/python" -m pytest -q -rs \
    -p no:cacheprovider "${@:-python/tests_ros1}"
say "took $((SECONDS - start)) s"
