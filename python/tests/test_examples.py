"""The two scripts of examples/python, each interpreter in each role."""

import os
import re
import subprocess

import pytest

import io_shared
from conftest import HERE, pythons

EXAMPLES = os.path.join(HERE, "..", "..", "examples", "python")


@pytest.mark.parametrize("node", pythons())
@pytest.mark.parametrize("network", pythons())
def test_clouds_go_to_the_network_and_labels_come_back(start, node, network):
    suffix = "-test-%d" % os.getpid()
    try:
        run = lambda python, file, *more: start(  # noqa: E731
            python, os.path.join(EXAMPLES, file), "--frames", 5, "--suffix=" + suffix, *more,
            stdout=subprocess.PIPE
        )
        network = run(network, "segmentator.py")
        said = run(node, "ros_node.py", "--rate", 0).communicate()[0].decode()
        assert "5 of 5 clouds answered" in said
        obstacles = re.findall(r"60000 points, (\d+) of them obstacles", said)
        assert len(obstacles) == 5 and all(3000 < int(number) < 5000 for number in obstacles)
        assert network.communicate()[0].strip() == b"5 clouds segmented"
    finally:
        for name in ("/cloud_share", "/label_share"):
            try:
                io_shared.remove(name + suffix)
            except io_shared.NotFound:
                pass
