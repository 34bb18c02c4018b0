"""``python -m io_shared ARGS`` runs the ``io-shared`` command of the wheel."""

from __future__ import print_function

import os
import sys

_HOW = """\
This installation of io_shared has no io-shared command, as it was built from source.
Install it with Cargo (https://rustup.rs), then run this again:

    cargo install --path io-shared-cli      # in a checkout
    cargo install io-shared-cli             # a release
"""


def _command():
    """The command in this package, else the first in PATH; None without one."""
    here = os.path.dirname(os.path.abspath(__file__))
    places = [here] + os.environ.get("PATH", "").split(os.pathsep)
    for place in places:
        command = os.path.join(place, "io-shared")
        if os.path.isfile(command) and os.access(command, os.X_OK):
            return command
    return None


def main():
    command = _command()
    if command is None:
        print(_HOW, file=sys.stderr, end="")
        return 1
    os.execv(command, ["io-shared"] + sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
