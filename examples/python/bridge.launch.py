"""Starts a lidar, the bridge and a network that labels the lidar's clouds:

    ros2 launch bridge.launch.py

In your own launch file, the bridge is the second of the three.
"""

import os
import sys

from launch import LaunchDescription
from launch.actions import ExecuteProcess

HERE = os.path.dirname(os.path.abspath(__file__))


def generate_launch_description():
    programs = {
        "lidar": [os.path.join(HERE, "ros2_node.py")],
        "bridge": ["-m", "io_shared.ros2", "--from-ros", "/points", "--to-ros", "/points.labels"],
        "network": [os.path.join(HERE, "ros_network.py")],
    }
    return LaunchDescription([
        ExecuteProcess(name=name, cmd=[sys.executable] + arguments, output="screen")
        for name, arguments in programs.items()
    ])
