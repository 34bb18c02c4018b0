"""Builds the library by cargo and puts it into the wheel. Hatchling calls this.

One wheel serves every interpreter, since ctypes loads the library. Its tag names only the platform.
"""

import json
import os
import re
import subprocess

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY = "libio_shared_ffi.so"


class BuildLibrary(BuildHookInterface):
    def initialize(self, version, build_data):
        workspace = os.path.dirname(os.path.abspath(self.root))
        if not os.path.exists(os.path.join(workspace, "io-shared-ffi", "Cargo.toml")):
            raise RuntimeError(
                "the Rust sources are not next to %s: build from a checkout of io-shared, "
                "or install a wheel that was built from one" % self.root
            )
        library = build(workspace)
        if version == "editable":
            text = "there is no editable install: after a change, `pip install .` again"
            raise RuntimeError(text)
        build_data["pure_python"] = False
        build_data["tag"] = "py2.py3-none-%s" % platform(library)
        build_data["force_include"][library] = "io_shared/" + LIBRARY


def build(workspace):
    """Builds the library, and returns its path."""
    cargo = ["cargo", "build", "--locked", "--package", "io-shared-ffi", "--profile", "wheel"]
    # As a release, but without debug information, which is four fifths of it. The profile is
    # separate, so that other builds are kept.
    for setting in ('inherits="release"', 'strip="debuginfo"'):
        cargo += ["--config", "profile.wheel." + setting]
    subprocess.check_call(cargo, cwd=workspace)
    about = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"]
    target = json.loads(subprocess.check_output(about, cwd=workspace))["target_directory"]
    return os.path.join(target, "wheel", LIBRARY)


def platform(library):
    """The platform of the wheel: the glibc version that the library needs (PEP 600), and plain
    Linux for a pip that does not know such tags."""
    with open(library, "rb") as file:
        minors = re.findall(rb"GLIBC_2\.(\d+)", file.read())
    machine = os.uname().machine
    tag = "manylinux_2_%d_%s" % (max(map(int, minors)), machine)
    return os.environ.get("IO_SHARED_WHEEL_PLATFORM") or "%s.linux_%s" % (tag, machine)
