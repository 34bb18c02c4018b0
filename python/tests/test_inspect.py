"""What is there can be listed, without taking part."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import io_shared
from io_shared import NumpyShare


def test_a_channel_is_listed_with_its_newest_value_and_who_uses_it(name):
    with NumpyShare(name, "1M", "put") as put, NumpyShare(name, "1M", "get") as get:
        put.put(np.zeros((3, 4), np.float32), tag=7)
        assert get.get().shape == (3, 4)
        [found] = [found for found in io_shared.channels() if found["name"] == name]
        assert (found["state"], found["kind"], found["type"]) == ("region", "channel", "Array")
        assert (found["seq"], found["tag"]) == (1, 7) and 0 <= found["age"] < 60
        assert found["producer"]["connected"] and found["producer"]["pid"] == os.getpid()
        [consumer] = found["consumers"]
        assert consumer["connected"] and consumer["last_seen"] == 1
    found = io_shared.info(name)
    assert not found["used"] and not found["producer"]["connected"]
    io_shared.remove(name)
    with pytest.raises(io_shared.NotFound) as caught:
        io_shared.info(name)
    assert name in str(caught.value)


def test_the_module_runs_the_command_of_its_wheel(tmpdir):
    environment = dict(os.environ, PATH=str(tmpdir))
    run = [sys.executable, "-m", "io_shared"]
    version = subprocess.check_output(run + ["--version"], env=environment)
    assert version.startswith(b"io-shared ")
    absent = subprocess.Popen(run + ["info", "/nobody-made-this"], stderr=subprocess.PIPE)
    _, said = absent.communicate()
    assert absent.returncode == 3 and b"error: " in said


def test_an_installation_without_the_command_runs_that_of_the_path_or_says_how_to_get_it(tmpdir):
    package = str(tmpdir.join("io_shared"))
    bare = shutil.ignore_patterns("io-shared")
    shutil.copytree(os.path.dirname(io_shared.__file__), package, ignore=bare)
    run = [sys.executable, "-m", "io_shared", "list", "--json"]
    environment = dict(os.environ, PYTHONPATH=str(tmpdir), PATH=str(tmpdir))
    without = subprocess.Popen(run, env=environment, stderr=subprocess.PIPE)
    _, said = without.communicate()
    assert without.returncode == 1 and b"cargo install --path io-shared-cli" in said
    command = tmpdir.join("io-shared")
    command.write("#!/bin/sh\necho got \"$@\"\n")
    command.chmod(0o755)
    environment["PATH"] = "%s:/bin:/usr/bin" % tmpdir
    assert subprocess.check_output(run, env=environment) == b"got list --json\n"


def command(*arguments):
    """What ``io-shared`` prints."""
    program = os.environ["IO_SHARED_COMMAND"]
    return subprocess.check_output((program,) + arguments).decode("utf-8")


def test_the_command_shows_a_producer_in_python(name):
    with NumpyShare(name, "1M", "put") as put:
        put.put(np.asfortranarray([[1, 2, 3], [4, 5, 6]], "<i2"), tag=3)
        row = command("list", name).rstrip("\n").split("\t")
        assert row[:2] == [name, "Array"] and row[5].endswith("(%d)" % os.getpid())
        echoed = command("echo", "--once", name)
        assert echoed == (
            "# value 1, tag 3\ndtype: \"<i2\"\nshape: [2, 3]\n"
            "data:\n- [1, 2, 3]\n- [4, 5, 6]\n---\n"
        )
        assert command("echo", "--once", "--csv", "--field", "-1.0:2", name) == "4,5\n"
    points = np.zeros(2, [("x", "<f4"), ("id", ">u2")])
    points["id"] = [7, 8]
    with NumpyShare(name, "1M", "put") as put:
        put.put(points)
        assert command("echo", "--once", "--csv", "--field", ":.id", name) == "7,8\n"
