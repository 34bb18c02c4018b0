# shellcheck shell=bash disable=SC2034 # the variables are for those who source this
# Finds the Python interpreters for the tests: sets python2, python3 and pypy3, which are empty
# where none is found; and backends_differ, the tests that a Python with the native module plays by
# ctypes, too. For bash, to be sourced in the root of the project.
#
# PYTHON2, PYTHON3 and PYPY3 may name the interpreters, or say `none` to leave one out. Otherwise
# the last one that runs is taken: of ci/python27.sh's, those on the PATH, in a GitHub runner's
# tool cache and pyenv's. If one is named and does not run, that is an error.

# The last candidate that runs and passes the check: the interpreter itself and not pyenv's shim.
find_python() {
    local variable=$1 version=$2 pattern=$3 check=$4 named at pyenvs
    shift 4
    named=${!variable:-}
    [ "$named" != none ] || return 0
    if [ -n "$named" ]; then
        set -- "$named"
    else
        mapfile -t pyenvs < <(compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/$pattern" | sort -V)
        set -- "$@" "${pyenvs[@]}"
    fi
    for ((at = $#; at > 0; at--)); do
        "${!at}" -c "import sys; $check; print(sys.executable)" 2> /dev/null && return
    done
    if [ -n "$named" ]; then
        echo "ci/pythons.sh: $variable=$named is no Python $version that runs" >&2
        return 1
    fi
}

python2=$(find_python PYTHON2 2.7 '2.7*/bin/python' 'assert sys.version_info[:2] == (2, 7)' \
    "${CARGO_TARGET_DIR:-target}/python27/usr/bin/python2.7" python2 python2.7)
python3=$(find_python PYTHON3 "3.9 or later" '3.*/bin/python' \
    'assert sys.version_info >= (3, 9); import ensurepip' python3 python3.{9..20})
mapfile -t cached < <(compgen -G "${RUNNER_TOOL_CACHE:-/nowhere}/PyPy/3.*/x64/bin/pypy3" | sort -V)
pypy3=$(find_python PYPY3 "3.9 or later (PyPy)" 'pypy3*/bin/python' \
    'assert sys.implementation.name == "pypy" and sys.version_info >= (3, 9); import ensurepip' \
    pypy pypy3 "${cached[@]}")
backends_differ=()
for file in arrays backends enums forks interrupts kept lifetimes loans messages tags typed \
    waiting; do
    backends_differ+=("test_$file")
done
