"""``python -m io_shared.ros2`` passes channels on to topics of ROS 2, and topics to channels.

It is a node of the rclpy that is installed, with its middleware and its packages of messages. What
follows ``--ros-args`` is ROS's own.
"""

import os
import sys

from io_shared import _bridge, _bridge_options

_WHAT = "Passes channels on to topics of ROS 2, and topics to channels, as a node of rclpy."


def main():
    try:
        from rclpy.utilities import remove_ros_args
    except ImportError as error:
        sys.exit("python -m io_shared.ros2 needs rclpy (%s): source the setup.bash of a ROS 2, and "
                 "install io-shared for the Python that it uses" % error)
    from io_shared._ros2_node import Ros

    own = remove_ros_args(args=sys.argv)[1:]
    options = _bridge_options.parse("python -m io_shared.ros2", _WHAT, own)
    status = _bridge.serve(lambda: Ros(sys.argv), options)
    sys.stdout.flush()
    sys.stderr.flush()
    # The node is gone. Python would take 0.2 seconds more to take down the middleware.
    os._exit(status)


if __name__ == "__main__":
    main()
