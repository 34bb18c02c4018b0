"""A node of ROS 2 that knows nothing of io-shared: publishes clouds, and gets a label for each
point.

    python3 ros2_node.py [--frames 100] [--rate 10]

A neural network in another process, ros_network.py, labels them. Between the two is the bridge:

    python3 -m io_shared.ros2 --from-ros /points --to-ros /points.labels

Each may start first, be killed and come back. `ros2 launch bridge.launch.py` starts all three.
"""

import argparse
import sys
import time

import numpy as np
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import PointCloud2, PointField

import clouds


def message(points, stamp):
    """A cloud as ROS has it."""
    fields = [
        PointField(name=name, offset=points.dtype.fields[name][1], datatype=PointField.FLOAT32,
                   count=1)
        for name in points.dtype.names
    ]
    made = PointCloud2(
        height=1, width=len(points), fields=fields, point_step=points.itemsize,
        row_step=points.nbytes, is_dense=True, data=points.tobytes(),
    )
    made.header.stamp, made.header.frame_id = stamp, "lidar"
    return made


class Node:
    """Publishes clouds, and says what the labels of each are."""

    def __init__(self, options):
        self._node = rclpy.create_node("lidar")
        qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._publisher = self._node.create_publisher(PointCloud2, "points", qos)
        self._node.create_subscription(PointCloud2, "points_labels", self._labelled, 10)
        self._scans, self._frames = clouds.scans(options.input), options.frames
        self._sent, self._answered = {}, 0
        self._node.create_timer(1 / options.rate, self._publish)

    def _publish(self):
        if self._frames and len(self._sent) == self._frames:
            raise SystemExit
        stamp = self._node.get_clock().now().to_msg()
        self._sent[stamp.sec, stamp.nanosec] = len(self._sent), time.monotonic()
        self._publisher.publish(message(next(self._scans), stamp))

    def _labelled(self, labels):
        """The labels of a cloud have its stamp."""
        stamp = labels.header.stamp
        frame, sent = self._sent.get((stamp.sec, stamp.nanosec), (None, None))
        if frame is None:
            return  # of a node before this one
        offset = next(field.offset for field in labels.fields if field.name == "label")
        points = np.frombuffer(labels.data, np.uint8).reshape(-1, labels.point_step)
        label = points[:, offset : offset + 4].copy().view(np.uint32)
        things = label[label > 1]
        self._answered += 1
        print("frame %d: %d points, %d of them on %d things, %.1f ms"
              % (frame, len(points), len(things), len(np.unique(things)),
                 (time.monotonic() - sent) * 1e3), flush=True)

    def spin(self):
        try:
            rclpy.spin(self._node)
        except (KeyboardInterrupt, SystemExit):
            pass
        except Exception:
            # Ctrl-C ends ROS's context, between any two steps of `spin`: each fails in its own way.
            if rclpy.ok():
                raise
        print("%d of %d clouds answered" % (self._answered, len(self._sent)), flush=True)


def rate(text):
    """An option's number of clouds a second."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=clouds.count, default=0, help="0: until Ctrl-C")
    parser.add_argument("--rate", type=rate, default=10, help="clouds a second")
    parser.add_argument("--input", type=clouds.folder, help="a folder of KITTI scans (*.bin)")
    options = parser.parse_args(remove_ros_args(args=sys.argv)[1:])
    rclpy.init(args=sys.argv)
    Node(options).spin()


if __name__ == "__main__":
    main()
