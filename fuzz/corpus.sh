#!/usr/bin/env bash
# The fuzz targets' corpora: one tar archive for each target in fuzz/corpus/, so that a few hundred
# inputs of some 30 bytes are three files in the tree.
#
#   fuzz/corpus.sh unpack DIRECTORY   writes the inputs to DIRECTORY/get, DIRECTORY/npy, ..
#   fuzz/corpus.sh pack DIRECTORY     makes the archives anew from there
#
# The same inputs make the same archive, byte by byte. torture/tests/hostile_inputs.rs replays them
# all.
set -euo pipefail
export LC_ALL=C # for the order of names
[ $# = 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
action=$1 directory=$2
archives=$(cd "$(dirname "$0")/corpus" && pwd)

for archive in "$archives"/*.tar; do
    inputs=$directory/$(basename "$archive" .tar)
    case $action in
        unpack)
            mkdir -p "$inputs"
            tar --extract --file "$archive" --directory "$inputs"
            ;;
        pack)
            # A listing by name, since an input's name is the hash of what is in it.
            (cd "$inputs" && printf '%s\0' *) | tar --create --file "$archive" --format=ustar \
                --directory "$inputs" --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=644 \
                --null --verbatim-files-from --files-from=-
            ;;
        *)
            echo "fuzz/corpus.sh: \"$action\" is neither unpack nor pack" >&2
            exit 2
            ;;
    esac
done
