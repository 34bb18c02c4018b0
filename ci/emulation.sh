#!/usr/bin/env bash
# Lets programs for ARM run on this machine: it installs QEMU's emulator and registers it with the
# kernel, with flag F, so that it serves programs in other roots too. It needs root or sudo.
#
# This shows whether the layout, the system calls and the library are right on ARM. It does not show
# ARM's weak ordering of memory, since the processor below is another.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/installing.sh

if [ "$(uname -m)" = aarch64 ]; then exit; fi
emulator=/usr/bin/qemu-aarch64-static
install_packages "$emulator:qemu-user-static"

formats=/proc/sys/fs/binfmt_misc
registered() {
    local format
    for format in "$formats"/*; do
        if grep -qs '^interpreter.*aarch64' "$format" && grep -qs '^flags:.*F' "$format"; then
            return
        fi
    done
    return 1
}
[ -e "$formats/register" ] ||
    "${as_root[@]}" mount -t binfmt_misc binfmt_misc "$formats"
registered ||
    # The header of a 64-bit little-endian program for AArch64.
    printf '%s' ':io-shared-aarch64:M:' \
        ':\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00' \
        ':\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff' \
        ":$emulator:F" | "${as_root[@]}" tee "$formats/register" > /dev/null
registered || {
    echo "ci/emulation.sh: the kernel did not take the registration" >&2
    exit 1
}
