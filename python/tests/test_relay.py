"""The example that hands one message around: Rust, each Python, C, and back to Rust."""

import os
import subprocess
import sys

import pytest

from conftest import HERE, program, pythons

EXAMPLES = os.path.join(HERE, "..", "..", "examples", "python")
ROUNDS = "25"


def is_27(python):
    return "2.7" in subprocess.check_output([python, "-V"], stderr=subprocess.STDOUT).decode()


def test_a_message_with_lists_goes_around_by_every_language_unchanged(start, new_name):
    stages = [python for python in pythons() if "pypy" not in python] or pythons()
    names = [new_name() for _ in range(len(stages) + 2)]
    first = start(program("relay"), names[0], names[-1], ROUNDS, stdout=subprocess.PIPE)
    others = []
    for i, python in enumerate(stages):
        script = os.path.join(EXAMPLES, "relay.py")
        others.append(start(python, script, names[i], names[i + 1], ROUNDS))
    others.append(start(program("c_relay"), names[-2], names[-1], ROUNDS))
    said = first.communicate()[0].decode()
    assert [other.wait() for other in others] == [0] * len(others)
    assert first.returncode == 0
    assert said == "%s messages came back by %d others, with every value in its place\n" % (
        ROUNDS, len(others))
    if not any(is_27(python) for python in stages):
        sys.stderr.write("NOT RUN: the relay by Python 2.7, which is absent\n")
        pytest.skip("it went around, but not by Python 2.7, which is absent")
