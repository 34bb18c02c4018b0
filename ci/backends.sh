#!/usr/bin/env bash
# Installs a wheel in a fresh environment of each Python that is here, and looks which backend
# serves: ci/backends.sh WHEEL
#
# CPython 3.9 and later have the native module, older ones and PyPy have ctypes. There is no Rust on
# the path. In each, an array goes from a put to a get; where there is a native module, it goes
# again with that module broken, which is told once. Pythons are those of the path, of a GitHub
# runner's tool cache, of pyenv and of ci/python27.sh. It needs one of 3.9, of 3.10 and of a later
# version, and one that ctypes serves.
set -euo pipefail
wheel=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/.."
source ci/pythons.sh
start=$SECONDS

stage=$(mktemp -d)
fail() {
    echo "ci/backends.sh: $1" >&2
    exit 1
}
# Without Rust, and without what the caller has set for Python.
clean() {
    env --ignore-environment HOME="$stage" LC_ALL=C.UTF-8 PATH=/usr/bin:/bin "$@"
}
! clean bash -c 'command -v cargo rustc' || fail "there is Rust on the path"

about='import sys; pypy = hasattr(sys, "pypy_version_info")
print("%s %d.%d" % ("PyPy" if pypy else "CPython", sys.version_info[0], sys.version_info[1]))'
declare -A found
mapfile -t candidates < <(
    compgen -c | grep -xE '(python|pypy)(2\.7|3(\.[0-9]+)?)' | sort -u | while read -r name; do
        command -v "$name"
    done
    compgen -G "${RUNNER_TOOL_CACHE:-/nowhere}/Python/*/x64/bin/python" || true
    compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/*/bin/python" || true
    printf '%s\n' "$python2" "$python3" "$pypy3"
)
for candidate in "${candidates[@]}"; do
    [ -x "$candidate" ] || continue
    name=$(clean "$candidate" -c "$about" 2> /dev/null) || continue
    case $name in
        'CPython 2.7' | 'CPython 3.'* | 'PyPy 3.'*) found[$name]=$candidate ;;
    esac
done
mapfile -t names < <(printf '%s\n' "${!found[@]}" | sort -V)

# For those that have no venv of their own.
"$python3" -m venv "$stage/virtualenv"
"$stage/virtualenv/bin/pip" install --quiet --disable-pip-version-check 'virtualenv<20.22'

use='import sys, numpy, io_shared
put = io_shared.NumpyShare(sys.argv[1], "1M", "put")
get = io_shared.NumpyShare(sys.argv[1], "1M", "get")
put.put(numpy.arange(5))
assert get.get(timeout=10).tolist() == [0, 1, 2, 3, 4]
put.close(), get.close(), io_shared.remove(sys.argv[1])
print(io_shared.backend)'
# One Python, in the background: what it says at last is its backend.
try_python() {
    local name=$1 at=${1/ /-} expected said module
    local python=$stage/$at/bin/python channel=/backends-$$-$at
    clean PIP_CACHE_DIR="$cache" "$python" -m pip install --quiet --disable-pip-version-check \
        --prefer-binary "$wheel" 2> "$stage/$name.said" ||
        fail "$name: pip failed: $(cat "$stage/$name.said")"
    case $name in
        PyPy* | 'CPython 2.7' | 'CPython 3.'[678]) expected=ctypes ;;
        *) expected=native ;;
    esac
    said=$(clean timeout 60 "$python" -c "$use" "$channel" 2> "$stage/$name.said") ||
        fail "$name: $(cat "$stage/$name.said")"
    [ "$said" = "$expected" ] || fail "$name has the backend $said, and not $expected"
    [ ! -s "$stage/$name.said" ] || fail "$name says: $(cat "$stage/$name.said")"
    if [ "$expected" = native ]; then
        module=$(clean "$python" -c 'from io_shared import _native; print(_native.__file__)')
        echo "no library" > "$module"
        said=$(clean timeout 60 "$python" -c "$use" "$channel" 2> "$stage/$name.said") ||
            fail "$name with a broken module: $(cat "$stage/$name.said")"
        [ "$said" = ctypes ] || fail "$name with a broken module has the backend $said"
        [ "$(grep -c 'the native module of io_shared cannot be used' "$stage/$name.said")" = 1 ] ||
            fail "$name with a broken module says: $(cat "$stage/$name.said")"
    fi
    echo "$expected" > "$stage/$name.backend"
}
cache=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)/pip-cache
declare -A running
at_end() {
    kill "${running[@]}" 2> /dev/null || true
    rm -rf "$stage" "/dev/shm/backends-$$"*
}
trap at_end EXIT
for name in "${names[@]}"; do
    "$stage/virtualenv/bin/virtualenv" --quiet --no-periodic-update --python "${found[$name]}" \
        "$stage/${name/ /-}" 2> "$stage/said" || {
        echo "ci/backends.sh: left out: $name: $(tail -n 1 "$stage/said")" >&2
        continue
    }
    try_python "$name" &
    running[$name]=$!
done
native='' ctypes='' passed=0 failed=0
for name in "${names[@]}"; do
    [ -n "${running[$name]:-}" ] || continue
    if wait "${running[$name]}"; then
        backend=$(cat "$stage/$name.backend")
        echo "ci/backends.sh: $name: $backend ($((SECONDS - start)) s)" >&2
        if [ "$backend" = native ]; then native+="$name, "; else ctypes+="$name, "; fi
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
done
running=()
[[ "$native" = *'CPython 3.9, '*'CPython 3.10, '*'CPython 3.1'* ]] ||
    fail "it takes 3.9, 3.10 and a later version; the native module was tried by $native"
[ -n "$ctypes" ] || fail "there is no Python that ctypes serves"
echo "ci/backends.sh: $passed passed, $failed failed"
[ "$failed" = 0 ]
