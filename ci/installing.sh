# shellcheck shell=bash disable=SC2034 # the variable is for those who source this
# To be sourced: how scripts install what is missing. With CI=true they do, and say so; elsewhere
# they print the command and end.

as_root=()
if [ "$(id -u)" != 0 ]; then as_root=(sudo); fi

# Runs the command that installs a missing tool, or prints it.
install() {
    if [ "${CI:-}" != true ]; then
        echo "$0: run this first: $*" >&2
        exit 1
    fi
    echo "$0: $*" >&2
    "$@"
}

# Debian's packages, by the file or command that each brings: install_packages COMMAND:PACKAGE ..
install_packages() {
    local wanted missing=()
    for wanted in "$@"; do
        [ -e "${wanted%%:*}" ] || command -v "${wanted%%:*}" > /dev/null ||
            missing+=("${wanted#*:}")
    done
    [ ${#missing[@]} = 0 ] && return
    if [ "${CI:-}" = true ]; then "${as_root[@]}" apt-get update -q; fi
    install "${as_root[@]}" apt-get install -o DPkg::Lock::Timeout=300 -y -q \
        --no-install-recommends "${missing[@]}"
}

# Rust's standard library for another target.
install_target() {
    local libraries
    libraries=$(rustc --print target-libdir --target "$1")
    [ -d "$libraries" ] || install rustup target add "$1"
}
