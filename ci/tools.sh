#!/usr/bin/env bash
# Installs what the tests need besides Rust, where it is missing: valgrind, whose callgrind counts
# instructions, and what builds programs in C and C++.
set -euo pipefail

declare -A packages=([valgrind]=valgrind [cc]=gcc [c++]=g++ [pkg-config]=pkg-config)
missing=()
for tool in "${!packages[@]}"; do
    command -v "$tool" > /dev/null || missing+=("${packages[$tool]}")
done
if [ ${#missing[@]} = 0 ]; then exit; fi
if ! command -v apt-get > /dev/null; then
    echo "ci/tools.sh: the tests need ${missing[*]}, and there is no apt-get to install them: install them by hand" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" != 0 ]; then as_root=(sudo); fi
echo "ci/tools.sh: installing ${missing[*]}, which the tests need" >&2
"${as_root[@]}" apt-get update -q
"${as_root[@]}" apt-get install -y -q "${missing[@]}"
