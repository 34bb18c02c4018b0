#!/usr/bin/env bash
# Does what the README says, as printed and in its order, from a fresh clone in an empty folder.
# Then it does what the guide says to do in a clone, or in the crate of the README.
#
#   ci/readme.sh
#
# The clone has what is committed here; git is told to take it from here, and not from GitHub. What
# pip and cargo install goes into the folder, which is removed at the end. A command that no rule
# below knows is an error, and so is an output that differs from the printed one in more than its
# numbers. Cargo builds into a folder of its own, without optimising, which saves some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
source ci/pythons.sh
start=$SECONDS

checkout=$PWD stage=$(mktemp -d) running=''
at_end() {
    [ -z "$running" ] || kill -KILL -- "-$running" 2> /dev/null || true
    rm -rf "$stage" /dev/shm/"readme-$$"%%*
}
trap at_end EXIT
say() {
    echo "ci/readme.sh: $1" >&2
}
fail() {
    say "$1"
    exit 1
}
git diff --quiet HEAD || say "what is not committed is not tested"

# A virtualenv for `pip` and `python`, and what stands for the page's other interpreters.
"$python3" -m venv "$stage/python"
mkdir "$stage/bin" "$stage/user"
interpreter() {
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$2" > "$stage/bin/$1"
    chmod +x "$stage/bin/$1"
}
interpreter python3.8 "$stage/python/bin/python"
if [ -n "$python2" ]; then
    ci/python.sh --prepare
    "${CARGO_TARGET_DIR:-target}/python/3/bin/virtualenv" --quiet --python "$python2" "$stage/old"
    interpreter python2.7 "$stage/old/bin/python"
fi
export PATH=$stage/bin:$stage/python/bin:$stage/installed/bin:$PATH
unset PYTHONPATH IO_SHARED_COMMAND
# One compiler for the clone and for the new crate, so that what both need is built once.
if command -v rustup > /dev/null; then
    RUSTUP_TOOLCHAIN=$(rustup show active-toolchain | cut -d ' ' -f 1)
    export RUSTUP_TOOLCHAIN
fi
export CARGO_TARGET_DIR=$stage/target CARGO_INSTALL_ROOT=$stage/installed CARGO_INCREMENTAL=0
export CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_{RELEASE,DEV}_DEBUG=0
export IO_SHARED_DOMAIN=readme-$$
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.$checkout.insteadOf"
export GIT_CONFIG_VALUE_0=https://github.com/io-shared/io-shared

# The blocks of a page in one language, each with a NUL after it.
blocks() {
    awk -v head="\`\`\`$2" '
        $0 == head { inside = 1; next }
        /^```$/ && inside { inside = 0; printf "%c", 0 }
        inside' "$checkout/$1"
}
# The block of a page that begins with a text; it is an error if there is none.
block() {
    local each
    while read -r -d '' each; do
        [[ $each != "$3"* ]] || { echo "$each"; return; }
    done < <(blocks "$1" "$2")
    fail "$1 has no block of $2 that begins with $3"
}
# Runs commands in a folder, in one shell.
in_folder() {
    local began=$SECONDS
    [ -n "$2" ] || fail "there is nothing to run in $1"
    say "in $1: $2"
    (cd "$stage/user/$1" && timeout --kill-after=10 --verbose 900 bash -euo pipefail -c "$2") \
        < /dev/null || fail "this failed with status $?: $2"
    say "took $((SECONDS - began)) s"
}
# Runs a program that a page has, in the crate of the README.
in_app() {
    block "$1" rust "$2" > "$stage/user/app/src/main.rs"
    in_folder app 'cargo run --quiet'
}
# Starts a command of a page in the clone, which `end` ends by Ctrl-C.
begin() {
    say "in io-shared: $1 &"
    # In a group of its own, in which Ctrl-C is not ignored.
    set -m
    bash -c "cd '$stage/user/io-shared' && exec $1" > "$stage/said" 2>&1 < /dev/null &
    running=$!
    set +m
}
end() {
    kill -INT "$running"
    for ((tenths = 0; tenths < 100; tenths++)); do
        kill -0 -- "-$running" 2> /dev/null || break
        sleep 0.1
    done
    ! kill -0 -- "-$running" 2> /dev/null || fail "Ctrl-C does not end it: $(cat "$stage/said")"
    running=''
}
# What was printed, for a comparison: numbers, their units and the widths of columns differ.
shape() {
    sed -E 's/-?[0-9][0-9.]*(e-?[0-9]+)?/N/g; s/N (k|M|G)?(B|Hz)\>/N UNIT/g; s/N [num]?s\>/N UNIT/g
        s/[[:blank:]]+/ /g; s/ $//'
}

install_() {
    in_folder . "$1"
    # The package of the README's Python, in two processes.
    local line imports='import numpy; from io_shared import NumpyShare; array = numpy.arange(5)'
    line=$(grep -o "NumpyShare([^\`]*mode='put')[^\`]*" "$checkout/README.md")
    in_folder . "python -c \"$imports; $line\""
    line=$(grep -o "NumpyShare([^\`]*mode='get')[^\`]*" "$checkout/README.md")
    in_folder . "python -c \"$imports; assert ($line == array).all()\""
    in_app README.md 'use io_shared::Message;'
}
# The commands of a session, each on a terminal, and what they print.
see() {
    local command lines=() expected found line
    begin "$(tr '\n' ' ' < "$checkout/README.md" | grep -o "$pipeline -- --frames 0")"
    io-shared wait /perception_pipeline_labels --timeout 600s || fail "$(cat "$stage/said")"
    mapfile -t lines <<< "$1"
    expected=$(shape <<< "$1")
    for ((tries = 0; tries < 60; tries++)); do
        found=$(
            for line in "${lines[@]}"; do
                [[ $line = '$ '* ]] || continue
                echo "$line"
                NO_COLOR=1 timeout --foreground 60 script --quiet --return \
                    --command "stty cols 100; ${line#\$ }" /dev/null < /dev/null | tr -d '\r'
            done | shape
        )
        [ "$found" != "$expected" ] || break
        sleep 1
    done
    end
    diff <(echo "$expected") <(echo "$found") >&2 || fail "README.md shows another session"
}
develop() {
    local line
    while read -r line; do
        case $line in
            'ci/test.sh  '*) ;; # runs this
            "$pipeline"*) in_folder io-shared "$line" ;;
            'ci/test.sh --look '*) in_folder io-shared "PYTHON2=$python2 $line" ;;
            *) fail "nothing runs this command of README.md: $line" ;;
        esac
    done <<< "$1"
    # What the text says of the example's options, but for a run of half a minute.
    while read -r line; do
        [[ $line = *--chaos* ]] || in_folder io-shared "$pipeline $line"
    done < <(grep -o '`-- [^`]*`' "$checkout/README.md" | tr -d '`')
    [ -s "$stage/user/io-shared/street.png" ] || fail "there is no picture of the street"
}
pipeline='cargo run --release --example perception_pipeline'
development=$(block README.md console "$pipeline")
while read -r -d '' each; do
    case $each in
        'git clone '*) install_ "$each" ;;
        '$ io-shared list '*) see "$each" ;;
        "$development"*) develop "$each" ;;
        *) fail "nothing runs this block of README.md: $each" ;;
    esac
done < <(blocks README.md console)

# The first page of the guide: a producer and a consumer, in two terminals.
mapfile -t lines < <(block docs/guide/first-channel.md console '$ cargo run --example put')
[ ${#lines[@]} = 2 ] || fail "docs/guide/first-channel.md has other programs: ${lines[*]}"
begin "${lines[0]#\$ }"
io-shared wait /pose --timeout 300s
expected=$(block docs/guide/first-channel.md text '1: x ' | shape)
found=$(in_folder io-shared "{ ${lines[1]#\$ } || true; } | head -n 2" | shape)
end
[ "$found" = "$expected" ] || fail "docs/guide/first-channel.md shows other lines: $found"

# What the guide adds to the crate, and a program with all of it.
quoted() {
    tr '\n' ' ' < "$checkout/docs/guide/$1" | grep -o "\`$2[^\`]*\`" | tr -d '\`'
}
for page in first-channel.md messages.md waiting.md; do
    in_folder app "$(quoted $page 'cargo add ')"
done
in_folder app "$(block docs/guide/arrays.md console 'cargo add ')"
program=$(block docs/guide/arrays.md rust 'use io_shared::{Array, Channel};')
log=$(quoted waiting.md tracing_subscriber::)
echo "${program/$'Result<()> {\n'/$'Result<()> {\n'"$log"$'\n'}" > "$stage/user/app/src/main.rs"
grep -qxF "$log" "$stage/user/app/src/main.rs" || fail "docs/guide/arrays.md has another main"
in_folder app 'cargo run --quiet'
in_folder io-shared "$(block docs/guide/seeing.md sh 'cargo install ')"
in_folder io-shared "$(block docs/guide/installing.md console 'pip install ./python')"
wheel=$(block docs/guide/installing.md console 'python3 -m pip wheel ')
if [ -z "$python2" ]; then
    say "NOT TESTED: the lines of docs/guide/installing.md for Python 2.7"
    wheel=$(grep -v '^python2.7 ' <<< "$wheel")
fi
in_folder io-shared "$wheel"
say "took $((SECONDS - start)) s"
