#!/usr/bin/env bash
# Installs what the tests need besides Rust: valgrind, whose callgrind counts instructions.
set -euo pipefail

if command -v valgrind > /dev/null; then exit; fi
if ! command -v apt-get > /dev/null; then
    echo "ci/tools.sh: the tests need valgrind, and there is no apt-get to install it: install it by hand" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" != 0 ]; then as_root=(sudo); fi
echo "ci/tools.sh: installing valgrind, which the tests need" >&2
"${as_root[@]}" apt-get update -q
"${as_root[@]}" apt-get install -y -q valgrind
