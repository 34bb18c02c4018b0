#!/usr/bin/env bash
# The Python package on 2.7, on the newest 3 that is here and on PyPy 3, across them, with
# Rust and with C.
#
# PYTHON2, PYTHON3 and PYPY3 may name the interpreters; else they are looked for, with pyenv's. One that
# is missing is a failure: the package is for all; but for PyPy, which is only said. IO_SHARED_SLOW=1
# plays the long versions (a million puts and gets, 500 deaths). With --prepare it looks for the
# interpreters, fetches the packages and says what is missing, and runs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/python"
target=$(cd "$target" && pwd)
venvs=$target/python

# The last one that runs, of those given and those of pyenv; the interpreter itself and no shim.
find_python() {
    local named=$1 pattern=$2 check=$3 found= candidate
    shift 3
    # One that is named is the only one that will do.
    [ -z "$named" ] || set -- "$named"
    [ -n "$named" ] || set -- "$@" $(compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/$pattern" | sort -V)
    for candidate in "$@"; do
        if "$candidate" -c "import sys; $check" 2>/dev/null; then
            found=$("$candidate" -c 'import sys; print(sys.executable)')
        fi
    done
    echo "$found"
}

python2=$(find_python "${PYTHON2:-}" '2.7*/bin/python' 'assert sys.version_info[:2] == (2, 7)' \
    python2.7 python2)
python3=$(find_python "${PYTHON3:-}" '3.*/bin/python' 'assert sys.version_info >= (3, 9)' \
    python3 python3.{9,10,11,12,13,14})
pypy3=$(find_python "${PYPY3:-}" 'pypy3*/bin/python' \
    'assert sys.implementation.name == "pypy" and sys.version_info >= (3, 9)' pypy3 pypy)
missing=0
for interpreter in "2.7:$python2:PYTHON2" "3.9 or later:$python3:PYTHON3"; do
    IFS=: read -r version path variable <<<"$interpreter"
    if [ -z "$path" ]; then
        echo "ci/python.sh: NO PYTHON $version WAS FOUND: install one, or name it by $variable" >&2
        missing=1
    fi
done
[ "$missing" = 0 ] || exit 1
if [ "${1:-}" = --has-pypy ]; then [ -n "$pypy3" ] && exit || exit 1; fi

# Virtualenvs are kept from run to run. The last versions of what still installs on 2.7.
if [ ! -x "$venvs/3/bin/pytest" ]; then
    "$python3" -m venv --clear "$venvs/3"
    "$venvs/3/bin/pip" install --quiet --disable-pip-version-check \
        numpy pytest hatchling mypy 'virtualenv<20.22'
fi
if [ ! -x "$venvs/2/bin/pytest" ]; then
    "$venvs/3/bin/virtualenv" --quiet --clear --python "$python2" "$venvs/2" ||
        { "$python2" -m pip --version && "$python2" -m virtualenv --clear "$venvs/2"; }
    "$venvs/2/bin/pip" install --quiet --disable-pip-version-check \
        'numpy==1.16.6' 'pytest==4.6.11' 2>&1 | grep -v DEPRECATION || true
fi

pythons=(2 3)
if [ -z "$pypy3" ]; then
    echo "ci/python.sh: NO PYPY 3.9 OR LATER WAS FOUND, AND NOTHING IS TESTED ON IT: install one" \
        "(apt-get install pypy3 pypy3-venv), or name it by PYPY3" >&2
else
    pythons+=(pypy)
    if [ ! -x "$venvs/pypy/bin/pytest" ]; then
        "$pypy3" -m venv --clear "$venvs/pypy"
        "$venvs/pypy/bin/pip" install --quiet --disable-pip-version-check numpy pytest
    fi
fi

if [ "${1:-}" = --prepare ]; then exit; fi

# One wheel, for all.
rm -rf "$venvs/wheel"
"$venvs/3/bin/pip" wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps \
    --wheel-dir "$venvs/wheel" ./python
for python in "${pythons[@]}"; do
    "$venvs/$python/bin/pip" install --quiet --disable-pip-version-check --no-deps \
        --force-reinstall "$venvs"/wheel/io_shared-*.whl 2>&1 | grep -v DEPRECATION || true
    "$venvs/$python/bin/python" -c 'import io_shared' # what came of the installation
done

# The programs at the other end.
cargo build --release --locked --quiet --package python-peer --package io-shared-ffi
cargo build --release --locked --quiet --example perception_pipeline
# As io-shared-ffi/install.sh does: the name by which a program looks for it.
ln -sf libio_shared_ffi.so "$target/release/libio_shared_ffi.so.1"
"${CC:-cc}" -std=c11 -Wall -Wextra -Wpedantic -Werror -I io-shared-ffi/include \
    io-shared-ffi/tests/peer.c -o "$target/python/c-peer" \
    -L "$target/release" -lio_shared_ffi -Wl,-rpath,"$target/release"
export IO_SHARED_PEER=$target/release/python-peer IO_SHARED_C_PEER=$target/python/c-peer
export IO_SHARED_PIPELINE=$target/release/examples/perception_pipeline PYTHONDONTWRITEBYTECODE=1
cd python
"$venvs/3/bin/mypy" --cache-dir "$venvs/mypy" tests/typing_of_users.py
IO_SHARED_PYTHONS=$venvs/2/bin/python "$venvs/3/bin/python" -m pytest -q -p no:cacheprovider
IO_SHARED_PYTHONS=$venvs/3/bin/python "$venvs/2/bin/python" -m pytest -q -p no:cacheprovider tests
if [ -n "$pypy3" ]; then
    IO_SHARED_PYTHONS=$venvs/2/bin/python:$venvs/3/bin/python "$venvs/pypy/bin/python" -m pytest \
        -q -rs -p no:cacheprovider tests
fi
