#!/usr/bin/env bash
# Looks for what the tests need besides Rust: gcc, and clang for C++, CMake, pkg-config, valgrind,
# whose callgrind counts instructions, git, the Pythons, npm, whose packages read recordings,
# Chromium, in which Foxglove Studio shows one, and iproute2, which makes two machines of one.
#
# With CI=true it installs what is missing: packages by apt-get, and Python 2.7 by ci/python27.sh.
# Elsewhere it installs nothing. It prints the commands that would, and fails unless only Python
# 2.7, PyPy, npm, Chromium or iproute2 is missing, which the tests can do without.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/pythons.sh
source ci/chromium.sh
source ci/installing.sh

required=()
for tool in cc:gcc,libc6-dev c++:g++ g++:g++ clang++:clang cmake:cmake,make \
    pkg-config:pkg-config valgrind:valgrind git:git; do
    if ! command -v "${tool%%:*}" > /dev/null; then
        IFS=, read -ra its <<< "${tool#*:}"
        required+=("${its[@]}")
    fi
done
[ -n "$python3" ] || required+=(python3 python3-venv)
packages=("${required[@]}")
# This is PyPy 3.9 or later from Debian 12 and Ubuntu 24.04 on.
[ -n "$pypy3" ] || [ "${PYPY3:-}" = none ] || packages+=(pypy3 pypy3-venv)
command -v npm > /dev/null || packages+=(nodejs npm)
[ -n "$chromium" ] || packages+=(chromium)
command -v ip > /dev/null || packages+=(iproute2)

if [ ${#packages[@]} != 0 ]; then
    if [ "${CI:-}" = true ] && command -v apt-get > /dev/null; then
        echo "ci/tools.sh: installing ${packages[*]}, which the tests need" >&2
        "${as_root[@]}" apt-get update -q
        "${as_root[@]}" apt-get install -y -q --no-install-recommends "${packages[@]}"
    else
        echo "ci/tools.sh: the tests need ${packages[*]}. On Debian or Ubuntu:" >&2
        echo "    ${as_root[*]}${as_root[*]:+ }apt-get install ${packages[*]}" >&2
        [ ${#required[@]} = 0 ] || exit 1
    fi
fi
# Clang's sanitizers are a package of their own on Debian 12, named by the version of clang.
if ! echo 'int main() {}' |
    clang++ -fsanitize=address,undefined -x c++ - -o /dev/null 2> /dev/null; then
    version=$(clang++ -dumpversion)
    install "${as_root[@]}" apt-get install -y -q --no-install-recommends \
        "libclang-rt-${version%%.*}-dev"
fi
if [ -z "$python2" ] && [ "${PYTHON2:-}" != none ]; then
    if [ "${CI:-}" = true ]; then
        ci/python27.sh
    else
        echo "ci/tools.sh: the tests need a Python 2.7. To unpack Debian 11's under target/:" >&2
        echo "    ci/python27.sh" >&2
    fi
fi
