"""A node of ROS 1, in Python 2.7 or 3: publishes the clouds of a lidar, and says what comes back.

    roscore
    python2.7 -m io_shared.ros1 --from-ros /points --to-ros /points.labels
    python3 ros_network.py
    python2.7 ros1_node.py [--frames 100] [--rate 10] [--input FOLDER]

Each in a terminal of its own, in any order. The node needs nothing of io_shared but the conversion
between messages and arrays: it publishes /points, and subscribes to /points_labels.
"""

from __future__ import print_function

import argparse
import sys
import time

import numpy as np
import rospy
from sensor_msgs.msg import PointCloud2

try:
    import queue
except ImportError:  # Python 2.7
    import Queue as queue

import clouds
import io_shared.ros


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=clouds.count, default=100)
    parser.add_argument("--rate", type=clouds.rate, default=10, help="clouds a second; 0: no pause")
    parser.add_argument("--input", type=clouds.folder, help="a folder of KITTI scans (*.bin)")
    options = parser.parse_args(rospy.myargv(sys.argv)[1:])

    rospy.init_node("lidar")
    came = queue.Queue()
    rospy.Subscriber("/points_labels", PointCloud2, came.put, buff_size=1 << 24)
    publisher = rospy.Publisher("/points", PointCloud2, queue_size=1)
    while not publisher.get_num_connections() and not rospy.is_shutdown():
        time.sleep(0.05)  # for the bridge

    answered, played = 0, clouds.scans(options.input)
    for frame in range(options.frames):
        if rospy.is_shutdown():
            break
        started, stamp = time.time(), rospy.Time.now()
        try:
            publisher.publish(io_shared.ros.pointcloud2(next(played), "lidar", stamp))
        except rospy.ROSException:
            break  # Ctrl-C has closed the publisher
        labels = answer(came, stamp, 10)
        if labels is None:
            if not rospy.is_shutdown():
                print("frame %d: no labels came" % frame, file=sys.stderr)
            continue
        answered += 1
        print(
            "frame %d: %d points, %d of them on %d things, %.1f ms"
            % (frame, len(labels), np.count_nonzero(labels > 1),
               len(np.unique(labels[labels > 1])), (time.time() - started) * 1e3)
        )
        if options.rate:
            time.sleep(max(0, started + 1 / options.rate - time.time()))
    print("%d of %d clouds came back to Python %d"
          % (answered, options.frames, sys.version_info[0]))


def answer(came, stamp, timeout):
    """The labels of the cloud with that stamp; None if they do not come in time, or Ctrl-C does."""
    end = time.time() + timeout
    while time.time() < end and not rospy.is_shutdown():
        try:
            message = came.get(timeout=0.1)
        except queue.Empty:
            continue
        if message.header.stamp == stamp:
            return io_shared.ros.cloud(message)["label"]
    return None


if __name__ == "__main__":
    main()
