"""The commands of docs/guide/ros2.md, run as they stand, and the examples that it names."""

import os
import re
import runpy
import shlex
import signal
import sys
import types

import numpy as np
import pytest
from std_msgs.msg import String

import io_shared
from conftest import HERE
from io_shared import NumpyShare
from ros2_nodes import node, qos  # noqa: F401
from test_ros2_from import imu

ROOT = os.path.join(HERE, "..", "..")
EXAMPLES = os.path.join(ROOT, "examples", "python")
with open(os.path.join(ROOT, "docs", "guide", "ros2.md"), encoding="utf-8") as file:
    PAGE = file.read()
COMMANDS = [shlex.split(line) for line in re.findall(r"^\$ python3 (.*)$", PAGE, re.M)]
BRIDGES = [words for words in COMMANDS if words[0] == "-m" and "/points.labels" not in words]
EXAMPLE = [words for words in COMMANDS if words not in BRIDGES]


@pytest.fixture
def flow(node):
    """Puts and publishes what the page names."""
    vector = np.dtype([(axis, "f8") for axis in "xyz"])
    ends = [NumpyShare("/clouds", mode="put"), NumpyShare("/front", mode="put"),
            io_shared.producer("/speed", np.dtype([("linear", vector), ("angular", vector)]))]
    ends[0].put(np.zeros((100, 4), "f4"))
    ends[1].put(np.zeros((4, 8, 3), "u1"))
    ends[2].put(linear=(1, 0, 0), angular=(0, 0, 0))
    for topic, message in (("/imu", imu()), ("/tf", String(data="a transform"))):
        node.node.create_publisher(type(message), topic, qos(transient=True)).publish(message)
    yield ends
    for end in ends:
        end.close()
    for found in io_shared.channels():
        io_shared.remove(found["name"])


@pytest.mark.parametrize("words", BRIDGES, ids=" ".join)
def test_every_bridge_of_the_page_passes_on_what_it_says(start, flow, tmp_path, words):
    file = re.search(r"```yaml\n(.*?)```", PAGE, re.S).group(1)
    (tmp_path / "bridge.yaml").write_text(file)
    run = start(sys.executable, *words, cwd=str(tmp_path))
    named = " ".join(words) + (file if "--config" in words else "")
    if "--from-ros" in words or "--config" in words:
        run.wait_for("^topic /imu -> channel /imu: sensor_msgs/msg/Imu$")
    if "--to-ros" in words or "--config" in words:
        run.wait_for("^channel /clouds -> topic /%s: sensor_msgs/msg/PointCloud2$"
                     % ("points" if "=/points" in named else "clouds"))
    if "/front" in named:
        run.wait_for("^channel /front -> topic /image: sensor_msgs/msg/Image$")
    if "/speed" in named:
        run.wait_for("^channel /speed -> topic /speed: geometry_msgs/msg/Twist$")
    if "/tf" in named:
        run.wait_for("^topic /tf -> channel /(tf|transforms): std_msgs/msg/String$")
    run.end()
    assert run.wait() == 0
    assert re.search(r"[1-9]\d* passed on", run.said) and "Traceback" not in run.said


def test_the_page_has_what_the_tests_above_look_for():
    assert len(BRIDGES) == 7 and len(EXAMPLE) == 3


def ends_by_ctrl_c(programs):
    for program in programs:
        program.send(signal.SIGINT)
    for program in programs:
        assert program.wait() == 0, program.said
        assert "Traceback" not in program.said


@pytest.fixture
def removed():
    yield
    for found in io_shared.channels():
        io_shared.remove(found["name"])


def test_a_network_outside_of_ros_labels_the_clouds_of_a_node(start, removed):
    programs = [start(sys.executable, *words, cwd=ROOT) for words in EXAMPLE]
    node_ = programs[0]
    line = node_.wait_for(r"^frame \d+: 60000 points, (\d+) of them on (\d+) things", times=5)
    assert line.group(2) == "8" and 3900 < int(line.group(1)) <= 4000
    ends_by_ctrl_c(programs)
    assert re.search(r"^\d+ of \d+ clouds answered$", node_.said, re.M)


#: ROS's context ends while the node makes a cloud, as by Ctrl-C in that moment.
ENDS_IN_A_STEP = """
import clouds, rclpy, ros2_node
scans = clouds.scans
def ended(folder):
    for scan in scans(folder):
        rclpy.shutdown()
        yield scan
clouds.scans = ended
ros2_node.main()
"""


def test_the_node_ends_in_order_whatever_it_does_when_ros_ends(start):
    node_ = start(sys.executable, "-c", ENDS_IN_A_STEP, cwd=EXAMPLES)
    assert node_.wait() == 0 and node_.said == "0 of 1 clouds answered", node_.said


def test_the_launch_file_starts_them_all(start, removed, monkeypatch):
    # ROS's package `launch` is not to be had by pip. This one starts nothing by itself.
    launch, actions = types.ModuleType("launch"), types.ModuleType("launch.actions")
    launch.LaunchDescription = list
    actions.ExecuteProcess = lambda cmd, name, output: cmd
    monkeypatch.setitem(sys.modules, "launch", launch)
    monkeypatch.setitem(sys.modules, "launch.actions", actions)
    file = runpy.run_path(os.path.join(EXAMPLES, "bridge.launch.py"))
    programs = [start(*command) for command in file["generate_launch_description"]()]
    assert len(programs) == 3
    programs[0].wait_for(r"^frame \d+: 60000 points, ", times=3)
    ends_by_ctrl_c(programs)
