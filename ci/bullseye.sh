#!/usr/bin/env bash
# Runs a command in a root of Debian 11, which has glibc 2.31, Python 3.9 and Python 2.7, and no
# Rust, as robots do: ci/bullseye.sh x86_64|aarch64 COMMAND ..
#
# The root is target/bullseye/ARCHITECTURE and is made when it is not there. The command sees the
# shared memory, the processes, /tmp and this checkout under the same paths as outside. It runs as
# the caller, or as root with AS_ROOT=1. Mounts are made in a namespace of their own and end with
# the command.
#
# It needs debootstrap, and root or sudo. The mirror is IO_SHARED_DEBIAN_MIRROR, or the one that apt
# is configured for, or debootstrap's own, where apt's is that of another distribution.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/installing.sh

machine=$1
shift
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/bullseye"
target=$(cd "$target" && pwd)
root=$target/bullseye/$machine
case $machine in
    x86_64) architecture=amd64 ;;
    aarch64) architecture=arm64 ;;
    *)
        echo "ci/bullseye.sh: x86_64 or aarch64, not $machine" >&2
        exit 2
        ;;
esac
if [ "$machine" != "$(uname -m)" ]; then ci/emulation.sh; fi

make_root() {
    local options=(--variant=minbase --arch="$architecture" --include="$packages") mirror package
    # What another architecture would configure takes minutes under emulation, and is not needed.
    if [ "$machine" != "$(uname -m)" ]; then options+=(--foreign); fi
    for mirror in ${IO_SHARED_DEBIAN_MIRROR:-$(apt-get indextargets --format "\$(REPO_URI)" \
        'Identifier: Packages' | sort -u) its-own}; do
        if [ "$mirror" = its-own ]; then
            mirror=''
        else
            /usr/lib/apt/apt-helper -q download-file "${mirror%/}/dists/bullseye/Release" \
                "$target/bullseye/Release" > /dev/null 2>&1 || continue
        fi
        echo "ci/bullseye.sh: making a root of Debian 11 for $machine" >&2
        "${as_root[@]}" rm -rf "$root"
        "${as_root[@]}" debootstrap "${options[@]}" bullseye "$root" \
            ${mirror:+"$mirror"} > "$root.log" 2>&1 || continue
        for package in "$root"/var/cache/apt/archives/*.deb; do
            if [ -e "$package" ]; then "${as_root[@]}" dpkg-deb --extract "$package" "$root"; fi
        done
        "${as_root[@]}" touch "$root/made"
        return
    done
    tail -n 5 "$root.log" >&2 || true
    echo "ci/bullseye.sh: no mirror has Debian 11: name one by IO_SHARED_DEBIAN_MIRROR" >&2
    exit 1
}

# python-pip-whl has the last pip that runs on Python 2.7.
packages=python3,python3-pip,python2.7,python-pip-whl
install_packages /usr/sbin/debootstrap:debootstrap
[ -e "$root/made" ] || make_root

identity=$(id -u):$(id -g)
if [ "${AS_ROOT:-}" = 1 ]; then identity=0:0; fi
# shellcheck disable=SC2016 # these are variables of the inner shell
exec "${as_root[@]}" unshare --mount --propagation private bash -euc '
    root=$1 target=$2 identity=$3
    shift 3
    for place in /dev /proc /tmp "$PWD" "$target"; do
        mkdir -p "$root$place"
        mount --rbind "$place" "$root$place"
    done
    exec chroot --userspec="$identity" "$root" env -i --chdir="$PWD" "$@"
' bash "$root" "$target" "$identity" PATH=/usr/local/bin:/usr/bin:/bin HOME=/tmp LC_ALL=C.UTF-8 "$@"
