"""Builds the library by cargo and puts it into the wheel. Hatchling calls this.

One wheel serves every interpreter, since ctypes loads the library. Its tag names only the platform.
It has a native module too: for all of 3.11 and later if one of these builds the wheel, otherwise
for the Python that builds it. With ``IO_SHARED_WHEEL_NATIVE=FOLDER`` it has those of that folder
(``_native*.so``). With ``IO_SHARED_WHEEL_COMMAND=PATH`` it has that ``io-shared`` command, which
``python -m io_shared`` runs. With ``IO_SHARED_WHEEL_LIBRARY=PATH`` it has that library, which may
be one for another machine, instead of one that is built.
"""

import json
import os
import re
import struct
import subprocess
import sys
from fnmatch import fnmatch
from importlib.machinery import EXTENSION_SUFFIXES

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY, NATIVE = "libio_shared_ffi.so", "libio_shared_native.so"
#: What ELF calls the machines that there are wheels for.
MACHINES = {62: "x86_64", 183: "aarch64"}


class BuildLibrary(BuildHookInterface):
    def initialize(self, version, build_data):
        workspace = os.path.dirname(os.path.abspath(self.root))
        if not os.path.exists(os.path.join(workspace, "io-shared-ffi", "Cargo.toml")):
            raise RuntimeError(
                "the Rust sources are not next to %s: build from a checkout of io-shared, "
                "or install a wheel that was built from one" % self.root
            )
        given = os.environ.get("IO_SHARED_WHEEL_LIBRARY")
        library = os.path.abspath(given) if given else build(workspace, "io-shared-ffi", LIBRARY)
        if version == "editable":
            text = "there is no editable install: after a change, `pip install .` again"
            raise RuntimeError(text)
        files = {library: "io_shared/" + LIBRARY}
        files.update((path, "io_shared/" + name) for path, name in natives(workspace))
        command = os.environ.get("IO_SHARED_WHEEL_COMMAND")
        if command:
            files[os.path.abspath(command)] = "io_shared/io-shared"
        build_data["pure_python"] = False
        build_data["tag"] = "py2.py3-none-%s" % platform(files)
        build_data["force_include"].update(files)


def natives(workspace):
    """The native modules: their paths, and their names in the wheel."""
    folder = os.environ.get("IO_SHARED_WHEEL_NATIVE")
    if folder is not None:
        found = sorted(name for name in os.listdir(folder) if fnmatch(name, "_native*.so"))
        return [(os.path.abspath(os.path.join(folder, name)), name) for name in found]
    if sys.implementation.name != "cpython" or "t" in sys.abiflags:
        return []
    # Newer Pythons have a stable ABI with the buffer protocol.
    is_stable = sys.version_info >= (3, 11)
    suffix = ".abi3.so" if is_stable else EXTENSION_SUFFIXES[0]
    features = [] if is_stable else ["--no-default-features"]
    os.environ.update(PYO3_PYTHON=sys.executable, PYO3_BUILD_EXTENSION_MODULE="1")
    return [(build(workspace, "io-shared-python", NATIVE, *features), "_native" + suffix)]


def build(workspace, package, library, *options):
    """Builds the library of a package, and returns its path."""
    cargo = ["cargo", "build", "--locked", "--package", package, "--profile", "dist"]
    # Without debug information, which is four fifths of it.
    cargo += ["--config", 'profile.dist.strip="debuginfo"']
    cargo += options
    subprocess.check_call(cargo, cwd=workspace)
    about = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"]
    target = json.loads(subprocess.check_output(about, cwd=workspace))["target_directory"]
    return os.path.join(target, "dist", library)


def platform(files):
    """The platform of the wheel: the machine and the glibc version that its files need (PEP 600).
    pip refuses the wheel where glibc is older."""
    machines, minors = set(), []
    for path in files:
        with open(path, "rb") as file:
            content = file.read()
        machines.add(struct.unpack_from("<H", content, 18)[0])  # e_machine of ELF
        minors += re.findall(rb"GLIBC_2\.(\d+)", content)
    if len(machines) != 1:
        raise RuntimeError("for different machines: %s" % ", ".join(sorted(files)))
    machine = MACHINES[machines.pop()]
    if not minors:  # another C library
        return "linux_%s" % machine
    newest = max(17, max(map(int, minors)))
    tag = "manylinux_2_%d_%s" % (newest, machine)
    if newest == 17:  # the name that older versions of pip know
        tag = "manylinux2014_%s.%s" % (machine, tag)
    return tag
