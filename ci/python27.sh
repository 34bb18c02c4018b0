#!/usr/bin/env bash
# Gets a Python 2.7 where the machine has none: target/python27/usr/bin/python2.7.
#
# It unpacks packages under target/, so it needs no root, and `rm -r target/python27` removes it.
# If the distribution still has Python 2.7, that package is taken. Otherwise it is that of Debian
# 11, the last release to have one, pinned below with checksums. The mirror is the one that apt is
# configured for, or IO_SHARED_DEBIAN_MIRROR.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
home=$(cd "$target" && pwd)/python27
python=$home/usr/bin/python2.7
works() {
    "$python" -c 'import ctypes, hashlib, mmap, ssl, sys, zlib
assert sys.version_info[:2] == (2, 7)'
}
if [ -x "$python" ] && [ -e "$home/usr/include/python2.7/Python.h" ] && works; then exit; fi

fail() {
    echo "ci/python27.sh: $1" >&2
    exit 1
}
for tool in apt-get dpkg-deb; do
    command -v "$tool" > /dev/null ||
        fail "there is no $tool here: install Python 2.7 otherwise, or name one by PYTHON2"
done
rm -rf "$home"
mkdir -p "$home/packages"

# Python 2.7 with its headers, and those of its libraries that newer distributions lack.
pinned=(
    pool/main/p/python2.7/python2.7-minimal_2.7.18-8+deb11u1_amd64.deb
    44f0cdc1a343303d31c55fcb3a6402cfe326adf749ec30e375e6e0c0c5f7c1f7
    pool/main/p/python2.7/libpython2.7-minimal_2.7.18-8+deb11u1_amd64.deb
    85833c92314011b89bbead6f9a5a7a360b5ee4f9b95e001225afead4ebf9f7d3
    pool/main/p/python2.7/libpython2.7-stdlib_2.7.18-8+deb11u1_amd64.deb
    3e627d6d8992b853e000b8a4c09dda613fb767cdb711a2eac20ebc9f867b593c
    pool/main/p/python2.7/libpython2.7-dev_2.7.18-8+deb11u1_amd64.deb
    887034beb360069df8b519ad93893454ef3402415775a0466940fb73d6a8b8ca
    pool/main/libf/libffi/libffi7_3.3-6_amd64.deb
    30ca89bfddae5fa6e0a2a044f22b6e50cd17c4bc6bc850c579819aeab7101f0f
    pool/main/o/openssl/libssl1.1_1.1.1w-0+deb11u1_amd64.deb
    aadf8b4b197335645b230c2839b4517aa444fd2e8f434e5438c48a18857988f7
)

# The user that apt downloads as may not write to our folder.
as_we_are=(-o APT::Sandbox::User=root)

# The distribution's own packages, and the libraries they need. apt verifies them.
from_distribution() {
    local packages=(python2.7-minimal libpython2.7-{minimal,stdlib,dev})
    apt-cache show "${packages[@]}" > /dev/null 2>&1 || return
    mapfile -t -O ${#packages[@]} packages < <(
        apt-cache depends --important libpython2.7-stdlib | grep -oE '\blib(ffi|ssl)[0-9.]+')
    (cd "$home/packages" && apt-get -q "${as_we_are[@]}" download "${packages[@]}")
}

from_debian() {
    local mirrors mirror at file
    [ "$(dpkg --print-architecture)" = amd64 ] || fail \
        "only packages for amd64 are pinned: install Python 2.7 otherwise"
    mirrors=${IO_SHARED_DEBIAN_MIRROR:-$(apt-get indextargets --format "\$(REPO_URI)" \
        'Identifier: Packages' | sort -u)}
    for mirror in $mirrors; do
        for ((at = 0; at < ${#pinned[@]}; at += 2)); do
            file=$home/packages/$(basename "${pinned[at]}")
            [ -e "$file" ] || /usr/lib/apt/apt-helper -q "${as_we_are[@]}" download-file \
                "${mirror%/}/${pinned[at]}" "$file" "SHA256:${pinned[at + 1]}" || continue 2
        done
        return
    done
    fail "no mirror has Debian 11's Python 2.7: name one that does by IO_SHARED_DEBIAN_MIRROR"
}

echo "ci/python27.sh: unpacking a Python 2.7 into $home" >&2
from_distribution || from_debian
for package in "$home"/packages/*.deb; do
    dpkg-deb --extract "$package" "$home"
done
rm -r "$home/packages"

# The interpreter must find the libraries that were unpacked with it, also from a virtualenv, which
# copies this file. It derives the folder of its modules from argv[0], which is passed on.
mv "$python" "$python.unwrapped"
libraries=$(echo "$home"/usr/lib/*-linux-gnu)
cat > "$python" <<END
#!/bin/bash
export LD_LIBRARY_PATH="$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
exec -a "\$0" "$python.unwrapped" "\$@"
END
chmod +x "$python"
works || fail "the Python 2.7 unpacked into $home does not run"
