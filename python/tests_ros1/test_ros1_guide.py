"""docs/guide/ros1.md: its commands, run as they stand, and the example that it tells of."""

import os
import re
import shlex

import io_shared
from conftest import EACH, HERE, PYTHONS, names

ROOT = os.path.join(HERE, "..", "..")
EXAMPLES = os.path.join(ROOT, "examples", "python")
#: These end by themselves; the page has the others in terminals of their own.
ENDS = ("rostopic list", "rostopic echo -n", "rostopic type", "io-shared list", "io-shared echo")


def commands():
    """The lines of the page that begin with a prompt."""
    with open(os.path.join(ROOT, "docs", "guide", "ros1.md")) as page:
        blocks = re.findall(r"```console\n(.*?)```", page.read(), re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line[2:].split("  #")[0].strip() for line in lines if line.startswith("$ ")]


def has_labels():
    """Whether labels have been put."""
    return any(it["name"] == "/points.labels" and it["seq"] for it in io_shared.channels())


def test_the_commands_of_the_page_do_what_it_says(own_stage):
    where = {"python2.7": PYTHONS[-1], "python3": PYTHONS[0],
             "io-shared": os.environ["IO_SHARED_COMMAND"]}
    run = []
    for command in commands():
        words = [where.get(word, word) for word in shlex.split(command)]
        words = [os.path.join(ROOT, word) if word.startswith("examples/") else word
                 for word in words]
        if command == "roscore":
            continue  # it runs
        run.append(command)
        if command.startswith(ENDS):
            own_stage.until(has_labels, "no labels come")
            program = own_stage.run(*words)
            assert program.done() == 0, "%s\n%s" % (command, program.said())
            assert program.said(), command
        else:
            own_stage.run(*words)
    assert len(run) == 9
    for program in own_stage.programs[1:]:
        assert program.process.poll() in (None, 0), program.said()


@EACH
def test_a_ros_node_gets_the_labels_of_a_network_that_has_no_ros(own_stage, bridge):
    """In the scenario of the README, node and bridge run in Python 2.7, the network in 3."""
    own_stage.run(PYTHONS[0], os.path.join(EXAMPLES, "ros_network.py"))
    own_stage.bridge(bridge, "--from-ros", "/points", "--to-ros", "/points.labels")
    node = own_stage.run(bridge, os.path.join(EXAMPLES, "ros1_node.py"), "--frames", 10)
    for frame in range(10):
        found = node.line(r"frame (\d+): 60000 points, (\d+) of them on (\d+) things")
        number, obstacles, things = map(int, found.groups())
        assert (number, things) == (frame, 8) and 3900 < obstacles <= 4000
    node.line("10 of 10 clouds came back to Python " + names(bridge)[2:])


#: ROS ends while the node makes a cloud, as by Ctrl-C in that moment.
ENDS_IN_A_STEP = """
import sys
sys.path.insert(0, sys.argv[1])
import clouds, ros1_node, rospy
scans = clouds.scans
def ended(folder):
    for scan in scans(folder):
        rospy.signal_shutdown("Ctrl-C")
        yield scan
clouds.scans = ended
sys.argv = ["ros1_node.py"]
ros1_node.main()
"""


@EACH
def test_the_node_ends_in_order_whatever_it_does_when_ros_ends(own_stage, bridge):
    def has_clouds():
        return any(it["name"] == "/points" and it["seq"] for it in io_shared.channels())

    own_stage.bridge(bridge, "--from-ros", "/points")
    node = own_stage.run(bridge, os.path.join(EXAMPLES, "ros1_node.py"))
    own_stage.until(has_clouds, "no cloud comes")
    status, took = node.end()  # while it waits for labels, which nobody makes
    assert status == 0 and took < 5, node.said()
    in_a_step = own_stage.run(bridge, "-c", ENDS_IN_A_STEP, EXAMPLES)
    assert in_a_step.done() == 0, in_a_step.said()
    for program in (node, in_a_step):
        assert re.search("^0 of 100 clouds came back", program.said(), re.M), program.said()
        assert "Traceback" not in program.said() and "no labels" not in program.said()
